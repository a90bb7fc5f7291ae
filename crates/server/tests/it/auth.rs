//! Tokens: who may do what, and until when.

use jiff::SignedDuration;
use serde_json::json;
use zumra_core::{MerchantId, TokenSecret};
use zumra_testkit::{TestApp, WRITE_TOKEN};

const INVALID: &str = r#"{"status":401,"success":false,"error":{"code":"Unauthorized","message":"The access token is invalid"}}"#;

#[tokio::test]
async fn without_a_valid_token_there_is_one_answer() {
    let app = TestApp::new().await;
    let bad = [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer wrong-token-but-long-enough"),
        Some("Basic dGVzdDp0ZXN0"),
        Some(WRITE_TOKEN),
    ];
    for authorization in bad {
        for (method, path) in [("POST", "/customers/groups/add_customers"), ("GET", "/customers/1")] {
            let mut call = app.request(method, path);
            if let Some(value) = authorization {
                call = call.header("authorization", value);
            }
            let answer = call.send().await;
            assert_eq!((answer.status, answer.text()), (401, INVALID), "{authorization:?} {path}");
        }
    }
}

#[tokio::test]
async fn the_word_bearer_is_read_in_any_case() {
    let app = TestApp::new().await;
    let answer = app
        .request("GET", "/customers")
        .header("authorization", &format!("bEARER {WRITE_TOKEN}"))
        .send()
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn read_write_implies_read_and_other_scopes_do_not() {
    let app = TestApp::new().await;
    for (token, status) in
        [(WRITE_TOKEN, 200), ("test-token-with-read", 200), ("test-token-with-webhooks", 401)]
    {
        for path in ["/customers", "/customers/groups", "/customers/447121768"] {
            let answer = app.request("GET", path).token(token).send().await;
            assert_eq!(answer.status, status, "{token} {path}");
            if status == 401 {
                let message = &answer.json()["error"]["message"];
                let expected = "The access token should have access to one of those scopes: customers.read";
                assert_eq!(message, expected);
            }
        }
    }
}

#[tokio::test]
async fn a_token_ends_at_its_end() {
    let app = TestApp::new().await;
    let status = async || app.request("GET", "/customers").token("test-token-that-ends").send().await.status;
    app.clock.advance(SignedDuration::from_secs(3_599));
    assert_eq!(status().await, 200);
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_revoked_token_is_refused_within_its_stated_life() {
    let app = TestApp::new().await;
    let status = async || app.get("/customers").send().await.status;
    assert_eq!(status().await, 200);
    let hash = WRITE_TOKEN.parse::<TokenSecret>().unwrap().hash();
    let (token, merchant) = app.storage.find_token(hash).await.unwrap().unwrap();
    app.storage.revoke_token(merchant.id, token.id, app.operation()).await.unwrap();
    assert_eq!(status().await, 200, "believed for its life");
    app.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_new_token_works_at_once_though_it_was_tried_before() {
    let app = TestApp::new().await;
    let secret = "a-token-that-is-made-later";
    let status = async || app.request("GET", "/customers").token(secret).send().await.status;
    assert_eq!(status().await, 401);
    let new = zumra_core::NewToken {
        hash: secret.parse::<TokenSecret>().unwrap().hash(),
        scopes: "customers.read".parse().unwrap(),
        expires_at: None,
    };
    let merchant = MerchantId::new(1_305_146_709).unwrap();
    app.storage.create_token(merchant, new, app.operation()).await.unwrap();
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn without_the_scope_nothing_else_is_said() {
    let app = TestApp::new().await;
    let call = app.request("POST", "/customers/groups/add_customers").token("test-token-with-read");
    assert_eq!(call.json(&json!({})).send().await.status, 401);
    let answer = app.request("GET", "/customers/0").token("test-token-with-webhooks").send().await;
    assert_eq!(answer.status, 401, "the scope is checked before the id");
}
