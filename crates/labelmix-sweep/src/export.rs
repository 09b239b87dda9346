//! A finished run for Python: a folder with its classifier, its tokenizer and a script that gives its log-odds.
//!
//! ```text
//! OUT/classify.py                     the script: log-odds and probabilities of texts
//!     tokenizer.json                  with tokenizer_config.json
//!     adapter_model.safetensors       what was trained, with adapter_config.json, for PEFT
//!     head.safetensors                the head, where transformers has no class for the whole
//!     shots.json                      the labelled examples of a prompt, if it has any
//! ```
//!
//! Of a merged checkpoint the weights are there instead, `model.safetensors` with `config.json`: in OUT itself if transformers has
//! a class for the whole, else in `OUT/transformer`, beside the head. Of an ensemble each classifier has a folder `member-N`.

mod error;
mod script;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use labelmix_files::{Unfinished, clear_leftovers};
use labelmix_methods::{ShotOrder, order_for_all};
use labelmix_models::{BaseModel, Classifier, Model, PythonClass, Tokenizer};
use labelmix_store::{ANSWER_FILE, KeptClassifiers, KeptShot, PROBE_FILE, PromptFile, RunFile, Store};
use labelmix_train::PromptEncoder;
use serde::Serialize;

use labelmix_engine::{run_classifier, run_load_options, tokenizer};

pub use self::error::ExportError;
use self::script::{Loads, Script, ScriptPrompt, literal};
use crate::error::Result;
use labelmix_study::{MatmulPrecisionName, TooLong};

/// How a classifier is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// An adapter in PEFT's layout, for the base to be loaded by its name.
    Adapter,
    /// A checkpoint with the adapter merged into it.
    Merged,
}

/// A run that can be exported.
pub struct RunExport {
    run: RunFile,
    form: ExportForm,
    /// The stages whose classifiers are averaged, or the one.
    stages: Vec<PathBuf>,
    /// What is added to the mean of their log-odds.
    shift: f32,
    prompt: Option<PromptFile>,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportedRun {
    pub folder: PathBuf,
    /// The run's name.
    pub run: String,
    /// transformers' class that loads it.
    pub class: &'static str,
    /// Whether that class pools and has the head; else the script does both.
    pub with_head: bool,
    /// Whether the model reads texts in a prompt, which the script writes.
    pub prompted: bool,
    /// Classifiers whose log-odds are averaged.
    pub classifiers: usize,
    /// The files, sorted, by their places in the folder.
    pub files: Vec<String>,
}

const SHOTS_FILE: &str = "shots.json";
const SCRIPT_FILE: &str = "classify.py";

impl RunExport {
    /// Reads the run kept in `folder`.
    ///
    /// # Errors
    /// If there is none, it is damaged, or Python cannot be told what it does.
    pub fn read(folder: &Path, form: ExportForm) -> Result<Self> {
        let (run, last) = Store::read_run(folder)?;
        let name = || run.record.run.clone();
        let KeptClassifiers { folders: mut stages, shift } = Store::classifiers(&last)?;
        if stages.iter().any(|stage| stage.join(PROBE_FILE).exists()) {
            return Err(ExportError::Probe(name()).into());
        }
        if stages.iter().any(|stage| stage.join(ANSWER_FILE).exists()) {
            return Err(ExportError::Answers(name()).into());
        }
        let prompts =
            stages.iter().map(|stage| Store::read_prompt(stage)).collect::<std::result::Result<Vec<_>, _>>()?;
        let is_read = |prompt: &Option<PromptFile>| prompt.clone().map(PromptFile::what_is_read);
        if prompts.windows(2).any(|pair| is_read(&pair[0]) != is_read(&pair[1])) {
            return Err(ExportError::DifferentPrompts(name()).into());
        }
        let prompt = prompts.into_iter().next().flatten();
        if let Some(prompt) = &prompt {
            let shots = prompt.shots.len();
            if prompt.follow_up.is_some() {
                return Err(ExportError::FollowUp(name()).into());
            }
            if prompt.order == ShotOrder::FreshForEach && shots > 1 {
                return Err(ExportError::FreshShots { run: name(), shots }.into());
            }
            if prompt.asks_language_model {
                if form == ExportForm::Merged {
                    return Err(ExportError::NothingTrained(name()).into());
                }
                // The same question asked several times has one answer.
                stages.truncate(1);
            }
        }
        Ok(Self { run, form, stages, shift, prompt })
    }

    /// The folder of the checkpoint that the run fine-tuned.
    pub fn model_folder(&self) -> &Path {
        &self.run.model_path
    }

    /// Writes the folder `out` beside its place and renames it. `base` is what Python is to call the checkpoint.
    ///
    /// # Errors
    /// If the place is taken or cannot be written, or the checkpoint cannot be read.
    pub fn write(&self, base: &BaseModel, out: &Path) -> Result<ExportedRun> {
        let is_free = match fs::read_dir(out) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if !is_free {
            return Err(ExportError::Taken(out.to_owned()).into());
        }
        clear_leftovers(out);
        let unfinished = Unfinished::folder(out).map_err(ExportError::write(out))?;
        let exported = self.write_into(base, unfinished.path())?;
        // Not every system renames over a folder, be it empty.
        let place = if out.exists() { fs::remove_dir(out) } else { Ok(()) };
        place.and_then(|()| unfinished.put()).map_err(ExportError::write(out))?;
        Ok(ExportedRun { folder: out.to_owned(), ..exported })
    }

    fn write_into(&self, base: &BaseModel, folder: &Path) -> Result<ExportedRun> {
        let tokenizer = tokenizer(&self.run.model_path, self.run.max_length)?;
        let asks = self.prompt.as_ref().is_some_and(|prompt| prompt.asks_language_model);
        let classifier = if asks {
            None
        } else {
            let model = Model::load(&self.run.model_path, &run_load_options(&self.run))?;
            Some(run_classifier(&self.run, &model)?)
        };
        if let Some(classifier) = &classifier {
            self.write_classifiers(classifier, base, &tokenizer, folder)?;
        }
        let tokenizer_folder = self.tokenizer_folder(classifier.as_ref());
        tokenizer.export(&folder.join(&tokenizer_folder))?;
        let loads = match (&classifier, self.form) {
            (Some(classifier), ExportForm::Adapter) => Loads::Adapter(classifier, base),
            (Some(classifier), ExportForm::Merged) => Loads::Merged(classifier),
            (None, _) => Loads::LanguageModel(base),
        };
        let cut = self.run.too_long == TooLong::Cut;
        let tokenizer_file = format!("{tokenizer_folder}tokenizer.json");
        let mut script = Script::new(&self.run.record.run, loads, &tokenizer_file, tokenizer.context(), cut);
        script.shift = (self.shift != 0.0).then_some(self.shift);
        script.rounds_products = self.run.matmul_precision != MatmulPrecisionName::default();
        if self.stages.len() > 1 {
            script.members = Some(literal((1..=self.stages.len()).map(member).collect::<Vec<_>>()));
        }
        if let Some(prompt) = &self.prompt {
            let encoder = PromptEncoder::new(prompt.template.clone(), &tokenizer)?;
            script.prompt = Some(ScriptPrompt::new(&prompt.template, &encoder, !prompt.shots.is_empty())?);
            write_shots(prompt, folder)?;
        }
        write_file(&folder.join(SCRIPT_FILE), &script.render())?;
        let mut files = Vec::new();
        list_files(folder, "", &mut files)?;
        files.sort();
        Ok(ExportedRun {
            folder: folder.to_owned(),
            run: self.run.record.run.clone(),
            class: script.class(),
            with_head: script.with_head(),
            prompted: self.prompt.is_some(),
            classifiers: self.stages.len(),
            files,
        })
    }

    /// Where the tokenizer lies: where transformers looks for it beside the weights.
    fn tokenizer_folder(&self, classifier: Option<&Classifier>) -> String {
        let mut folder = String::new();
        if let (Some(classifier), ExportForm::Merged) = (classifier, self.form) {
            if self.stages.len() > 1 {
                folder += &member(1);
                folder.push('/');
            }
            if classifier.python_class() == PythonClass::Transformer {
                folder += "transformer/";
            }
        }
        folder
    }

    fn write_classifiers(
        &self,
        classifier: &Classifier,
        base: &BaseModel,
        tokenizer: &Tokenizer,
        folder: &Path,
    ) -> Result<()> {
        if self.form == ExportForm::Adapter && classifier.rounds_weights() {
            let kept = classifier.model().options().kept_precision();
            let weights = kept.map_or("another precision", labelmix_models::Precision::name);
            return Err(ExportError::RoundedWeights { run: self.run.record.run.clone(), weights }.into());
        }
        for (number, stage) in self.stages.iter().enumerate() {
            let adapter = classifier.kept_adapter(stage)?;
            let own = if self.stages.len() > 1 { folder.join(member(number + 1)) } else { folder.to_owned() };
            let weights = match (self.form, classifier.python_class()) {
                (ExportForm::Merged, PythonClass::Transformer) => own.join("transformer"),
                _ => own.clone(),
            };
            fs::create_dir_all(&weights).map_err(ExportError::write(&weights))?;
            match self.form {
                ExportForm::Adapter => classifier.export_adapter(&adapter, &own, base)?,
                ExportForm::Merged => classifier.export_merged(&adapter, &weights, &own, tokenizer.pad_token()?)?,
            }
        }
        Ok(())
    }
}

/// The folder of an ensemble's classifier.
fn member(number: usize) -> String {
    format!("member-{number}")
}

/// Writes the labelled examples of a prompt in the order in which they stand in it, if it has any.
fn write_shots(prompt: &PromptFile, folder: &Path) -> Result<()> {
    if prompt.shots.is_empty() {
        return Ok(());
    }
    let mut shots: Vec<&KeptShot> = prompt.shots.iter().collect();
    if prompt.order != ShotOrder::FreshForEach {
        order_for_all(&mut shots, prompt.seed);
    }
    let json = serde_json::to_string_pretty(&shots).expect("shots are texts and classes") + "\n";
    write_file(&folder.join(SHOTS_FILE), &json)
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    Ok(fs::write(path, text).map_err(ExportError::write(path))?)
}

/// The files in a folder and below, by their places in the first.
fn list_files(folder: &Path, place: &str, files: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(ExportError::write(folder))? {
        let entry = entry.map_err(ExportError::write(folder))?;
        let name = format!("{place}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            list_files(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}
