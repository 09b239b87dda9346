//! How long a column of texts takes to read, and how much memory: `cargo run --release --example read_table -- FILE COLUMN`.
//!
//! Prints the rows, the bytes of their texts, the seconds, and the peak of the process's memory (Linux).

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use labelmix_data::read_texts;

fn main() -> Result<(), Box<dyn Error>> {
    let [file, column] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "usage: FILE COLUMN")?;
    let start = Instant::now();
    let texts = read_texts(Path::new(&file), &column)?;
    let seconds = start.elapsed().as_secs_f64();
    let text_bytes: usize = texts.iter().map(String::len).sum();
    let peak = std::fs::read_to_string("/proc/self/status")?;
    let peak = peak.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("{} rows, {:.1} MB of texts, {seconds:.2} s, {peak}", texts.len(), text_bytes as f64 / 1e6);
    Ok(())
}
