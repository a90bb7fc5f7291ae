//! The service in one process, through its real router.

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

/// A token of [`SHOP`] with `customers.read_write`.
pub const WRITE_TOKEN: &str = "test-token-with-read-write";

/// The shop that a [`TestApp`] begins with: the ids of the contract's examples, and tokens for each case.
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

/// A service over a throwaway database.
pub struct TestApp {
    /// Its router.
    pub router: Router,
    /// Its storage, for looking behind the scenes.
    pub storage: Arc<dyn Storage>,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    ids: IdGenerator,
    _database: Throwaway,
}

/// What takes the rows of a [`TestApp`] away when it is dropped.
type Throwaway = Box<dyn Any + Send + Sync>;

impl TestApp {
    /// A service with [`SHOP`] in it.
    pub async fn new() -> Self {
        let app = Self::with_limits(Limits::default()).await;
        app.load(SHOP).await;
        app
    }

    /// A service with nothing in it.
    pub async fn with_limits(limits: Limits) -> Self {
        let clock = Arc::new(FakeClock::default());
        let (storage, database) = open(&clock).await;
        let options = AppOptions {
            public_url: "https://zumra.example".to_owned(),
            token_cache_ttl: Duration::from_secs(2),
            limits,
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

    /// Loads a fixture file.
    pub async fn load(&self, json: &str) {
        for shop in fixture::parse(json.as_bytes()).expect("the fixture is right") {
            self.storage.load_fixture(shop, self.operation()).await.expect("the fixture loads");
        }
    }

    /// An operation of an operator, now.
    pub fn operation(&self) -> Operation {
        let at = self.clock.now();
        Operation { proposed_id: self.ids.next_operation(at), at, actor: Actor::Operator }
    }

    /// A call to the API; the path begins after `/admin/v2`.
    pub fn request(&self, method: &str, path: &str) -> TestRequest {
        TestRequest::new(self.router.clone(), method, &format!("/admin/v2{path}"))
    }

    /// A `GET` with the token that may do everything.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request("GET", path).token(WRITE_TOKEN)
    }

    /// The call to add customers, with the token that may.
    pub fn add_customers(&self, body: &Value) -> TestRequest {
        self.request("POST", "/customers/groups/add_customers").token(WRITE_TOKEN).json(body)
    }

    /// The groups that a customer shows.
    pub async fn group_ids(&self, customer: i64) -> Value {
        self.get(&format!("/customers/{customer}")).send().await.json()["data"]["groups"].clone()
    }

    /// Memberships that are stored, of all merchants.
    pub async fn membership_count(&self) -> u64 {
        self.storage.inspect().await.expect("the storage answers").memberships
    }
}

/// A fresh database of the engine that `ZUMRA_TEST_ENGINE` names: `sqlite`, which is also the default, or `postgres`.
async fn open(clock: &FakeClock) -> (Arc<dyn Storage>, Throwaway) {
    match engine().as_deref() {
        None | Some("sqlite") => {
            let folder = tempfile::tempdir().expect("a folder");
            let options = SqliteOptions::new(folder.path().join("zumra.db"));
            let storage = SqliteStorage::open(&options, clock.now()).expect("a fresh database opens");
            (Arc::new(storage), Box::new(folder))
        }
        Some("postgres") => {
            let database = TestDatabase::new().await;
            let options = PostgresOptions::parse(&database.url()).expect("an address");
            let storage = PostgresStorage::open(&options, clock.now(), &SystemEntropy).await;
            (Arc::new(storage.expect("a fresh database opens")), Box::new(database))
        }
        Some(other) => panic!("ZUMRA_TEST_ENGINE must be sqlite or postgres, not {other}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the service")]
fn engine() -> Option<String> {
    std::env::var("ZUMRA_TEST_ENGINE").ok()
}

/// The body of a request to add customers.
pub fn add_body(group: i64, customers: &[i64]) -> Value {
    json!({"group_id": group, "customers": customers})
}
