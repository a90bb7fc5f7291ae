//! The service in the test process, called through its real router.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use zumra_core::{Actor, Clock, IdGenerator, Operation, SystemEntropy, fixture};
use zumra_server::{App, AppOptions, Limits};
use zumra_storage::Storage;
use zumra_storage::postgres::{PostgresOptions, PostgresStorage};
use zumra_storage::sqlite::{SqliteOptions, SqliteStorage};

use crate::{FakeClock, SeededEntropy, TestDatabase, TestRequest};

/// A token of [`SHOP`] with the scope `customers.read_write`.
pub const WRITE_TOKEN: &str = "test-token-with-read-write";

/// The fixture of [`TestApp::new`]: the ids of the contract's examples, and tokens with different scopes, of which one
/// expires.
pub const SHOP: &str = r#"{"merchants": [{"id": 1305146709, "name": "متجر", "plan": "special",
    "tokens": [
        {"token": "test-token-with-read-write", "scopes": ["customers.read_write"]},
        {"token": "test-token-with-read", "scopes": ["customers.read"]},
        {"token": "test-token-with-webhooks", "scopes": ["webhooks.read_write"]},
        {"token": "test-token-that-ends", "scopes": ["customers.read"], "expires_at": "2026-12-01T13:00:00Z"}],
    "groups": [{"id": 667738032, "name": "VIP"}, {"id": 1394760126, "name": "ذهبي", "default": true}],
    "customers": [
        {"id": 447121768, "first_name": "عميل", "last_name": "أول", "mobile": "512345678", "mobile_code": "+966",
         "email": "a@example.com", "gender": "male", "birthday": "1997-06-03", "groups": [1394760126]},
        {"id": 1761729493, "first_name": "Ahmed"}]}]}"#;

/// The service over a throwaway database, which is deleted on drop.
pub struct TestApp {
    /// The complete router, with all middleware.
    pub router: Router,
    /// The storage behind the router, for assertions that the API cannot make.
    pub storage: Arc<dyn Storage>,
    /// The clock of the service. The storage reads it once, when it is opened.
    pub clock: Arc<FakeClock>,
    ids: IdGenerator,
    _database: DatabaseGuard,
}

/// A guard that deletes the database of a [`TestApp`] on drop.
type DatabaseGuard = Box<dyn Any + Send + Sync>;

impl TestApp {
    /// Returns a service with default limits and the merchant of [`SHOP`].
    pub async fn new() -> Self {
        let app = Self::with_limits(Limits::default()).await;
        app.load(SHOP).await;
        app
    }

    /// Returns a service without merchants.
    pub async fn with_limits(limits: Limits) -> Self {
        Self::with_options(limits, Vec::new()).await
    }

    /// Returns a service with the merchant of [`SHOP`], whose pages show [`WRITE_TOKEN`] as `zumra dev` does.
    pub async fn showing_tokens() -> Self {
        let app = Self::with_options(Limits::default(), vec![WRITE_TOKEN.to_owned()]).await;
        app.load(SHOP).await;
        app
    }

    async fn with_options(limits: Limits, shown_tokens: Vec<String>) -> Self {
        let clock = Arc::new(FakeClock::default());
        let (storage, database) = open(&clock).await;
        let options = AppOptions {
            public_url: "https://zumra.example".to_owned(),
            token_cache_ttl: Duration::from_secs(2),
            limits,
            shown_tokens,
        };
        let app = App::new(Arc::clone(&storage), clock.clone(), &SeededEntropy::default(), options);
        Self {
            router: zumra_server::router(app),
            storage,
            clock,
            ids: IdGenerator::new(0),
            _database: database,
        }
    }

    /// Loads a fixture, the JSON that `zumra load` reads.
    pub async fn load(&self, json: &str) {
        for shop in fixture::parse(json.as_bytes()).expect("the fixture is valid") {
            self.storage.load_fixture(shop, self.operation()).await.expect("the fixture loads");
        }
    }

    /// Returns a new operation by an operator, at the time of the clock.
    pub fn operation(&self) -> Operation {
        let at = self.clock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Operator }
    }

    /// Returns a request without a token. `path` is relative to `/admin/v2`.
    pub fn request(&self, method: &str, path: &str) -> TestRequest {
        TestRequest::new(self.router.clone(), method, &format!("/admin/v2{path}"))
    }

    /// Returns a GET request with [`WRITE_TOKEN`].
    pub fn get(&self, path: &str) -> TestRequest {
        self.request("GET", path).token(WRITE_TOKEN)
    }

    /// Returns a request that adds customers to a group, with [`WRITE_TOKEN`].
    pub fn add_customers(&self, body: &Value) -> TestRequest {
        self.request("POST", "/customers/groups/add_customers").token(WRITE_TOKEN).json(body)
    }

    /// Returns `data.groups` of a customer, as the API shows it.
    pub async fn group_ids(&self, customer: i64) -> Value {
        self.get(&format!("/customers/{customer}")).send().await.json()["data"]["groups"].clone()
    }

    /// Returns the number of stored memberships of all merchants.
    pub async fn membership_count(&self) -> u64 {
        self.storage.inspect().await.expect("the database can be inspected").memberships
    }
}

/// Creates a database on the engine that `ZUMRA_TEST_ENGINE` names: `sqlite` (the default) or `postgres`.
async fn open(clock: &FakeClock) -> (Arc<dyn Storage>, DatabaseGuard) {
    match engine().as_deref() {
        None | Some("sqlite") => {
            let directory = tempfile::tempdir().expect("a temporary directory");
            let options = SqliteOptions::new(directory.path().join("zumra.db"));
            let storage = SqliteStorage::open(&options, clock.now()).expect("a new database can be opened");
            (Arc::new(storage), Box::new(directory))
        }
        Some("postgres") => {
            let database = TestDatabase::new().await;
            let options = PostgresOptions::parse(&database.url()).expect("the URL is valid");
            let storage = PostgresStorage::open(&options, clock.now(), &SystemEntropy).await;
            (Arc::new(storage.expect("a new database can be opened")), Box::new(database))
        }
        Some(other) => panic!("ZUMRA_TEST_ENGINE must be sqlite or postgres, not {other}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "selects the engine of a test run")]
fn engine() -> Option<String> {
    std::env::var("ZUMRA_TEST_ENGINE").ok()
}

/// Returns the body of a request that adds customers to a group.
pub fn add_body(group: i64, customers: &[i64]) -> Value {
    json!({"group_id": group, "customers": customers})
}
