//! Conditions of a group: who would belong to it by rule.
//!
//! What belongs here: conditions that are complete. Which customers meet them is not asked yet.

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// What a condition looks at in a customer (contract §2.1, G2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Money spent in all.
    TotalSales,
    /// Orders in all.
    TotalOrders,
    /// Stars given to the shop.
    StoreRating,
    /// Whether there is no order at all.
    DoesntHaveOrders,
}

/// How far a measure must go.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// More than this.
    Above(Number),
    /// Less than this.
    Below(Number),
    /// Neither less than the first nor more than the second.
    Between(Number, Number),
}

/// One condition. All conditions of a group must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct Condition {
    measure: Measure,
    bound: Option<Bound>,
}

/// Why something is no condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Neither `>` nor `<` nor `between`.
    #[error("symbol must be >, < or between")]
    Symbol,
    /// A number that the symbol needs is missing.
    #[error("> and < need value, between needs min_value and max_value")]
    Incomplete,
}

/// A condition as the contract writes it.
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
    /// What it looks at.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// How far that must go. Nothing for [`Measure::DoesntHaveOrders`], which is a yes or no.
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
        let given = |number: Option<Number>| number.ok_or(ConditionError::Incomplete);
        let bound = match parts.symbol.as_deref() {
            Some(">") => Bound::Above(given(parts.value)?),
            Some("<") => Bound::Below(given(parts.value)?),
            Some("between") => Bound::Between(given(parts.min_value)?, given(parts.max_value)?),
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
    fn a_condition_is_complete_and_writes_as_it_read() {
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
    fn what_the_symbol_does_not_need_is_left_out() {
        let noisy = r#"{"type":"total_sales","symbol":">","value":1,"min_value":7,"max_value":null}"#;
        let plain = r#"{"type":"total_sales","symbol":">","value":1}"#;
        assert_eq!(serde_json::to_string(&read(noisy).unwrap()).unwrap(), plain);
    }
}
