//! The frequencies of rotary position embeddings (Su et al. 2021), with the scalings that stretch a model's context.
//!
//! config.json has known three layouts, and files that went through several versions of transformers have keys of more
//! than one. What holds is what transformers 5 makes of them: `rope_scaling`, where it is there and not empty, stands in
//! the place of `rope_parameters`; what is inside holds over keys of the same meaning at the top of the file.

use std::f64::consts::TAU;

use serde_json::{Map, Value as Json};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::numbers::Range;

/// The bases that are possible: below one, angles would grow along a head.
const THETA: Range = Range { least: 1.0, most: 1e12 };
const FACTOR: Range = Range { least: 1e-3, most: 1e6 };
const SHARE: Range = Range { least: 1e-6, most: 1.0 };
const POSITIONS: Range = Range { least: 1.0, most: 1e9 };

/// Where an architecture writes what all of them have, at the top of config.json.
pub(crate) struct RopeKeys {
    pub(crate) theta: &'static str,
    pub(crate) partial_factor: &'static str,
}

/// Nearly everybody's keys.
pub(crate) const USUAL_KEYS: RopeKeys = RopeKeys { theta: "rope_theta", partial_factor: "partial_rotary_factor" };

/// Whose embeddings a scaling at the top of config.json stretches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scaling {
    /// Those of these layers too.
    Everybody,
    /// Those of other layers.
    Others,
}

/// What config.json says about one rotary embedding.
pub(crate) struct Rope<'a> {
    config: &'a Config,
    /// The keys at the top of the file.
    keys: RopeKeys,
    /// `rope_parameters` or `rope_scaling`, whichever holds, with its name.
    parameters: Map<String, Json>,
    name: String,
}

impl<'a> Rope<'a> {
    /// The embedding that all layers share.
    pub(crate) fn read(config: &'a Config, keys: RopeKeys) -> Result<Self> {
        let scaling = table(config, "rope_scaling")?.filter(|scaling| !scaling.is_empty());
        let (name, parameters) = match scaling {
            Some(scaling) => ("rope_scaling", scaling),
            None => ("rope_parameters", table(config, "rope_parameters")?.unwrap_or_default()),
        };
        if let Some((layer_type, _)) = parameters.iter().find(|(_, value)| value.is_object()) {
            return Err(config.unsupported(
                format!("{name} has parameters of its own for the layers of type {layer_type:?}"),
                "layers of this architecture share one rotary embedding: one rope_theta and one rope_type",
            ));
        }
        Ok(Self { config, keys, parameters, name: name.to_owned() })
    }

    /// The embedding of one type of layer, where the architecture gives each its own; `scaling` says whether
    /// `rope_scaling` at the top of the file concerns it.
    pub(crate) fn read_of_layers(
        config: &'a Config,
        layer_type: &str,
        theta: &'static str,
        scaling: Scaling,
    ) -> Result<Self> {
        let mut parameters = match table(config, "rope_parameters")?.and_then(|mut all| all.remove(layer_type)) {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(parameters)) => parameters,
            Some(other) => return Err(wrong_table(config, &format!("rope_parameters.{layer_type}"), &other)),
        };
        let scaled = table(config, "rope_scaling")?.filter(|_| scaling == Scaling::Everybody);
        parameters.extend(scaled.unwrap_or_default());
        let keys = RopeKeys { theta, ..USUAL_KEYS };
        Ok(Self { config, keys, parameters, name: format!("rope_parameters.{layer_type}") })
    }

    /// A number inside the parameters, or at the top of the file under another name.
    fn number(&self, key: &str, top: Option<&str>, range: &Range) -> Result<Option<f64>> {
        let inside = self.parameters.get(key).filter(|value| !value.is_null());
        let inside = inside.map(|value| (format!("{}.{key}", self.name), value));
        let found = inside.or_else(|| {
            let key = top?;
            Some((key.to_owned(), self.config.value(key)?))
        });
        let wrong = |name: &str, reason| self.config.unsupported(format!("{name}: {reason}"), DAMAGED);
        found.map(|(name, value)| range.of(value).map_err(|reason| wrong(&name, reason))).transpose()
    }

    fn required(&self, key: &str, range: &Range) -> Result<f64> {
        let missing = || self.config.unsupported(format!("{} has no {key}", self.name), DAMAGED);
        self.number(key, None, range)?.ok_or_else(missing)
    }

    /// The share of each head's dimensions that turn, where the file gives one.
    pub(crate) fn partial_factor(&self) -> Result<Option<f64>> {
        self.number("partial_rotary_factor", Some(self.keys.partial_factor), &SHARE)
    }

    /// How `dimensions` of each head turn: pair i by `theta^(−2i/dimensions)` a position, scaled as the file asks for.
    /// `context` is the architecture's, in tokens.
    pub(crate) fn turning(&self, dimensions: usize, default_theta: f64, context: usize) -> Result<Turning> {
        if dimensions == 0 || !dimensions.is_multiple_of(2) {
            let reason = format!("the rotary embedding turns {dimensions} dimensions of each head");
            return Err(self.config.unsupported(reason, "dimensions turn in pairs: their number is even, and not 0"));
        }
        let theta = self.number("rope_theta", Some(self.keys.theta), &THETA)?.unwrap_or(default_theta);
        let plain = (0..dimensions / 2).map(|pair| theta.powf(-2.0 * pair as f64 / dimensions as f64));
        let kind_key = if self.parameters.contains_key("rope_type") { "rope_type" } else { "type" };
        let kind = match self.parameters.get(kind_key) {
            None | Some(Json::Null) => "default",
            Some(Json::String(kind)) => kind,
            Some(other) => return Err(self.unknown(kind_key, &other.to_string())),
        };
        let mut attention_factor = 1.0;
        let scaled: Vec<f64> = match kind {
            // The dynamic kind scales beyond the context alone, which no text here leaves.
            "default" | "dynamic" => plain.collect(),
            "linear" => {
                let factor = self.required("factor", &FACTOR)?;
                plain.map(|frequency| frequency / factor).collect()
            }
            "llama3" => {
                let scaling = self.llama3(context)?;
                plain.map(|frequency| scaling.scale(frequency)).collect()
            }
            "yarn" => {
                let yarn = self.yarn(context)?;
                attention_factor = yarn.attention_factor;
                let ramp = yarn.ramp(dimensions, theta);
                plain.zip(ramp).map(|(frequency, share)| frequency * (1.0 - share + share / yarn.factor)).collect()
            }
            other => return Err(self.unknown(kind_key, &format!("{other:?}"))),
        };
        let frequencies: Vec<f32> = scaled.into_iter().map(|frequency| frequency as f32).collect();
        self.config.require(frequencies.iter().all(|frequency| frequency.is_finite()), || {
            format!("{} gives no finite frequencies", self.name)
        })?;
        Ok(Turning { frequencies, attention_factor: attention_factor as f32 })
    }

    /// The context that the model was trained with before it was stretched. A key at the top of the file holds over the
    /// one inside: the exception among these keys.
    fn original_context(&self, context: usize) -> Result<f64> {
        const KEY: &str = "original_max_position_embeddings";
        match self.config.value(KEY) {
            Some(value) => {
                POSITIONS.of(value).map_err(|reason| self.config.unsupported(format!("{KEY}: {reason}"), DAMAGED))
            }
            None => Ok(self.number(KEY, None, &POSITIONS)?.unwrap_or(context as f64)),
        }
    }

    fn yarn(&self, context: usize) -> Result<Yarn> {
        let optional = |key| self.number(key, None, &FACTOR);
        let original_context = self.original_context(context)?;
        let factor = optional("factor")?.unwrap_or(context as f64 / original_context);
        let magnitude = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
        let natural = match (optional("mscale")?, optional("mscale_all_dim")?) {
            (Some(mscale), Some(of_all)) => magnitude(mscale) / magnitude(of_all),
            _ => magnitude(1.0),
        };
        Ok(Yarn {
            factor,
            attention_factor: optional("attention_factor")?.unwrap_or(natural),
            fast_turns: optional("beta_fast")?.unwrap_or(32.0),
            slow_turns: optional("beta_slow")?.unwrap_or(1.0),
            original_context,
            whole_pairs: self.parameters.get("truncate").and_then(Json::as_bool).unwrap_or(true),
        })
    }

    fn llama3(&self, context: usize) -> Result<Llama3Scaling> {
        let scaling = Llama3Scaling {
            factor: self.required("factor", &FACTOR)?,
            low_freq_factor: self.required("low_freq_factor", &FACTOR)?,
            high_freq_factor: self.required("high_freq_factor", &FACTOR)?,
            original_context: self.original_context(context)?,
        };
        let Llama3Scaling { low_freq_factor: low, high_freq_factor: high, .. } = scaling;
        if low >= high {
            let reason = format!("{}: low_freq_factor is {low}, and high_freq_factor {high}", self.name);
            return Err(self.config.unsupported(reason, "low_freq_factor is the smaller one"));
        }
        Ok(scaling)
    }

    fn unknown(&self, key: &str, kind: &str) -> Error {
        let reason = format!("{}.{key} is {kind}: rotary embeddings cannot be scaled so", self.name);
        self.config
            .unsupported(reason, "the rotary scalings that can be run are default, linear, dynamic, llama3 and yarn")
    }
}

/// How a head turns.
pub(crate) struct Turning {
    /// Of each pair of dimensions, in radians a position.
    pub(crate) frequencies: Vec<f32>,
    /// What turned queries and keys are multiplied by.
    pub(crate) attention_factor: f32,
}

const DAMAGED: &str = "the checkpoint's config.json is damaged, or was changed by hand";

/// A table of config.json; `None` where it is not there, or null.
fn table(config: &Config, key: &str) -> Result<Option<Map<String, Json>>> {
    match config.value(key) {
        None => Ok(None),
        Some(Json::Object(table)) => Ok(Some(table.clone())),
        Some(other) => Err(wrong_table(config, key, other)),
    }
}

fn wrong_table(config: &Config, key: &str, value: &Json) -> Error {
    config
        .unsupported(format!("{key} is {value}"), "it should be a table, such as {\"rope_type\": \"default\"}, or null")
}

/// The keys of llama3's scaling.
struct Llama3Scaling {
    factor: f64,
    low_freq_factor: f64,
    high_freq_factor: f64,
    original_context: f64,
}

impl Llama3Scaling {
    /// Divides low frequencies by the factor, leaves high ones, and goes smoothly from one to the other between
    /// (Llama 3.1's long context).
    fn scale(&self, frequency: f64) -> f64 {
        let wavelength = TAU / frequency;
        let turns = self.original_context / wavelength;
        if turns < self.low_freq_factor {
            frequency / self.factor
        } else if turns > self.high_freq_factor {
            frequency
        } else {
            let smooth = (turns - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
            (1.0 - smooth) * frequency / self.factor + smooth * frequency
        }
    }
}

/// The keys of the scaling of Peng et al. (2023).
struct Yarn {
    factor: f64,
    attention_factor: f64,
    /// Pairs that turn more often than this in the original context keep their frequency.
    fast_turns: f64,
    /// Pairs that turn less often have it divided by the factor.
    slow_turns: f64,
    original_context: f64,
    /// Whether the bounds between them are rounded to whole pairs.
    whole_pairs: bool,
}

impl Yarn {
    /// Of each pair, from 0 to 1, how far its frequency is divided by the factor.
    fn ramp(&self, dimensions: usize, theta: f64) -> impl Iterator<Item = f64> {
        let pair_of =
            |turns: f64| dimensions as f64 * (self.original_context / (turns * TAU)).ln() / (2.0 * theta.ln());
        let (low, high) = (pair_of(self.fast_turns), pair_of(self.slow_turns));
        let (low, high) = if self.whole_pairs { (low.floor(), high.ceil()) } else { (low, high) };
        let (low, high) = (low.max(0.0), high.min(dimensions as f64 - 1.0));
        let width = if low == high { 0.001 } else { high - low };
        (0..dimensions / 2).map(move |pair| ((pair as f64 - low) / width).clamp(0.0, 1.0))
    }
}
