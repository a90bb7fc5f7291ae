//! The recorded validation results of a Laravel backend (`validation/tests/cases.json`), each through HTTP.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use zumra_core::{GroupId, MerchantId};
use zumra_storage::GroupSelector;
use zumra_testkit::{TestApp, TestRequest, TestResponse};

/// Returns all cases of one endpoint.
fn cases(endpoint: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../../validation/tests/cases.json")).unwrap();
    all.into_iter().filter(|case| case["endpoint"] == endpoint).collect()
}

/// Returns the fixture of a merchant for one case, with the rows that exist in the case.
fn merchant(number: usize, case: &Value) -> Value {
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
                // A case may give one customer two contacts of a kind; the second one gets a customer of its own.
                None => customers.push(json!({"id": 900 + customers.len(), "first_name": "c", key: value})),
            }
        }
    }
    json!({"id": number + 1, "name": "shop", "groups": groups, "customers": customers,
        "tokens": [{"token": token(number), "scopes": ["customers.read_write"]}]})
}

/// The id of each merchant's default group. No case contains it.
const DEFAULT_GROUP: i64 = 77;

fn token(number: usize) -> String {
    format!("the-token-of-case-{number}")
}

fn request(app: &TestApp, number: usize, case: &Value, method: &str, path: &str) -> TestRequest {
    let path = case["query"].as_str().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let request = app.request(method, &path).token(&token(number));
    let request = request.language(case["locale"].as_str().unwrap());
    let request = match case["content_type"].as_str() {
        Some(content_type) => request.header("content-type", content_type),
        None => request,
    };
    match case["body"].as_str() {
        Some(body) => request.body(body.to_owned()),
        None => request.body(decode_base64(case["body_base64"].as_str().unwrap_or_default())),
    }
}

/// Decodes base64 in the standard alphabet.
fn decode_base64(text: &str) -> Vec<u8> {
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

/// Returns a service with a merchant for each case.
async fn app_with_merchants(cases: &[Value]) -> TestApp {
    let app = TestApp::with_limits(zumra_server::Limits::default()).await;
    let merchants: Vec<_> = cases.iter().enumerate().map(|(number, case)| merchant(number, case)).collect();
    app.load(&json!({"merchants": merchants}).to_string()).await;
    app
}

/// Returns true if the response to an invalid request has the recorded errors.
fn is_expected_error(response: &TestResponse, expect: &Value) -> bool {
    response.status == 422 && response.json()["error"]["fields"] == expect["fields"]
}

/// Sends all `count` cases of an endpoint. `is_correct` checks the response to a valid request with its normalized
/// fields. An invalid request must change nothing.
async fn check_cases(
    endpoint: &str,
    count: usize,
    is_correct: impl AsyncFn(&TestApp, usize, &Value, &TestResponse) -> bool,
) {
    let cases = cases(endpoint);
    assert_eq!(cases.len(), count);
    let app = app_with_merchants(&cases).await;
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let (method, template) = endpoint.split_once(' ').unwrap();
        let id = |name: &str| case["path"][name].to_string().trim_matches('"').to_owned();
        let path = template.replace("{customer}", &id("customer")).replace("{group}", &id("group"));
        let before = app.storage.inspect().await.unwrap();
        let response = request(&app, number, case, method, &path).send().await;
        let expect = &case["expect"];
        let is_correct = if expect["ok"] == true {
            is_correct(&app, number, &expect["normalized"], &response).await
        } else {
            is_expected_error(&response, expect) && app.storage.inspect().await.unwrap() == before
        };
        if !is_correct {
            failures.push(format!("{}: {} {}", case["name"], response.status, response.text()));
        }
    }
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

/// Returns the distinct ids of a list.
fn ids(list: &Value) -> BTreeSet<i64> {
    list.as_array().into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[tokio::test]
async fn add_customers_matches_every_recorded_case() {
    let members = Cell::new(0);
    check_cases("POST /customers/groups/add_customers", 525, async |app, _, normalized, response| {
        members.set(members.get() + ids(&normalized["customers"]).len() as u64);
        response.status == 200 && app.membership_count().await == members.get()
    })
    .await;
}

#[tokio::test]
async fn create_group_matches_every_recorded_case() {
    check_cases("POST /customers/groups", 208, async |app, number, normalized, response| {
        let data = response.json()["data"].clone();
        response.status == 200
            && data["name"] == normalized["name"].as_str().unwrap().replace('\0', "")
            && is_stored(app, number, data["id"].as_i64().unwrap(), normalized).await
    })
    .await;
}

#[tokio::test]
async fn update_group_matches_every_recorded_case() {
    check_cases("PUT /customers/groups/{group}", 37, async |app, number, normalized, response| {
        let data = response.json()["data"].clone();
        response.status == 200
            && normalized.get("name").is_none_or(|name| *name == data["name"])
            && is_stored(app, number, data["id"].as_i64().unwrap(), normalized).await
    })
    .await;
}

/// Returns true if a group is stored with the conditions and features of a request.
async fn is_stored(app: &TestApp, number: usize, id: i64, normalized: &Value) -> bool {
    let merchant = MerchantId::new(i64::try_from(number).unwrap() + 1).unwrap();
    let selector = GroupSelector::Id(GroupId::new(id).unwrap());
    let group = app.storage.find_group(merchant, selector).await.unwrap().unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let conditions = serde_json::to_value(&group.conditions).unwrap();
    let are_conditions_equal =
        list(&conditions).iter().zip(list(&normalized["conditions"])).all(|(stored, given)| {
            stored.as_object().unwrap().iter().all(|(key, value)| {
                *value == given[key]
                    || value.as_f64().is_some_and(|number| given[key].as_f64() == Some(number))
            })
        });
    let features = serde_json::to_value(&group.features).unwrap();
    let are_features_equal = ["payment_method", "shipping"].iter().all(|key| {
        let given: Vec<_> = list(&normalized["features"][key]);
        let given: Vec<_> = given.iter().map(|text| text.as_str().unwrap().replace('\0', "")).collect();
        json!(given) == json!(list(&features[key]))
    });
    list(&conditions).len() == list(&normalized["conditions"]).len()
        && are_conditions_equal
        && are_features_equal
}

#[tokio::test]
async fn create_customer_matches_every_recorded_case() {
    check_cases("POST /customers", 227, async |_, _, normalized, response| {
        let mut groups = ids(&normalized["groups"]);
        groups.insert(DEFAULT_GROUP);
        let data = &response.json()["data"];
        response.status == 200 && ids(&data["groups"]) == groups && has_given_values(data, normalized)
    })
    .await;
}

#[tokio::test]
async fn update_customer_matches_every_recorded_case() {
    check_cases("PUT /customers/{customer}", 109, async |_, _, normalized, response| {
        let data = &response.json()["data"];
        let are_groups_equal =
            normalized["groups"].is_null() || ids(&data["groups"]) == ids(&normalized["groups"]);
        response.status == 200 && are_groups_equal && has_given_values(data, normalized)
    })
    .await;
}

/// Returns true if a customer in a response has the values of a request.
fn has_given_values(data: &Value, normalized: &Value) -> bool {
    let given = |key: &str| normalized.get(key).cloned();
    let are_texts_equal = ["first_name", "last_name", "email", "gender"].iter().all(|key| {
        given(key).is_none_or(|value| {
            let text = value.as_str().map(|text| text.replace('\0', ""));
            data[key] == json!(text)
        })
    });
    let is_birthday_equal = given("birthday").is_none_or(|day| match day.as_str() {
        Some(day) => data["birthday"]["date"] == format!("{day} 00:00:00.000000"),
        None => data["birthday"].is_null(),
    });
    let is_mobile_equal = given("mobile").is_none_or(|mobile| {
        let text = mobile.as_str().unwrap();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() < 19;
        data["mobile"].is_i64() && (!is_number || data["mobile"].as_i64() == text.parse().ok())
    });
    are_texts_equal && is_birthday_equal && is_mobile_equal
}

#[tokio::test]
async fn ban_matches_every_recorded_case() {
    check_cases("PUT /customers/blacklist/{customer}", 56, async |app, number, normalized, response| {
        let banned = app.request("GET", "/customers?fields[]=block_reason").token(&token(number));
        let banned = banned.send().await.json();
        let reason = json!(normalized["reason"].as_str().unwrap().replace('\0', ""));
        response.status == 201
            && banned["data"].as_array().unwrap().iter().any(|customer| customer["block_reason"] == reason)
    })
    .await;
}
