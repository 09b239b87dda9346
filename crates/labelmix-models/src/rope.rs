//! The frequencies of rotary position embeddings (Su et al. 2021), with the scalings that stretch a model's context.

use std::f64::consts::TAU;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::config::Config;
use crate::error::Result;

/// The keys of config.json that concern rotary embeddings, in the older and the newer layout.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RopeConfig {
    #[serde(alias = "rotary_emb_base")]
    rope_theta: Option<f64>,
    rope_scaling: Option<Json>,
    /// Where newer versions of transformers write both of the above.
    rope_parameters: Option<Json>,
    #[serde(alias = "rotary_pct")]
    partial_rotary_factor: Option<f64>,
}

/// The keys of llama3's scaling.
#[derive(Deserialize)]
struct Llama3Scaling {
    factor: f64,
    low_freq_factor: f64,
    high_freq_factor: f64,
    original_max_position_embeddings: f64,
}

impl RopeConfig {
    /// The same keys for one type of layer, where the file gives each type its own.
    pub(crate) fn of_layer_type(&self, layer_type: &str) -> Option<Self> {
        let parameters = self.rope_parameters.as_ref()?.get(layer_type)?.clone();
        Some(Self { rope_parameters: Some(parameters), ..Self::default() })
    }

    fn parameter(&self, key: &str) -> Option<&Json> {
        [&self.rope_parameters, &self.rope_scaling].into_iter().flatten().find_map(|parameters| parameters.get(key))
    }

    /// The base of the frequencies, where the file gives one.
    pub(crate) fn theta(&self) -> Option<f64> {
        self.rope_theta.or_else(|| self.parameter("rope_theta")?.as_f64())
    }

    /// The share of each head's dimensions that turn.
    pub(crate) fn partial_factor(&self) -> Option<f64> {
        self.partial_rotary_factor.or_else(|| self.parameter("partial_rotary_factor")?.as_f64())
    }

    /// The frequencies of the pairs of `dimensions`: of pair i `theta^(−2i/dimensions)`, scaled as the file asks for.
    pub(crate) fn frequencies(&self, config: &Config, dimensions: usize, default_theta: f64) -> Result<Vec<f32>> {
        let theta = self.theta().unwrap_or(default_theta);
        let plain = (0..dimensions / 2).map(|pair| theta.powf(-2.0 * pair as f64 / dimensions as f64));
        let scaling = self.parameter("rope_type").or_else(|| self.parameter("type")).and_then(Json::as_str);
        let scaled: Vec<f64> = match scaling.unwrap_or("default") {
            "default" => plain.collect(),
            "linear" => {
                let factor = self.parameter("factor").and_then(Json::as_f64).ok_or_else(|| {
                    config.unsupported("the linear rotary scaling has no factor", "the config.json is damaged")
                })?;
                plain.map(|frequency| frequency / factor).collect()
            }
            "llama3" => {
                let parameters = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref());
                let scaling = Llama3Scaling::deserialize(parameters.unwrap_or(&Json::Null)).map_err(|error| {
                    config.unsupported(format!("the llama3 rotary scaling: {error}"), "the config.json is damaged")
                })?;
                plain.map(|frequency| scaling.scale(frequency)).collect()
            }
            other => {
                return Err(config.unsupported(
                    format!("the rotary embedding is scaled by {other:?}"),
                    "the rotary scalings that can be run are default, linear and llama3",
                ));
            }
        };
        Ok(scaled.into_iter().map(|frequency| frequency as f32).collect())
    }
}

impl Llama3Scaling {
    /// Divides low frequencies by the factor, leaves high ones, and goes smoothly from one to the other between
    /// (Llama 3.1's long context).
    fn scale(&self, frequency: f64) -> f64 {
        let wavelength = TAU / frequency;
        let turns = self.original_max_position_embeddings / wavelength;
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
