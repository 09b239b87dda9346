//! Features that stages share: what the pretrained model makes of texts, in parts of some texts each.

use std::fs;
use std::path::{Path, PathBuf};

use labelmix_data::ExampleId;
use serde::{Deserialize, Serialize};

use crate::contents::Kind;
use crate::error::{Result, StoreError};
use crate::files::{entries, read_json, write_json};
use crate::key::{HashedParts, StageKey};
use crate::manifest::{self, Damage, Scrutiny};
use crate::store::{OUTCOME_FILE, Store};

/// The name of the file of the features in a part's folder.
pub const FEATURES_FILE: &str = "features.safetensors";

/// The texts of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturePart {
    /// A hash of the model and of what is read of it: parts of the same one belong together.
    pub of: StageKey,
    /// The texts' ids, in the order of the features.
    pub texts: Vec<ExampleId>,
}

/// What a store has of the features of a model.
#[derive(Clone, Debug, Default)]
pub struct FeatureParts {
    /// Parts that are what was written, with their files.
    pub sound: Vec<(FeaturePart, PathBuf)>,
    /// The folders of others, with what is wrong with them.
    pub damaged: Vec<(PathBuf, Damage)>,
}

impl FeaturePart {
    /// The name of the part.
    pub fn key(&self) -> StageKey {
        let mut parts = HashedParts::new("labelmix features 1");
        parts.add("of", self.of.as_str().as_bytes());
        for text in &self.texts {
            parts.add("text", &text.number().to_le_bytes());
        }
        StageKey::of(&parts)
    }
}

impl Store {
    fn features(&self) -> PathBuf {
        self.root.join(Kind::Features.name())
    }

    /// Keeps a part: `work` writes the features to the file that it is given.
    ///
    /// # Errors
    /// If it fails, or the part cannot be written; nothing is left of it then.
    pub fn write_features<E: From<StoreError>>(
        &self,
        part: &FeaturePart,
        work: impl FnOnce(&Path) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (features, key) = (self.features(), part.key().to_string());
        fs::create_dir_all(&features).map_err(StoreError::io(&features))?;
        self.write_folder(&key, &features.join(&key), |folder| {
            fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
            work(&folder.join(FEATURES_FILE))?;
            write_json(&folder.join(OUTCOME_FILE), part)?;
            Ok(((), [FEATURES_FILE, OUTCOME_FILE].map(str::to_owned).to_vec()))
        })
    }

    /// All parts of features of a model.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn feature_parts(&self, of: &StageKey) -> Result<FeatureParts> {
        let mut parts = FeatureParts::default();
        for (_, folder) in entries(&self.features())? {
            match Self::feature_part(&folder, of) {
                Ok(part) => parts.sound.extend(part.map(|part| (part, folder.join(FEATURES_FILE)))),
                Err(StoreError::Damaged { path, reason }) => parts.damaged.push((folder, Damage { path, reason })),
                Err(error) => return Err(error),
            }
        }
        Ok(parts)
    }

    /// The file of a part, if it is there and what was written.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn features_file(&self, part: &FeaturePart) -> Result<Option<PathBuf>> {
        let folder = self.features().join(part.key().to_string());
        match Self::feature_part(&folder, &part.of) {
            Ok(kept) => Ok(kept.map(|_| folder.join(FEATURES_FILE))),
            Err(StoreError::Damaged { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The part in a folder, if it is one of this model.
    fn feature_part(folder: &Path, of: &StageKey) -> Result<Option<FeaturePart>> {
        let Some(part) = Self::read_feature_part(folder)?.filter(|part| part.of == *of) else { return Ok(None) };
        match manifest::damage(folder, Scrutiny::Everything)? {
            Some(damage) => Err(damage.into()),
            None => Ok(Some(part)),
        }
    }

    pub(crate) fn read_feature_part(folder: &Path) -> Result<Option<FeaturePart>> {
        read_json(&folder.join(OUTCOME_FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_model_are_found_and_damaged_ones_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let of = |name: &str| {
            let mut parts = HashedParts::new("labelmix test");
            parts.add("name", name.as_bytes());
            StageKey::of(&parts)
        };
        let part = |name: &str, text: &str| FeaturePart { of: of(name), texts: vec![ExampleId::exact(text)] };
        for part in [part("a", "one"), part("a", "two"), part("b", "one")] {
            store
                .write_features(&part, |file| fs::write(file, part.texts[0].to_string()).map_err(StoreError::io(file)))
                .unwrap();
        }
        let mut parts = store.feature_parts(&of("a")).unwrap().sound;
        parts.sort_by_key(|(part, _)| part.texts.clone());
        let texts: Vec<String> = parts.iter().map(|(_, file)| fs::read_to_string(file).unwrap()).collect();
        assert_eq!(texts, parts.iter().map(|(part, _)| part.texts[0].to_string()).collect::<Vec<_>>());
        assert_eq!((parts.len(), store.verify(|_, _| ()).unwrap()), (2, (3, Vec::new())));

        fs::write(&parts[0].1, "0000000000000000").unwrap();
        assert_eq!(store.verify(|_, _| ()).unwrap().1.len(), 1);
        let found = store.feature_parts(&of("a")).unwrap();
        assert_eq!((found.sound, found.damaged.len()), (parts[1..].to_vec(), 1));
        assert_eq!(store.feature_parts(&of("b")).unwrap().sound.len(), 1);
        let file = |texts: &[(FeaturePart, PathBuf)]| store.features_file(&texts[0].0).unwrap();
        assert_eq!((file(&parts[..1]), file(&parts[1..]).as_ref()), (None, Some(&parts[1].1)));
        assert_eq!(store.features_file(&part("a", "three")).unwrap(), None);
        let (folder, damage) = &found.damaged[0];
        store.set_aside(folder, damage).unwrap();
        let garbage = store.garbage().unwrap();
        assert_eq!(garbage.len(), 3, "no stage uses the two that are left, and one is damaged: {garbage:?}");
    }
}
