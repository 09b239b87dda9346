//! The thread that reads finished runs and computes the page: of studies whose page somebody has open, when there is
//! something new, in a few threads and with rests, so that a sweep on the same machine keeps it to itself.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use labelmix_data::{Example, SplitFiles};
use labelmix_report::{Analysis, Answer, Details, Report, live_page, page_data};
use labelmix_store::{Damage, FinishedRun, FinishedStudy, RunReader, Store, StudyPlan, TestSetKey};
use labelmix_study::Study;

use crate::progress::{Doing, Progress};
use crate::question::guessed;
use crate::state::{Results, ServerState};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So many times what results took pass until the next, while the sweep goes on.
const REST: u32 = 3;

/// Finds the files of a study's task on this machine, without a download; or says why not.
pub type TaskFiles = Box<dyn Fn(&Study) -> Result<SplitFiles, String> + Send + Sync>;

/// Who computes.
pub(crate) struct Analyst {
    pub(crate) store: Store,
    /// The files of studies that were named.
    pub(crate) studies: HashMap<String, PathBuf>,
    pub(crate) task_files: TaskFiles,
    pub(crate) threads: rayon::ThreadPool,
    pub(crate) server_state: Arc<ServerState>,
}

/// What is known of a study whose page is open, or was.
struct OpenStudy {
    runs: RunReader,
    /// The plan that the results are of.
    plan: Option<Arc<StudyPlan>>,
    damaged: Vec<Damage>,
    test: Option<KnownTest>,
    /// Whether the last results could not be computed, as the next of the same runs could not.
    failed: bool,
    /// When it was last looked at, and how long that took.
    rests_since: Instant,
    took: Duration,
}

impl OpenStudy {
    fn new(store: &Store, study: &str) -> Self {
        Self {
            runs: RunReader::new(store.clone(), study),
            plan: None,
            damaged: Vec::new(),
            test: None,
            failed: false,
            rests_since: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Whether it has been left alone for long enough. The last results of a sweep are not waited for.
    fn has_rested(&self, goes_on: bool) -> bool {
        let rest = if goes_on { REST * self.took } else { self.took };
        self.rests_since.elapsed() >= rest.max(LOOK_EVERY)
    }
}

/// A test set, and where it was read.
struct KnownTest {
    origin: Origin,
    texts: Result<Vec<Example>, String>,
}

#[derive(PartialEq)]
enum Origin {
    Store(TestSetKey),
    /// A study's file, in a state of that.
    File(PathBuf, Option<SystemTime>),
}

impl Analyst {
    /// Computes until the server state ends.
    pub(crate) fn work(&self) {
        let mut followed: HashMap<String, OpenStudy> = HashMap::new();
        loop {
            let Some(open) = self.wait_for_work(&followed) else { return };
            for (study, plan) in open {
                let known = followed.entry(study.clone()).or_insert_with(|| OpenStudy::new(&self.store, &study));
                let began = Instant::now();
                self.renew(&study, plan, known);
                (known.took, known.rests_since) = (began.elapsed(), Instant::now());
            }
        }
    }

    /// Waits until somebody has pages open that have rested, and says of which studies, with their plans; `None` at the end.
    fn wait_for_work(&self, followed: &HashMap<String, OpenStudy>) -> Option<Vec<(String, Option<Arc<StudyPlan>>)>> {
        let mut state = self.server_state.lock();
        while !state.ended {
            let mut open = Vec::new();
            for study in state.open_studies() {
                let known = &state.studies[&study];
                let goes_on = known.progress.as_ref().is_some_and(Progress::goes_on);
                if followed.get(&study).is_none_or(|followed| followed.has_rested(goes_on)) {
                    open.push((study, known.plan.clone()));
                }
            }
            if state.looked && !open.is_empty() {
                return Some(open);
            }
            state = self.server_state.wait(state, LOOK_EVERY / 4);
        }
        None
    }

    /// Results of what there is now, if it is different from before.
    fn renew(&self, study: &str, plan: Option<Arc<StudyPlan>>, known: &mut OpenStudy) {
        let observe = |read, of_runs| self.doing(study, Doing::Reading { read, of_runs });
        let followed = known.runs.follow(&observe);
        let damaged = known.runs.damaged();
        let first =
            self.server_state.lock().studies.get(study).is_some_and(|state| state.results.is_none()) && !known.failed;
        let changed = followed.as_ref().is_ok_and(|changed| *changed) || known.plan != plan || known.damaged != damaged;
        if !first && !changed {
            self.doing(study, Doing::Current);
            return;
        }
        self.doing(study, Doing::Computing);
        (known.plan, known.damaged) = (plan, damaged);
        let mut notes = Vec::new();
        notes.extend(followed.err().map(|error| format!("runs cannot be read: {error}")));
        for Damage { path, reason } in &known.damaged {
            notes.push(format!("damaged, and left out: {}: {reason}", path.display()));
        }
        let runs = known.runs.runs(known.plan.as_deref());
        let test = self.test(study, known.plan.as_deref(), &mut known.test);
        let compute = || {
            self.threads.install(|| {
                let report = report(study, known.plan.as_deref(), &runs, test, &mut notes);
                (page_data(&report), report.answer.runs.len())
            })
        };
        let computed = catch_unwind(AssertUnwindSafe(compute));
        let results = computed.map(|(data, runs)| Arc::new(ready(study, data, runs, notes)));
        known.failed = results.is_err();
        if let Some(state) = self.server_state.lock().studies.get_mut(study) {
            state.doing = Doing::Current;
            state.failure =
                known.failed.then_some("the newest results cannot be computed, which is an error of labelmix");
            if let Ok(results) = results {
                state.results = Some(results);
            }
        }
    }

    fn doing(&self, study: &str, doing: Doing) {
        if let Some(known) = self.server_state.lock().studies.get_mut(study) {
            known.doing = doing;
        }
    }

    /// The test texts of a study: those that the store keeps, or, where it is from before it kept any, those of the study's
    /// file, which was named or is named by the store.
    fn test<'a>(
        &self,
        study: &str,
        plan: Option<&StudyPlan>,
        known: &'a mut Option<KnownTest>,
    ) -> Result<&'a [Example], String> {
        let question = plan.and_then(|plan| plan.question.as_ref());
        let kept = question.and_then(|question| question.found.as_ref()).map(|found| &found.test_set);
        let origin = if let Some(key) = kept.filter(|key| self.store.has_test_set(key)) {
            Origin::Store(key.clone())
        } else {
            let swept = question.and_then(|question| question.study_file.as_ref());
            let file =
                self.studies.get(study).or(swept).ok_or(
                    "the store does not say where the study's file is (`labelmix serve STORE STUDY.toml` does)",
                )?;
            let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
            Origin::File(file.clone(), modified)
        };
        if !known.as_ref().is_some_and(|known| known.origin == origin && known.texts.is_ok()) {
            let texts = match &origin {
                Origin::Store(key) => match self.store.test_set(key) {
                    Ok(texts) => texts.ok_or_else(|| "the store does not have them".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
                Origin::File(file, _) => {
                    self.read_test(study, file).map_err(|reason| format!("{}: {reason}", file.display()))
                }
            };
            *known = Some(KnownTest { origin, texts });
        }
        match known.as_ref().map(|known| &known.texts) {
            Some(Ok(texts)) => Ok(texts),
            Some(Err(reason)) => Err(reason.clone()),
            None => unreachable!("it was read just now"),
        }
    }

    fn read_test(&self, name: &str, file: &Path) -> Result<Vec<Example>, String> {
        let study = Study::read(file).map_err(|error| error.to_string())?;
        if study.name != name {
            return Err(format!("this is the study {} now", study.name));
        }
        let files = (self.task_files)(&study)?;
        Ok(study.load_data(&files).map_err(|error| error.to_string())?.test)
    }
}

/// Results ready to be sent.
fn ready(study: &str, data: String, runs: usize, notes: Vec<String>) -> Results {
    let version = blake3::hash(data.as_bytes()).to_hex()[..16].to_owned();
    let page = live_page(study, &data, &version);
    Results { version, runs, data: data.into(), html: page.html.into(), policy: page.policy, notes }
}

/// The report of these runs: what `labelmix report` makes of them, where the test texts are at hand.
fn report(
    study: &str,
    plan: Option<&StudyPlan>,
    runs: &[Arc<FinishedRun>],
    test: Result<&[Example], String>,
    notes: &mut Vec<String>,
) -> Report {
    let question = plan.and_then(|plan| plan.question.clone()).unwrap_or_else(|| {
        if !runs.is_empty() {
            notes.push(
                "the store does not say which budgets the study has: what each purchase costs stands for one"
                    .to_owned(),
            );
        }
        guessed(runs)
    });
    let tested_alike = |run: &&Arc<FinishedRun>| Some(&run.ids) == runs.first().map(|first| &first.ids);
    let alike: Vec<Arc<FinishedRun>> = runs.iter().filter(tested_alike).cloned().collect();
    if alike.len() < runs.len() {
        notes.push(format!("{} runs were tested on other texts, and are left out", runs.len() - alike.len()));
    }
    let without_texts = FinishedStudy { runs: alike, ..FinishedStudy::empty(study, question) };
    let tested = test.and_then(|test| without_texts.clone().tested_on(test).map_err(|error| error.to_string()));
    let finished = tested.unwrap_or_else(|reason| {
        if !without_texts.runs.is_empty() {
            notes.push(format!(
                "no test texts, and wider intervals, because the runs' accuracies are all there is: {reason}"
            ));
        }
        without_texts
    });
    let measured = finished.measured();
    let answer = Answer::of(&finished, &measured);
    Report { analysis: Analysis::new(&answer, measured), details: Details::of(&finished), answer }
}

/// The data of a page before there are results.
pub(crate) fn data_of_nothing(study: &str, plan: Option<&StudyPlan>) -> String {
    let question = plan.and_then(|plan| plan.question.clone());
    let question = question.unwrap_or_else(|| guessed(&[] as &[Arc<FinishedRun>]));
    let answer = Answer::of(&FinishedStudy::empty(study, question), &[]);
    page_data(&Report { answer, analysis: None, details: Details::default() })
}
