//! Merchants: the tenants. Every other row belongs to exactly one merchant.
//!
//! What belongs here: a merchant, its plan and its domain.

use std::str::FromStr;

use jiff::{Timestamp, tz::TimeZone};

use crate::MerchantId;
use crate::text::Name;

/// The name of a merchant: at most 255 characters.
pub type MerchantName = Name<255>;

/// Time zone of a merchant created without one (contract §1.8).
pub const TIME_ZONE_DEFAULT: &str = "Asia/Riyadh";

/// The subscription of a merchant, which determines its limits (contract §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// `basic`
    #[default]
    Basic,
    /// `plus`
    Plus,
    /// `pro`
    Pro,
    /// `special`
    Special,
}

/// A text that is not the name of a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown plan {0:?}; known are basic, plus, pro, special")]
pub struct UnknownPlan(String);

impl Plan {
    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Plus => "plus",
            Self::Pro => "pro",
            Self::Special => "special",
        }
    }
}

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        let all = [Self::Basic, Self::Plus, Self::Pro, Self::Special];
        all.into_iter().find(|p| p.as_str() == text).ok_or_else(|| UnknownPlan(text.to_owned()))
    }
}

/// The base URL of a merchant's store, with a scheme and without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

/// A text that is not a domain or URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a domain or a URL, such as shop.example or https://shop.example/ar")]
pub struct DomainError;

impl Domain {
    /// Returns the URL, for example `https://shop.example`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    /// Parses a URL, or a domain, which gets the scheme `https`.
    fn from_str(text: &str) -> Result<Self, DomainError> {
        let (scheme, location) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), location)) => (scheme, location),
            Some(_) => return Err(DomainError),
            None => ("https", text),
        };
        let location = location.trim_end_matches('/');
        let is_allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'<>\\?#".contains(c);
        if location.is_empty()
            || location.starts_with('/')
            || location.len() > 255
            || !location.chars().all(is_allowed)
        {
            return Err(DomainError);
        }
        Ok(Self(format!("{scheme}://{location}")))
    }
}

/// A stored merchant.
#[derive(Debug, Clone, PartialEq)]
pub struct Merchant {
    /// Unique in the installation.
    pub id: MerchantId,
    /// Display name; need not be unique.
    pub name: MerchantName,
    /// Subscription.
    pub plan: Plan,
    /// Time zone of dates in responses.
    pub time_zone: TimeZone,
    /// Base URL of links to its customers.
    pub domain: Option<Domain>,
    /// When the merchant was created in Zumra.
    pub created_at: Timestamp,
}

/// A merchant to create.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMerchant {
    /// Unique in the installation.
    pub id: MerchantId,
    /// Display name; need not be unique.
    pub name: MerchantName,
    /// Subscription.
    pub plan: Plan,
    /// Time zone of dates in responses.
    pub time_zone: TimeZone,
    /// Base URL of links to its customers.
    pub domain: Option<Domain>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_gets_a_scheme_and_loses_its_trailing_slash() {
        let read = |text: &str| text.parse::<Domain>().map(|domain| domain.as_str().to_owned());
        assert_eq!(read("shop.example").as_deref(), Ok("https://shop.example"));
        assert_eq!(read("http://shop.example/ar/").as_deref(), Ok("http://shop.example/ar"));
        for bad in ["", "https://", "ftp://shop.example", "two words", "https:///x", "a\"b"] {
            assert_eq!(read(bad), Err(DomainError), "{bad}");
        }
    }
}
