//! Several studies seen together, for `report` and `import`.

use std::path::{Path, PathBuf};

use labelmix_data::Example;
use labelmix_report::{Details, FigureSettings, Overview, TaskMean};
use labelmix_study::Study;

use crate::diagnosis::Failure;
use crate::report::write_analysed;

/// Where the report of one of several studies is.
pub(crate) fn study_folder(out: &Path, study: &str) -> PathBuf {
    out.join("studies").join(study)
}

/// Writes the figures of several studies, and the report of each mean over tasks, and tells where files are. Returns the
/// means and their folders.
pub(crate) fn write_overview(
    overview: &Overview,
    out: &Path,
    figures: &FigureSettings,
    tell: impl Fn(&[PathBuf]) -> Result<(), Failure>,
) -> Result<Vec<(TaskMean, PathBuf)>, Failure> {
    let drawn = overview.write_figures(&out.join("figures"), figures)?;
    if drawn.is_empty() {
        say!("no method was tried on two tasks or with two models: there is nothing to see together");
    }
    tell(&drawn)?;
    let several = overview.models().len() > 1;
    let mut written = Vec::new();
    for (model, mean) in overview.means() {
        let Some(mean) = mean else {
            say!("{}: no split was measured on all of its tasks, so there is no mean", model.name);
            continue;
        };
        let name = if several { format!("mean_{}", mean.model.file_name()) } else { "mean".to_owned() };
        let folder = out.join(name);
        tell(&write_analysed(&mean.answer, &mean.runs, Details::default(), &folder, figures)?)?;
        written.push((mean, folder));
    }
    Ok(written)
}

/// The tasks of studies, told apart by their test texts and gold labels.
#[derive(Default)]
pub(crate) struct KnownTasks(Vec<(String, TestSet)>);

/// Texts with their gold labels.
type TestSet = Vec<(String, Option<bool>)>;

impl KnownTasks {
    /// The task's name: that of the first study with the same test set, or else its own.
    pub(crate) fn name_of(&mut self, study: &Study, test: &[Example]) -> String {
        let test: TestSet = test.iter().map(|example| (example.text.clone(), example.gold)).collect();
        if let Some((name, _)) = self.0.iter().find(|(_, known)| *known == test) {
            return name.clone();
        }
        let mut name = study.task.name().unwrap_or(&study.name).to_owned();
        if self.0.iter().any(|(known, _)| *known == name) {
            name = format!("{name} ({})", study.name);
        }
        self.0.push((name.clone(), test));
        name
    }
}
