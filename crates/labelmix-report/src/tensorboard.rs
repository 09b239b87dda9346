//! TensorBoard's event files: curves that one watches while training goes on.
//!
//! A file is a row of records (a length, its checksum, the bytes, their checksum; the checksums are masked CRC-32C), and each
//! record is a protocol buffer of the kind `Event`. TensorBoard reads all files of a folder whose names have `tfevents` in
//! them, in the order of the names, as one run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use prost::Message;

/// The version of the format that the first event of every file has to name.
const FILE_VERSION: &str = "brain.Event:2";

/// The parts of TensorFlow's `event.proto` and `summary.proto` that curves need.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// One of several forms of a value, so that a zero has to be written too.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: what other files say of this step and later ones is no longer so.
const SESSION_STARTS: i32 = 1;

/// One file of events, to whose end is written.
#[derive(Debug)]
pub struct TensorBoardFile<W = File> {
    out: W,
}

impl TensorBoardFile {
    /// A new file in a folder, which is made if it is missing. `wall_time` is in seconds since 1970; `writer` tells apart
    /// the files of processes that write at the same time.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(folder: &Path, wall_time: f64, writer: u32) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        // Of a width that does not change, so that names stand in the order of time.
        let name = format!("events.out.tfevents.{wall_time:017.6}.labelmix.{writer}");
        Self::to(File::options().create(true).append(true).open(folder.join(name))?, wall_time)
    }
}

impl<W: Write> TensorBoardFile<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn to(out: W, wall_time: f64) -> io::Result<Self> {
        let mut file = Self { out };
        file.write(&Event { wall_time, step: 0, what: Some(What::FileVersion(FILE_VERSION.to_owned())) })?;
        Ok(file)
    }

    /// The training goes on from before this step: what earlier files say of this step and later ones is void.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn resume_at(&mut self, wall_time: f64, step: usize) -> io::Result<()> {
        let what = Some(What::SessionLog(SessionLog { status: SESSION_STARTS }));
        self.write(&Event { wall_time, step: number(step), what })
    }

    /// A point of each of these curves, by their names. What stands before a slash groups curves in one panel.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn scalars(&mut self, wall_time: f64, step: usize, curves: &[(&str, f64)]) -> io::Result<()> {
        let scalar = |(tag, value): &(&str, f64)| Scalar { tag: (*tag).to_owned(), simple_value: Some(*value as f32) };
        let what = Some(What::Summary(Summary { value: curves.iter().map(scalar).collect() }));
        self.write(&Event { wall_time, step: number(step), what })
    }

    /// One write for an event: whoever reads meanwhile sees whole ones.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let event = event.encode_to_vec();
        let length = (event.len() as u64).to_le_bytes();
        let [of_length, of_event] = [&length[..], &event].map(|bytes| masked_checksum(bytes).to_le_bytes());
        self.out.write_all(&[&length[..], &of_length, &event, &of_event].concat())
    }
}

/// The curves of a folder's files: for each its points, a step and a value, in the order in which they were written. What later
/// files made void is left out, and an event that was being written when its process was killed.
///
/// # Errors
/// If a file cannot be read.
pub fn read_tensorboard(folder: &Path) -> io::Result<BTreeMap<String, Vec<(usize, f32)>>> {
    let mut paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    let mut curves = BTreeMap::<String, Vec<(usize, f32)>>::new();
    for path in paths {
        for Event { step, what, .. } in events(&fs::read(path)?) {
            let step = usize::try_from(step).unwrap_or_default();
            match what {
                Some(What::Summary(Summary { value })) => {
                    for Scalar { tag, simple_value } in value {
                        curves.entry(tag).or_default().push((step, simple_value.unwrap_or_default()));
                    }
                }
                Some(What::SessionLog(SessionLog { status: SESSION_STARTS })) => {
                    for points in curves.values_mut() {
                        points.retain(|(of, _)| *of < step);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(curves)
}

/// The whole events at the beginning of a file.
fn events(mut bytes: &[u8]) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let end = usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|length| length.checked_add(4));
        let event = end.and_then(|end| rest.get(4..end)).and_then(|event| Event::decode(event).ok());
        let (Some(event), Some(after)) = (event, end.and_then(|end| rest.get(end.saturating_add(4)..))) else { break };
        events.push(event);
        bytes = after;
    }
    events
}

fn number(step: usize) -> i64 {
    i64::try_from(step).expect("a step is far from the largest number")
}

/// A checksum of bytes that may hold checksums themselves, as the record format has it: rotated and shifted.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that TensorBoard's own writer (tensorboard 2.21, `RecordWriter` with `event_pb2`) makes of the same events.
    const REFERENCE: [&str; 4] = [
        "1800000000000000a37f4b220900000040fc54d9411a0d627261696e2e4576656e743a32eced8f9d",
        "0f000000000000006d532b090900006040fc54d94110143a0208018632d608",
        "39000000000000008b0737f10900009040fc54d94110152a2c0a140a0d6c6f73732f747261696e696e67150000",
        "203f0a140a0d6c6561726e696e6720726174651500000000f8861ee0",
    ];

    #[test]
    fn are_what_tensorboard_itself_writes() {
        let mut bytes = Vec::new();
        let mut file = TensorBoardFile::to(&mut bytes, 1_700_000_000.0).unwrap();
        file.resume_at(1_700_000_001.5, 20).unwrap();
        file.scalars(1_700_000_002.25, 21, &[("loss/training", 0.625), ("learning rate", 0.0)]).unwrap();
        let reference = REFERENCE.concat();
        let digits = reference.as_bytes().chunks(2).map(|digits| std::str::from_utf8(digits).unwrap());
        assert_eq!(bytes, digits.map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_is_read_and_what_is_void_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = TensorBoardFile::create(folder.path(), 1.0, 7).unwrap();
        for step in 1..5 {
            first.scalars(1.0, step, &[("a", step as f64), ("b", 0.5)]).unwrap();
        }
        let path = folder.path().join("events.out.tfevents.0000000001.000000.labelmix.7");
        let whole = fs::read(&path).unwrap();
        let mut second = TensorBoardFile::create(folder.path(), 2.0, 7).unwrap();
        second.resume_at(2.0, 3).unwrap();
        second.scalars(2.0, 3, &[("a", 9.0)]).unwrap();
        let read = || read_tensorboard(folder.path()).unwrap();
        assert_eq!(read()["a"], [(1, 1.0), (2, 2.0), (3, 9.0)]);
        assert_eq!(read()["b"], [(1, 0.5), (2, 0.5)]);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let points = read().remove("b").unwrap_or_default();
            assert!(points.len() < 3 && points.iter().all(|point| point.1 == 0.5), "{length}: {points:?}");
        }
    }

    #[test]
    fn files_that_begin_later_come_later_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for wall_time in [999_999_999.5, 1_000_000_000.25, 1_000_000_000.5] {
            TensorBoardFile::create(folder.path(), wall_time, 7).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let [first, second, third] = ["0999999999.500000", "1000000000.250000", "1000000000.500000"]
            .map(|time| format!("events.out.tfevents.{time}.labelmix.7"));
        assert_eq!(names, [first, second, third]);
    }
}
