//! Tables in LaTeX, with the rules of the booktabs package.

use super::sheet::{Cell, Sheet};

pub(super) fn table(sheet: &Sheet) -> String {
    let columns: String =
        (0..sheet.header.len()).map(|column| if column < sheet.text_columns { 'l' } else { 'r' }).collect();
    let line = |cells: &mut dyn Iterator<Item = String>| format!("  {} \\\\\n", cells.collect::<Vec<_>>().join(" & "));
    let header = line(&mut sheet.header.iter().map(|name| escaped(name)));
    let mut rows = String::new();
    let mut group = None;
    for row in &sheet.rows {
        let first = row.first().map(|cell| cell.text.as_str());
        // Where rows come in groups of one name, a little space between groups.
        if group.is_some() && group != Some(first) && sheet.rows.len() > 8 {
            rows.push_str("  \\addlinespace\n");
        }
        group = Some(first);
        rows.push_str(&line(&mut row.iter().map(cell)));
    }
    format!(
        "% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\label{{tab:{}}}\n  \
         \\begin{{tabular}}{{{columns}}}\n  \\toprule\n{header}  \\midrule\n{rows}  \\bottomrule\n  \
         \\end{{tabular}}\n\\end{{table}}\n",
        escaped(&sheet.caption),
        sheet.name,
    )
}

fn cell(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    let text = if cell.bold { format!("\\textbf{{{text}}}") } else { text };
    cell.note.as_ref().map_or(text.clone(), |note| format!("{text} \\small({})", escaped(note)))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', letter]),
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '±' => escaped.push_str("$\\pm$"),
            '–' => escaped.push_str("--"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
