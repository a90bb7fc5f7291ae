//! Conditions of a group: rules for membership.
//!
//! What belongs here: complete conditions. Zumra stores conditions but does not evaluate them yet.

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// The property of a customer that a condition compares (contract §2.1, G2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Total amount spent.
    TotalSales,
    /// Number of orders.
    TotalOrders,
    /// Rating given to the store, in stars.
    StoreRating,
    /// True if the customer has no orders.
    DoesntHaveOrders,
}

/// The range of values that meets a condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// Greater than the number.
    Above(Number),
    /// Less than the number.
    Below(Number),
    /// At least the first number and at most the second.
    Between(Number, Number),
}

/// One condition. A customer must meet all conditions of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Condition {
    measure: Measure,
    bound: Option<Bound>,
}

/// Why a condition is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The symbol is not `>`, `<` or `between`.
    #[error("symbol must be >, < or between")]
    Symbol,
    /// A number that the symbol requires is missing.
    #[error("> and < need value, between needs min_value and max_value")]
    Incomplete,
}

/// The JSON form of a condition (contract §2.1).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    r#type: Measure,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_value: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_value: Option<Number>,
}

impl Condition {
    /// Returns the property that the condition compares.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Returns the range, or `None` for [`Measure::DoesntHaveOrders`], which has none.
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_ref()
    }
}

impl TryFrom<Parts> for Condition {
    type Error = ConditionError;

    fn try_from(parts: Parts) -> Result<Self, ConditionError> {
        if parts.r#type == Measure::DoesntHaveOrders {
            return Ok(Self { measure: parts.r#type, bound: None });
        }
        let required = |number: Option<Number>| number.ok_or(ConditionError::Incomplete);
        let bound = match parts.symbol.as_deref() {
            Some(">") => Bound::Above(required(parts.value)?),
            Some("<") => Bound::Below(required(parts.value)?),
            Some("between") => Bound::Between(required(parts.min_value)?, required(parts.max_value)?),
            _ => return Err(ConditionError::Symbol),
        };
        Ok(Self { measure: parts.r#type, bound: Some(bound) })
    }
}

impl From<Condition> for Parts {
    fn from(condition: Condition) -> Self {
        let (symbol, value, min_value, max_value) = match condition.bound {
            None => (None, None, None, None),
            Some(Bound::Above(value)) => (Some(">"), Some(value), None, None),
            Some(Bound::Below(value)) => (Some("<"), Some(value), None, None),
            Some(Bound::Between(min, max)) => (Some("between"), None, Some(min), Some(max)),
        };
        let symbol = symbol.map(str::to_owned);
        Self { r#type: condition.measure, symbol, value, min_value, max_value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Condition, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn complete_conditions_round_trip_and_incomplete_ones_are_rejected() {
        for json in [
            r#"{"type":"total_sales","symbol":">","value":100}"#,
            r#"{"type":"total_orders","symbol":"<","value":0.5}"#,
            r#"{"type":"store_rating","symbol":"between","min_value":1,"max_value":5}"#,
            r#"{"type":"doesnt_have_orders"}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
        }
        for json in [
            r#"{"type":"total_sales","symbol":">"}"#,
            r#"{"type":"total_sales","symbol":"between","min_value":1}"#,
            r#"{"type":"total_sales"}"#,
            r#"{"type":"age","symbol":">","value":1}"#,
            r#"{"type":"total_sales","symbol":">","value":1,"unit":"SAR"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn numbers_that_the_symbol_does_not_use_are_dropped() {
        let superfluous = r#"{"type":"total_sales","symbol":">","value":1,"min_value":7,"max_value":null}"#;
        let minimal = r#"{"type":"total_sales","symbol":">","value":1}"#;
        assert_eq!(serde_json::to_string(&read(superfluous).unwrap()).unwrap(), minimal);
    }
}
