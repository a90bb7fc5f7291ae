//! `POST /customers/groups/add_customers`
//!
//! This request is the one that carries thousands of ids, so it has a short way: [`AddCustomers::parse_fast`] reads the
//! ordinary body straight into ids. Whatever is not ordinary goes the long way, where the verdicts are made.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use zumra_core::{CustomerId, GroupId, MessageCode};

use crate::number::integer;
use crate::{Entity, Field, Input, Rule, RuleSet, is_json};

/// A checked request: which customers to add to which group. An id may come twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCustomers {
    /// The group.
    pub group: GroupId,
    /// The customers, in the order of the input.
    pub customers: Vec<CustomerId>,
}

impl AddCustomers {
    /// Rules for adding at most `max_customers` customers.
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

    /// Reads a JSON body of exactly the two keys with positive integers in plain digits. None means nothing but "take
    /// the long way": through [`Input::read`] and [`RuleSet::check`], which agree with every answer given here as far
    /// as the ids exist.
    pub fn parse_fast(content_type: Option<&[u8]>, body: &[u8], max_customers: usize) -> Option<Self> {
        if !is_json(content_type) {
            return None;
        }
        let mut json = serde_json::Deserializer::from_slice(body);
        let request = Request { max_customers }.deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some(request)
    }

    /// What an input says that [`AddCustomers::rules`] has passed. None if it names an id that is not positive, which
    /// cannot exist.
    pub fn from_valid(input: &Input) -> Option<Self> {
        let group = input.get("group_id").and_then(integer).and_then(GroupId::new)?;
        let customers = input.get("customers")?.members();
        let ids = customers
            // A list under the empty key is no element to the rules, so it may be here.
            .filter(|(key, value)| !(key.is_empty() && value.is_container()))
            .map(|(_, value)| integer(value).and_then(CustomerId::new));
        Some(Self { group, customers: ids.collect::<Option<_>>()? })
    }
}

const GROUP_ID: &str = "group_id";
const CUSTOMERS: &str = "customers";

/// Reads the object, and stops at the first thing that is out of the ordinary.
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

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group and customers")
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

/// Reads the list: one customer at least, `max` at most.
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

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 to {} customers", self.max)
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
    fn ordinary_bodies_go_the_short_way() {
        assert_eq!(fast(r#"{"group_id":1,"customers":[2,2]}"#), Some(vec![1, 2, 2]));
        assert_eq!(
            fast(" {\n\"customers\" : [ 9223372036854775807 ] , \"group\\u005fid\" : 1 } "),
            Some(vec![1, i64::MAX])
        );
        assert_eq!(fast(r#"{"group_id":1,"customers":[2,3,4]}"#), Some(vec![1, 2, 3, 4]));
    }

    #[test]
    fn everything_else_goes_the_long_way() {
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
