//! Templates and expressions over a row: minijinja, strict about names.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, Error, UndefinedBehavior};

use super::error::TaskError;
use crate::cell::Cell;

/// A parsed template.
#[derive(Debug, Clone)]
pub(crate) struct TextTemplate {
    /// What messages call it: the task, and which of its templates it is.
    pub(crate) title: String,
    environment: Environment<'static>,
    /// The names that it expects from the row, sorted.
    pub(crate) variables: BTreeSet<String>,
}

/// The template's name in its environment.
const NAME: &str = "text";

impl TextTemplate {
    pub(crate) fn parse(title: String, source: &str) -> Result<Self, TaskError> {
        let mut environment = strict_environment();
        environment.add_template_owned(NAME, source.to_owned()).map_err(|error| syntax_error(&title, &error))?;
        let template = environment.get_template(NAME).expect("the template was added just now");
        let variables = row_variables(&environment, template.undeclared_variables(false));
        Ok(Self { title, environment, variables })
    }

    /// The text for a row, without white space around it.
    pub(crate) fn render(&self, row: Value) -> Result<String, Error> {
        let template = self.environment.get_template(NAME).expect("the template was added when it was parsed");
        let text = template.render(row)?;
        let trimmed = text.trim();
        Ok(if trimmed.len() == text.len() { text } else { trimmed.to_owned() })
    }
}

/// A parsed condition on rows.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// What messages call it: the task, and its source.
    pub(super) title: String,
    environment: Environment<'static>,
    pub(super) variables: BTreeSet<String>,
}

impl Condition {
    pub(super) fn parse(title: String, source: &str) -> Result<Self, TaskError> {
        let mut environment = strict_environment();
        // Parsed as an expression, so that nothing else passes; kept as a template, which the environment can own.
        let names = match environment.compile_expression(source) {
            Ok(expression) => expression.undeclared_variables(false),
            Err(error) => return Err(syntax_error(&title, &error)),
        };
        environment
            .add_template_owned(NAME, format!("{{% if {source} %}}1{{% endif %}}"))
            .map_err(|error| syntax_error(&title, &error))?;
        let variables = row_variables(&environment, names);
        Ok(Self { title, environment, variables })
    }

    pub(super) fn holds(&self, row: Value) -> Result<bool, Error> {
        let template = self.environment.get_template(NAME).expect("the template was added when it was parsed");
        Ok(!template.render(row)?.is_empty())
    }
}

/// Lines that only hold a tag leave no blank line; a null is nothing, not the word `none`; an unknown name is an error.
fn strict_environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are minijinja's own"));
    environment.set_formatter(|output, state, value| {
        if value.is_none() {
            return Ok(());
        }
        minijinja::escape_formatter(output, state, value)
    });
    environment
}

/// The names that a row has to give: those that the engine itself does not.
fn row_variables(environment: &Environment, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let mut variables: BTreeSet<String> = names.into_iter().collect();
    for (global, _) in environment.globals() {
        variables.remove(global);
    }
    variables
}

pub(super) fn syntax_error(template: &str, error: &Error) -> TaskError {
    TaskError::TemplateSyntax { template: template.to_owned(), line: error.line(), reason: reason(error) }
}

/// The engine's complaint, without the place, which messages say in their own way.
pub(super) fn reason(error: &Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// A row, or a nested record, as a template sees it: values are made when they are asked for.
#[derive(Debug)]
pub(crate) struct Fields(pub(crate) Vec<(Arc<str>, Value)>);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.iter().find(|(name, _)| **name == *key).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(Arc::clone(name))).collect())
    }
}

/// A cell as a template sees it.
pub(crate) fn value_of(cell: &Cell) -> Value {
    match cell {
        Cell::Missing => Value::from(()),
        Cell::Bool(value) => Value::from(*value),
        Cell::Integer(value) => Value::from(*value),
        Cell::Number(value) => Value::from(*value),
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::List(cells) => Value::from(cells.iter().map(value_of).collect::<Vec<Value>>()),
        Cell::Record(entries) => {
            let fields = entries.iter().map(|(name, cell)| (Arc::from(name.as_str()), value_of(cell)));
            Value::from_object(Fields(fields.collect()))
        }
    }
}
