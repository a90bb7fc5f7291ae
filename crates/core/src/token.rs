//! Bearer tokens: secrets of which only a hash is kept.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::text::hex;
use crate::{Entropy, MerchantId, Scopes, TokenId};

/// How every token that Zumra makes begins, so that scanners for leaked secrets can tell it.
pub const TOKEN_PREFIX: &str = "zum_";

/// A bearer token in plain text. Shown once, when it is made; never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// Why a text cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 16 to 512 characters, all of them visible ASCII")]
pub struct TokenError;

impl TokenSecret {
    /// A new token: the prefix and 256 random bits in hexadecimal.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(format!("{TOKEN_PREFIX}{}", hex(&bytes)))
    }

    /// The plain text, for the one place that shows it to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its place. No slow hash: there is nothing to guess in 256 random bits.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl FromStr for TokenSecret {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let fits = (16..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(TokenError) }
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, for storage.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id, by which it is listed and revoked.
    pub id: TokenId,
    /// The one merchant whose data it opens.
    pub merchant: MerchantId,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing, if it has an end.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether it opens anything at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A token to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The hash of its secret.
    pub hash: TokenHash,
    /// What it may do.
    pub scopes: Scopes,
    /// From when on it opens nothing, if it has an end.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let secret: TokenSecret = "a-secret-of-at-least-16-characters".parse().unwrap();
        assert!(!format!("{secret:?}{:?}", secret.hash()).contains("secret-of"));
    }

    #[test]
    fn short_and_invisible_texts_are_no_tokens() {
        for bad in ["", "fifteen-chars-x", "a secret of at least 16 characters", "رمز-سري-طويل-بما-يكفي"]
        {
            assert!(bad.parse::<TokenSecret>().is_err(), "{bad}");
        }
    }
}
