//! `labelmix engine torch`: an environment in which the torch engine runs.

use std::path::Path;
use std::process::Command;

use miette::Diagnostic;

use crate::arguments::TorchArguments;
use crate::diagnosis::{Failure, Status, print_data};

/// Packages of versions that the torch engine was tested with.
const PACKAGES: [&str; 6] =
    ["torch==2.15.0", "transformers==5.24.0", "safetensors==0.8.0", "accelerate==1.15.0", "numpy", "bitsandbytes"];

#[derive(Debug, thiserror::Error, Diagnostic)]
enum InstallError {
    #[error("{program} cannot be run: {cause}")]
    #[diagnostic(help(
        "install Python 3.10 or newer with its venv module; or use an environment of your own: LABELMIX_PYTHON"
    ))]
    NoPython { program: String, cause: String },
    #[error("{command} ended with {status}")]
    #[diagnostic(help("what it printed says why; what is installed already is not installed again"))]
    Failed { command: String, status: String },
}

pub(crate) fn run(arguments: &TorchArguments) -> Result<Status, Failure> {
    let Some(folder) = &arguments.install else {
        print_data(&format!(
            "The torch engine runs in any Python with torch and transformers. An environment of its own:\n\n  \
             python3 -m venv DIR\n  DIR/bin/python -m pip install {}\n  export LABELMIX_PYTHON=DIR/bin/python\n\n\
             `labelmix engine torch --install DIR` does the first two, `labelmix engine check` tries it.\n",
            PACKAGES.join(" ")
        ))?;
        return Ok(Status::Done);
    };
    let python = std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).join("bin").join("python");
    if !python.exists() {
        call(Path::new("python3"), &["-m", "venv", &folder.display().to_string()])?;
    }
    call(&python, &[&["-m", "pip", "install"][..], &PACKAGES].concat())?;
    print_data(&format!(
        "\nThe torch engine has its environment. It is found by\n\n  export LABELMIX_PYTHON={}\n",
        python.display()
    ))?;
    Ok(Status::Done)
}

/// Runs a program that prints for itself.
fn call(program: &Path, arguments: &[&str]) -> Result<(), InstallError> {
    let shown = format!("{} {}", program.display(), arguments.join(" "));
    let status = Command::new(program).args(arguments).status();
    let status = status
        .map_err(|error| InstallError::NoPython { program: program.display().to_string(), cause: error.to_string() })?;
    if status.success() { Ok(()) } else { Err(InstallError::Failed { command: shown, status: status.to_string() }) }
}
