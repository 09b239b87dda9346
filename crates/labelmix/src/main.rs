//! The `labelmix` command. Everything is in the library; this chooses the allocator and the exit status.

use std::process::ExitCode;

/// Training allocates and frees megabytes at every step; the system's allocator spends a tenth of the time on that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    labelmix::run(std::env::args_os())
}
