//! Fixture files: merchants with all their data as JSON, for development, tests and migration to Zumra.
//!
//! What belongs here: the file format and the checks that need only the file. A parsed file is consistent: ids, mobile
//! numbers and emails are unique, and every group of a customer is defined. Unknown keys are errors. Every error
//! contains its JSON path.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use crate::clock::truncate_to_micros;
use crate::merchant::TIME_ZONE_DEFAULT;
use crate::text::Name;
use crate::{
    Condition, CustomerId, Features, Group, GroupId, MerchantId, NewCustomer, NewMerchant, NewToken, Plan,
    Scope, Scopes, TokenHash, TokenSecret,
};

/// One merchant with all its data.
#[derive(Debug, Clone)]
pub struct MerchantFixture {
    /// The merchant.
    pub merchant: NewMerchant,
    /// Tokens; secrets are unique in the file.
    pub tokens: Vec<NewToken>,
    /// Groups. At most one is the default group.
    pub groups: Vec<Group>,
    /// Customers.
    pub customers: Vec<CustomerFixture>,
}

/// A customer with its id and its groups.
#[derive(Debug, Clone)]
pub struct CustomerFixture {
    /// Unique within the merchant.
    pub id: CustomerId,
    /// The details.
    pub details: NewCustomer,
    /// The groups that the customer is a member of.
    pub groups: Vec<GroupId>,
}

/// An error in a fixture file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FixtureError {
    /// JSON path of the value, such as `merchants[0].customers[3].mobile`.
    pub path: String,
    /// What is invalid.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    merchants: Vec<MerchantEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MerchantEntry {
    id: MerchantId,
    name: String,
    plan: Option<String>,
    time_zone: Option<String>,
    domain: Option<String>,
    #[serde(default)]
    tokens: Vec<TokenEntry>,
    #[serde(default)]
    groups: Vec<GroupEntry>,
    #[serde(default)]
    customers: Vec<CustomerEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    token: String,
    scopes: Vec<String>,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    id: GroupId,
    name: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    features: Features,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomerEntry {
    id: CustomerId,
    first_name: String,
    last_name: Option<String>,
    mobile: Option<String>,
    mobile_code: Option<String>,
    email: Option<String>,
    gender: Option<String>,
    birthday: Option<Date>,
    city: Option<String>,
    location: Option<String>,
    #[serde(default)]
    groups: Vec<GroupId>,
}

/// Parses a fixture file.
pub fn parse(json: &[u8]) -> Result<Vec<MerchantFixture>, FixtureError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let file: File = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match error.path().to_string() {
            path if path == "." => "the file".to_owned(),
            path => path,
        };
        FixtureError { path, problem: error.into_inner().to_string() }
    })?;
    deserializer.end().map_err(|error| error_at("the file", error))?;
    let (mut ids, mut tokens) = (UniqueValues::default(), UniqueValues::default());
    let mut merchants = Vec::with_capacity(file.merchants.len());
    for (index, entry) in file.merchants.into_iter().enumerate() {
        let path = format!("merchants[{index}]");
        ids.insert(entry.id, format!("{path}.id"))?;
        merchants.push(build_merchant(&path, entry, &mut tokens)?);
    }
    Ok(merchants)
}

fn build_merchant(
    path: &str,
    entry: MerchantEntry,
    token_paths: &mut UniqueValues<TokenHash>,
) -> Result<MerchantFixture, FixtureError> {
    let field = |name: &str| format!("{path}.{name}");
    let plan = entry.plan.as_deref().map(str::parse::<Plan>).transpose();
    let time_zone = entry.time_zone.as_deref().unwrap_or(TIME_ZONE_DEFAULT);
    let merchant = NewMerchant {
        id: entry.id,
        name: Name::parse(&entry.name).map_err(|e| error_at(field("name"), e))?,
        plan: plan.map_err(|e| error_at(field("plan"), e))?.unwrap_or_default(),
        time_zone: TimeZone::get(time_zone).map_err(|e| error_at(field("time_zone"), e))?,
        domain: parse_optional(entry.domain.as_deref()).map_err(|e| error_at(field("domain"), e))?,
    };
    let mut tokens = Vec::with_capacity(entry.tokens.len());
    for (index, entry) in entry.tokens.into_iter().enumerate() {
        let path = format!("{path}.tokens[{index}]");
        let token = build_token(&path, &entry)?;
        token_paths.insert(token.hash, format!("{path}.token"))?;
        tokens.push(token);
    }
    let mut group_paths = UniqueValues::default();
    let groups = build_groups(path, entry.groups, &mut group_paths)?;
    let customers = build_customers(path, entry.customers, &group_paths)?;
    Ok(MerchantFixture { merchant, tokens, groups, customers })
}

fn build_groups(
    path: &str,
    entries: Vec<GroupEntry>,
    paths: &mut UniqueValues<GroupId>,
) -> Result<Vec<Group>, FixtureError> {
    let mut defaults = UniqueValues::default();
    let mut groups = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let path = format!("{path}.groups[{index}]");
        paths.insert(entry.id, format!("{path}.id"))?;
        if entry.default {
            defaults.insert((), format!("{path}.default"))?;
        }
        let (conditions, features, is_default) = (entry.conditions, entry.features, entry.default);
        let name = Name::parse(&entry.name).map_err(|e| error_at(format!("{path}.name"), e))?;
        groups.push(Group { id: entry.id, name, conditions, features, is_default });
    }
    Ok(groups)
}

fn build_token(path: &str, entry: &TokenEntry) -> Result<NewToken, FixtureError> {
    let secret = entry.token.parse::<TokenSecret>().map_err(|e| error_at(format!("{path}.token"), e))?;
    let parse_scope = |(index, text): (usize, &String)| {
        text.parse::<Scope>().map_err(|e| error_at(format!("{path}.scopes[{index}]"), e))
    };
    let scopes = entry.scopes.iter().enumerate().map(parse_scope).collect::<Result<Scopes, _>>()?;
    Ok(NewToken { hash: secret.hash(), scopes, expires_at: entry.expires_at.map(truncate_to_micros) })
}

fn build_customers(
    path: &str,
    entries: Vec<CustomerEntry>,
    groups: &UniqueValues<GroupId>,
) -> Result<Vec<CustomerFixture>, FixtureError> {
    let (mut ids, mut mobiles, mut emails) =
        (UniqueValues::default(), UniqueValues::default(), UniqueValues::default());
    let mut customers = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let path = format!("{path}.customers[{index}]");
        ids.insert(entry.id, format!("{path}.id"))?;
        for (group_index, group) in entry.groups.iter().enumerate() {
            if !groups.contains(group) {
                return Err(error_at(
                    format!("{path}.groups[{group_index}]"),
                    format!("group {group} is not in this file"),
                ));
            }
        }
        let customer = build_customer(&path, entry)?;
        if let Some(mobile) = &customer.details.mobile {
            mobiles.insert(mobile.clone(), format!("{path}.mobile"))?;
        }
        if let Some(email) = &customer.details.email {
            emails.insert(email.key(), format!("{path}.email"))?;
        }
        customers.push(customer);
    }
    Ok(customers)
}

fn build_customer(path: &str, entry: CustomerEntry) -> Result<CustomerFixture, FixtureError> {
    let field = |name: &str| format!("{path}.{name}");
    let last_name = entry.last_name.as_deref().filter(|name| !name.trim().is_empty());
    let details = NewCustomer {
        first_name: Name::parse(&entry.first_name).map_err(|e| error_at(field("first_name"), e))?,
        last_name: last_name.map(Name::parse).transpose().map_err(|e| error_at(field("last_name"), e))?,
        mobile: parse_optional(entry.mobile.as_deref()).map_err(|e| error_at(field("mobile"), e))?,
        mobile_code: parse_optional(entry.mobile_code.as_deref())
            .map_err(|e| error_at(field("mobile_code"), e))?,
        email: parse_optional(entry.email.as_deref()).map_err(|e| error_at(field("email"), e))?,
        gender: parse_optional(entry.gender.as_deref()).map_err(|e| error_at(field("gender"), e))?,
        birthday: entry.birthday,
        city: entry.city,
        location: entry.location,
    };
    Ok(CustomerFixture { id: entry.id, details, groups: entry.groups })
}

fn parse_optional<T: FromStr>(text: Option<&str>) -> Result<Option<T>, T::Err> {
    text.map(str::parse).transpose()
}

fn error_at(path: impl Into<String>, problem: impl Display) -> FixtureError {
    FixtureError { path: path.into(), problem: problem.to_string() }
}

/// Values that may occur once per file, each with the path where it occurs.
struct UniqueValues<T>(HashMap<T, String>);

impl<T> Default for UniqueValues<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> UniqueValues<T> {
    fn insert(&mut self, value: T, path: String) -> Result<(), FixtureError> {
        if let Some(first) = self.0.get(&value) {
            return Err(error_at(path, format!("is the same as {first}, and must be unique")));
        }
        self.0.insert(value, path);
        Ok(())
    }

    fn contains(&self, value: &T) -> bool {
        self.0.contains_key(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> String {
        parse(json.as_bytes()).expect_err("the file is invalid").to_string()
    }

    #[test]
    fn only_ids_and_names_are_required() {
        let json = r#"{"merchants":[{"id":1,"name":"متجر","groups":[{"id":2,"name":"VIP"}],
            "customers":[{"id":9223372036854775807,"first_name":"عميل","groups":[2]}]}]}"#;
        let merchants = parse(json.as_bytes()).unwrap();
        assert_eq!(merchants[0].customers[0].id.get(), i64::MAX);
    }

    #[test]
    fn errors_contain_the_path_of_the_value() {
        let merchant = |rest: &str| format!(r#"{{"merchants":[{{"id":1,"name":"a"{rest}}}]}}"#);
        let cases = [
            (merchant(r#","color":"red""#), "merchants[0].color: unknown field `color`"),
            (merchant(r#","plan":"gold""#), "merchants[0].plan: unknown plan \"gold\""),
            (
                merchant(r#","customers":[{"id":0,"first_name":"a"}]"#),
                "merchants[0].customers[0].id: must be a positive 64-bit integer",
            ),
            (
                merchant(r#","customers":[{"id":1,"first_name":"a","groups":[7]}]"#),
                "merchants[0].customers[0].groups[0]: group 7 is not in this file",
            ),
            (
                merchant(
                    r#","customers":[{"id":1,"first_name":"a","mobile":"5"},{"id":2,"first_name":"b","mobile":"5"}]"#,
                ),
                "merchants[0].customers[1].mobile: is the same as merchants[0].customers[0].mobile",
            ),
            (
                merchant(r#","tokens":[{"token":"a-secret-of-at-least-16","scopes":["customers.write"]}]"#),
                "merchants[0].tokens[0].scopes[0]: unknown scope",
            ),
            (r#"{"merchants":[]} x"#.to_owned(), "the file: trailing characters"),
        ];
        for (json, expected) in cases {
            assert!(problem(&json).starts_with(expected), "{} / {expected}", problem(&json));
        }
    }

    #[test]
    fn errors_do_not_contain_secrets() {
        let json = r#"{"merchants":[{"id":1,"name":"a","tokens":[{"token":"short","scopes":[]}]}]}"#;
        assert!(!problem(json).contains("\"short\""), "{}", problem(json));
    }
}
