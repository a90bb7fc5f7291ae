//! The observed verdicts of a Laravel backend, each through HTTP.

use serde_json::{Value, json};
use zumra_testkit::{Call, TestApp};

/// Every case of one endpoint.
fn cases(endpoint: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../../validation/tests/cases.json")).unwrap();
    all.into_iter().filter(|case| case["endpoint"] == endpoint).collect()
}

/// A shop of its own for a case, with the rows that the case knows.
fn shop(number: usize, case: &Value) -> Value {
    let rows = |kind: &str| case["known"][kind].as_array().cloned().unwrap_or_default();
    let groups: Vec<_> = rows("groups").into_iter().map(|id| json!({"id": id, "name": "g"})).collect();
    let customers: Vec<_> =
        rows("customers").into_iter().map(|id| json!({"id": id, "first_name": "c"})).collect();
    json!({"id": number + 1, "name": "shop", "groups": groups, "customers": customers,
        "tokens": [{"token": token(number), "scopes": ["customers.read_write"]}]})
}

fn token(number: usize) -> String {
    format!("the-token-of-case-{number}")
}

fn call(app: &TestApp, number: usize, case: &Value, method: &str, path: &str) -> Call {
    let path = case["query"].as_str().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let call = app.call(method, &path).token(&token(number)).language(case["locale"].as_str().unwrap());
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

#[tokio::test]
async fn add_customers_gives_every_observed_verdict() {
    let cases = cases("POST /customers/groups/add_customers");
    assert_eq!(cases.len(), 525);
    let app = TestApp::with_limits(zumra_server::Limits::default()).await;
    let shops: Vec<_> = cases.iter().enumerate().map(|(number, case)| shop(number, case)).collect();
    app.load(&json!({"merchants": shops}).to_string()).await;
    let mut wrong = Vec::new();
    let mut members = 0;
    for (number, case) in cases.iter().enumerate() {
        let answer = call(&app, number, case, "POST", "/customers/groups/add_customers").send().await;
        let expect = &case["expect"];
        let right = if expect["ok"] == true {
            let mut ids: Vec<i64> = expect["normalized"]["customers"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(Value::as_i64)
                .collect();
            ids.sort_unstable();
            ids.dedup();
            members += ids.len() as u64;
            answer.status == 200
        } else {
            answer.status == 422 && answer.json()["error"]["fields"] == expect["fields"]
        };
        if !right || app.memberships().await != members {
            wrong.push(format!("{}: {} {}", case["name"], answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
