//! The token without which a server that others can reach answers nothing.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::error::ServeError;

/// A secret. Printing it shows nothing.
#[derive(Clone)]
pub struct Token {
    text: String,
    hash: blake3::Hash,
}

const SHORTEST: usize = 16;

impl Token {
    /// A new one, which nobody can guess: 128 bits of the system's randomness.
    ///
    /// # Errors
    /// If the system has none.
    pub fn random() -> Result<Self, ServeError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::System { reason: error.to_string() })?;
        Ok(Self::of(format!("{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// A person's own, which `place` names in errors.
    ///
    /// # Errors
    /// If it is short, or has characters that an address or a cookie cannot have.
    pub fn given(text: &str, place: &str) -> Result<Self, ServeError> {
        let wrong = |reason: &str| ServeError::Token { place: place.to_owned(), reason: reason.to_owned() };
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(wrong(&format!("has {} characters", text.len())));
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)) {
            return Err(wrong("has characters that an address cannot have"));
        }
        Ok(Self::of(text.to_owned()))
    }

    /// What a file holds.
    ///
    /// # Errors
    /// If it cannot be read, and as [`given`](Self::given).
    pub fn read(path: &Path) -> Result<Self, ServeError> {
        let place = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| ServeError::TokenFile { place: place.clone(), source })?;
        Self::given(&text, &place)
    }

    fn of(text: String) -> Self {
        Self { hash: blake3::hash(text.as_bytes()), text }
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether this is the token. Hashes are compared, in constant time, so that how long it takes tells nothing.
    pub(crate) fn is(&self, offered: &str) -> bool {
        blake3::hash(offered.as_bytes()) == self.hash
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_tokens_differ_and_only_the_whole_is_it() {
        let (one, other) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.reveal().len(), 32);
        assert!(one.is(one.reveal()) && !one.is(other.reveal()) && !one.is(&one.reveal()[..31]) && !one.is(""));
        assert_eq!(format!("{one:?}"), "Token");
    }

    #[test]
    fn a_given_token_is_long_and_fits_into_an_address() {
        assert!(Token::given(" 0123456789abcdef\n", "here").unwrap().is("0123456789abcdef"));
        let message = |text: &str| Token::given(text, "the file").unwrap_err().to_string();
        assert_eq!(message("short"), "the file: the token has 5 characters");
        assert_eq!(message("0123456789 abcdef"), "the file: the token has characters that an address cannot have");
        assert_eq!(message("0123456789;abcdef"), "the file: the token has characters that an address cannot have");
    }
}
