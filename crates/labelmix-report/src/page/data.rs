//! What is embedded in the page, and how much of it: a page of ten thousand runs stays under 5 MB.

use std::collections::BTreeMap;

use labelmix_econ::Surface;
use labelmix_stats::Bootstrap;
use labelmix_store::StageOutcome;
use serde::Serialize;

use super::embedded::{Floats, Rows, rounded};
use crate::analysis::RegimeGrid;
use crate::{Analysis, Answer, Details, Report, RunDetails, RunEntry, TestText};

/// Resampled accuracies in all, and numbers of surfaces in all, at most.
const RESAMPLED: usize = 120_000;
const OF_SURFACES: usize = 120_000;
/// Mistakes that are shown of all runs together, and of one run.
const MISTAKES: usize = 30_000;
const MISTAKES_OF_A_RUN: usize = 20;
/// Evaluations that are shown of all stages together, and of one stage.
const EVALUATIONS: usize = 36_000;
const EVALUATIONS_OF_A_STAGE: usize = 60;
/// Disputed texts that are shown.
const DISPUTED: usize = 12;
/// Characters of all texts together, and of one text.
const CHARACTERS: usize = 300_000;
const CHARACTERS_OF_A_TEXT: usize = 600;

#[derive(Debug, Serialize)]
pub(super) struct PageData<'a> {
    study: &'a str,
    prices: EmbeddedPrices,
    weak_label_accuracy: Option<f64>,
    methods: Vec<&'a str>,
    budgets: Vec<f64>,
    points: Points,
    resamples: Resampled,
    surfaces: Vec<EmbeddedSurface>,
    maps: Vec<EmbeddedMap>,
    warnings: Vec<String>,
    models: Vec<&'a str>,
    runs: Rows<EmbeddedRun<'a>>,
    stages: Rows<EmbeddedStage>,
    texts: BTreeMap<usize, EmbeddedText>,
    n_test: usize,
    /// Test texts on which weak and gold labels differ, of which some are shown.
    disputed_in_all: usize,
    disputed: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct EmbeddedPrices {
    weak: f64,
    gold: f64,
}

/// The measured allocations, as columns.
#[derive(Debug, Default, Serialize)]
struct Points {
    method: Vec<usize>,
    weak: Vec<usize>,
    gold: Vec<usize>,
    accuracy: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Resampled {
    count: usize,
    level: f64,
    /// `[resample][point]`.
    values: Floats,
}

#[derive(Debug, Serialize)]
struct EmbeddedSurface {
    method: usize,
    level: f64,
    largest: [usize; 2],
    parts: Vec<EmbeddedPart>,
}

/// [`labelmix_econ::SurfaceNumbers`] with its long lists packed.
#[derive(Debug, Serialize)]
struct EmbeddedPart {
    draws: usize,
    family: &'static str,
    start: f64,
    middle: f64,
    amplitude: f64,
    lengths: [f64; 2],
    trend: [f64; 3],
    members: Floats,
    waves: Floats,
    positions: Floats,
    wave_weights: Floats,
    corrections: Floats,
}

/// The map of regimes, `[budget][ratio]` one after another: probabilities in percent, and where it is far from the data.
#[derive(Debug, Serialize)]
struct EmbeddedMap {
    method: usize,
    budgets: Vec<f64>,
    ratios: Vec<f64>,
    all_weak: Vec<u8>,
    mixed: Vec<u8>,
    all_gold: Vec<u8>,
    far: Vec<u8>,
}

#[derive(Debug, Serialize)]
struct EmbeddedRun<'a> {
    /// None for the usual name, of method, labels and seed.
    name: Option<&'a str>,
    method: usize,
    model: usize,
    seed: u64,
    weak: usize,
    gold: usize,
    accuracy: f64,
    low: f64,
    high: f64,
    auroc: Option<f64>,
    stages: &'a [usize],
    /// The ledger: kind, purpose, labels looked at, labels paid.
    uses: Vec<(&'static str, &'static str, usize, usize)>,
    /// How many test texts it got wrong.
    wrong_in_all: usize,
    /// The most confident of these mistakes: text and log-odds.
    wrong: Vec<(usize, f64)>,
    /// On how many of the disputed texts it sides with gold.
    with_gold: usize,
    /// What it says of the disputed texts that are shown, a digit each.
    on_disputed: String,
}

#[derive(Debug, Serialize)]
struct EmbeddedStage {
    labels: &'static str,
    count: usize,
    parent: Option<usize>,
    accuracy: f64,
    learning_rate: f64,
    batch_size: usize,
    n_train: usize,
    n_validation: usize,
    steps: usize,
    best_step: usize,
    stop_reason: serde_json::Value,
    evaluations: usize,
    /// Step, training loss, validation loss, validation AUROC; evenly chosen where there are many.
    curve: Vec<(usize, f64, f64, Option<f64>)>,
}

#[derive(Debug, Serialize)]
struct EmbeddedText {
    text: String,
    /// How many characters it has, where not all are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    characters: Option<usize>,
    gold: Option<bool>,
    weak: Option<f64>,
}

impl<'a> PageData<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        let Report { answer, analysis, details } = report;
        let methods = answer.methods();
        let analysis = analysis.as_ref();
        let disputed: Vec<usize> = (0..details.test.len()).filter(|text| is_disputed(&details.test[*text])).collect();
        let shown: Vec<usize> = disputed.iter().copied().take(DISPUTED).collect();
        let mut models: Vec<&str> = answer.runs.iter().map(|run| run.model.as_str()).collect();
        models.sort_unstable();
        models.dedup();
        let runs = embedded_runs(answer, details, &methods, &models, &disputed, &shown);
        let referred = runs.iter().flat_map(|run| run.wrong.iter().map(|(text, _)| *text)).chain(shown.iter().copied());
        let texts = embedded_texts(&details.test, referred.collect());
        Self {
            study: &answer.study,
            prices: EmbeddedPrices { weak: answer.prices.weak_usd(), gold: answer.prices.gold_usd() },
            weak_label_accuracy: answer.weak_label_accuracy,
            points: analysis.map_or_else(Points::default, |analysis| points(answer, analysis)),
            resamples: resampled(analysis),
            surfaces: analysis.map_or(Vec::new(), |analysis| surfaces(answer, analysis)),
            maps: analysis.map_or(Vec::new(), |analysis| maps(answer, analysis)),
            warnings: analysis
                .map_or(Vec::new(), |analysis| analysis.resamples.warnings().iter().map(ToString::to_string).collect()),
            stages: Rows(embedded_stages(&details.stages)),
            methods,
            budgets: answer.budgets_to_split_usd(),
            models,
            runs: Rows(runs),
            texts,
            n_test: details.test.len(),
            disputed_in_all: disputed.len(),
            disputed: shown,
        }
    }
}

fn points(answer: &Answer, analysis: &Analysis) -> Points {
    let names = analysis.measurements.methods();
    let measured = analysis.measurements.points();
    Points {
        method: measured.iter().map(|point| answer.place_of(&names[point.method])).collect(),
        weak: measured.iter().map(|point| point.allocation.n_weak).collect(),
        gold: measured.iter().map(|point| point.allocation.n_gold).collect(),
        accuracy: measured.iter().map(|point| point.accuracy).collect(),
    }
}

/// As many resamples as fit.
fn resampled(analysis: Option<&Analysis>) -> Resampled {
    let level = Bootstrap::new(0).level;
    let Some(analysis) = analysis else { return Resampled { count: 0, level, values: Floats(Vec::new()) } };
    let resamples = &analysis.resamples;
    let count = resamples.resamples().min(RESAMPLED / resamples.observed().len().max(1)).max(20);
    let values = (0..count).flat_map(|number| resamples.accuracies(number)).copied().collect();
    Resampled { count, level, values: Floats(values) }
}

/// As many draws of each surface as fit.
pub(super) fn embedded_draws(surfaces: &[Surface]) -> Vec<Surface> {
    let share = OF_SURFACES / surfaces.len().max(1);
    let fewer = |surface: &Surface| {
        let numbers: usize =
            surface.numbers().iter().map(|part| part.wave_weights.len() + part.corrections.len()).sum();
        let of_a_draw = (numbers / surface.draws().max(1)).max(1);
        surface.with_fewer_draws((share / of_a_draw).max(20))
    };
    surfaces.iter().map(fewer).collect()
}

fn surfaces(answer: &Answer, analysis: &Analysis) -> Vec<EmbeddedSurface> {
    let embedded = |surface: &Surface| EmbeddedSurface {
        method: answer.place_of(surface.method()),
        level: surface.settings().level,
        largest: [surface.largest().n_weak, surface.largest().n_gold],
        parts: surface
            .numbers()
            .into_iter()
            .map(|part| EmbeddedPart {
                draws: part.draws,
                family: part.family,
                start: part.start,
                middle: part.middle,
                amplitude: part.amplitude,
                lengths: part.lengths,
                trend: part.trend,
                members: Floats(part.members),
                waves: Floats(part.waves),
                positions: Floats(part.positions),
                wave_weights: Floats(part.wave_weights),
                corrections: Floats(part.corrections),
            })
            .collect(),
    };
    embedded_draws(&analysis.surfaces).iter().map(embedded).collect()
}

fn maps(answer: &Answer, analysis: &Analysis) -> Vec<EmbeddedMap> {
    let map = |surface: &Surface| {
        let grid = RegimeGrid::new(answer, surface);
        let cells = || grid.cells.iter().flatten();
        let percent = |probability: f64| (100.0 * probability).round() as u8;
        EmbeddedMap {
            method: answer.place_of(surface.method()),
            all_weak: cells().map(|cell| percent(cell.probabilities.all_weak)).collect(),
            mixed: cells().map(|cell| percent(cell.probabilities.mixed)).collect(),
            all_gold: cells().map(|cell| percent(cell.probabilities.all_gold)).collect(),
            far: cells().map(|cell| u8::from(cell.extrapolation.is_far())).collect(),
            budgets: grid.budgets_gold,
            ratios: grid.ratios,
        }
    };
    analysis.surfaces.iter().map(map).collect()
}

fn is_disputed(text: &TestText) -> bool {
    matches!((text.weak, text.gold), (Some(weak), Some(gold)) if (weak > 0.5) != gold)
}

fn embedded_runs<'a>(
    answer: &'a Answer,
    details: &'a Details,
    methods: &[&str],
    models: &[&str],
    disputed: &[usize],
    shown: &[usize],
) -> Vec<EmbeddedRun<'a>> {
    let mistakes = (MISTAKES / answer.runs.len().max(1)).clamp(3, MISTAKES_OF_A_RUN);
    let embedded = |run: &'a RunEntry| {
        let known: Option<&RunDetails> = details.runs.get(&run.run);
        let log_odds: &[f32] = known.map_or(&[], |known| &known.log_odds);
        let scored = details.test.iter().zip(log_odds).enumerate();
        let mut wrong: Vec<(usize, f64)> = scored
            .filter(|(_, (text, score))| text.gold.is_some_and(|gold| gold != (**score > 0.0)))
            .map(|(text, (_, score))| (text, rounded(f64::from(*score), 2)))
            .collect();
        let wrong_in_all = wrong.len();
        wrong.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        wrong.truncate(mistakes);
        let score = |text: usize| log_odds.get(text).copied();
        let sides_with_gold =
            |text: &&usize| score(**text).is_some_and(|score| details.test[**text].gold == Some(score > 0.0));
        let usual_name = format!("{}_w{}_g{}_s{}", run.method, run.n_weak, run.n_gold, run.seed);
        let totals = known.and_then(|known| known.ledger.as_ref());
        let uses = totals.map_or(&[][..], |totals| &totals.uses).iter();
        EmbeddedRun {
            name: Some(run.run.as_str()).filter(|name| *name != usual_name),
            method: methods.iter().position(|method| *method == run.method).unwrap_or(0),
            model: models.iter().position(|model| *model == run.model).unwrap_or(0),
            seed: run.seed,
            weak: run.n_weak,
            gold: run.n_gold,
            accuracy: rounded(run.accuracy, 4),
            low: rounded(run.accuracy_low, 4),
            high: rounded(run.accuracy_high, 4),
            auroc: run.auroc.map(|auroc| rounded(auroc, 4)),
            stages: known.map_or(&[], |known| &known.stages),
            uses: uses.map(|of| (of.kind.name(), of.purpose.name(), of.looked_at, of.paid)).collect(),
            wrong_in_all,
            wrong,
            with_gold: disputed.iter().filter(sides_with_gold).count(),
            on_disputed: shown.iter().filter_map(|text| Some(if score(*text)? > 0.0 { '1' } else { '0' })).collect(),
        }
    };
    answer.runs.iter().map(embedded).collect()
}

/// The texts that something refers to, long ones cut.
fn embedded_texts(test: &[TestText], mut referred: Vec<usize>) -> BTreeMap<usize, EmbeddedText> {
    const SHORTEST: usize = 80;
    referred.sort_unstable();
    referred.dedup();
    let most = (CHARACTERS / referred.len().max(1)).clamp(SHORTEST, CHARACTERS_OF_A_TEXT);
    let embedded = |text: usize| {
        let TestText { text: whole, gold, weak } = &test[text];
        let characters = whole.chars().count();
        let kept: String = whole.chars().take(most).collect();
        let weak = weak.map(|weak| rounded(f64::from(weak), 3));
        (text, EmbeddedText { text: kept, characters: (characters > most).then_some(characters), gold: *gold, weak })
    };
    referred.into_iter().map(embedded).collect()
}

fn embedded_stages(stages: &[StageOutcome]) -> Vec<EmbeddedStage> {
    let most = (EVALUATIONS / stages.len().max(1)).clamp(3, EVALUATIONS_OF_A_STAGE);
    let places: BTreeMap<String, usize> =
        stages.iter().enumerate().map(|(place, stage)| (stage.key.to_string(), place)).collect();
    let embedded = |stage: &StageOutcome| {
        let history = stage.history.as_ref();
        let validation = history.map_or(&[][..], |history| &history.validation);
        let shown = validation.len().min(most);
        let curve = (0..shown).map(|place| {
            let chosen = if shown < 2 { 0 } else { place * (validation.len() - 1) / (shown - 1) };
            let point = &validation[chosen];
            let auroc = point.auroc.map(|auroc| rounded(auroc, 3));
            (point.step, rounded(point.training_loss, 3), rounded(point.loss, 3), auroc)
        });
        EmbeddedStage {
            labels: stage.labels.name(),
            count: stage.count,
            parent: stage.parent.as_ref().and_then(|parent| places.get(&parent.to_string()).copied()),
            accuracy: rounded(stage.metrics.accuracy, 4),
            learning_rate: stage.recipe.learning_rate,
            batch_size: stage.recipe.batch_size,
            n_train: history.map_or(0, |history| history.n_train),
            n_validation: history.map_or(0, |history| history.n_validation),
            steps: history.map_or(0, |history| history.steps),
            best_step: history.map_or(0, |history| history.best_step),
            stop_reason: history.map_or(serde_json::Value::Null, |history| {
                serde_json::to_value(history.stop_reason).expect("a name becomes JSON")
            }),
            evaluations: validation.len(),
            curve: curve.collect(),
        }
    };
    stages.iter().map(embedded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::report;

    #[test]
    fn mistakes_are_the_most_confident_and_disputes_are_counted() {
        let mut report = report();
        report.details.test[999].gold = Some(true);
        let run = report.answer.runs[0].run.clone();
        let details = report.details.runs.get_mut(&run).unwrap();
        details.log_odds[999] = -7.25;
        let data = PageData::new(&report);
        let embedded = &data.runs.0[0];
        assert_eq!(embedded.wrong[0], (999, -7.25));
        assert_eq!(embedded.wrong.len(), MISTAKES_OF_A_RUN);
        let wrong = report.details.runs[&run].log_odds.iter().filter(|score| **score <= 0.0).count();
        assert_eq!(embedded.wrong_in_all, wrong);
        assert_eq!((data.disputed_in_all, data.disputed.len()), (334, DISPUTED), "every third text");
        assert_eq!(embedded.on_disputed.len(), DISPUTED);
        assert!(data.texts.contains_key(&999) && data.texts.contains_key(&0));
    }

    #[test]
    fn long_curves_are_thinned_evenly_and_keep_their_ends() {
        let mut report = report();
        let history = report.details.stages[0].history.as_mut().unwrap();
        let first = history.validation[0];
        history.validation = (1..=500).map(|step| labelmix_methods::ValidationPoint { step, ..first }).collect();
        let data = PageData::new(&report);
        let history = &data.stages.0[0];
        assert_eq!((history.evaluations, history.curve.len()), (500, EVALUATIONS_OF_A_STAGE));
        assert_eq!((history.curve[0].0, history.curve.last().unwrap().0), (1, 500));
        assert_eq!(data.stages.0[1].parent, Some(0));
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let test = [TestText { text: "é".repeat(100_000), gold: None, weak: None }];
        let texts = embedded_texts(&test, vec![0, 0]);
        assert_eq!(texts[&0].text.chars().count(), CHARACTERS_OF_A_TEXT);
        assert_eq!(texts[&0].characters, Some(100_000));
    }
}
