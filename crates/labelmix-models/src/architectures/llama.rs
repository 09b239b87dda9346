//! Llama 1 to 3.2 (Touvron et al. 2023; Dubey et al. 2024).

use super::gated_decoder::GatedDecoderConfig;
use crate::config::Config;
use crate::description::Description;
use crate::error::Result;

pub(super) fn describe(config: &Config) -> Result<Description> {
    let decoder: GatedDecoderConfig = config.parse()?;
    let variant = decoder.llama(config, "Llama")?;
    decoder.describe(config, &variant)
}
