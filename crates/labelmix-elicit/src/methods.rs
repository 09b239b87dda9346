//! The methods, one file each.

pub(crate) mod seq_sft;
