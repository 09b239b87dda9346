//! What people are told, on standard error. That it cannot be said changes nothing: a log on a full disk ends no sweep.

use std::fmt::Arguments;
use std::io::Write;

/// Says a line.
macro_rules! say {
    () => { $crate::say::line(format_args!("")) };
    ($($words:tt)*) => { $crate::say::line(format_args!($($words)*)) };
}

pub(crate) fn line(words: Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{words}");
}
