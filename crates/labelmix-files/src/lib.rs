//! Files that are there whole or not at all: written beside their place, synced, and renamed. A reader never sees half of
//! one, and after a power cut there is the old or the new. And folders of results, in which nothing foreign is written over.

mod folder;
mod unfinished;

pub use folder::{WriteError, own, write_files};
pub use unfinished::{
    Unfinished, clear_leftovers, is_abandoned, is_process_tag, is_unfinished, process_tag, put, remove_if_abandoned,
    unique, write_whole,
};
