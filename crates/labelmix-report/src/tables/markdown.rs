//! Tables in Markdown.

use super::sheet::{Cell, Sheet};

pub(super) fn table(sheet: &Sheet) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let header = line(&mut sheet.header.iter().map(|name| escaped(name)));
    let rule = |column: usize| if column < sheet.text_columns { "---" } else { "---:" }.to_owned();
    let rules = line(&mut (0..sheet.header.len()).map(rule));
    let rows: String = sheet.rows.iter().map(|row| line(&mut row.iter().map(cell))).collect();
    format!("{header}{rules}{rows}\n{}\n", escaped(&sheet.caption))
}

fn cell(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    let text = if cell.bold { format!("**{text}**") } else { text };
    cell.note.as_ref().map_or(text.clone(), |note| format!("{text} ({note})"))
}

/// Names that hold Markdown's or HTML's signs stay names.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => escaped.extend(['\\', letter]),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        assert_eq!(escaped("a|b *c* <d> &\ne"), "a\\|b \\*c\\* &lt;d> &amp; e");
    }
}
