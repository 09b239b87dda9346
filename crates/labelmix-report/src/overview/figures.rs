//! The figures of several studies.

use std::path::{Path, PathBuf};

use super::{Overview, StudyAnswer, TaskAnswers, as_file_name};
use labelmix_files::{WriteError, write_files};

use crate::Answer;
use crate::figures::{Columns, FigureSettings, accuracy_panels, figure_files, scaling};

impl Overview {
    /// Writes the figures into a folder, and returns their paths. For every method:
    /// - `accuracy_by_task`, for each model with several tasks: accuracy against the share spent on weak labels, the mean
    ///   over tasks and each task in a panel;
    /// - `accuracy_by_model`, for each task with several models, and for the mean over the tasks that all models share: the
    ///   same with a panel for each model;
    /// - `scaling`, with several models: the best accuracy within each budget against the models' size, a panel for each task.
    ///
    /// What a figure is about is in its name where there are several: the model or the task, then the method.
    ///
    /// # Errors
    /// [`WriteError`] for the first file or folder that cannot be written.
    pub fn write_figures(&self, folder: &Path, settings: &FigureSettings) -> Result<Vec<PathBuf>, WriteError> {
        write_files(folder, figure_files(self.figures(settings.columns), &settings.formats))
    }

    /// The names and contents of the figures, as SVG.
    fn figures(&self, columns: Columns) -> Vec<(String, String)> {
        let (methods, models) = (self.methods(), self.models());
        let means: Vec<Option<Answer>> = models.iter().map(|model| self.mean(model, &self.tasks_of(model))).collect();
        let shared = self.shared_tasks();
        let shared_means: Vec<Option<Answer>> = models.iter().map(|model| self.mean(model, &shared)).collect();
        let tasks = self.tasks_with_answers(&shared_means);

        let mut figures = Vec::new();
        for method in &methods {
            let mut add = |kind: &str, about: Option<&str>, figure: Option<String>| {
                let of_several = (methods.len() > 1).then_some(*method);
                let name: Vec<&str> = [Some(kind), about, of_several].into_iter().flatten().collect();
                figures.extend(figure.map(|svg| (as_file_name(&name.join("_")), svg)));
            };
            for (model, mean) in models.iter().zip(&means) {
                let mut panels: Vec<(&str, &Answer)> = mean.iter().map(|mean| (mean.study.as_str(), mean)).collect();
                panels.extend(self.studies_of(model).map(|study| (study.task.as_str(), &study.answer)));
                let about = (models.len() > 1).then_some(model.name.as_str());
                add("accuracy_by_task", about, accuracy_panels(&panels, method, columns));
            }
            for TaskAnswers { task, answers } in &tasks {
                let panels: Vec<(&str, &Answer)> =
                    answers.iter().map(|(model, answer)| (models[*model].name.as_str(), *answer)).collect();
                let about = (tasks.len() > 1).then_some(*task);
                add("accuracy_by_model", about, accuracy_panels(&panels, method, columns));
            }
            add("scaling", None, scaling(models, &tasks, method, columns));
        }
        figures
    }

    /// The mean over the tasks that all models share, as far as there is one, then every task.
    fn tasks_with_answers<'a>(&'a self, means: &'a [Option<Answer>]) -> Vec<TaskAnswers<'a>> {
        let means: Vec<(usize, &Answer)> =
            means.iter().enumerate().filter_map(|(model, mean)| Some((model, mean.as_ref()?))).collect();
        let mean = means.first().map(|(_, mean)| mean.study.as_str());
        let mean = mean.map(|task| TaskAnswers { task, answers: means });
        let of_task = |task: &'a String| {
            let studies = self.studies.iter().filter(move |study| study.task == *task);
            let place = |study: &StudyAnswer| self.models.iter().position(|model| *model == study.model);
            let answers = studies.filter_map(|study| Some((place(study)?, &study.answer)));
            TaskAnswers { task, answers: answers.collect() }
        };
        mean.into_iter().chain(self.tasks.iter().map(of_task)).collect()
    }
}
