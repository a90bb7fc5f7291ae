//! The tenant: one shop. Every other row belongs to exactly one.

use std::str::FromStr;

use jiff::{Timestamp, tz::TimeZone};

use crate::MerchantId;
use crate::text::Name;

/// The name of a shop: at most 255 characters.
pub type MerchantName = Name<255>;

/// The time zone of a merchant who names none (contract §1.8).
pub const TIME_ZONE_DEFAULT: &str = "Asia/Riyadh";

/// The subscription of a shop; limits hang on it (contract §6.1).
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

/// Text that names no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown plan {0:?}; known are basic, plus, pro, special")]
pub struct UnknownPlan(String);

impl Plan {
    /// Its name on the wire.
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

/// Where a shop is: the beginning of links into it, with its scheme and without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

/// Text that is no place on the web.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a domain or a URL, such as shop.example or https://shop.example/ar")]
pub struct DomainError;

impl Domain {
    /// The text, `https://shop.example`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    /// Reads a URL; a domain alone is taken as one of `https`.
    fn from_str(text: &str) -> Result<Self, DomainError> {
        let (scheme, place) = match text.split_once("://") {
            Some((scheme @ ("http" | "https"), place)) => (scheme, place),
            Some(_) => return Err(DomainError),
            None => ("https", text),
        };
        let place = place.trim_end_matches('/');
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'<>\\?#".contains(c);
        if place.is_empty() || place.starts_with('/') || place.len() > 255 || !place.chars().all(plain) {
            return Err(DomainError);
        }
        Ok(Self(format!("{scheme}://{place}")))
    }
}

/// A shop as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Merchant {
    /// Its id.
    pub id: MerchantId,
    /// Its name.
    pub name: MerchantName,
    /// Its subscription.
    pub plan: Plan,
    /// The zone in which its dates are shown.
    pub time_zone: TimeZone,
    /// Where its shop is, as the links of its customers show it.
    pub domain: Option<Domain>,
    /// When Zumra came to know it.
    pub created_at: Timestamp,
}

/// A shop to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMerchant {
    /// Its id.
    pub id: MerchantId,
    /// Its name.
    pub name: MerchantName,
    /// Its subscription.
    pub plan: Plan,
    /// The zone in which its dates are shown.
    pub time_zone: TimeZone,
    /// Where its shop is.
    pub domain: Option<Domain>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_get_a_scheme_and_lose_their_last_slash() {
        let read = |text: &str| text.parse::<Domain>().map(|domain| domain.as_str().to_owned());
        assert_eq!(read("shop.example").as_deref(), Ok("https://shop.example"));
        assert_eq!(read("http://shop.example/ar/").as_deref(), Ok("http://shop.example/ar"));
        for bad in ["", "https://", "ftp://shop.example", "two words", "https:///x", "a\"b"] {
            assert_eq!(read(bad), Err(DomainError), "{bad}");
        }
    }
}
