//! The reference as a page of the book.

use std::fmt::Write;

use labelmix_methods::{MethodKind, OptionHelp, method_kinds};

use super::{KeyHelp, Need, StudyTable, study_tables, written};

const BEGINNING: &str = "\
# The study file

A study is a TOML file that says what to sweep. Only `name`, the data and the model's `path` are required; this is a whole
study:

```toml
name = \"reviews\"
[task]
train = \"train.jsonl\"
test = \"test.jsonl\"
[model]
path = \"sentence-transformers/all-MiniLM-L6-v2\"
```

Paths are relative to the study file. A key or a value that makes no sense is refused when the file is read, with the line and
what to do; no key is overlooked. `labelmix sweep study.toml --dry-run` reads a study and says what there is to do.

The tables below come from the code that reads the file, as do

```sh
./target/release/labelmix study-file grid
./target/release/labelmix methods show few-shot-sft
```

which show a table and a method in the terminal. (`labelmix study-file --markdown > docs/study-file.md` writes this page, and a
test fails if it is not up to date.)
";

/// The whole reference as Markdown: tables with their keys, and the options of every method.
pub fn study_file_page() -> String {
    let mut page = BEGINNING.to_owned();
    for table in study_tables() {
        push_table(&mut page, &table);
        if table.heading == "[[methods]]" {
            for kind in method_kinds() {
                push_method(&mut page, kind);
            }
        }
    }
    page
}

fn push_table(page: &mut String, table: &StudyTable) {
    let heading = match &*table.heading {
        "" => "At the top".to_owned(),
        heading => format!("`{heading}`"),
    };
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {heading}\n\n{}", table.summary);
    if let Some(link) = &table.page {
        let title = link.split(['.', '#']).next().unwrap_or(link);
        let _ = write!(page, " More: [{}]({link}).", title.replace('-', " "));
    }
    page.push_str("\n\n| key | value | default | |\n|---|---|---|---|\n");
    for key in &table.keys {
        let KeyHelp { name, value, meaning, .. } = key;
        let _ = writeln!(page, "| `{name}` | {} | {} | {} |", cell(value), cell(&default(table, key)), cell(meaning));
    }
}

fn default(table: &StudyTable, key: &KeyHelp) -> String {
    match (table.default_of(&key.name), key.need) {
        (Some(value), _) => format!("`{value}`"),
        (None, Need::Required) => format!("required, e.g. `{}`", key.example),
        (None, Need::Sometimes | Need::Optional) => format!("none, e.g. `{}`", key.example),
    }
}

fn push_method(page: &mut String, kind: &MethodKind) {
    let MethodKind { name, summary, options, .. } = kind;
    let _ = write!(page, "\n### `{name}`\n\n{summary}\n\n| option | default | |\n|---|---|---|\n");
    let defaults = kind.defaults();
    for OptionHelp { name, meaning } in *options {
        let default = match defaults.get(*name) {
            None => "none".to_owned(),
            Some(toml::Value::Table(_)) => "`{}`".to_owned(),
            Some(value) => format!("`{}`", written(value)),
        };
        let _ = writeln!(page, "| `{name}` | {} | {} |", cell(&default), cell(meaning));
    }
}

/// Text in which nothing ends a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
