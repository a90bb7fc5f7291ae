//! `POST /customers/groups/add_customers`
//!
//! This request carries thousands of ids, so it has a fast path: [`AddCustomers::parse_fast`] parses the usual body
//! directly into ids. Every other body takes the slow path through the rules.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use zumra_core::{CustomerId, GroupId, MessageCode};

use crate::number::to_integer;
use crate::{Entity, Field, Input, Rule, RuleSet, is_json};

/// A valid request to add customers to a group. Ids may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCustomers {
    /// The group to add to.
    pub group: GroupId,
    /// The customers to add, in the order of the input.
    pub customers: Vec<CustomerId>,
}

impl AddCustomers {
    /// Returns the rules for a request with at most `max_customers` customers.
    pub fn rules(max_customers: usize) -> RuleSet {
        let required = Rule::Required(MessageCode::Required);
        RuleSet {
            fields: vec![
                Field::new("group_id", [required, Rule::Integer, Rule::Exists(Entity::Groups)]),
                Field::new("customers", [required, Rule::Array, Rule::MaxItems(max_customers)]),
                Field::new("customers.*", [Rule::Integer, Rule::Exists(Entity::Customers)]),
            ],
        }
    }

    /// Parses a JSON body with exactly the two keys and positive integers in plain digits.
    ///
    /// `None` means only that the caller must take the slow path, [`Input::read`] and [`RuleSet::check`]. If all ids
    /// exist, the slow path gives the same result as the fast path.
    pub fn parse_fast(content_type: Option<&[u8]>, body: &[u8], max_customers: usize) -> Option<Self> {
        if !is_json(content_type) {
            return None;
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let request = Request { max_customers }.deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some(request)
    }

    /// Converts an input that has passed [`AddCustomers::rules`]. Returns `None` if an id is not positive; such an id
    /// cannot exist.
    pub fn from_valid(input: &Input) -> Option<Self> {
        let group = input.get("group_id").and_then(to_integer).and_then(GroupId::new)?;
        let customers = input.get("customers")?.entries();
        let ids = customers
            // The rules do not check a container under the empty key, so it may be present.
            .filter(|(key, value)| !(key.is_empty() && value.is_container()))
            .map(|(_, value)| to_integer(value).and_then(CustomerId::new));
        Some(Self { group, customers: ids.collect::<Option<_>>()? })
    }
}

const GROUP_ID: &str = "group_id";
const CUSTOMERS: &str = "customers";

/// A deserializer of the object. It fails on anything that needs the slow path.
struct Request {
    max_customers: usize,
}

impl<'de> DeserializeSeed<'de> for Request {
    type Value = AddCustomers;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<AddCustomers, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Request {
    type Value = AddCustomers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a group and customers")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<AddCustomers, M::Error> {
        let (mut group, mut customers) = (None, None);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match &*key {
                GROUP_ID if group.is_none() => group = Some(map.next_value()?),
                CUSTOMERS if customers.is_none() => {
                    customers = Some(map.next_value_seed(Customers { max: self.max_customers })?);
                }
                other => return Err(de::Error::unknown_field(other, &[GROUP_ID, CUSTOMERS])),
            }
        }
        Ok(AddCustomers {
            group: group.ok_or_else(|| de::Error::missing_field(GROUP_ID))?,
            customers: customers.ok_or_else(|| de::Error::missing_field(CUSTOMERS))?,
        })
    }
}

/// A deserializer of the list: 1 to `max` customers.
struct Customers {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Customers {
    type Value = Vec<CustomerId>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Customers {
    type Value = Vec<CustomerId>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1 to {} customers", self.max)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        let mut customers = Vec::new();
        while let Some(id) = list.next_element()? {
            if customers.len() == self.max {
                return Err(de::Error::invalid_length(self.max, &self));
            }
            customers.push(id);
        }
        if customers.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(customers) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fast(body: &str) -> Option<Vec<i64>> {
        let request = AddCustomers::parse_fast(Some(b"application/json; charset=utf-8"), body.as_bytes(), 3)?;
        Some([vec![request.group.get()], request.customers.iter().map(|id| id.get()).collect()].concat())
    }

    #[test]
    fn usual_bodies_take_the_fast_path() {
        assert_eq!(fast(r#"{"group_id":1,"customers":[2,2]}"#), Some(vec![1, 2, 2]));
        assert_eq!(
            fast(" {\n\"customers\" : [ 9223372036854775807 ] , \"group\\u005fid\" : 1 } "),
            Some(vec![1, i64::MAX])
        );
        assert_eq!(fast(r#"{"group_id":1,"customers":[2,3,4]}"#), Some(vec![1, 2, 3, 4]));
    }

    #[test]
    fn other_bodies_take_the_slow_path() {
        for body in [
            r#"{"group_id":1,"customers":[2,3,4,5]}"#,
            r#"{"group_id":1,"customers":[]}"#,
            r#"{"group_id":1,"customers":{"0":2}}"#,
            r#"{"group_id":"1","customers":[2]}"#,
            r#"{"group_id":1,"customers":[2.0]}"#,
            r#"{"group_id":1,"customers":[-2]}"#,
            r#"{"group_id":0,"customers":[2]}"#,
            r#"{"group_id":1,"customers":[9223372036854775808]}"#,
            r#"{"group_id":1,"group_id":1,"customers":[2]}"#,
            r#"{"group_id":1,"customers":[2],"x":1}"#,
            r#"{"group_id":1,"customers":[2]} x"#,
            r#"{"group_id":1}"#,
            r"[1,[2]]",
            "",
        ] {
            assert_eq!(fast(body), None, "{body}");
        }
        let body = br#"{"group_id":1,"customers":[2]}"#;
        assert_eq!(AddCustomers::parse_fast(None, body, 3), None);
        assert_eq!(AddCustomers::parse_fast(Some(b"application/JSON"), body, 3), None);
    }
}
