//! Properties that hold for every input, tested with random inputs.

use std::cell::RefCell;
use std::fmt::Write;

use proptest::prelude::*;
use zumra_validation::requests::{ban, customers, groups};
use zumra_validation::{
    AddCustomers, Entity, Input, LookupResults, Method, RawRequest, RuleSet, UniqueField, Value,
};

const JSON: &[u8] = b"application/json";
/// Small enough that random inputs exceed it.
const CUSTOMERS_MAX: usize = 5;

/// JSON values that are not positive integers in plain digits.
const UNUSUAL_VALUES: &[&str] = &[
    "0",
    "-1",
    "-0",
    "01",
    "1.0",
    "1.5",
    "1e2",
    "1e400",
    "\"1\"",
    "\" 7 \"",
    "\"\"",
    "\"x\"",
    "true",
    "false",
    "null",
    "{}",
    "[]",
    "[1]",
    "{\"a\":1}",
    "9223372036854775807",
    "9223372036854775808",
    "+1",
    "0x1",
    "NaN",
];

/// Texts that rules accept, or almost accept.
const TEXTS: &[&str] = &[
    "total_sales",
    "doesnt_have_orders",
    ">",
    "between",
    "12",
    " 5 ",
    "",
    "a@example.com",
    "A@b",
    "2000-02-29",
    "male",
    "007",
    "x",
];

/// Lookup results by which every id exists and no value is used.
struct EverythingExists;

impl LookupResults for EverythingExists {
    fn exists(&self, _: Entity, _: i64) -> bool {
        true
    }

    fn is_used(&self, _: UniqueField, _: &str) -> bool {
        false
    }
}

fn read(content_type: &[u8], body: &[u8]) -> Input {
    Input::read(&RawRequest { method: Method::Post, content_type: Some(content_type), query: None, body })
        .expect("the body has few pieces")
}

/// Parses a body on the slow path.
fn parse_slow(body: &[u8]) -> Option<AddCustomers> {
    let input = read(JSON, body);
    AddCustomers::rules(CUSTOMERS_MAX).check(&input, &EverythingExists).ok()?;
    AddCustomers::from_valid(&input)
}

fn rule_sets() -> [RuleSet; 6] {
    let [add, ban] = [AddCustomers::rules(CUSTOMERS_MAX), ban::ban()];
    [add, ban, groups::create(), groups::update(), customers::create(), customers::update()]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\r\n\t"), 1 => Just("\u{A0}"), 1 => Just("\u{C}")]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![4 => (1..=i64::MAX).prop_map(|n| n.to_string()), 1 => prop::sample::select(UNUSUAL_VALUES).prop_map(str::to_owned)]
}

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        5 => Just("group_id"),
        5 => Just("customers"),
        1 => prop::sample::select(&["group\\u005fid", "\\u0063ustomers", "Customers", "customers.0", "x", "", " "][..]),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let elements = || {
        prop::collection::vec((space(), scalar(), space()).prop_map(|(a, b, c)| format!("{a}{b}{c}")), 0..8)
    };
    let list = elements().prop_map(|elements| format!("[{}]", elements.join(",")));
    let object = elements().prop_map(|elements| {
        let members = elements.iter().enumerate().map(|(i, element)| format!("\"k{}\":{element}", i % 3));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    });
    prop_oneof![4 => scalar(), 4 => list, 1 => object]
}

/// Generates bodies as clients send them, and slightly damaged ones.
fn almost_valid_body() -> impl Strategy<Value = Vec<u8>> {
    let member = (space(), key(), space(), value())
        .prop_map(|(a, key, b, value)| format!("{a}\"{key}\"{b}:{value}{b}"));
    let ordinary = (scalar(), value())
        .prop_map(|(group, list)| vec![format!("\"group_id\":{group}"), format!("\"customers\":{list}")]);
    let members = prop_oneof![ordinary, prop::collection::vec(member, 0..4)];
    let body = (space(), members, space())
        .prop_map(|(a, members, b)| format!("{a}{{{}}}{b}", members.join(",")).into_bytes());
    let noise = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>(), 0..3));
    (body, noise).prop_map(|(mut body, noise)| {
        if let Some((index, byte, kind)) = noise {
            let index = index.index(body.len());
            match kind {
                0 => body.truncate(index),
                1 => body.insert(index, byte),
                _ => body[index] = byte,
            }
        }
        body
    })
}

/// Generates JSON documents whose keys are mostly field names of the rules.
fn document() -> impl Strategy<Value = serde_json::Value> {
    let names = [
        "name",
        "conditions",
        "type",
        "symbol",
        "value",
        "min_value",
        "features",
        "payment_method",
        "shipping",
        "group_id",
        "customers",
        "groups",
        "mobile",
        "email",
        "gender",
        "birthday",
        "reason",
        "first_name",
        "a.b",
        "*",
        "",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (1..9i64).prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        prop::sample::select(TEXTS).prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    let inner = leaf.prop_recursive(4, 40, 6, move |inner| {
        let key = prop::sample::select(names.to_vec()).prop_map(str::to_owned);
        let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into);
        prop_oneof![
            list,
            prop::collection::hash_map(key, inner, 0..6).prop_map(|map| map.into_iter().collect())
        ]
    });
    prop::collection::hash_map(prop::sample::select(names.to_vec()), inner, 0..10)
        .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Generates documents with texts that trimming does not change.
fn plain_document() -> impl Strategy<Value = serde_json::Value> {
    let text = || "x([ -~]|[é中😀]|\n|\u{0}){0,6}x";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no infinity", |n| n.is_finite()).prop_map(Into::into),
        text().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into);
        prop_oneof![
            list,
            prop::collection::hash_map(text(), inner, 0..6).prop_map(|map| map.into_iter().collect())
        ]
    })
}

/// Returns true if our value equals the one from `serde_json`.
fn is_equal(actual: &Value, expected: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (actual, expected) {
        (Value::Null, Json::Null) => true,
        (Value::Bool(left), Json::Bool(right)) => left == right,
        (Value::Int(left), Json::Number(right)) => Some(*left) == right.as_i64(),
        (Value::Double(left), Json::Number(right)) => {
            !right.is_i64() && right.as_f64().is_some_and(|right| left.to_bits() == right.to_bits())
        }
        (Value::Text(left), Json::String(right)) => left == right,
        (Value::List(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_equal(left, right))
        }
        (Value::List(left), Json::Object(right)) => left.is_empty() && right.is_empty(),
        (Value::Map(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| is_equal(left, right)))
        }
        _ => false,
    }
}

/// A record of every lookup. Half of the ids exist and half of the values are used.
#[derive(Default)]
struct RecordedLookups {
    ids: RefCell<Vec<(Entity, i64)>>,
    values: RefCell<Vec<(UniqueField, String)>>,
}

impl LookupResults for RecordedLookups {
    fn exists(&self, entity: Entity, id: i64) -> bool {
        self.ids.borrow_mut().push((entity, id));
        id % 2 == 0
    }

    fn is_used(&self, field: UniqueField, value: &str) -> bool {
        self.values.borrow_mut().push((field, value.to_owned()));
        value.len().is_multiple_of(2)
    }
}

fn is_strictly_ascending<T: Ord>(list: &[T]) -> bool {
    list.windows(2).all(|pair| pair[0] < pair[1])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn fast_path_agrees_with_slow_path(body in almost_valid_body()) {
        if let Some(fast) = AddCustomers::parse_fast(Some(JSON), &body, CUSTOMERS_MAX) {
            prop_assert_eq!(Some(fast), parse_slow(&body));
        }
    }

    #[test]
    fn usual_bodies_take_the_fast_path(
        group in 1..=i64::MAX,
        ids in prop::collection::vec(1..=i64::MAX, 1..=CUSTOMERS_MAX),
        spaces in prop::collection::vec("[ \t\r\n]{0,2}", 8),
        is_group_first: bool,
    ) {
        let mut list = String::new();
        for (position, id) in ids.iter().enumerate() {
            write!(list, "{}{id}{}", if position == 0 { "" } else { "," }, spaces[0]).unwrap();
        }
        let customers = format!("\"customers\"{}:{}[{}{list}]", spaces[1], spaces[2], spaces[3]);
        let group_id = format!("\"group_id\"{}:{}{group}", spaces[4], spaces[5]);
        let (first, second) = if is_group_first { (group_id, customers) } else { (customers, group_id) };
        let body = format!("{}{{{first}{},{}{second}}}{}", spaces[6], spaces[7], spaces[1], spaces[2]);
        let fast = AddCustomers::parse_fast(Some(JSON), body.as_bytes(), CUSTOMERS_MAX);
        prop_assert!(fast.is_some(), "{}", body);
        prop_assert_eq!(&fast, &parse_slow(body.as_bytes()));
        let read = fast.map(|fast| (fast.group.get(), fast.customers.iter().map(|id| id.get()).collect()));
        prop_assert_eq!(read, Some((group, ids)));
    }

    #[test]
    fn documents_are_parsed_like_serde_json(document in plain_document(), is_pretty: bool) {
        let document = serde_json::json!({ "x": document });
        let text = if is_pretty { serde_json::to_vec_pretty(&document) } else { serde_json::to_vec(&document) }.unwrap();
        let input = read(JSON, &text);
        prop_assert!(is_equal(input.get("x").unwrap(), &document["x"]), "{}", document);
    }

    #[test]
    fn documents_rejected_by_serde_json_are_rejected(body in almost_valid_body()) {
        let expected = serde_json::from_slice::<serde_json::Value>(&body);
        // Only this parser accepts infinity.
        let out_of_range = expected.as_ref().is_err_and(|error| error.to_string().contains("out of range"));
        let is_missing = |key| read(JSON, &body).get(key).is_none();
        if expected.is_err() && !out_of_range {
            prop_assert!(is_missing("group_id") && is_missing("customers"));
        }
    }

    #[test]
    fn check_makes_only_the_lookups_that_were_returned(document in document()) {
        let input = read(JSON, &serde_json::to_vec(&document).unwrap());
        for rules in rule_sets() {
            let lookups = rules.lookups(&input);
            prop_assert!(is_strictly_ascending(&lookups.groups) && is_strictly_ascending(&lookups.customers));
            prop_assert!(is_strictly_ascending(&lookups.emails) && is_strictly_ascending(&lookups.mobiles));
            let recorded = RecordedLookups::default();
            let _ = rules.check(&input, &recorded);
            for (entity, id) in recorded.ids.take() {
                let list = match entity { Entity::Groups => &lookups.groups, Entity::Customers => &lookups.customers };
                prop_assert!(list.contains(&id));
            }
            for (field, value) in recorded.values.take() {
                let list = match field { UniqueField::Email => &lookups.emails, UniqueField::Mobile => &lookups.mobiles };
                prop_assert!(list.contains(&value));
            }
        }
    }

    #[test]
    fn rules_accept_any_document_without_panic(document in document()) {
        let input = read(JSON, &serde_json::to_vec(&document).unwrap());
        for rules in rule_sets() {
            match rules.check(&input, &EverythingExists) {
                Ok(()) => drop(rules.normalized(&input)),
                Err(errors) => prop_assert!(errors.iter().all(|error| !error.violations.is_empty()) && errors.len() > 0),
            }
        }
    }

    #[test]
    fn parsers_accept_any_bytes_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        form in "(customers|group_id|name|a|\\[|\\]|=|&|%|%[0-9a-f]{2}|[ .+]|\u{0}|\r|\n|;|--B|\"|content-disposition:form-data;name=){0,40}",
        is_put: bool,
    ) {
        let method = if is_put { Method::Put } else { Method::Post };
        let types = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"];
        for content_type in types.map(str::as_bytes).into_iter().chain([&bytes[..], form.as_bytes()]) {
            for body in [&bytes[..], form.as_bytes()] {
                let request = RawRequest { method, content_type: Some(content_type), query: Some(&form), body };
                let input = Input::read(&request).unwrap();
                for rules in rule_sets() {
                    let _ = rules.check(&input, &EverythingExists);
                }
                let _ = AddCustomers::parse_fast(Some(content_type), body, CUSTOMERS_MAX);
            }
        }
    }

    #[test]
    fn email_rule_accepts_any_text_without_panic(email in "(\\PC|[a-z@.\"()\\[\\]\\\\ :,-]|\r\n|IPv6|\u{0}|أ){0,30}") {
        let body = serde_json::json!({ "email": email });
        let input = read(JSON, &serde_json::to_vec(&body).unwrap());
        let _ = customers::create().check(&input, &EverythingExists);
    }
}
