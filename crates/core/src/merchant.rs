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
    pub domain: Option<String>,
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
    pub domain: Option<String>,
}
