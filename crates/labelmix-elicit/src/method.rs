//! What a method is: a list of stages. Adding one touches its own file and the list below.

use labelmix_econ::{Allocation, LabelKind};

use crate::methods::seq_sft::SeqSft;

/// One stage of a method. The first starts from a fresh adapter, each later one from its predecessor's best
/// checkpoint; each has an optimizer and a schedule of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StagePlan {
    /// Which pool its labels come from.
    pub labels: LabelKind,
    /// How many, taken from the beginning of the pool.
    pub count: usize,
}

/// A way to spend an allocation of labels.
pub trait Method: Send + Sync {
    /// The name in study files and tables.
    fn name(&self) -> &'static str;

    /// The stages, in order. Empty if the allocation is.
    fn stages(&self, allocation: Allocation) -> Vec<StagePlan>;
}

/// All methods.
static METHODS: [&dyn Method; 1] = [&SeqSft];

/// The method of this name.
#[must_use]
pub fn method_named(name: &str) -> Option<&'static dyn Method> {
    METHODS.into_iter().find(|method| method.name() == name)
}

/// The names of all methods.
pub fn method_names() -> impl Iterator<Item = &'static str> {
    METHODS.into_iter().map(Method::name)
}
