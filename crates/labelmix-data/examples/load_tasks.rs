//! Loads tasks from folders and prints what became of their rows, and how long it took:
//! `load_tasks sciq=../shared/data/sciq mine.toml=data`. With `/usr/bin/time -v` before it, the memory too. `--by=FIELD`
//! keeps that field of the rows, as the label report does.

use std::path::Path;
use std::time::Instant;

use labelmix_data::{Boundary, CleaningOptions, LoadOptions, Task};

fn main() -> miette::Result<()> {
    let (fields, tasks): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--by="));
    let fields: Vec<String> = fields.iter().map(|field| field["--by=".len()..].to_owned()).collect();
    for argument in tasks {
        let (name, folder) = argument.split_once('=').unwrap_or((&argument, &argument));
        let file = Path::new(name);
        let task = if file.is_file() { Task::read(file)? } else { Task::named(name)? };
        let task = task.with_folder(Path::new(folder));
        let start = Instant::now();
        let cleaning = CleaningOptions { max_test: Some(5000), ..CleaningOptions::default() };
        let check =
            task.check(&task.local_files()?, &LoadOptions { cleaning, fields: &fields, ..LoadOptions::default() })?;
        let pools = check.dataset.pools(0, Boundary::Fixed(1024));
        let seconds = start.elapsed().as_secs_f64();
        println!("{check}\n{seconds:.2} s, {} gold and {} weak\n", pools.gold_size(), pools.weak_size());
    }
    Ok(())
}
