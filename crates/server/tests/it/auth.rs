//! Tokens: validity, scopes and the token cache.

use jiff::SignedDuration;
use serde_json::json;
use zumra_core::{MerchantId, TokenSecret};
use zumra_testkit::{TestApp, WRITE_TOKEN};

const INVALID: &str = r#"{"status":401,"success":false,"error":{"code":"Unauthorized","message":"The access token is invalid"}}"#;

#[tokio::test]
async fn missing_and_invalid_tokens_get_the_same_401() {
    let app = TestApp::new().await;
    let invalid = [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer wrong-token-but-long-enough"),
        Some("Basic dGVzdDp0ZXN0"),
        Some(WRITE_TOKEN),
    ];
    for authorization in invalid {
        for (method, path) in [("POST", "/customers/groups/add_customers"), ("GET", "/customers/1")] {
            let mut request = app.request(method, path);
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let response = request.send().await;
            assert_eq!((response.status, response.text()), (401, INVALID), "{authorization:?} {path}");
        }
    }
}

#[tokio::test]
async fn bearer_scheme_is_case_insensitive() {
    let app = TestApp::new().await;
    let response = app
        .request("GET", "/customers")
        .header("authorization", &format!("bEARER {WRITE_TOKEN}"))
        .send()
        .await;
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn read_write_scope_implies_read() {
    let app = TestApp::new().await;
    for (token, status) in
        [(WRITE_TOKEN, 200), ("test-token-with-read", 200), ("test-token-with-webhooks", 401)]
    {
        for path in ["/customers", "/customers/groups", "/customers/447121768"] {
            let response = app.request("GET", path).token(token).send().await;
            assert_eq!(response.status, status, "{token} {path}");
            if status == 401 {
                let message = &response.json()["error"]["message"];
                let expected = "The access token should have access to one of those scopes: customers.read";
                assert_eq!(message, expected);
            }
        }
    }
}

#[tokio::test]
async fn token_is_rejected_after_its_expiry() {
    let app = TestApp::new().await;
    let status = async || app.request("GET", "/customers").token("test-token-that-ends").send().await.status;
    app.clock.advance(SignedDuration::from_secs(3_599));
    assert_eq!(status().await, 200);
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn revoked_token_is_rejected_after_the_cache_ttl() {
    let app = TestApp::new().await;
    let status = async || app.get("/customers").send().await.status;
    assert_eq!(status().await, 200);
    let hash = WRITE_TOKEN.parse::<TokenSecret>().unwrap().hash();
    let (token, merchant) = app.storage.find_token(hash).await.unwrap().unwrap();
    app.storage.revoke_token(merchant.id, token.id, app.operation()).await.unwrap();
    assert_eq!(status().await, 200, "cached until its time to live is over");
    app.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn new_token_is_accepted_immediately_although_it_was_rejected_before() {
    let app = TestApp::new().await;
    let secret = "a-token-that-is-created-later";
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
async fn scope_is_checked_before_id_and_fields() {
    let app = TestApp::new().await;
    let request = app.request("POST", "/customers/groups/add_customers").token("test-token-with-read");
    assert_eq!(request.json(&json!({})).send().await.status, 401);
    let response = app.request("GET", "/customers/0").token("test-token-with-webhooks").send().await;
    assert_eq!(response.status, 401, "the scope is checked before the id");
}
