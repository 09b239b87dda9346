//! Where weak labels fail.

use std::ops::Range;

use labelmix_stats::Interval;
use plotters::prelude::*;

use super::axes::{accuracy_axis, row_axis};
use super::canvas::{Area, Columns, DrawError, chart, figure, weak_share_colour};
use super::key::Symbol;
use super::marks::{dashed, draw_marker};
use crate::notation::{count, one_line, proportion};
use crate::{FieldGroups, LabelGroup, LabelQuality};

/// Draws the accuracy of weak labels by length of the text, by gold class and by their confidence, a row per group, with
/// 95% Wilson intervals and the accuracy of all labels dashed. SVG.
pub(crate) fn label_accuracy(quality: &LabelQuality, title: &str) -> String {
    draw(&rows(quality), quality, &format!("{title}: where weak labels fail"))
}

/// The same by a field of the rows.
pub(crate) fn label_accuracy_by_field(quality: &LabelQuality, field: &FieldGroups, title: &str) -> String {
    let rows: Vec<Row<'_>> = field.groups.iter().map(|group| Some((group, weak_share_colour(1.0)))).collect();
    draw(&rows, quality, &format!("{title}: where weak labels fail by {}", one_line(&field.field)))
}

/// A group with its colour; `None` between those of different kinds.
type Row<'a> = Option<(&'a LabelGroup, RGBColor)>;

fn draw(rows: &[Row<'_>], quality: &LabelQuality, title: &str) -> String {
    figure(Columns::Two, &key_entries(quality), |area| draw_rows(area, rows, quality.accuracy, title))
}

/// The groups that every report has, from top to bottom.
fn rows(quality: &LabelQuality) -> Vec<Row<'_>> {
    let colours = [1.0, 0.0, 0.5].map(weak_share_colour);
    let kinds = quality.groups().into_iter().zip(colours);
    let mut rows: Vec<_> = kinds
        .flat_map(|(groups, colour)| groups.iter().map(move |group| Some((group, colour))).chain([None]))
        .collect();
    rows.pop();
    rows
}

fn draw_rows(area: &Area<'_>, rows: &[Row<'_>], accuracy_of_all: f64, title: &str) -> Result<(), DrawError> {
    let intervals = rows.iter().flatten().map(|(group, _)| group.accuracy_interval);
    let accuracies =
        accuracy_axis(intervals.flat_map(|interval| [interval.low, interval.high]).chain([accuracy_of_all]));
    let names: Vec<String> = rows.iter().map(|row| row.map_or(String::new(), |(group, _)| name(group))).collect();
    let axis = row_axis(&names);
    let Range { start, end } = axis.range;
    let mut chart = chart(area, title, ("Share of weak labels that are right", accuracies), ("", axis))?;

    chart.draw_series([dashed(vec![(accuracy_of_all, start), (accuracy_of_all, end)])])?;
    for (row, (group, colour)) in (0u32..).zip(rows.iter().rev()).filter_map(|(row, group)| Some((row, (*group)?))) {
        let row = f64::from(row);
        let Interval { low, high } = group.accuracy_interval;
        chart.draw_series([ErrorBar::new_horizontal(row, low, group.accuracy, high, colour.stroke_width(2), 10)])?;
        draw_marker(chart.plotting_area(), &(group.accuracy, row), 0, colour)?;
    }
    Ok(())
}

fn name(group: &LabelGroup) -> String {
    format!("{} ({})", group.of.name(), count(group.count))
}

fn key_entries(quality: &LabelQuality) -> Vec<(Symbol, String)> {
    vec![
        (Symbol::Dashed, format!("all labels: {}", proportion(quality.accuracy))),
        (Symbol::Bar, "95% interval".to_owned()),
        (Symbol::Heading, String::new()),
        (Symbol::Heading, "(number of labels)".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::worked_example;

    #[test]
    fn is_well_formed_and_names_every_group() {
        let report = worked_example::report();
        let quality = report.pool.quality.as_ref().unwrap();
        let svg = label_accuracy(quality, "tiny");
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(svg, label_accuracy(quality, "tiny"));
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        for group in quality.groups().into_iter().flatten() {
            assert!(texts.contains(&name(group).as_str()), "{} in {texts:?}", name(group));
        }
    }

    #[test]
    fn a_field_has_a_row_for_each_of_its_values() {
        let report = worked_example::report_by_field();
        let quality = report.pool.quality.as_ref().unwrap();
        let svg = label_accuracy_by_field(quality, &quality.by_field[0], "tiny");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        for expected in ["tiny: where weak labels fail by source", "<shop> (5)", "forum (3)", "no value (2)"] {
            assert!(texts.contains(&expected), "{expected} in {texts:?}");
        }
    }

    #[test]
    fn groups_of_one_kind_stand_together() {
        let report = worked_example::report();
        let rows = rows(report.pool.quality.as_ref().unwrap());
        let kinds: Vec<usize> = rows.split(Option::is_none).map(<[_]>::len).collect();
        assert_eq!(kinds, [5, 2, 4]);
    }
}
