//! The observed verdicts of a Laravel backend, each through HTTP.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use zumra_core::{GroupId, MerchantId};
use zumra_storage::GroupSelector;
use zumra_testkit::{TestApp, TestRequest, TestResponse};

/// Every case of one endpoint.
fn cases(endpoint: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../../validation/tests/cases.json")).unwrap();
    all.into_iter().filter(|case| case["endpoint"] == endpoint).collect()
}

/// A shop of its own for a case, with the rows that the case knows.
fn shop(number: usize, case: &Value) -> Value {
    let rows = |kind: &str| case["known"][kind].as_array().cloned().unwrap_or_default();
    let mut groups: Vec<_> = rows("groups").into_iter().map(|id| json!({"id": id, "name": "g"})).collect();
    groups.push(json!({"id": DEFAULT_GROUP, "name": "all", "default": true}));
    let mut customers: Vec<_> =
        rows("customers").into_iter().map(|id| json!({"id": id, "first_name": "c"})).collect();
    for (known, key) in [("customer_emails", "email"), ("customer_mobiles", "mobile")] {
        for (value, owner) in case["known"][known].as_object().into_iter().flatten() {
            let owns = |customer: &&mut Value| customer["id"] == *owner && customer[key].is_null();
            match customers.iter_mut().find(owns) {
                Some(customer) => customer[key] = json!(value),
                // Who has two of a kind here is two customers there.
                None => customers.push(json!({"id": 900 + customers.len(), "first_name": "c", key: value})),
            }
        }
    }
    json!({"id": number + 1, "name": "shop", "groups": groups, "customers": customers,
        "tokens": [{"token": token(number), "scopes": ["customers.read_write"]}]})
}

/// A group that no case names.
const DEFAULT_GROUP: i64 = 77;

fn token(number: usize) -> String {
    format!("the-token-of-case-{number}")
}

fn call(app: &TestApp, number: usize, case: &Value, method: &str, path: &str) -> TestRequest {
    let path = case["query"].as_str().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let call = app.request(method, &path).token(&token(number)).language(case["locale"].as_str().unwrap());
    let call = match case["content_type"].as_str() {
        Some(content_type) => call.header("content-type", content_type),
        None => call,
    };
    match case["body"].as_str() {
        Some(body) => call.body(body.to_owned()),
        None => call.body(base64(case["body_base64"].as_str().unwrap_or_default())),
    }
}

/// Decodes the standard alphabet.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<usize> =
        text.bytes().filter_map(|byte| ALPHABET.iter().position(|letter| *letter == byte)).collect();
    let bits =
        |chunk: &[usize]| chunk.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - chunk.len()));
    #[expect(clippy::cast_possible_truncation, reason = "masked to one byte")]
    let bytes = |chunk: &[usize]| {
        (0..chunk.len() - 1).map(|i| (bits(chunk) >> (16 - 8 * i) & 0xff) as u8).collect::<Vec<_>>()
    };
    digits.chunks(4).flat_map(bytes).collect()
}

/// A service with a shop for each case.
async fn app(cases: &[Value]) -> TestApp {
    let app = TestApp::with_limits(zumra_server::Limits::default()).await;
    let shops: Vec<_> = cases.iter().enumerate().map(|(number, case)| shop(number, case)).collect();
    app.load(&json!({"merchants": shops}).to_string()).await;
    app
}

/// Whether the answer to a case that must fail is right.
fn is_right_refusal(answer: &TestResponse, expect: &Value) -> bool {
    answer.status == 422 && answer.json()["error"]["fields"] == expect["fields"]
}

/// Sends every case of an endpoint, and lets `is_right` look at the answers to those that must pass.
async fn every_verdict(
    endpoint: &str,
    count: usize,
    is_right: impl AsyncFn(&TestApp, usize, &Value, &TestResponse) -> bool,
) {
    let cases = cases(endpoint);
    assert_eq!(cases.len(), count);
    let app = app(&cases).await;
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let (method, template) = endpoint.split_once(' ').unwrap();
        let id = |name: &str| case["path"][name].to_string().trim_matches('"').to_owned();
        let path = template.replace("{customer}", &id("customer")).replace("{group}", &id("group"));
        let before = app.storage.inspect().await.unwrap();
        let answer = call(&app, number, case, method, &path).send().await;
        let expect = &case["expect"];
        let right = if expect["ok"] == true {
            is_right(&app, number, &expect["normalized"], &answer).await
        } else {
            is_right_refusal(&answer, expect) && app.storage.inspect().await.unwrap() == before
        };
        if !right {
            wrong.push(format!("{}: {} {}", case["name"], answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// The ids of a list, each once.
fn ids(list: &Value) -> BTreeSet<i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[tokio::test]
async fn add_customers_gives_every_observed_verdict() {
    let members = Cell::new(0);
    every_verdict("POST /customers/groups/add_customers", 525, async |app, _, normalized, answer| {
        members.set(members.get() + ids(&normalized["customers"]).len() as u64);
        answer.status == 200 && app.membership_count().await == members.get()
    })
    .await;
}

#[tokio::test]
async fn a_new_group_gets_every_observed_verdict() {
    every_verdict("POST /customers/groups", 208, async |app, number, normalized, answer| {
        let data = answer.json()["data"].clone();
        answer.status == 200
            && data["name"] == normalized["name"].as_str().unwrap().replace('\0', "")
            && is_kept(app, number, data["id"].as_i64().unwrap(), normalized).await
    })
    .await;
}

#[tokio::test]
async fn a_changed_group_gets_every_observed_verdict() {
    every_verdict("PUT /customers/groups/{group}", 37, async |app, number, normalized, answer| {
        let data = answer.json()["data"].clone();
        answer.status == 200
            && normalized.get("name").is_none_or(|name| *name == data["name"])
            && is_kept(app, number, data["id"].as_i64().unwrap(), normalized).await
    })
    .await;
}

/// Whether a group has the conditions and features that a request gave it.
async fn is_kept(app: &TestApp, number: usize, id: i64, normalized: &Value) -> bool {
    let merchant = MerchantId::new(i64::try_from(number).unwrap() + 1).unwrap();
    let which = GroupSelector::Id(GroupId::new(id).unwrap());
    let group = app.storage.find_group(merchant, which).await.unwrap().unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let conditions = serde_json::to_value(&group.conditions).unwrap();
    let same_conditions =
        list(&conditions).iter().zip(list(&normalized["conditions"])).all(|(kept, given)| {
            kept.as_object().unwrap().iter().all(|(key, value)| {
                *value == given[key]
                    || value.as_f64().is_some_and(|number| given[key].as_f64() == Some(number))
            })
        });
    let features = serde_json::to_value(&group.features).unwrap();
    let same_features = ["payment_method", "shipping"].iter().all(|key| {
        let given: Vec<_> = list(&normalized["features"][key]);
        let given: Vec<_> = given.iter().map(|text| text.as_str().unwrap().replace('\0', "")).collect();
        json!(given) == json!(list(&features[key]))
    });
    list(&conditions).len() == list(&normalized["conditions"]).len() && same_conditions && same_features
}

#[tokio::test]
async fn a_new_customer_gets_every_observed_verdict() {
    every_verdict("POST /customers", 227, async |_, _, normalized, answer| {
        let mut groups = ids(&normalized["groups"]);
        groups.insert(DEFAULT_GROUP);
        let data = &answer.json()["data"];
        answer.status == 200 && ids(&data["groups"]) == groups && shows(data, normalized)
    })
    .await;
}

#[tokio::test]
async fn a_changed_customer_gets_every_observed_verdict() {
    every_verdict("PUT /customers/{customer}", 109, async |_, _, normalized, answer| {
        let data = &answer.json()["data"];
        let groups = normalized["groups"].is_null() || ids(&data["groups"]) == ids(&normalized["groups"]);
        answer.status == 200 && groups && shows(data, normalized)
    })
    .await;
}

/// Whether an answer shows what a request gave.
fn shows(data: &Value, normalized: &Value) -> bool {
    let said = |key: &str| normalized.get(key).cloned();
    let plain = ["first_name", "last_name", "email", "gender"].iter().all(|key| {
        said(key).is_none_or(|value| {
            let text = value.as_str().map(|text| text.replace('\0', ""));
            data[key] == json!(text)
        })
    });
    let birthday = said("birthday").is_none_or(|day| match day.as_str() {
        Some(day) => data["birthday"]["date"] == format!("{day} 00:00:00.000000"),
        None => data["birthday"].is_null(),
    });
    let mobile = said("mobile").is_none_or(|mobile| {
        let text = mobile.as_str().unwrap();
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 19;
        data["mobile"].is_i64() && (!plain || data["mobile"].as_i64() == text.parse().ok())
    });
    plain && birthday && mobile
}

#[tokio::test]
async fn a_ban_gets_every_observed_verdict() {
    every_verdict("PUT /customers/blacklist/{customer}", 56, async |app, number, normalized, answer| {
        let banned = app.request("GET", "/customers?fields[]=block_reason").token(&token(number));
        let banned = banned.send().await.json();
        let reason = json!(normalized["reason"].as_str().unwrap().replace('\0', ""));
        answer.status == 201
            && banned["data"].as_array().unwrap().iter().any(|customer| customer["block_reason"] == reason)
    })
    .await;
}
