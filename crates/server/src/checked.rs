//! Requests that have a body: checked by rules, with what the rules ask of the storage, and read into types.
//!
//! What belongs here: what handlers of many resources do alike between a body and a call to the storage.

use std::str::FromStr;

use zumra_core::{CustomerId, GroupId, Language, MerchantId, MessageCode};
use zumra_storage::{Contacts, Ids};
use zumra_validation::{
    Entity, FieldErrors, Input, LookupResults, Lookups, Map, RuleSet, UniqueField, Value,
};

use crate::App;
use crate::body::Submitted;
use crate::envelope::Problem;

/// The fields of a request that has passed its rules.
pub(crate) struct Fields {
    map: Map,
    language: Language,
}

impl Submitted {
    /// Checks the request by `rules`, for a merchant. `about` is the customer whom it changes, who may keep what is
    /// unique.
    pub(crate) async fn checked(
        &self,
        app: &App,
        merchant: MerchantId,
        rules: &RuleSet,
        about: Option<CustomerId>,
    ) -> Result<Fields, Problem> {
        let input = self.checked_input(app, merchant, rules, about).await?;
        Ok(Fields::new(rules.normalized(&input), self.language))
    }

    /// The same, for who reads the input in a way of its own.
    pub(crate) async fn checked_input(
        &self,
        app: &App,
        merchant: MerchantId,
        rules: &RuleSet,
        about: Option<CustomerId>,
    ) -> Result<Input, Problem> {
        let input = self.input(app).await?;
        let facts = Known::ask(app, merchant, rules.lookups(&input), about).await?;
        self.check(rules, &input, &facts)?;
        Ok(input)
    }

    /// Checks an input of this request by facts that are known already.
    pub(crate) fn check(
        &self,
        rules: &RuleSet,
        input: &Input,
        facts: &dyn LookupResults,
    ) -> Result<(), Problem> {
        rules.check(input, facts).map_err(|errors| Problem::Fields(errors, self.language))
    }
}

/// What the storage said when it was asked.
#[derive(Default)]
struct Known {
    ids: Ids,
    taken: Contacts,
}

impl Known {
    async fn ask(
        app: &App,
        merchant: MerchantId,
        asked: Lookups,
        about: Option<CustomerId>,
    ) -> Result<Self, Problem> {
        let mut known = Self::default();
        if !asked.groups.is_empty() || !asked.customers.is_empty() {
            let ids = Ids {
                groups: asked.groups.into_iter().filter_map(GroupId::new).collect(),
                customers: asked.customers.into_iter().filter_map(CustomerId::new).collect(),
            };
            known.ids = app.memberships.find_existing_ids(merchant, ids).await?;
        }
        if !asked.emails.is_empty() || !asked.mobiles.is_empty() {
            // No engine holds a text with this character, so nobody has it.
            let kept = |texts: Vec<String>| texts.into_iter().filter(|text| !text.contains('\0')).collect();
            let contacts = Contacts { mobiles: kept(asked.mobiles), emails: kept(asked.emails) };
            known.taken = app.storage.find_used_contacts(merchant, contacts, about).await?;
        }
        Ok(known)
    }
}

impl LookupResults for Known {
    fn exists(&self, table: Entity, id: i64) -> bool {
        holds(&self.ids, table, id)
    }

    fn is_used(&self, column: UniqueField, value: &str) -> bool {
        let taken = match column {
            UniqueField::Email => &self.taken.emails,
            UniqueField::Mobile => &self.taken.mobiles,
        };
        taken.iter().any(|taken| taken == value)
    }
}

/// Whether an id is among these, which ascend.
pub(crate) fn holds(ids: &Ids, table: Entity, id: i64) -> bool {
    match table {
        Entity::Groups => GroupId::new(id).is_some_and(|id| ids.groups.binary_search(&id).is_ok()),
        Entity::Customers => CustomerId::new(id).is_some_and(|id| ids.customers.binary_search(&id).is_ok()),
    }
}

/// What a field says: nothing if it is absent, `Some(None)` if it is null.
pub(crate) type Said<T> = Option<Option<T>>;

impl Fields {
    /// Fields that have passed their rules.
    pub(crate) fn new(map: Map, language: Language) -> Self {
        Self { map, language }
    }

    /// The text of a field, without the one character that no engine holds, U+0000.
    pub(crate) fn text(&self, field: &str) -> Result<Said<String>, Problem> {
        match self.map.get(field) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::Text(text)) => Ok(Some(Some(text.replace('\0', "")))),
            // Bytes from a form that are no text.
            Some(_) => Err(self.refuse(field, MessageCode::String)),
        }
    }

    /// The value that a text of a field stands for. `code` says what is wrong with one that stands for none, which the
    /// rules should have seen.
    pub(crate) fn parsed<T: FromStr>(&self, field: &str, code: MessageCode) -> Result<Said<T>, Problem> {
        self.parsed_with(field, code, |text| text.parse().ok())
    }

    /// The same with a reader.
    pub(crate) fn parsed_with<T>(
        &self,
        field: &str,
        code: MessageCode,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Said<T>, Problem> {
        match self.text(field)? {
            Some(Some(text)) => {
                read(&text).map(|value| Some(Some(value))).ok_or_else(|| self.refuse(field, code))
            }
            Some(None) => Ok(Some(None)),
            None => Ok(None),
        }
    }

    /// The groups of a field, in its order. Nothing if it is absent or null.
    pub(crate) fn groups(&self, field: &str) -> Option<Vec<GroupId>> {
        let Some(Value::List(ids)) = self.map.get(field) else { return None };
        let id = |value: &Value| if let Value::Int(id) = value { GroupId::new(*id) } else { None };
        Some(ids.iter().filter_map(id).collect())
    }

    /// What a field holds in the form of JSON. Nothing if it is absent, the empty `T` if it is null.
    pub(crate) fn json<T: serde::de::DeserializeOwned + Default>(
        &self,
        field: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.map.get(field) else { return Ok(None) };
        match json(value) {
            Some(serde_json::Value::Null) => Ok(Some(T::default())),
            Some(json) => {
                serde_json::from_value(json).map(Some).map_err(|_| self.refuse(field, MessageCode::Array))
            }
            None => Err(self.refuse(field, MessageCode::String)),
        }
    }

    fn refuse(&self, field: &str, code: MessageCode) -> Problem {
        Problem::Fields(FieldErrors::single(field, code), self.language)
    }
}

/// A value as JSON. Nothing if there is something in it that JSON has no form for.
fn json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(yes) => (*yes).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::Text(text) => text.replace('\0', "").into(),
        Value::Bytes(_) => return None,
        Value::List(list) => list.iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        Value::Map(map) => {
            let members = map.iter().map(|(key, value)| Some((key.clone(), json(value)?)));
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
    })
}
