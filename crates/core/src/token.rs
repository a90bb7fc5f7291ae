//! Bearer tokens. Only the hash of a secret is stored.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::text::hex;
use crate::{Entropy, MerchantId, Scopes, TokenId};

/// Prefix of every generated token, so that secret scanners recognize leaked ones.
pub const TOKEN_PREFIX: &str = "zum_";

/// A bearer token in plain text. Shown once, on creation; never stored, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 16 to 512 characters, all of them visible ASCII")]
pub struct TokenError;

impl TokenSecret {
    /// Generates a token: the prefix and 256 random bits in hexadecimal.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(format!("{TOKEN_PREFIX}{}", hex(&bytes)))
    }

    /// Returns the plain text. Only for showing a new token to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the hash to store. A fast hash is enough, because 256 random bits cannot be guessed.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl FromStr for TokenSecret {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let is_valid = (16..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if is_valid { Ok(Self(text.to_owned())) } else { Err(TokenError) }
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenSecret(…)")
    }
}

/// The SHA-256 hash of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Creates a hash from stored bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

/// A stored token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Unique within the merchant; identifies the token in lists and for revocation.
    pub id: TokenId,
    /// The merchant whose data the token grants access to.
    pub merchant: MerchantId,
    /// Permissions.
    pub scopes: Scopes,
    /// When the token was created.
    pub created_at: Timestamp,
    /// When the token expires; `None` if never. Invalid from this time on.
    pub expires_at: Option<Timestamp>,
    /// When the token was revoked; `None` if it was not.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Returns true if the token is neither revoked nor expired at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expires_at| now < expires_at)
    }
}

/// A token to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// Hash of the secret.
    pub hash: TokenHash,
    /// Permissions.
    pub scopes: Scopes,
    /// When the token expires; `None` if never. Invalid from this time on.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_secrets() {
        let secret: TokenSecret = "a-secret-of-at-least-16-characters".parse().unwrap();
        assert!(!format!("{secret:?}{:?}", secret.hash()).contains("secret-of"));
    }

    #[test]
    fn short_or_non_ascii_texts_are_not_tokens() {
        for bad in ["", "fifteen-chars-x", "a secret of at least 16 characters", "رمز-سري-طويل-بما-يكفي"]
        {
            assert!(bad.parse::<TokenSecret>().is_err(), "{bad}");
        }
    }
}
