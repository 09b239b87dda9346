//! What shows a service who asks.

use std::fmt;

/// A secret that is shown to one service and to nobody else: it has no `Display`, and its `Debug` does not tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A token or a key as the user has it, surrounding white space removed. `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Whether it can be sent: whether its characters are those that secrets have.
    pub fn is_well_formed(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The value of the header `Authorization`, which shows it.
    pub fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// A server's words without the secret, if they repeat it.
    pub fn removed_from(&self, words: &str) -> String {
        words.replace(&self.0, "(hidden)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}
