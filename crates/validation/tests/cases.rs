//! Recorded cases: `cases.json` contains requests with the results of Laravel's validator.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use zumra_core::Language;
use zumra_validation::requests::{ban, customers, groups};
use zumra_validation::{
    AddCustomers, Entity, Input, LookupResults, Map, Method, RawRequest, RuleSet, UniqueField, Value,
};

/// A recorded request with the expected result.
#[derive(Deserialize)]
struct Case {
    name: String,
    endpoint: String,
    path: Option<Path>,
    query: Option<String>,
    locale: String,
    content_type: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
    #[serde(rename = "known")]
    existing: Existing,
    #[serde(rename = "expect")]
    expected: Expected,
}

#[derive(Deserialize)]
struct Path {
    customer: Option<String>,
}

/// Rows that exist in a case. Emails and mobile numbers are mapped to the id of their customer.
#[derive(Deserialize)]
struct Existing {
    groups: HashSet<i64>,
    customers: HashSet<i64>,
    #[serde(default)]
    customer_emails: HashMap<String, i64>,
    #[serde(default)]
    customer_mobiles: HashMap<String, i64>,
}

#[derive(Deserialize)]
struct Expected {
    normalized: Json,
    fields: Json,
}

impl LookupResults for Existing {
    fn exists(&self, entity: Entity, id: i64) -> bool {
        match entity {
            Entity::Groups => self.groups.contains(&id),
            Entity::Customers => self.customers.contains(&id),
        }
    }

    fn is_used(&self, field: UniqueField, value: &str) -> bool {
        match field {
            UniqueField::Email => self.customer_emails.contains_key(value),
            UniqueField::Mobile => self.customer_mobiles.contains_key(value),
        }
    }
}

fn rules(endpoint: &str) -> RuleSet {
    match endpoint {
        "POST /customers/groups/add_customers" => AddCustomers::rules(10_000),
        "POST /customers/groups" => groups::create(),
        "PUT /customers/groups/{group}" => groups::update(),
        "POST /customers" => customers::create(),
        "PUT /customers/{customer}" => customers::update(),
        "PUT /customers/blacklist/{customer}" => ban::ban(),
        other => panic!("no rules for {other}"),
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::List(list) => list.iter().map(to_json).collect(),
        Value::Map(map) => json_object(map),
    }
}

fn json_object(map: &Map) -> Json {
    map.iter().map(|(key, value)| (key.clone(), to_json(value))).collect()
}

/// Returns true if two values are equal. 5 equals 5.0, and an empty object equals an empty list.
fn is_equal(left: &Json, right: &Json) -> bool {
    let is_empty = |value: &Json| *value == json!([]) || *value == json!({});
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| is_equal(value, other)))
        }
        _ => left == right || is_empty(left) && is_empty(right),
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u32> = text
        .bytes()
        .filter_map(|byte| (0..).zip(digits).find(|(_, digit)| **digit == byte))
        .map(|(bits, _)| bits)
        .collect();
    let bytes = |chunk: &[u32]| {
        let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    };
    bits.chunks(4).flat_map(bytes).collect()
}

impl Case {
    /// Removes the values of the customer in the path: a customer may keep its own email and mobile number.
    fn remove_own_values(&mut self) {
        let own_id =
            self.path.as_ref().and_then(|path| path.customer.as_ref()).and_then(|id| id.parse::<i64>().ok());
        self.existing.customer_emails.retain(|_, owner| Some(*owner) != own_id);
        self.existing.customer_mobiles.retain(|_, owner| Some(*owner) != own_id);
    }

    /// Describes the first difference from the expected result, if there is one.
    fn difference(&self) -> Option<String> {
        let body = match &self.body {
            Some(body) => body.as_bytes().to_vec(),
            None => decode_base64(self.body_base64.as_deref().unwrap_or_default()),
        };
        let content_type = self.content_type.as_deref().map(str::as_bytes);
        let method = if self.endpoint.starts_with("PUT") { Method::Put } else { Method::Post };
        let input =
            Input::read(&RawRequest { method, content_type, query: self.query.as_deref(), body: &body })
                .expect("the body has few pieces");
        let rules = rules(&self.endpoint);
        let result = rules.check(&input, &self.existing);
        let language = if self.locale == "ar" { Language::Arabic } else { Language::English };
        let fields =
            result.as_ref().err().map_or_else(|| json!({}), |errors| json!(errors.localized(language)));
        if fields != self.expected.fields {
            return Some(format!("fields are {fields}"));
        }
        if result.is_err() {
            return None;
        }
        let normalized = json_object(&rules.normalized(&input));
        if !is_equal(&normalized, &self.expected.normalized) {
            return Some(format!("normalized is {normalized}"));
        }
        if self.endpoint.ends_with("/add_customers") {
            return self.request_difference(content_type, &body, &input);
        }
        None
    }

    /// Compares the request from the slow path and from the fast path.
    fn request_difference(&self, content_type: Option<&[u8]>, body: &[u8], input: &Input) -> Option<String> {
        let request = AddCustomers::from_valid(input);
        let request_json = request.as_ref().map(|request| {
            let ids: Vec<i64> = request.customers.iter().map(|id| id.get()).collect();
            json!({ "group_id": request.group.get(), "customers": ids })
        });
        if request_json.as_ref() != Some(&self.expected.normalized) {
            return Some(format!("request is {request:?}"));
        }
        let fast = AddCustomers::parse_fast(content_type, body, 10_000);
        (fast.is_some() && fast != request).then(|| format!("the fast path returns {fast:?}"))
    }
}

#[test]
fn recorded_cases_give_the_recorded_results() {
    let mut cases: Vec<Case> = serde_json::from_str(include_str!("cases.json")).unwrap();
    let mut counts = BTreeMap::<&str, (usize, usize)>::new();
    cases.iter_mut().for_each(Case::remove_own_values);
    for case in &cases {
        let (passed, total) = counts.entry(&case.endpoint).or_default();
        *total += 1;
        match case.difference() {
            None => *passed += 1,
            Some(difference) => println!("{}: {difference}", case.name),
        }
    }
    for (endpoint, (passed, total)) in &counts {
        println!("{endpoint}: {passed} of {total}");
    }
    assert!(counts.values().all(|(passed, total)| passed == total), "some cases differ; see the output");
}
