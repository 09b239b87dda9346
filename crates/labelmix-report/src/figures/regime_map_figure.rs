//! Where money is best spent on weak labels, on gold ones or on both: budgets against price ratios.

use labelmix_econ::{Regime, Surface};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axes::exact_axis;
use super::canvas::{
    Area, Columns, DrawError, INK, LINE_WIDTH, TEXT_SIZE, axis_width, chart, figure, pale, weak_share_colour,
};
use super::key::Symbol;
use super::marks::cross;
use crate::analysis::RegimeGrid;
use crate::notation::dollars;
use crate::{Analysis, Answer};

/// Draws which way to spend a budget a method's response surface expects to be best, for every budget and every price of
/// a weak label: the stronger the colour the more probable; lines where the best way changes; hatched where the labels
/// are beyond twice what was measured; a cross at each of the study's budgets. `None` without a surface. SVG.
pub fn regime_map(answer: &Answer, analysis: &Analysis, method: &str, columns: Columns) -> Option<String> {
    let surface = analysis.surfaces.iter().find(|surface| surface.method() == method)?;
    let map = RegimeMap::new(answer, surface);
    Some(figure(columns, &key_entries(answer), |area| draw_chart(area, answer, method, &map)))
}

/// The map in dollars.
struct RegimeMap {
    /// The corners of the cells: one more than there are cells.
    budgets_usd: Vec<f64>,
    weak_usd: Vec<f64>,
    /// `[budget][price]`.
    cells: Vec<Vec<MapCell>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct MapCell {
    regime: Regime,
    probability: f64,
    far: bool,
}

impl RegimeMap {
    fn new(answer: &Answer, surface: &Surface) -> Self {
        let grid = RegimeGrid::new(answer, surface);
        let gold_usd = answer.prices.gold_usd();
        let cell = |cell: &labelmix_econ::SurfaceRegimeAt| {
            let regime = cell.probabilities.leading();
            MapCell { regime, probability: cell.probabilities.of(regime), far: cell.extrapolation.is_far() }
        };
        Self {
            budgets_usd: corners(&grid.budgets_gold, gold_usd),
            weak_usd: corners(&grid.ratios, gold_usd),
            cells: grid.cells.iter().map(|cells| cells.iter().map(cell).collect()).collect(),
        }
    }

    /// The middle of the cells of a regime that are not beyond what was measured, else of all of them: where its name
    /// goes, if there are enough for a name.
    fn middle(&self, regime: Regime) -> Option<(f64, f64)> {
        const FEWEST: usize = 12;
        let of_regime = |near_only: bool| -> Vec<(f64, f64)> {
            let mut places = Vec::new();
            for (budget, cells) in self.cells.iter().enumerate() {
                for (price, cell) in cells.iter().enumerate() {
                    if cell.regime == regime && !(near_only && cell.far) {
                        places.push((budget as f64 + 0.5, price as f64 + 0.5));
                    }
                }
            }
            places
        };
        let places = Some(of_regime(true)).filter(|places| places.len() >= FEWEST).unwrap_or_else(|| of_regime(false));
        if places.len() < FEWEST {
            return None;
        }
        let count = places.len() as f64;
        let (x, y) = places.iter().fold((0.0, 0.0), |(x, y), place| (x + place.0 / count, y + place.1 / count));
        let at = |corners: &[f64], place: f64| {
            let factor = corners[1] / corners[0];
            corners[0] * factor.powf(place)
        };
        Some((at(&self.budgets_usd, x), at(&self.weak_usd, y)))
    }
}

/// The geometric corners of cells about these middles.
fn corners(middles: &[f64], unit_usd: f64) -> Vec<f64> {
    let half = (middles[1] / middles[0]).sqrt();
    middles
        .iter()
        .map(|middle| middle / half)
        .chain(middles.last().map(|last| last * half))
        .map(|c| c * unit_usd)
        .collect()
}

fn colour(regime: Regime) -> RGBColor {
    weak_share_colour(match regime {
        Regime::AllWeak => 1.0,
        Regime::Mixed => 0.5,
        Regime::AllGold => 0.0,
    })
}

fn in_words(regime: Regime) -> &'static str {
    match regime {
        Regime::AllWeak => "all weak",
        Regime::Mixed => "mixed",
        Regime::AllGold => "all gold",
    }
}

/// From nearly white where three are equally probable to full where the verdict is given.
fn strength(probability: f64) -> f64 {
    0.12 + 0.6 * ((probability - 1.0 / 3.0) / (0.9 - 1.0 / 3.0)).clamp(0.0, 1.0)
}

fn draw_chart(area: &Area<'_>, answer: &Answer, method: &str, map: &RegimeMap) -> Result<(), DrawError> {
    let range = |corners: &[f64]| corners[0]..corners[corners.len() - 1];
    let x = exact_axis(range(&map.budgets_usd), axis_width(area), dollars);
    let y = exact_axis(range(&map.weak_usd), 500, dollars);
    let title = format!("{}: how {method} best spends a budget", answer.study);
    let mut chart = chart(area, &title, ("Budget (US dollars)", x), ("Price of a weak label", y))?;
    let corner = |budget: usize, price: usize| (map.budgets_usd[budget], map.weak_usd[price]);
    let last = corner(map.cells.len(), map.cells[0].len());
    for (budget, cells) in map.cells.iter().enumerate() {
        for (price, cell) in cells.iter().enumerate() {
            let fill = pale(colour(cell.regime), strength(cell.probability));
            // To the far corner, beneath the cells to come: between cells that only touch, a hairline of paper shows.
            chart.plotting_area().draw(&Rectangle::new([corner(budget, price), last], fill.filled()))?;
        }
    }
    for (budget, cells) in map.cells.iter().enumerate() {
        for (price, cell) in cells.iter().enumerate() {
            if cell.far {
                let hatch = vec![corner(budget, price), corner(budget + 1, price + 1)];
                chart.plotting_area().draw(&PathElement::new(hatch, WHITE.stroke_width(3)))?;
            }
        }
    }
    let boundaries = boundaries(map).into_iter();
    chart.draw_series(boundaries.map(|ends| PathElement::new(ends.to_vec(), INK.stroke_width(LINE_WIDTH))))?;
    let centred = Pos::new(HPos::Center, VPos::Center);
    let style = ("sans-serif", TEXT_SIZE).into_text_style(area).color(&BLACK).pos(centred);
    for regime in Regime::ALL {
        if let Some(place) = map.middle(regime) {
            let name = EmptyElement::at(beside_crosses(place, map, answer))
                + Text::new(in_words(regime), (0, 0), style.clone());
            chart.plotting_area().draw(&name)?;
        }
    }
    for budget in answer.budgets_to_split_usd() {
        chart.plotting_area().draw(&cross((budget, answer.prices.weak_usd())))?;
    }
    Ok(())
}

/// The place of a name, moved by two cells where the crosses of the study's budgets would go through it.
fn beside_crosses((budget, price): (f64, f64), map: &RegimeMap, answer: &Answer) -> (f64, f64) {
    let cell = map.weak_usd[1] / map.weak_usd[0];
    let away = (price / answer.prices.weak_usd()).ln() / cell.ln();
    if away.abs() < 1.5 {
        (budget, answer.prices.weak_usd() * cell.powf(if away < 0.0 { -2.0 } else { 2.0 }))
    } else {
        (budget, price)
    }
}

/// The edges between cells of different regimes.
fn boundaries(map: &RegimeMap) -> Vec<[(f64, f64); 2]> {
    let corner = |budget: usize, price: usize| (map.budgets_usd[budget], map.weak_usd[price]);
    let mut edges = Vec::new();
    for (budget, cells) in map.cells.iter().enumerate() {
        for (price, cell) in cells.iter().enumerate() {
            if map.cells.get(budget + 1).is_some_and(|right| right[price].regime != cell.regime) {
                edges.push([corner(budget + 1, price), corner(budget + 1, price + 1)]);
            }
            if cells.get(price + 1).is_some_and(|above| above.regime != cell.regime) {
                edges.push([corner(budget, price + 1), corner(budget + 1, price + 1)]);
            }
        }
    }
    edges
}

fn key_entries(answer: &Answer) -> Vec<(Symbol, String)> {
    let mut entries = Vec::new();
    for regime in Regime::ALL {
        entries.push((Symbol::Heading, String::new()));
        entries.push((Symbol::Area(pale(colour(regime), strength(0.9))), format!("{}, sure (.9)", in_words(regime))));
        entries.push((Symbol::Area(pale(colour(regime), strength(0.5))), "leaning (.5)".to_owned()));
    }
    entries.extend([
        (Symbol::Heading, String::new()),
        (Symbol::Hatch, "over twice the data".to_owned()),
        (Symbol::Cross, "the study's budgets".to_owned()),
        (Symbol::Heading, format!("gold labels at {}", dollars(answer.prices.gold_usd()))),
    ]);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn is_well_formed_and_for_methods_with_a_surface() {
        let svg = regime_map(&answer(), &analysis(), "seq-sft", Columns::Two).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
        assert!(regime_map(&answer(), &analysis(), "unknown", Columns::Two).is_none());
    }

    #[test]
    fn the_regimes_of_a_few_budgets_and_prices() {
        let map = RegimeMap::new(&answer(), &analysis().surfaces[0]);
        let mut lines = Vec::new();
        for budget in [2, 12, 21] {
            for price in [1, 9, 16] {
                let MapCell { regime, far, .. } = map.cells[budget][price];
                let far = if far { ", far" } else { "" };
                let (usd, weak) = (map.budgets_usd[budget], map.weak_usd[price]);
                lines.push(format!("${usd:.1} at {weak:.3}: {}{far}", regime.name()));
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
        $3.8 at 0.011: all-weak
        $3.8 at 0.100: all-weak
        $3.8 at 0.666: all-weak
        $17.0 at 0.011: all-weak
        $17.0 at 0.100: all-weak
        $17.0 at 0.666: all-weak
        $65.9 at 0.011: mixed
        $65.9 at 0.100: mixed
        $65.9 at 0.666: mixed
        "#);
    }

    #[test]
    fn boundaries_lie_between_different_regimes() {
        let cell = |regime| MapCell { regime, probability: 0.9, far: false };
        let (weak, gold) = (cell(Regime::AllWeak), cell(Regime::AllGold));
        let map = RegimeMap {
            budgets_usd: vec![1.0, 2.0, 4.0],
            weak_usd: vec![0.1, 0.2, 0.4],
            cells: vec![vec![weak, weak], vec![weak, gold]],
        };
        assert_eq!(boundaries(&map), [[(2.0, 0.2), (2.0, 0.4)], [(2.0, 0.2), (4.0, 0.2)]]);
        assert_eq!(map.middle(Regime::AllWeak), None, "three cells have no room for a name");
    }
}
