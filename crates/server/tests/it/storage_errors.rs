//! Responses to storage errors.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zumra_core::{CustomerId, GroupId, IdSet, MerchantId, Operation};
use zumra_server::{App, AppOptions, Limits};
use zumra_storage::{AddMembersOutcome, Ids, Memberships, Result, StorageError};
use zumra_testkit::app::add_body;
use zumra_testkit::{SeededEntropy, TestApp, TestRequest, TestResponse, WRITE_TOKEN};

const UNAVAILABLE: &str = r#"{"status":503,"success":false,"error":{"code":"service_unavailable","message":"Service Unavailable"}}"#;

/// Memberships whose methods all fail with one error.
struct FailingMemberships(StorageError);

#[async_trait::async_trait]
impl Memberships for FailingMemberships {
    async fn add_members(
        &self,
        _: MerchantId,
        _: GroupId,
        _: IdSet<CustomerId>,
        _: Operation,
    ) -> Result<AddMembersOutcome> {
        Err(self.0.clone())
    }

    async fn find_existing_ids(&self, _: MerchantId, _: Ids) -> Result<Ids> {
        Err(self.0.clone())
    }
}

/// Adds customers through a router whose memberships fail with `error`.
async fn add_customers(error: StorageError) -> TestResponse {
    let app = TestApp::new().await;
    let options = AppOptions {
        public_url: "https://zumra.example".to_owned(),
        token_cache_ttl: Duration::ZERO,
        limits: Limits::default(),
        shown_tokens: Vec::new(),
    };
    let memberships = Arc::new(FailingMemberships(error));
    let app_with_fault = App::with_memberships(
        memberships,
        Arc::clone(&app.storage),
        app.clock.clone(),
        &SeededEntropy::default(),
        options,
    );
    let router = zumra_server::router(app_with_fault);
    let request = TestRequest::new(router, "POST", "/admin/v2/customers/groups/add_customers");
    request.token(WRITE_TOKEN).json(&add_body(667_738_032, &[447_121_768])).send().await
}

#[tokio::test]
async fn unknown_outcome_is_503_without_retry_after() {
    let error = StorageError::OutcomeUnknown("WAL fsync failed".to_owned());
    let response = add_customers(error).await;
    assert_eq!((response.status, response.text()), (503, UNAVAILABLE));
    assert_eq!(response.header("retry-after"), None, "the client must not repeat the request blindly");
    assert_eq!(response.header("zumra-operation"), None);
}

#[tokio::test]
async fn full_queue_and_unavailable_database_are_503_with_retry_after() {
    for error in [StorageError::QueueFull, StorageError::Unavailable("closed".to_owned())] {
        let response = add_customers(error).await;
        assert_eq!((response.status, response.text()), (503, UNAVAILABLE));
        assert_eq!(response.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn conflict_is_409_and_internal_error_500() {
    let group = GroupId::new(667_738_032).unwrap();
    let conflict = add_customers(StorageError::MissingGroup(group)).await;
    let expected = r#"{"status":409,"success":false,"error":{"code":"conflict","message":"Conflict"}}"#;
    assert_eq!((conflict.status, conflict.text()), (409, expected));
    let internal = add_customers(StorageError::Internal("secret detail".to_owned())).await;
    let expected = json!({"status": 500, "success": false, "error": {"code": "server_error", "message": "Server Error"}});
    assert_eq!((internal.status, internal.json()), (500, expected));
}

#[tokio::test]
async fn closed_database_is_503_with_retry_after() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/customers").send().await.status, 200);
    app.storage.close().await;
    let responses = [
        app.get("/customers").send().await,
        app.add_customers(&add_body(667_738_032, &[447_121_768])).send().await,
        TestRequest::new(app.router.clone(), "GET", "/readyz").send().await,
    ];
    for response in responses {
        assert_eq!(
            (response.status, response.text(), response.header("retry-after")),
            (503, UNAVAILABLE, Some("1"))
        );
    }
}
