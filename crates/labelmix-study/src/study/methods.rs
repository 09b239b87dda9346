//! `methods`: what to try, by name or as tables with options.

use std::collections::HashSet;
use std::fmt;

use labelmix_methods::{
    Adjustments, Calibration, GoldTexts, Method, MethodKind, OptionError, Recipe, Schedule, adjusted, method_kinds,
    method_named,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::{Table, Value};

use super::{Problem, Study, is_name, suggestion, suggestion_of};

/// A method to try: a name in the list `methods`, or a table `[[methods]]` with options.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodTable {
    /// The name in tables and in the store: a method's, or one of the study's own.
    pub name: String,
    /// The method, if the name is not its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How its log-odds are shifted; the study's way without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// For which texts it buys gold labels; a random sample without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gold_texts: Option<GoldTexts>,
    /// The keys of `[recipe]` that are others for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Table>,
    /// The method's options.
    #[serde(flatten)]
    pub options: Table,
}

impl MethodTable {
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            method: None,
            calibration: None,
            gold_texts: None,
            recipe: None,
            options: Table::new(),
        }
    }

    fn kind(&self) -> Result<&'static MethodKind, Problem> {
        let method = self.method.as_ref().unwrap_or(&self.name);
        method_named(method).ok_or_else(|| {
            let known: Vec<&str> = method_kinds().iter().map(|kind| kind.name).collect();
            let mut help = suggestion(method, &known);
            if self.method.is_none() && (help.starts_with("known") || !self.options.is_empty()) {
                help += "; a variant with a name of its own says which `method` it is";
            }
            Problem { reason: format!("unknown method {method:?}"), help }
        })
    }
}

impl<'de> Deserialize<'de> for MethodTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrTable)
    }
}

struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = MethodTable;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a method's name, or a table with `name`")
    }

    fn visit_str<E>(self, name: &str) -> Result<MethodTable, E> {
        Ok(MethodTable::named(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MethodTable, A::Error> {
        let mut options = Table::deserialize(MapAccessDeserializer::new(map))?;
        let of_toml = |error: toml::de::Error| A::Error::custom(error.message().trim());
        let calibration = options.remove("calibration").map(Value::try_into).transpose().map_err(of_toml)?;
        let gold_texts = options.remove("gold_texts").map(Value::try_into).transpose().map_err(of_toml)?;
        let recipe = match options.remove("recipe") {
            None => None,
            Some(Value::Table(keys)) => Some(keys),
            Some(other) => return Err(A::Error::custom(format!("`recipe` of a method is a table, not {other}"))),
        };
        let mut text = |key: &str| match options.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(A::Error::custom(format!("`{key}` of a method is a text, not {other}"))),
        };
        let name = text("name")?.ok_or_else(|| A::Error::missing_field("name"))?;
        Ok(MethodTable { name, method: text("method")?, calibration, gold_texts, recipe, options })
    }
}

/// A method of a study, ready to plan.
#[derive(Debug)]
pub struct NamedMethod {
    /// Its name in the study.
    pub name: String,
    pub method: Box<dyn Method>,
    /// Its table, unless there is nothing in it but the name.
    pub table: Option<MethodTable>,
}

impl Study {
    pub(super) fn configure_methods(&self) -> Result<Vec<NamedMethod>, Problem> {
        if self.methods.is_empty() {
            return Err(Problem {
                reason: "there are no methods".into(),
                help: "add a [[methods]] table, or none for the default".into(),
            });
        }
        let mut names = HashSet::new();
        self.methods
            .iter()
            .map(|table| {
                let name = &table.name;
                let kind = table.kind()?;
                if !is_name(name) {
                    return Err(Problem {
                        reason: format!("the method's name {name:?}"),
                        help: "it names a folder: use letters, digits, '-', '_' and '.'".into(),
                    });
                }
                if !names.insert(name) {
                    return Err(Problem {
                        reason: format!("two methods are named {name:?}"),
                        help: "give each variant a name of its own, and say which `method` it is".into(),
                    });
                }
                let method = kind.configure(&table.options).map_err(|error| of_options(name, kind, &error))?;
                let own = table.recipe.as_ref().map(|keys| self.recipe_with(keys, name)).transpose()?;
                let recipe = own.as_ref().unwrap_or(&self.recipe);
                let place = match own {
                    Some(_) => format!("`recipe` of the method {name:?}"),
                    None => format!("[recipe] for the method {name:?}"),
                };
                let smallest = method.smallest_batch();
                if smallest > 1 && recipe.schedule == Schedule::ByCount {
                    return Err(Problem {
                        reason: format!("schedule = \"by-count\" in {place}"),
                        help: format!("its loss needs batches of {smallest} or more examples: leave `schedule` out"),
                    });
                }
                if recipe.usual_batch() < smallest {
                    return Err(Problem {
                        reason: format!("batch_size = {} in {place}", recipe.batch_size),
                        help: format!("its loss needs batches of {smallest} or more examples"),
                    });
                }
                let calibration = table.calibration.unwrap_or_else(|| recipe.schedule.calibration());
                let gold_texts = table.gold_texts.unwrap_or_default();
                let plain = *table == MethodTable::named(name);
                let chooses_itself = method.chooses_gold();
                let method = adjusted(method, Adjustments { calibration, gold_texts, recipe: own });
                if calibration == Calibration::Contextual && !method.is_prompted() {
                    return Err(Problem {
                        reason: format!("calibration = \"contextual\" for the method {name:?}"),
                        help: "it has no prompt that texts without content could stand in: choose \"prior\"".into(),
                    });
                }
                if gold_texts == GoldTexts::Coverage && (chooses_itself || !method.covers_gold()) {
                    return Err(Problem {
                        reason: format!("gold_texts = \"coverage\" for the method {name:?}"),
                        help: "it chooses no gold labels, or does so itself: leave `gold_texts` out".into(),
                    });
                }
                Ok(NamedMethod { name: name.clone(), method, table: (!plain).then(|| table.clone()) })
            })
            .collect()
    }

    /// Refuses methods that judge answers where nothing says where texts have one.
    pub(super) fn check_answers(&self) -> Result<(), Problem> {
        if self.before_answer().is_some_and(|before| !before.trim().is_empty()) {
            return Ok(());
        }
        let methods = self.configured_methods();
        let Some(method) = methods.iter().find(|named| named.method.judges_answers()) else { return Ok(()) };
        Err(Problem {
            reason: format!("the method {:?} judges answers, and nothing says where texts have one", method.name),
            help: "set `before_answer` in [prompt] to what introduces the answer in every text, such as \
                   \"\\nProposed answer:\"; a task whose template ends with {{ answer }} says it itself"
                .into(),
        })
    }

    /// The study's recipe with a method's own keys.
    fn recipe_with(&self, keys: &Table, method: &str) -> Result<Recipe, Problem> {
        let place = format!("`recipe` of the method {method:?}");
        if keys.contains_key("micro_batch_tokens") {
            return Err(Problem {
                reason: format!("micro_batch_tokens in {place}"),
                help: "memory is the whole study's: set it in [recipe]".into(),
            });
        }
        let mut table = Table::try_from(&self.recipe).expect("a recipe is a table of numbers");
        table.extend(keys.clone());
        let recipe: Recipe = table.try_into().map_err(|error: toml::de::Error| Problem {
            reason: format!("{place}: {}", error.message()),
            help: Problem::help_for(error.message()),
        })?;
        recipe.validate().map_err(|error| Problem::of_recipe(&error, &place))?;
        Ok(recipe)
    }
}

fn of_options(name: &str, kind: &MethodKind, error: &OptionError) -> Problem {
    let reason = format!("the method {name:?}: {}", error.reason);
    let help = suggestion_of(&error.reason).unwrap_or_else(|| match &*error.help {
        "" => format!("`labelmix methods show {}` explains its options", kind.name),
        help => help.to_owned(),
    });
    Problem { reason, help }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use labelmix_econ::Allocation;

    use super::*;

    const MINIMAL: &str = "name = 'a'\n[task]\ntrain = 'train.jsonl'\ntest = 'test.jsonl'\n[model]\npath = 'model'\n";

    fn study(methods: &str) -> Result<Study, String> {
        let (before, after) = if methods.starts_with('[') { ("", methods) } else { (methods, "") };
        Study::parse(&format!("{before}\n{MINIMAL}{after}"), PathBuf::new())
            .map_err(|Problem { reason, help }| format!("{reason} | {help}"))
    }

    fn names(study: &Study) -> Vec<String> {
        study.configured_methods().into_iter().map(|named| named.name).collect()
    }

    #[test]
    fn methods_by_name_and_as_tables_with_options() {
        let study =
            study("methods = ['seq-sft', { name = 'unsure', method = 'uncertainty', temperature = 0.5 }]").unwrap();
        assert_eq!(names(&study), ["seq-sft", "unsure"]);
        let tables: Vec<bool> = study.configured_methods().iter().map(|named| named.table.is_some()).collect();
        assert_eq!(tables, [false, true], "what is all defaults needs no table beside its results");
        let tables = "[[methods]]\nname = 'few-shot'\n[[methods]]\nname = 'many'\nmethod = 'few-shot'\nshots = 32";
        assert_eq!(names(&super::tests::study(tables).unwrap()), ["few-shot", "many"]);
    }

    #[test]
    fn the_study_calibrates_the_methods_that_do_not_say_it() {
        let tables =
            "[[methods]]\nname = 'seq-sft'\n[[methods]]\nname = 'raw'\nmethod = 'seq-sft'\ncalibration = 'none'";
        let file = format!("calibration = 'prior'\n{MINIMAL}{tables}");
        let study = Study::parse(&file, PathBuf::new()).map_err(|problem| problem.reason).unwrap();
        let split = Allocation { n_weak: 4, n_gold: 2 };
        let stages = study.configured_methods().iter().map(|named| named.method.stages(split)).collect::<Vec<_>>();
        assert_eq!(stages[0][..2], stages[1]);
        assert!(stages[0].len() == 3 && stages[0][2].calibration() == Calibration::Prior);
        assert!(study.configured_methods()[0].table.is_some(), "results say how they were calibrated");
        insta::assert_snapshot!(
            self::study("[[methods]]\nname = 'seq-sft'\ncalibration = 'platt'").unwrap_err(),
            @"line 8: unknown variant `platt`, expected one of `none`, `contextual`, `prior` | known here: none, contextual, prior"
        );
        let contextual =
            |method: &str| self::study(&format!("[[methods]]\nname = '{method}'\ncalibration = 'contextual'"));
        contextual("zero-shot").unwrap();
        insta::assert_snapshot!(contextual("seq-sft").unwrap_err(), @r#"calibration = "contextual" for the method "seq-sft" | it has no prompt that texts without content could stand in: choose "prior""#);
    }

    #[test]
    fn problems_name_what_is_known() {
        let problem = |methods: &str| study(methods).map(|_| ()).unwrap_err();
        insta::assert_snapshot!(problem("[[methods]]\nname = 'magic'"), @r#"unknown method "magic" | known here: seq-sft, few-shot, few-shot-sft, uncertainty, relabel, log-confidence, most-confident, zero-shot, verbalizer, probe, bag-of-words, joint, denoise, ensemble, self-training; a variant with a name of its own says which `method` it is"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'few-shott'"), @r#"unknown method "few-shott" | did you mean `few-shot`?"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'mine'\nshots = 3"), @r#"unknown method "mine" | known here: seq-sft, few-shot, few-shot-sft, uncertainty, relabel, log-confidence, most-confident, zero-shot, verbalizer, probe, bag-of-words, joint, denoise, ensemble, self-training; a variant with a name of its own says which `method` it is"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'uncertainty'\ntemprature = 1.0"), @r#"the method "uncertainty": unknown field `temprature`, expected one of `temperature`, `candidates`, `weak`, `gold` | did you mean `temperature`?"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'uncertainty'\ntemperature = -1.0"), @r#"the method "uncertainty": `temperature` = -1 | a temperature is zero or a positive number"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'few-shot'\nshots = 'two'"), @r#"the method "few-shot": invalid type: string "two", expected usize | `labelmix methods show few-shot` explains its options"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'seq-sft'\nweak = { carry_optimizer = true }"), @r#"the method "seq-sft": unknown field `carry_optimizer`, expected `loss` or `trains` | known here: loss, trains"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'seq-sft'\ngold = { loss = 'l2' }"), @r#"the method "seq-sft": unknown variant `l2`, expected one of `xent`, `kl`, `log-confidence` | known here: xent, kl, log-confidence"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'few-shot'\nshots = 0"), @r#"the method "few-shot": `shots` = 0 | choose a number from 1 to 10000"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'ensemble'\nof = 'uncertainty'"), @r#"the method "ensemble": `of` = "uncertainty" | each training of it would ask for other gold labels: name a method that does not choose them"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'ensemble'\noptions = { shots = 2 }"), @r#"the method "ensemble": in `options` of "seq-sft": unknown field `shots`, expected `weak` or `gold` | `labelmix methods show seq-sft` explains them"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'verbalizer'\nfollow_up = 'is it?'"), @r#"the method "verbalizer": `follow_up` = "is it?" | put {answer} where the model's answer goes"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'joint'\nweak_weight = 0.0"), @r#"the method "joint": `weak_weight` = 0 | a weight is a positive number"#);
        insta::assert_snapshot!(problem("methods = ['seq-sft', 'seq-sft']"), @r#"two methods are named "seq-sft" | give each variant a name of its own, and say which `method` it is"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'a b'\nmethod = 'seq-sft'"), @r#"the method's name "a b" | it names a folder: use letters, digits, '-', '_' and '.'"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 7"), @"line 8: `name` of a method is a text, not 7 | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("[[methods]]\nmethod = 'seq-sft'"), @"line 8: missing field `name` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("methods = []"), @"there are no methods | add a [[methods]] table, or none for the default");
        insta::assert_snapshot!(problem("[[methods]]\nname = 'log-confidence'\nrecipe = { batch_size = 4 }"), @r#"batch_size = 4 in `recipe` of the method "log-confidence" | its loss needs batches of 8 or more examples"#);
        insta::assert_snapshot!(problem("[[methods]]\nname = 'log-confidence'\n[recipe]\nbatch_size = 4"), @r#"batch_size = 4 in [recipe] for the method "log-confidence" | its loss needs batches of 8 or more examples"#);
        insta::assert_snapshot!(
            problem("[[methods]]\nname = 'log-confidence'\n[recipe]\nschedule = 'by-count'"),
            @r#"schedule = "by-count" in [recipe] for the method "log-confidence" | its loss needs batches of 8 or more examples: leave `schedule` out"#
        );
        insta::assert_snapshot!(problem("[prompt]\ntarget = ['a', 'b']"), @"line 9: unknown field `target`, expected one of `wording`, `before_text`, `targets`, `before_target`, `between`, `chat`, `before_answer` | did you mean `targets`?");
    }

    #[test]
    fn a_study_that_names_no_schedule_has_the_robust_one() {
        let head = "name = 'a'\n[task]\ntrain = 'a.jsonl'\ntest = 'b.jsonl'\n[model]\npath = 'm'\n";
        let schedule_of = |text: &str| {
            let Ok(study) = Study::parse(&format!("{head}{text}"), PathBuf::new()) else { panic!("{text} is a study") };
            let Ok(again) = Study::parse(&toml::to_string(&study).unwrap(), PathBuf::new()) else { panic!("{text}") };
            assert_eq!(study, again, "what is written is read again");
            study.recipe.schedule
        };
        assert_eq!(schedule_of(""), Schedule::Robust);
        assert_eq!(schedule_of("[recipe]\nlearning_rate = 1e-3\n"), Schedule::Robust);
        assert_eq!(schedule_of("[recipe]\nschedule = 'early-stopping'\n"), Schedule::EarlyStopping);
    }

    #[test]
    fn a_method_has_hyper_parameters_of_its_own_and_the_studys_beside_them() {
        let text = "name = 'a'\n[task]\ntrain = 'a.jsonl'\ntest = 'b.jsonl'\n[model]\npath = 'm'\n[recipe]\nlearning_rate = 1e-3\n\
                    [[methods]]\nname = 'seq-sft'\nrecipe = { schedule = 'robust' }\n";
        let Ok(study) = Study::parse(text, PathBuf::new()) else { panic!("{text} is a study") };
        let stages = study.configured_methods()[0].method.stages(Allocation { n_weak: 4, n_gold: 2 });
        let recipe = stages[1].training().unwrap().recipe(&study.recipe);
        assert_eq!((recipe.schedule, recipe.learning_rate), (Schedule::Robust, 1e-3));
        assert!(stages[2].calibration() == Calibration::Prior, "robust shifts log-odds where nothing else is said");
        let plain = text.replace("'robust'", "'by-count'");
        let Ok(study) = Study::parse(&plain, PathBuf::new()) else { panic!("{plain} is a study") };
        assert_eq!(study.configured_methods()[0].method.stages(Allocation { n_weak: 4, n_gold: 2 }).len(), 2);
    }
}
