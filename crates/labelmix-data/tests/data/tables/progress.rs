//! The observer of reading.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Mutex;

use labelmix_data::{observe_reading, read_texts};

use super::kinds::gzip;
use crate::scratch::Scratch;

/// How far each file's reading was, in the order of the reports.
type Reports = HashMap<OsString, Vec<(u64, u64)>>;

static SEEN: Mutex<Option<Reports>> = Mutex::new(None);

#[test]
fn reading_is_reported_from_the_first_bytes_to_the_last() {
    observe_reading(|progress| {
        let mut seen = SEEN.lock().unwrap();
        let reports = seen.get_or_insert_default().entry(progress.file.file_name().unwrap().to_owned());
        reports.or_default().push((progress.done, progress.total));
    });
    let scratch = Scratch::new();
    let csv = "text\n".to_owned() + &"a text like all others\n".repeat(200_000);
    for (name, content) in [("observed.csv", csv.clone().into_bytes()), ("observed.csv.gz", gzip(csv.as_bytes()))] {
        let size = content.len() as u64;
        let file = scratch.write(name, content);
        assert_eq!(read_texts(&file, "text").unwrap().len(), 200_000);
        let seen = SEEN.lock().unwrap();
        let reports = &seen.as_ref().unwrap()[file.file_name().unwrap()];
        assert!(reports.len() > 3 && reports.is_sorted(), "{name}: {} reports", reports.len());
        assert!(reports.iter().all(|(done, total)| done <= total && *total == size));
        assert_eq!(reports.last(), Some(&(size, size)), "{name}");
    }
}
