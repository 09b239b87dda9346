//! What a recipe says to the adapter.

use labelmix_methods::Recipe;
use labelmix_models::LoraSettings;

/// The shape of the adapters that a recipe trains.
pub fn lora_settings(recipe: &Recipe) -> LoraSettings {
    LoraSettings { rank: recipe.lora_rank, alpha: recipe.lora_alpha }
}
