//! Where the axes begin and end, where their ticks stand, and what is written there.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use crate::notation::{count, dollars, parameters};

/// An axis with its ticks, which lie within its range.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    ticks: Vec<f64>,
    scale: Scale,
    tick_labels: TickLabels,
}

#[derive(Clone, Debug)]
enum TickLabels {
    /// Written from the tick's value.
    Written(fn(f64) -> String),
    /// The names of the ticks 0, 1, ….
    Named(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum Scale {
    Linear,
    Logarithmic,
    /// The same from some value on; left of a break stands 0, where this value would.
    BrokenLogarithmic {
        zero_at: f64,
    },
    /// The logarithm of one more, for numbers that may be none.
    LogarithmicFromNone,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Logarithmic => value.ln(),
            Self::BrokenLogarithmic { zero_at } => (if value > 0.0 { value } else { zero_at }).ln(),
            Self::LogarithmicFromNone => value.ln_1p(),
        }
    }
}

/// An axis for weak fractions, with room for the marks at 0 and 1.
pub(super) fn fraction_axis() -> Axis {
    Axis {
        range: -0.08..1.08,
        ticks: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
        scale: Scale::Linear,
        tick_labels: TickLabels::Written(|fraction| format!("{fraction:.1}")),
    }
}

/// An axis for counts from 0, with room for a number above the largest. It has no ticks: each count is written where it
/// is drawn.
pub(super) fn count_axis(most: usize) -> Axis {
    const ROOM: f64 = 1.25;
    Axis {
        range: 0.0..most.max(1) as f64 * ROOM,
        ticks: Vec::new(),
        scale: Scale::Linear,
        tick_labels: TickLabels::Named(Vec::new()),
    }
}

/// An axis upwards with a tick for every name, the first on top; rows without a name have none.
pub(super) fn row_axis(names: &[String]) -> Axis {
    let upwards: Vec<String> = names.iter().rev().cloned().collect();
    let rows = (0u32..).zip(&upwards);
    Axis {
        range: -0.7..names.len() as f64 - 0.3,
        ticks: rows.filter(|(_, name)| !name.is_empty()).map(|(row, _)| f64::from(row)).collect(),
        scale: Scale::Linear,
        tick_labels: TickLabels::Named(upwards),
    }
}

/// An axis for accuracies, within 0 and 1: the finest round step that needs no more than ten steps, from the step
/// below the smallest value to the step above the largest. From .5 to 1 if there are no values.
pub(super) fn accuracy_axis(values: impl Iterator<Item = f64>) -> Axis {
    /// In thousandths, which are whole numbers, so that equal ticks are equal numbers.
    const STEPS: [u32; 4] = [10, 20, 50, 100];
    const MOST_STEPS: u32 = 10;
    /// The share of a step that stays free below the smallest and above the largest value.
    const MARGIN: f64 = 0.2;
    let (low, high) = extent(values).unwrap_or((0.55, 0.95));

    let in_steps = |step: u32| {
        let steps = |accuracy: f64| accuracy * 1000.0 / f64::from(step);
        let first = (steps(low) - MARGIN).floor().max(0.0) as u32;
        let last = (steps(high) + MARGIN).ceil() as u32;
        (step, first, last.min(1000 / step))
    };
    let fits = |&(_, first, last): &(u32, u32, u32)| last - first <= MOST_STEPS;
    let (step, first, last) = STEPS.map(in_steps).into_iter().find(fits).unwrap_or((100, 0, 10));
    let tick = |steps: u32| f64::from(steps * step) / 1000.0;
    Axis {
        range: tick(first)..tick(last),
        ticks: (first..=last).map(tick).collect(),
        scale: Scale::Linear,
        tick_labels: TickLabels::Written(|accuracy| format!("{accuracy:.2}")),
    }
}

/// A logarithmic axis for costs, with ticks at the budgets, but none closer to the one before than a label is wide on an
/// axis of so many pixels; what costs nothing stands left of a break. From $1 to $10 if there are neither.
pub(super) fn cost_axis(costs_usd: impl Iterator<Item = f64>, mut budgets_usd: Vec<f64>, pixels: u32) -> Axis {
    budgets_usd.sort_by(f64::total_cmp);
    let costs: Vec<f64> = costs_usd.chain(budgets_usd.iter().copied()).collect();
    budgets_usd.retain(|budget| *budget > 0.0);
    of_costs(&costs, pixels, |_| budgets_usd)
}

/// A logarithmic axis for costs, broken if something costs nothing, with ticks for its range.
fn of_costs(costs_usd: &[f64], pixels: u32, ticks: impl FnOnce(&Range<f64>) -> Vec<f64>) -> Axis {
    const MARGIN: f64 = 1.5;
    let (low, high) = extent(costs_usd.iter().copied().filter(|cost| *cost > 0.0)).unwrap_or((1.5, 10.0 / MARGIN));
    let range = low / MARGIN..high * MARGIN;
    let ticks = ticks(&range);
    let axis = logarithmic(range, ticks, pixels, dollars);
    if costs_usd.contains(&0.0) { axis.with_zero() } else { axis }
}

/// A logarithmic axis for costs with ticks at 1, 2 and 5 of each power of ten.
pub(super) fn round_cost_axis(costs_usd: impl Iterator<Item = f64>, pixels: u32) -> Axis {
    of_costs(&costs_usd.collect::<Vec<f64>>(), pixels, |range| round_ticks(range, pixels))
}

/// A logarithmic axis over exactly this range, with ticks at round numbers.
pub(super) fn exact_axis(range: Range<f64>, pixels: u32, written: fn(f64) -> String) -> Axis {
    let ticks = round_ticks(&range, pixels);
    logarithmic(range, ticks, pixels, written)
}

/// Powers of ten if they are two or more, else 1, 2 and 5 of each as far as a label's width allows.
fn round_ticks(range: &Range<f64>, pixels: u32) -> Vec<f64> {
    let decades = range.start.log10().floor() as i32..=range.end.log10().ceil() as i32;
    let times = |factors: &'static [f64]| {
        let ticks = decades.clone().flat_map(move |decade| factors.iter().map(move |f| f * 10f64.powi(decade)));
        ticks.filter(|tick| range.contains(tick)).collect::<Vec<f64>>()
    };
    [[1.0, 2.0, 5.0].as_slice(), &[1.0, 3.0], &[1.0]]
        .into_iter()
        .map(times)
        .find(|ticks| ticks.len() as u32 * LABEL_PIXELS <= pixels)
        .unwrap_or_else(|| times(&[1.0]))
}

/// What a label of an axis takes of its length, with the space to the next.
const LABEL_PIXELS: u32 = 73;

/// The ticks are rising; those too close to the one before are left out.
fn logarithmic(range: Range<f64>, candidates: Vec<f64>, pixels: u32, written: fn(f64) -> String) -> Axis {
    let apart = (range.end / range.start).ln() * f64::from(LABEL_PIXELS) / f64::from(pixels);
    let mut ticks: Vec<f64> = Vec::new();
    for tick in candidates {
        if ticks.last().is_none_or(|last| (tick / last).ln() >= apart) {
            ticks.push(tick);
        }
    }
    Axis { range, ticks, scale: Scale::Logarithmic, tick_labels: TickLabels::Written(written) }
}

/// An axis for models side by side: in the scale of the logarithm of their parameters, with their sizes as ticks, or, where
/// sizes are not known, evenly, with their numbers.
pub(super) fn models_axis(sizes: Option<&[f64]>, models: usize, pixels: u32) -> Axis {
    const MARGIN: f64 = 0.12;
    if let Some((low, high)) = sizes.and_then(|sizes| extent(sizes.iter().copied())) {
        let margin = (high / low).powf(MARGIN).max(1.1);
        let ticks = sizes.unwrap_or_default().to_vec();
        return logarithmic(low / margin..high * margin, ticks, pixels, parameters);
    }
    Axis {
        range: -0.5..models as f64 - 0.5,
        ticks: (0..models).map(|model| model as f64).collect(),
        scale: Scale::Linear,
        tick_labels: TickLabels::Named((1..=models).map(|model| model.to_string()).collect()),
    }
}

/// An axis for numbers of labels, none included, in the scale of ln(1 + n), with ticks at 0 and the powers of ten.
pub(super) fn labels_axis(most: f64, pixels: u32) -> Axis {
    let range = 0.0..most.max(1.0);
    let powers = (0..8).map(|power| 10f64.powi(power)).filter(|tick| *tick <= range.end);
    let apart = range.end.ln_1p() * f64::from(LABEL_PIXELS) / f64::from(pixels);
    let mut ticks = vec![0.0];
    for tick in powers {
        if ticks.last().is_none_or(|last: &f64| tick.ln_1p() - last.ln_1p() >= apart) {
            ticks.push(tick);
        }
    }
    let written = |labels: f64| count(labels.round() as usize);
    Axis { range, ticks, scale: Scale::LogarithmicFromNone, tick_labels: TickLabels::Written(written) }
}

impl Axis {
    /// The same with 0, and a break, left of a logarithmic axis.
    fn with_zero(mut self) -> Self {
        const OF_THE_AXIS: f64 = 0.12;
        let Range { start, end } = self.range;
        let zero_at = start * (start / end).powf(OF_THE_AXIS);
        self.range.start = zero_at * (start / end).powf(OF_THE_AXIS / 3.0);
        self.scale = Scale::BrokenLogarithmic { zero_at };
        self.ticks.insert(0, 0.0);
        self
    }

    /// Where the axis is broken, if it is: between 0 and the least value above it.
    pub(super) fn break_at(&self) -> Option<f64> {
        const AFTER_ZERO: f64 = 0.07;
        let Scale::BrokenLogarithmic { zero_at } = self.scale else { return None };
        Some(zero_at * (self.range.end / self.range.start).powf(AFTER_ZERO))
    }

    /// A value moved along an axis of so many pixels: marks of equal value are set apart by a few.
    pub(super) fn moved(&self, value: f64, by_pixels: f64, of_pixels: u32) -> f64 {
        let Range { start, end } = self.range;
        let share = by_pixels / f64::from(of_pixels);
        match self.scale {
            Scale::Linear => value + (end - start) * share,
            Scale::Logarithmic => value * (end / start).powf(share),
            Scale::BrokenLogarithmic { zero_at } => value.max(zero_at) * (end / start).powf(share),
            Scale::LogarithmicFromNone => ((1.0 + value) * ((1.0 + end) / (1.0 + start)).powf(share) - 1.0).max(start),
        }
    }

    /// The space that labels and title take beside an upright axis, in pixels.
    pub(super) fn width(&self) -> u32 {
        const LEAST: u32 = 105;
        const OF_A_LETTER: u32 = 12;
        let TickLabels::Named(names) = &self.tick_labels else { return LEAST };
        let longest = names.iter().map(|name| name.chars().count() as u32).max().unwrap_or(0);
        LEAST.max(longest * OF_A_LETTER)
    }
}

/// The smallest and the largest value.
fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.map(|value| (value, value)).reduce(|(low, high), (value, _)| (low.min(value), high.max(value)))
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let [start, end, value] = [self.range.start, self.range.end, *value].map(|value| self.scale.place(value));
        from + (f64::from(to - from) * (value - start) / (end - start)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        match &self.tick_labels {
            TickLabels::Written(write) => write(*value),
            TickLabels::Named(names) => names[*value as usize].clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accuracies(values: &[f64]) -> Vec<f64> {
        let axis = accuracy_axis(values.iter().copied());
        assert!(values.iter().all(|value| axis.range.start <= *value && *value <= axis.range.end), "{axis:?}");
        axis.ticks
    }

    #[test]
    fn accuracy_ticks_are_round_and_few() {
        assert_eq!(accuracies(&[]), [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]);
        assert_eq!(accuracies(&[0.52, 0.87]), [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]);
        assert_eq!(accuracies(&[0.915, 0.943]), [0.91, 0.92, 0.93, 0.94, 0.95]);
        assert_eq!(accuracies(&[0.742]), [0.74, 0.75]);
        assert_eq!(accuracies(&[0.0, 1.0]), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
        assert_eq!(accuracies(&[1.0]), [0.99, 1.0]);
        assert_eq!(accuracies(&[0.0]), [0.0, 0.01]);
    }

    #[test]
    fn rows_go_downwards_and_unnamed_ones_have_no_tick() {
        let axis = row_axis(&["first".to_owned(), String::new(), "last".to_owned()]);
        assert_eq!(axis.ticks, [0.0, 2.0]);
        assert_eq!((axis.format_ext(&2.0).as_str(), axis.format_ext(&0.0).as_str()), ("first", "last"));
        assert!(axis.map(&2.0, (500, 0)) < axis.map(&0.0, (500, 0)));
    }

    #[test]
    fn cost_ticks_stand_at_the_budgets() {
        let axis = cost_axis([15.9, 1024.0].into_iter(), vec![1024.0, 16.0, 64.0, 256.0], 800);
        assert_eq!(axis.ticks, [16.0, 64.0, 256.0, 1024.0]);
        assert!(axis.range.start < 15.9 && axis.range.end > 1024.0);
        assert_eq!(axis.format_ext(&1024.0), "$1,024");
    }

    #[test]
    fn cost_ticks_keep_apart() {
        let axis = cost_axis([].into_iter(), vec![10.0, 10.5, 11.0, 100.0], 800);
        assert_eq!(axis.ticks, [10.0, 100.0]);
        assert!(cost_axis([].into_iter(), Vec::new(), 800).ticks.is_empty());
    }

    #[test]
    fn what_costs_nothing_stands_left_of_a_break() {
        let axis = cost_axis([0.0, 16.0, 64.0].into_iter(), vec![0.0, 16.0, 64.0], 800);
        assert_eq!(axis.ticks, [0.0, 16.0, 64.0]);
        let [nothing, broken, least] = [0.0, axis.break_at().unwrap(), 16.0].map(|cost| axis.map(&cost, (0, 800)));
        assert!(0 < nothing && nothing < broken && broken < least, "{nothing} {broken} {least}");
        assert_eq!(axis.format_ext(&0.0), "$0");
        let aside = axis.moved(0.0, 12.0, 800);
        assert!((axis.map(&aside, (0, 800)) - nothing - 12).abs() <= 1);
        assert!(cost_axis([16.0].into_iter(), vec![16.0], 800).break_at().is_none());
        let alone = cost_axis([0.0].into_iter(), vec![0.0], 800);
        assert!(alone.break_at().is_some() && alone.range.start > 0.0);
    }

    #[test]
    fn equal_ratios_of_cost_are_equal_distances() {
        let axis = cost_axis([].into_iter(), vec![1.0, 16.0, 256.0], 800);
        let [low, middle, high] = [1.0, 16.0, 256.0].map(|cost| axis.map(&cost, (0, 1001)));
        assert!((high - middle).abs_diff(middle - low) <= 1, "{low} {middle} {high}");
        assert_eq!(axis.map(&axis.range.start, (600, 20)), 600);
        assert_eq!(axis.map(&axis.range.end, (600, 20)), 20);
    }

    #[test]
    fn marks_are_moved_by_pixels() {
        for axis in [fraction_axis(), round_cost_axis([2.0, 900.0].into_iter(), 800), labels_axis(5_000.0, 800)] {
            let value = 0.3 * axis.range.end;
            let [from, to] = [value, axis.moved(value, 12.0, 800)].map(|value| axis.map(&value, (0, 800)));
            assert!((to - from - 12).abs() <= 1, "{from} to {to}");
        }
    }

    #[test]
    fn models_stand_by_their_size_or_their_number() {
        let by_size = models_axis(Some(&[22.7e6, 0.5e9, 8e9]), 3, 800);
        assert_eq!(
            by_size.ticks.iter().map(|size| by_size.format_ext(size)).collect::<Vec<_>>(),
            ["22.7M", "500M", "8B"]
        );
        assert!(by_size.range.start < 22.7e6 && by_size.range.end > 8e9);
        let numbered = models_axis(None, 2, 800);
        assert_eq!(numbered.ticks.iter().map(|tick| numbered.format_ext(tick)).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn round_ticks_are_as_many_as_fit() {
        let ticks = |range, pixels| exact_axis(range, pixels, dollars).ticks;
        assert_eq!(ticks(1.0..100.0, 800), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(ticks(9.0..1100.0, 300), [10.0, 100.0, 1000.0]);
        assert_eq!(labels_axis(20_000.0, 800).ticks, [0.0, 10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(labels_axis(20_000.0, 800).format_ext(&10_000.0), "10,000");
    }
}
