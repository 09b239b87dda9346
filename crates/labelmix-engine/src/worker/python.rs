//! Which Python runs the worker that labelmix brings along.

use std::path::PathBuf;

/// The interpreter that the environment names: `LABELMIX_PYTHON`, that of the active virtual environment, or `python3`.
pub fn python() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("LABELMIX_PYTHON")
        .or_else(|| set("VIRTUAL_ENV").map(|folder| folder.join("bin").join("python")))
        .unwrap_or_else(|| PathBuf::from("python3"))
}
