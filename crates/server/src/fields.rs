//! Typed access to the fields of a request after validation.

use std::str::FromStr;

use zumra_core::{GroupId, MessageCode};
use zumra_validation::{FieldErrors, Map, Value};

use crate::problem::Problem;

/// The fields of a request that its rule set has accepted.
pub(crate) struct Fields(Map);

/// The value of an optional field: `None` if the field is absent, `Some(None)` if it is null.
pub(crate) type Optional<T> = Option<Option<T>>;

impl Fields {
    /// Returns the fields of a normalized input.
    pub(crate) fn new(normalized: Map) -> Self {
        Self(normalized)
    }

    /// Returns the text of a field without U+0000, which no engine stores.
    ///
    /// # Errors
    ///
    /// [`Problem::InvalidFields`] if the text comes from a form and is not UTF-8.
    pub(crate) fn text(&self, field: &str) -> Result<Optional<String>, Problem> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Text(text)) => Ok(Some(Some(text.replace('\0', "")))),
            Some(_) => Err(invalid(field, MessageCode::String)),
        }
    }

    /// Parses the text of a field. `code` is the error of a text that does not parse; the rule set should have
    /// rejected it before.
    pub(crate) fn parse<T: FromStr>(&self, field: &str, code: MessageCode) -> Result<Optional<T>, Problem> {
        self.parse_with(field, code, |text| text.parse().ok())
    }

    /// Like [`Fields::parse`], but parses the text with a function.
    pub(crate) fn parse_with<T>(
        &self,
        field: &str,
        code: MessageCode,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Optional<T>, Problem> {
        match self.text(field)? {
            Some(Some(text)) => {
                parse(&text).map(|value| Some(Some(value))).ok_or_else(|| invalid(field, code))
            }
            Some(None) => Ok(Some(None)),
            None => Ok(None),
        }
    }

    /// Returns the group ids of a field in their order, or `None` if the field is absent or null.
    pub(crate) fn group_ids(&self, field: &str) -> Option<Vec<GroupId>> {
        let Some(Value::List(ids)) = self.0.get(field) else { return None };
        let id = |value: &Value| if let Value::Int(id) = value { GroupId::new(*id) } else { None };
        Some(ids.iter().filter_map(id).collect())
    }

    /// Deserializes a field. Returns `None` if it is absent, and the default of `T` if it is null.
    ///
    /// # Errors
    ///
    /// [`Problem::InvalidFields`] if the value is no `T`, which the rule set should have rejected before.
    pub(crate) fn deserialize<T: serde::de::DeserializeOwned + Default>(
        &self,
        field: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.0.get(field) else { return Ok(None) };
        match to_json(value) {
            Some(serde_json::Value::Null) => Ok(Some(T::default())),
            Some(json) => {
                serde_json::from_value(json).map(Some).map_err(|_| invalid(field, MessageCode::Array))
            }
            None => Err(invalid(field, MessageCode::String)),
        }
    }
}

fn invalid(field: &str, code: MessageCode) -> Problem {
    Problem::InvalidFields(FieldErrors::single(field, code))
}

/// Returns a value as JSON, or `None` if it contains bytes that are not UTF-8 or a number that is not finite.
fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::Text(text) => text.replace('\0', "").into(),
        Value::Bytes(_) => return None,
        Value::List(list) => list.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Value::Map(map) => {
            let members = map.iter().map(|(key, value)| Some((key.clone(), to_json(value)?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}
