//! The names that the published code gives its runs: `nw=WEAK_no=GOLD_m=MODEL_METHOD_sSEED`.

use std::path::Path;

/// What a run's name says beyond its numbers of labels, which are those that were asked for and not those that were used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FolderName {
    pub(super) model: String,
    pub(super) method: String,
    pub(super) seed: u64,
}

impl FolderName {
    /// The parts of a folder's name; none if it is no run's.
    pub(super) fn parse(folder: &Path) -> Option<Self> {
        let mut parts = folder.file_name()?.to_str()?.split('_');
        let number = |part: Option<&str>, key: &str| part?.strip_prefix(key)?.parse::<u64>().ok();
        number(parts.next(), "nw=")?;
        number(parts.next(), "no=")?;
        let model = parts.next()?.strip_prefix("m=")?.to_owned();
        let seed = number(parts.next_back(), "s")?;
        let method = parts.collect::<Vec<_>>().join("_");
        (!model.is_empty() && !method.is_empty()).then_some(Self { model, method, seed })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(name: &str) -> Option<FolderName> {
        FolderName::parse(Path::new(name))
    }

    #[test]
    fn names_of_runs_and_of_other_folders() {
        let name = |model: &str, method: &str, seed| {
            Some(FolderName { model: model.to_owned(), method: method.to_owned(), seed })
        };
        assert_eq!(
            parse("results/boolq/nw=99_no=9_m=Meta-Llama-3-8B_100_steps_for_both_s19"),
            name("Meta-Llama-3-8B", "100_steps_for_both", 19)
        );
        assert_eq!(parse("nw=0_no=16_m=Qwen1.5-4B_seq_sft_s0"), name("Qwen1.5-4B", "seq_sft", 0));
        for other in
            ["weak_train", "nw=1_no=2", "nw=1_no=2_m=Tiny_s3", "nw=x_no=2_m=Tiny_a_s3", "nw=1_no=2_m=_a_s3", ".."]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_was_made(
            n_weak: u32, n_gold: u32, model in "[A-Za-z0-9.-]{1,12}", method in "[a-z0-9_-]{1,20}", seed: u64,
        ) {
            let read = parse(&format!("nw={n_weak}_no={n_gold}_m={model}_{method}_s{seed}"));
            prop_assert_eq!(read, Some(FolderName { model, method, seed }));
        }

        #[test]
        fn no_name_is_too_strange(name in ".*") {
            parse(&name);
        }
    }
}
