//! JSON Lines, and JSON arrays: an object for each row.

use std::fs::File;
use std::io::Write;

use super::format::Stream;
use super::{Sink, SinkError};
use crate::table::TableRow;

/// What stands before a row, between two, and behind all.
struct Json {
    out: Stream,
    before: &'static str,
    between: &'static str,
    behind: &'static str,
}

pub(super) fn lines(out: Stream) -> Box<dyn Sink> {
    Box::new(Json { out, before: "", between: "\n", behind: "\n" })
}

pub(super) fn array(out: Stream) -> Box<dyn Sink> {
    Box::new(Json { out, before: "[\n", between: ",\n", behind: "\n]\n" })
}

impl Sink for Json {
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError> {
        for row in rows {
            self.out.write_all(self.before.as_bytes())?;
            row.write_json(&mut self.out)?;
            self.before = self.between;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<File, SinkError> {
        // Without a row, an array is still an array, and no line is no line.
        let is_empty = self.before != self.between;
        let rest =
            if is_empty { format!("{}{}", self.before, self.behind.trim_start()) } else { self.behind.to_owned() };
        self.out.write_all(rest.as_bytes())?;
        Ok(self.out.finish()?)
    }
}
