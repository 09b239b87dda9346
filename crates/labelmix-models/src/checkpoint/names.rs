//! What wrappers put into the names of weights: a model that was compiled, distributed or adapted when it was saved.

/// Parts that wrappers put anywhere into a name. No architecture has a part of this name itself.
const WRAPPERS: [&str; 4] = ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];
/// What PEFT puts before the names of the model that it wraps.
const PEFT: &str = "base_model.model.";

/// A name without what wrappers put into it, and what that was; `None` for a name that has nothing of it.
pub(crate) fn unwrapped(name: &str) -> Option<(String, Vec<&'static str>)> {
    let mut wrappers = Vec::new();
    let mut take = |wrapper: &'static str| {
        if !wrappers.contains(&wrapper) {
            wrappers.push(wrapper);
        }
    };
    let parts = name.split('.').filter(|part| {
        let wrapper = WRAPPERS.iter().find(|wrapper| *wrapper == part);
        wrapper.inspect(|wrapper| take(wrapper)).is_none()
    });
    let mut rest = parts.collect::<Vec<_>>().join(".");
    while rest.starts_with(PEFT) {
        take("base_model.model");
        rest.drain(..PEFT.len());
    }
    (!wrappers.is_empty()).then_some((rest, wrappers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_wherever_they_stand() {
        let of = |name: &str| unwrapped(name).map(|(name, wrappers)| format!("{name} < {}", wrappers.join(" ")));
        assert_eq!(of("model.norm.weight"), None);
        assert_eq!(of("module.model.norm.weight").unwrap(), "model.norm.weight < module");
        assert_eq!(of("module._orig_mod.norm.weight").unwrap(), "norm.weight < module _orig_mod");
        assert_eq!(of("model._orig_mod.layers.0._orig_mod.x").unwrap(), "model.layers.0.x < _orig_mod");
        let nested = "_orig_mod.base_model.model.module.model.norm.weight";
        assert_eq!(of(nested).unwrap(), "model.norm.weight < _orig_mod module base_model.model");
        assert_eq!(of("base_model.model.base_model.model.norm.weight").unwrap(), "norm.weight < base_model.model");
    }
}
