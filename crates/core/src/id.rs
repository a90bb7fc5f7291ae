//! Identifiers. Each noun has its own type, so that a customer's id does not fit where a group's belongs.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// Why something is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a positive 64-bit integer")]
pub struct IdError;

macro_rules! id {
    ($name:ident, $what:literal) => {
        #[doc = concat!("The id of ", $what, ": a positive 64-bit integer, unique within its merchant.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// The least of all.
            pub const FIRST: Self = Self(1);

            /// The id with this number, if the number is positive.
            pub fn new(number: i64) -> Option<Self> {
                (number > 0).then_some(Self(number))
            }

            /// The number.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads decimal digits; no sign, no space, nothing beyond 64 bits.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if !text.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(IdError);
                }
                text.parse().ok().and_then(Self::new).ok_or(IdError)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = i64::deserialize(deserializer)?;
                Self::new(number).ok_or_else(|| serde::de::Error::custom(IdError))
            }
        }
    };
}

id!(MerchantId, "a merchant (unique in the installation)");
id!(CustomerId, "a customer");
id!(GroupId, "a customer group");
id!(OperationId, "an operation");
id!(TokenId, "a token");
id!(ImportId, "an import");

/// Gives ids that ascend and stay below 2^53, which JavaScript reads exactly: 41 bits of milliseconds since
/// 2024 (until 2093) and 12 bits that tell apart the ids of one millisecond.
///
/// Ids of one source never repeat. Two sources may meet by chance; the storage refuses the second.
#[derive(Debug)]
pub struct IdGenerator {
    last: AtomicI64,
    /// Where the low bits start, so that two processes rarely give the same id in one millisecond.
    offset: i64,
}

/// 2024-01-01T00:00:00Z in milliseconds.
const EPOCH_MS: i64 = 1_704_067_200_000;
const LOW_BITS: u32 = 12;

impl IdGenerator {
    /// Ids per millisecond of the clock.
    pub const IDS_PER_MILLISECOND: i64 = 1 << LOW_BITS;

    /// A source whose low bits start at `seed`, which should be random.
    pub fn new(seed: u16) -> Self {
        Self { last: AtomicI64::new(0), offset: i64::from(seed) & (Self::IDS_PER_MILLISECOND - 1) }
    }

    /// The next number, above every one that this source gave before.
    pub fn next(&self, now: Timestamp) -> i64 {
        let millis = (now.as_millisecond() - EPOCH_MS).clamp(0, (1 << 41) - 1);
        let proposed = ((millis << LOW_BITS) | self.offset).max(1);
        let step = |last: i64| Some(proposed.max(last + 1));
        // `step` never answers None, so both arms carry the number before the step.
        let (Ok(last) | Err(last)) = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        proposed.max(last + 1)
    }

    /// The next operation id.
    pub fn next_operation(&self, now: Timestamp) -> OperationId {
        OperationId(self.next(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_digits_only() {
        assert_eq!("667738032".parse(), Ok(GroupId(667_738_032)));
        assert_eq!("9223372036854775807".parse(), Ok(GroupId(i64::MAX)));
        for bad in ["", "0", "-1", "+1", " 1", "1.0", "abc", "١", "9223372036854775808"] {
            assert_eq!(bad.parse::<GroupId>(), Err(IdError), "{bad:?}");
        }
    }

    #[test]
    fn given_ids_ascend_even_when_the_clock_goes_back() {
        let source = IdGenerator::new(7);
        let noon = "2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap();
        let before = "2026-11-23T11:00:00Z".parse::<Timestamp>().unwrap();
        let ids = [source.next(noon), source.next(noon), source.next(before), source.next(noon)];
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert!(ids[3] < 1 << 53);
    }
}
