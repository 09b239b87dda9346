//! `labelmix methods`: the elicitation methods that there are, and what each is.

use std::fmt::Write;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use labelmix_methods::{MethodKind, OptionHelp, method_kinds, method_named};
use miette::Diagnostic;
use serde::Serialize;

use crate::arguments::{MethodsArguments, MethodsCommand};
use crate::diagnosis::{Failure, Status, print_data, print_json};

/// A name that no method has.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("there is no method named {name:?}")]
#[diagnostic(help("the methods are {known}"))]
struct UnknownMethod {
    name: String,
    known: String,
}

/// A method as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    summary: &'a str,
    explanation: &'a str,
    options: &'a [OptionHelp],
    defaults: toml::Table,
    example: &'a str,
}

impl<'a> From<&'a MethodKind> for Shown<'a> {
    fn from(kind: &'a MethodKind) -> Self {
        let MethodKind { name, summary, explanation, options, example, .. } = *kind;
        Self { name, summary, explanation, options, defaults: kind.defaults(), example }
    }
}

pub(crate) fn run(arguments: &MethodsArguments) -> Result<Status, Failure> {
    match &arguments.command {
        Some(MethodsCommand::Show(arguments)) => {
            let kind = method_named(&arguments.method).ok_or_else(|| UnknownMethod {
                name: arguments.method.clone(),
                known: method_kinds().iter().map(|kind| kind.name).collect::<Vec<_>>().join(", "),
            })?;
            if arguments.json { print_json(&Shown::from(kind))? } else { print_data(&explained(kind))? }
        }
        None if arguments.json => print_json(&method_kinds().iter().map(Shown::from).collect::<Vec<_>>())?,
        None => print_data(&listed())?,
    }
    Ok(Status::Done)
}

/// Columns set apart by space, the header by a line.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

fn listed() -> String {
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Dynamic).set_header(["name", "what it does"]);
    for kind in method_kinds() {
        table.add_row([kind.name, kind.summary]);
    }
    table.trim_fmt() + "\n"
}

/// Options that are tables of a stage's options.
const STAGES: [&str; 3] = ["weak", "gold", "stage"];

/// Options of these tables.
const STAGE_OPTIONS: &str = r#"
Stage options
  loss = "xent"              cross-entropy; "kl" (the same minus the labels' entropy), or "log-confidence"
  trains = "all"             head and LoRA factors; "head" or "body" for one of them
  reinitialise_head = false  whether the gold stage's head starts anew
  carry_optimizer = false    whether the gold stage's optimizer goes on with the weak stage's state
"#;

fn explained(kind: &MethodKind) -> String {
    let MethodKind { name, summary, explanation, options, example, .. } = kind;
    let mut text = format!("{name}: {summary}\n\n{}\n\nOptions\n", folded(explanation, 100));
    let defaults = kind.defaults();
    let mut has_stages = false;
    for OptionHelp { name, meaning } in *options {
        let default = match defaults.get(*name) {
            None => "none".to_owned(),
            Some(toml::Value::Table(_)) => {
                has_stages |= STAGES.contains(name);
                "{}".to_owned()
            }
            Some(value) => value.to_string(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<26} {meaning}", format!("{name} = {default}"));
    }
    if has_stages {
        text += STAGE_OPTIONS;
    }
    let _ = write!(text, "\nIn a study\n{}", indented(example));
    text
}

/// A text in lines of at most so many characters, where its words allow that.
pub(crate) fn folded(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.join("\n")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
