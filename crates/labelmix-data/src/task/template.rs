//! Templates and expressions over a row: minijinja, strict about names. They may be strangers', so what one may take of time,
//! memory and stack has a limit.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

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
/// What the template of a row may use up: instructions, and pieces of 64 bytes that it makes (128 MB).
const FUEL: u64 = 2_000_000;
/// The longest template, in bytes. A parser's stack grows with how deep it is nested, which is at most its length.
const LONGEST: usize = 1 << 15;
/// A stack that is enough for the deepest template of that length.
const STACK: usize = 1 << 28;

/// Does what parsing takes, where the depth of a template cannot overflow the stack.
fn with_a_deep_stack<T: Send>(
    title: &str,
    source: &str,
    parse: impl FnOnce() -> Result<T, TaskError> + Send,
) -> Result<T, TaskError> {
    if source.len() > LONGEST {
        let reason = format!("it has {} bytes, and {LONGEST} are the most", source.len());
        return Err(TaskError::TemplateSyntax { template: title.to_owned(), line: None, reason });
    }
    std::thread::scope(|scope| {
        let parsing = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        let parsed = parsing.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        parsed.unwrap_or_else(|error| {
            let (template, reason) = (title.to_owned(), format!("there is no memory to parse it: {error}"));
            Err(TaskError::TemplateSyntax { template, line: None, reason })
        })
    })
}

impl TextTemplate {
    pub(crate) fn parse(title: String, source: &str) -> Result<Self, TaskError> {
        with_a_deep_stack(&title.clone(), source, || Self::parse_here(title, source))
    }

    fn parse_here(title: String, source: &str) -> Result<Self, TaskError> {
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
        with_a_deep_stack(&title.clone(), source, || Self::parse_here(title, source))
    }

    fn parse_here(title: String, source: &str) -> Result<Self, TaskError> {
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
    environment.set_fuel(Some(FUEL));
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
    if error.kind() == ErrorKind::OutOfFuel {
        return "it takes too long, or makes too much text, for a single row".to_owned();
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(source: &str) -> String {
        let row = Value::from_object(Fields(Vec::new()));
        match TextTemplate::parse("t".to_owned(), source) {
            Ok(template) => reason(&template.render(row).unwrap_err()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn templates_that_would_never_end_or_take_everything_are_refused() {
        let too_much = "it takes too long, or makes too much text, for a single row";
        let loops = "{% for a in range(9999) %}".repeat(3) + &"{% endfor %}".repeat(3);
        assert_eq!(refused(&loops), too_much);
        let doubling = "{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}\
                        {% endfor %}{{ ns.s | length }}";
        assert_eq!(refused(doubling), too_much);
        assert_eq!(refused("{{ 'ab' * 100000000000 }}"), too_much);
        assert_ne!(refused("{{ '%1000000000d' | format(1) }}"), "");
        for (nested, end) in [("-", ""), ("(", ")"), ("[", "]"), ("not ", ""), ("2**", ""), ("1+", "")] {
            let deep = format!("{{{{ {}1{} }}}}", nested.repeat(6000), end.repeat(6000));
            // Whatever is said of it: the stack holds.
            let _ = TextTemplate::parse("t".to_owned(), &deep);
        }
        let long = format!("{{{{ {}1 }}}}", "-".repeat(100_000));
        assert_eq!(refused(&long), "t: it has 100007 bytes, and 32768 are the most");
    }
}
