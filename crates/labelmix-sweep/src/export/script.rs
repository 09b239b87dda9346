//! `classify.py`: the Python that gives an exported run's log-odds, written for what was exported and nothing else.

use labelmix_data::PromptTemplate;
use labelmix_models::{BaseModel, Classifier, Pooling, PythonClass};
use labelmix_train::PromptEncoder;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::error::Result;

/// What the script is written for. Texts are Python literals.
pub(super) struct Script<'a> {
    pub(super) run: &'a str,
    class: &'static str,
    /// How tokens become a vector, where transformers has no class for it.
    pooling: Option<&'static str>,
    head_has_bias: bool,
    /// Whether the class takes the last token before the padding.
    last_before_padding: bool,
    /// The base's name, unless its weights are in the folder. PEFT puts adapters on it; a language model is asked as it is.
    base: Option<String>,
    revision: Option<String>,
    /// The folders of an ensemble, or nothing.
    pub(super) members: Option<String>,
    /// The tokenizer's file.
    tokenizer: String,
    pub(super) max_length: usize,
    cut: &'static str,
    /// What is added to log-odds.
    pub(super) shift: Option<f32>,
    pub(super) rounds_products: bool,
    pub(super) prompt: Option<ScriptPrompt>,
}

/// What stands before and behind texts. Texts are Python literals.
pub(super) struct ScriptPrompt {
    first: String,
    last: String,
    /// If there is something.
    before_text: Option<String>,
    before_target: String,
    /// Tokens of what stands before a target.
    ending: usize,
    targets: String,
    between: String,
    /// The targets' first tokens.
    classes: String,
    has_shots: bool,
}

/// transformers' class of language models.
const LANGUAGE_MODEL: &str = "AutoModelForCausalLM";

/// What a script loads.
#[derive(Clone, Copy)]
pub(super) enum Loads<'a> {
    /// An adapter, and its base.
    Adapter(&'a Classifier, &'a BaseModel),
    /// A checkpoint in the folder.
    Merged(&'a Classifier),
    /// The language model, as it was before any training.
    LanguageModel(&'a BaseModel),
}

impl<'a> Script<'a> {
    /// Of a run that reads texts of so many tokens, and cuts longer ones or not; `tokenizer` is the place of its tokenizer's
    /// file in the folder.
    pub(super) fn new(run: &'a str, loads: Loads<'_>, tokenizer: &str, max_length: usize, cut: bool) -> Self {
        let (classifier, base) = match loads {
            Loads::Adapter(classifier, base) => (Some(classifier), Some(base)),
            Loads::Merged(classifier) => (Some(classifier), None),
            Loads::LanguageModel(base) => (None, Some(base)),
        };
        let class = classifier.map(Classifier::python_class);
        let pooling = classifier.map(Classifier::pooling);
        Self {
            run,
            class: match class {
                Some(PythonClass::SequenceClassifier) => "AutoModelForSequenceClassification",
                Some(PythonClass::Transformer) => "AutoModel",
                None => LANGUAGE_MODEL,
            },
            pooling: pooling.filter(|_| class == Some(PythonClass::Transformer)).map(Pooling::name),
            head_has_bias: classifier.is_some_and(|classifier| !classifier.model().is_decoder()),
            last_before_padding: class == Some(PythonClass::SequenceClassifier) && pooling == Some(Pooling::LastToken),
            base: base.map(|base| literal(&base.name)),
            revision: base.and_then(|base| base.revision.as_ref()).map(literal),
            members: None,
            tokenizer: tokenizer.split('/').map(literal).collect::<Vec<_>>().join(" / "),
            max_length,
            cut: if cut { "True" } else { "False" },
            shift: None,
            rounds_products: false,
            prompt: None,
        }
    }

    pub(super) fn class(&self) -> &'static str {
        self.class
    }

    /// Whether the class pools and has the head.
    pub(super) fn with_head(&self) -> bool {
        self.pooling.is_none()
    }

    pub(super) fn render(&self) -> String {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
        environment.set_syntax(syntax.expect("the delimiters are minijinja's own"));
        let asks = self.class == LANGUAGE_MODEL;
        let names = context! {
            run => self.run,
            class => self.class,
            pooling => self.pooling,
            head_has_bias => self.head_has_bias,
            last_before_padding => self.last_before_padding,
            asks => asks,
            adapter => self.base.is_some() && !asks,
            base => self.base.as_deref(),
            revision => self.revision.as_deref(),
            members => self.members.as_deref(),
            tokenizer => self.tokenizer.as_str(),
            max_length => self.max_length,
            cut => self.cut,
            shift => self.shift.map(|shift| format!("{shift:?}")),
            rounds_products => self.rounds_products,
            prompt => self.prompt.as_ref().map(ScriptPrompt::names),
        };
        let rendered = environment.render_str(include_str!("classify.py.jinja"), names);
        rendered.expect("the script's template knows every pooling, and no name that it is not given")
    }
}

impl ScriptPrompt {
    pub(super) fn new(template: &PromptTemplate, encoder: &PromptEncoder<'_>, has_shots: bool) -> Result<Self> {
        let [first, last] = encoder.special_tokens();
        let [class_0, class_1] = encoder.targets();
        Ok(Self {
            first: literal(first),
            last: literal(last),
            before_text: Some(&template.before_text).filter(|text| !text.is_empty()).map(literal),
            before_target: literal(&template.before_target),
            ending: encoder.ending()?,
            targets: literal(&template.targets),
            between: literal(&template.between),
            classes: format!("{class_0}, {class_1}"),
            has_shots,
        })
    }

    fn names(&self) -> Value {
        context! {
            first => self.first.as_str(),
            last => self.last.as_str(),
            before_text => self.before_text.as_deref(),
            before_target => self.before_target.as_str(),
            ending => self.ending,
            targets => self.targets.as_str(),
            between => self.between.as_str(),
            classes => self.classes.as_str(),
            has_shots => self.has_shots,
        }
    }
}

/// A text, or a list of texts or numbers, as Python writes it: JSON is such a literal.
pub(super) fn literal(value: impl Serialize) -> String {
    let json = serde_json::to_value(value).expect("texts and numbers are JSON");
    match json.as_array() {
        Some(items) => format!("[{}]", items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        None => json.to_string(),
    }
}
