//! Reading texts before the stages begin that ask what the pretrained model makes of them, in parts that the store keeps: a
//! killed sweep goes on, and other processes and studies find them.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use labelmix_data::{Example, ExampleId};
use labelmix_engine::HiddenStates;
use labelmix_methods::Choice;
use labelmix_models::KeptTensors;
use labelmix_store::{Damage, FeaturePart, FeatureParts, StageKey, Store, StoreError, Watch};
use labelmix_train::Continuation;

use super::event::{Observer, SweepEvent};
use super::queue::End;
use super::{pool_of, threads_per_job};
use crate::error::Result;
use crate::features::{COVERAGE_LAYERS, Layers, covers, ids, layers_of};
use crate::graph::StageNode;
use crate::options::{ExecuteOptions, LOOK_EVERY};
use crate::piece::{Attempt, Piece, attempt};
use crate::stage_error::StageError;
use crate::sweep::Sweep;

/// The texts of a part. A killed sweep reads at most so many again for each of its jobs.
const PART: usize = 1024;

/// The name of a part's only tensor: the hidden states of its texts, one after the other.
const TENSOR: &str = "hidden_states";

impl Sweep {
    /// The texts whose hidden states these stages ask for, by the number of layers, each once.
    fn texts_read_by(&self, stages: &[&StageNode]) -> BTreeMap<Layers, Vec<&str>> {
        let train = &self.data.train;
        let mut asked: Vec<(Layers, &Example)> = Vec::new();
        for node in stages {
            let probed = layers_of(&node.plan);
            let draws = if probed.is_some() || covers(&node.plan) { self.drawn(node) } else { Vec::new() };
            for drawn in draws {
                let covers = (drawn.draw.choice == Choice::Coverage).then_some(COVERAGE_LAYERS);
                for layers in covers.into_iter().chain(probed) {
                    asked.extend(drawn.places.iter().map(|place| (layers, &train[*place])));
                }
            }
            asked.extend(probed.iter().flat_map(|layers| self.data.test.iter().map(|example| (*layers, example))));
            let read = node.reads.iter().filter_map(|read| layers_of(&self.graph().nodes()[*read].plan));
            let reference: Vec<usize> = node.reference.iter().flat_map(|reference| reference.places.clone()).collect();
            for layers in read {
                asked.extend(reference.iter().map(|place| (layers, &train[*place])));
            }
        }
        let mut seen: HashSet<(Layers, ExampleId)> = HashSet::new();
        let mut texts: BTreeMap<Layers, Vec<&str>> = BTreeMap::new();
        for (layers, example) in asked {
            if seen.insert((layers, example.id)) {
                texts.entry(layers).or_default().push(&example.text);
            }
        }
        texts
    }

    /// The same without those that are known or that the store keeps.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn unread_texts(&self, store: &Store, stages: &[&StageNode]) -> Result<UnreadTexts<'_>> {
        let mut unread = UnreadTexts::default();
        for (layers, texts) in self.texts_read_by(stages) {
            if self.features.lacking(layers, &texts).is_empty() {
                continue;
            }
            let FeatureParts { sound, damaged } = store.feature_parts(&self.shared.features_key(layers))?;
            for (part, file) in sound {
                self.features.add(layers, &part.texts, read_part(&part, &file)?);
            }
            let lacking = self.features.lacking(layers, &texts);
            if !lacking.is_empty() {
                unread.texts.push((layers, lacking));
                unread.damaged.extend(damaged);
            }
        }
        Ok(unread)
    }

    /// Reads what these stages ask for and the store does not keep, as many parts at a time as there are jobs; why it
    /// ended before all was read, if it did. What cannot be read is left to the stages, which then say why.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn read_ahead(
        &self,
        store: &Store,
        stages: &[&StageNode],
        options: &ExecuteOptions,
        observer: &dyn Observer,
    ) -> Result<Option<End>> {
        let UnreadTexts { texts: unread, damaged } = self.unread_texts(store, stages)?;
        for (folder, damage) in damaged {
            store.set_aside(&folder, &damage)?;
            observer.hear(&SweepEvent::FeaturesDamaged { damage: &damage });
        }
        let total = unread.iter().map(|(_, texts)| texts.len()).sum();
        let parts = unread.iter().flat_map(|(layers, texts)| texts.chunks(PART).map(move |texts| (*layers, texts)));
        let parts: VecDeque<PartPiece<'_>> = parts.map(|(layers, texts)| PartPiece::new(self, layers, texts)).collect();
        let jobs = self.engine.slots().clamp(1, parts.len().max(1));
        let queue =
            PartQueue { state: Mutex::new(QueueState { parts, done: 0, end: None }), total, store, options, observer };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| pool_of(threads_per_job(jobs)).install(|| queue.work()));
            }
        });
        Ok(queue.state.into_inner().unwrap_or_else(PoisonError::into_inner).end)
    }
}

/// Texts whose hidden states stages ask for and nobody has.
#[derive(Default)]
pub(crate) struct UnreadTexts<'a> {
    /// By the number of layers, each once.
    pub(crate) texts: Vec<(Layers, Vec<&'a str>)>,
    /// The folders of damaged parts among which they may be, with what is wrong with them.
    damaged: BTreeMap<PathBuf, Damage>,
}

/// The parts that are to be read.
struct PartQueue<'a> {
    state: Mutex<QueueState<'a>>,
    total: usize,
    store: &'a Store,
    options: &'a ExecuteOptions,
    observer: &'a dyn Observer,
}

struct QueueState<'a> {
    parts: VecDeque<PartPiece<'a>>,
    /// How many texts were read or found.
    done: usize,
    /// Why no part is begun any more, if none is.
    end: Option<End>,
}

impl<'a> PartQueue<'a> {
    fn state(&self) -> MutexGuard<'_, QueueState<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<PartPiece<'a>> {
        let mut state = self.state();
        if state.end.is_some() { None } else { state.parts.pop_front() }
    }

    /// One worker: takes parts until there are none, or nothing more can be done.
    fn work(&self) {
        let watch = Watch::default();
        while let Some(piece) = self.next() {
            match attempt(&piece, self.store, &watch, self.options) {
                Ok(Attempt::Kept((rows, claim)) | Attempt::Made((rows, claim))) => {
                    claim.fulfilled();
                    piece.sweep.features.add(piece.layers, &piece.part.texts, rows);
                    let mut state = self.state();
                    state.done += piece.texts.len();
                    self.observer.hear(&SweepEvent::TextsRead { done: state.done, total: self.total });
                }
                Ok(Attempt::Elsewhere(_)) => {
                    self.state().parts.push_back(piece);
                    std::thread::sleep(LOOK_EVERY);
                    if self.options.interrupt.check().is_err() {
                        self.state().end = Some(End::Interrupted);
                    }
                }
                Err(error) if error.is_interruption() => self.state().end = Some(End::Interrupted),
                Err(error) => {
                    if let Ok(error) = error.into_full_store() {
                        self.state().end = Some(End::Store(error));
                    }
                }
            }
        }
    }
}

/// Some texts, as a piece of work.
struct PartPiece<'a> {
    sweep: &'a Sweep,
    layers: Layers,
    texts: &'a [&'a str],
    part: FeaturePart,
    key: StageKey,
}

impl<'a> PartPiece<'a> {
    fn new(sweep: &'a Sweep, layers: Layers, texts: &'a [&'a str]) -> Self {
        let part = FeaturePart { of: sweep.shared.features_key(layers), texts: ids(texts) };
        Self { sweep, layers, texts, key: part.key(), part }
    }
}

impl Piece for PartPiece<'_> {
    type Outcome = Vec<HiddenStates>;

    fn key(&self) -> &StageKey {
        &self.key
    }

    fn kept(&self, store: &Store) -> std::result::Result<Option<Self::Outcome>, StoreError> {
        store.features_file(&self.part)?.map(|file| read_part(&self.part, &file)).transpose()
    }

    fn make(&self, store: &Store, continuation: Continuation<'_>) -> std::result::Result<Self::Outcome, StageError> {
        let Self { sweep, layers, texts, part, .. } = self;
        let rows = sweep.engine.hidden_states(*layers, texts, continuation.interrupt)?;
        store.write_features::<StageError>(part, |file| {
            let values: Vec<f32> = rows.iter().flat_map(|row| row.iter().copied()).collect();
            let mut tensors = KeptTensors::about("hidden states of a pretrained model".to_owned());
            tensors.add_row(TENSOR, &values);
            Ok(tensors.write(file).map_err(StoreError::io(file))?)
        })?;
        Ok(rows)
    }
}

/// The hidden states of a part's texts.
fn read_part(part: &FeaturePart, file: &Path) -> std::result::Result<Vec<HiddenStates>, StoreError> {
    let tensors = KeptTensors::read(file).map_err(StoreError::io(file))?;
    let values = tensors.get(TENSOR).map_err(StoreError::io(file))?.values();
    let hidden = values.len() / part.texts.len().max(1);
    Ok(values.chunks(hidden.max(1)).map(HiddenStates::from).collect())
}
