//! Ids and their generator.
//!
//! What belongs here: one id type per noun, so that a customer's id cannot be passed as a group's.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::Entropy;

/// A number or text that is not an id.
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
            /// The smallest id.
            pub const FIRST: Self = Self(1);

            /// Returns the id with this number, or `None` if it is not positive.
            pub fn new(number: i64) -> Option<Self> {
                (number > 0).then_some(Self(number))
            }

            /// Returns the number; positive.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Parses decimal digits. Rejects signs, spaces and numbers beyond 64 bits.
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

impl MerchantId {
    /// Returns a random id, at most [`ASSIGNED_ID_MAX`]. Another merchant may have it.
    pub fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        Self(i64::from(u32::from_le_bytes(bytes)) % ASSIGNED_ID_MAX + 1)
    }
}

id!(CustomerId, "a customer");
id!(GroupId, "a customer group");
id!(OperationId, "an operation");
id!(TokenId, "a token");
id!(ImportId, "an import");

/// The greatest id that Zumra assigns to merchants, customers, groups and imports: clients keep ids in 32-bit integers.
///
/// Ids from fixtures and of earlier versions may be greater.
pub const ASSIGNED_ID_MAX: i64 = i32::MAX as i64;

/// A generator of ascending ids of operations, below 2^53, which JavaScript represents exactly.
///
/// An id consists of 41 bits of milliseconds since 2024 (until 2093) and 12 bits that distinguish ids of the same
/// millisecond. One generator never repeats an id. Two generators may collide: storage then gives the operation
/// or the token another id.
#[derive(Debug)]
pub struct IdGenerator {
    last: AtomicI64,
    /// First value of the low bits, so that two processes rarely generate the same id in one millisecond.
    offset: i64,
}

/// 2024-01-01T00:00:00Z in milliseconds.
const EPOCH_MS: i64 = 1_704_067_200_000;
const LOW_BITS: u32 = 12;

impl IdGenerator {
    /// Number of ids per millisecond.
    pub const IDS_PER_MILLISECOND: i64 = 1 << LOW_BITS;

    /// Creates a generator whose low bits start at `seed`, which should be random.
    pub fn new(seed: u16) -> Self {
        Self { last: AtomicI64::new(0), offset: i64::from(seed) & (Self::IDS_PER_MILLISECOND - 1) }
    }

    /// Returns the next number, greater than every earlier one of this generator.
    fn next(&self, now: Timestamp) -> i64 {
        let millis = (now.as_millisecond() - EPOCH_MS).clamp(0, (1 << 41) - 1);
        let proposed = ((millis << LOW_BITS) | self.offset).max(1);
        let following = |last: i64| proposed.max(last + 1);
        let last = self.last.update(Ordering::Relaxed, Ordering::Relaxed, following);
        following(last)
    }

    /// Returns the next number as an operation id.
    pub fn next_operation(&self, now: Timestamp) -> OperationId {
        OperationId(self.next(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_from_digits_only() {
        assert_eq!("667738032".parse(), Ok(GroupId(667_738_032)));
        assert_eq!("9223372036854775807".parse(), Ok(GroupId(i64::MAX)));
        for bad in ["", "0", "-1", "+1", " 1", "1.0", "abc", "١", "9223372036854775808"] {
            assert_eq!(bad.parse::<GroupId>(), Err(IdError), "{bad:?}");
        }
    }

    #[test]
    fn random_ids_of_merchants_are_positive_and_below_2_to_the_31() {
        struct Fixed(u8);
        impl Entropy for Fixed {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(self.0);
            }
        }
        assert_eq!(MerchantId::random(&Fixed(0)).get(), 1);
        for byte in [0x7f, 0x80, 0xff] {
            let id = MerchantId::random(&Fixed(byte)).get();
            assert!((1..1 << 31).contains(&id), "{id}");
        }
    }

    #[test]
    fn generated_ids_ascend_when_the_clock_goes_back() {
        let generator = IdGenerator::new(7);
        let noon = "2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap();
        let before = "2026-11-23T11:00:00Z".parse::<Timestamp>().unwrap();
        let ids = [generator.next(noon), generator.next(noon), generator.next(before), generator.next(noon)];
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert!(ids[3] < 1 << 53);
    }
}
