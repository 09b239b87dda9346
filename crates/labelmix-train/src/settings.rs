//! What a recipe says to the optimizer and the adapter.

use labelmix_methods::Recipe;
use labelmix_models::LoraSettings;
use labelmix_nn::AdamWSettings;

/// The shape of the adapters that a recipe trains.
pub fn lora_settings(recipe: &Recipe) -> LoraSettings {
    LoraSettings { rank: recipe.lora_rank, alpha: recipe.lora_alpha }
}

pub(crate) fn optimizer_settings(recipe: &Recipe) -> AdamWSettings {
    let Recipe { beta1, beta2, epsilon, weight_decay, .. } = *recipe;
    AdamWSettings { beta1, beta2, epsilon, weight_decay }
}
