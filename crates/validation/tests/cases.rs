//! Every recorded verdict: `cases.json` holds requests with what the validator made of them.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value as Json;
use zumra_core::Language;
use zumra_validation::requests::{ban, customers, groups};
use zumra_validation::{AddCustomers, Column, Facts, Input, Map, Method, RawRequest, RuleSet, Table, Value};

/// What a case knows of the shop.
struct Known {
    groups: HashSet<i64>,
    customers: HashSet<i64>,
    emails: HashSet<String>,
    mobiles: HashSet<String>,
}

impl Known {
    /// The customer in the path of a `PUT` does not count among those who have a value.
    fn of(case: &Json) -> Self {
        let known = &case["known"];
        let ids =
            |key: &str| known[key].as_array().into_iter().flatten().map(|id| id.as_i64().unwrap()).collect();
        let own = case["path"]["customer"].to_string().replace('"', "");
        let others = |key: &str| {
            let owners = known[key].as_object().into_iter().flatten();
            owners
                .filter(|(_, owner)| owner.to_string() != own)
                .map(|(value, _)| value.to_lowercase())
                .collect()
        };
        Self {
            groups: ids("groups"),
            customers: ids("customers"),
            emails: others("customer_emails"),
            mobiles: others("customer_mobiles"),
        }
    }
}

impl Facts for Known {
    fn exists(&self, table: Table, id: i64) -> bool {
        match table {
            Table::Groups => self.groups.contains(&id),
            Table::Customers => self.customers.contains(&id),
        }
    }

    fn is_taken(&self, column: Column, value: &str) -> bool {
        match column {
            Column::Email => self.emails.contains(value),
            Column::Mobile => self.mobiles.contains(value),
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

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Double(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => json_object(map),
    }
}

fn json_object(map: &Map) -> Json {
    map.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

/// Equal, when 5 is 5.0 and an object without members a list.
fn is_same(a: &Json, b: &Json) -> bool {
    let is_empty = |value: &Json| *value == serde_json::json!([]) || *value == serde_json::json!({});
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Json::Array(x), Json::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_same(x, y)),
        (Json::Object(x), Json::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| is_same(x, y)))
        }
        _ => a == b || is_empty(a) && is_empty(b),
    }
}

fn decode_base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|b| *b == byte)
    };
    let digits: Vec<u32> =
        text.bytes().filter_map(digit).map(|digit| u32::try_from(digit).unwrap()).collect();
    let bytes = |chunk: &[u32]| {
        let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
        bits.to_be_bytes()[1..chunk.len()].to_vec()
    };
    digits.chunks(4).flat_map(bytes).collect()
}

/// Says what is wrong with the verdict on a case, if anything is.
fn differs(case: &Json) -> Option<String> {
    let endpoint = case["endpoint"].as_str().unwrap();
    let body = match case["body"].as_str() {
        Some(body) => body.as_bytes().to_vec(),
        None => decode_base64(case["body_base64"].as_str().unwrap()),
    };
    let content_type = case["content_type"].as_str().map(str::as_bytes);
    let method = if endpoint.starts_with("PUT") { Method::Put } else { Method::Post };
    let query = case.get("query").and_then(Json::as_str);
    let input = Input::read(&RawRequest { method, content_type, query, body: &body });
    let rules = rules(endpoint);
    let language = if case["locale"] == "ar" { Language::Arabic } else { Language::English };
    let verdict = rules.check(&input, &Known::of(case));
    let fields = match &verdict {
        Ok(()) => serde_json::json!({}),
        Err(errors) => serde_json::to_value(errors.localized(language)).unwrap(),
    };
    if fields != case["expect"]["fields"] {
        return Some(format!("fields are {fields}"));
    }
    if verdict.is_err() {
        return None;
    }
    let normalized = json_object(&rules.normalized(&input));
    if !is_same(&normalized, &case["expect"]["normalized"]) {
        return Some(format!("normalized is {normalized}"));
    }
    if endpoint.ends_with("add_customers") {
        let request = AddCustomers::from_checked(&input).unwrap();
        let ids: Vec<i64> = request.customers.iter().map(|id| id.get()).collect();
        let same = serde_json::json!({ "group_id": request.group.get(), "customers": ids });
        if same != case["expect"]["normalized"] {
            return Some(format!("request is {request:?}"));
        }
        if let Some(fast) = AddCustomers::fast(content_type, &body, 10_000)
            && fast != request
        {
            return Some(format!("the short way gives {fast:?}"));
        }
    }
    None
}

#[test]
fn every_recorded_verdict_is_ours() {
    let cases: Vec<Json> = serde_json::from_str(include_str!("cases.json")).unwrap();
    let mut counts = BTreeMap::<&str, (usize, usize)>::new();
    let mut failed = 0;
    for case in &cases {
        let (passed, all) = counts.entry(case["endpoint"].as_str().unwrap()).or_default();
        *all += 1;
        match differs(case) {
            None => *passed += 1,
            Some(difference) => {
                failed += 1;
                println!("{}: {difference}\n  not {}", case["name"], case["expect"]);
            }
        }
    }
    for (endpoint, (passed, all)) in counts {
        println!("{endpoint}: {passed} of {all}");
    }
    assert_eq!(failed, 0, "cases with another verdict");
}
