//! Harness for tests: a service on a throwaway database, a clock that obeys, a server that can be killed.

pub mod app;
pub mod clock;
pub mod http;
pub mod postgres;
pub mod process;
pub mod wait;

pub use app::{SHOP, TestApp, WRITE_TOKEN};
pub use clock::{FakeClock, SeededEntropy};
pub use http::{TestRequest, TestResponse};
pub use postgres::{TestDatabase, TestPair};
pub use process::{ServerProcess, serve_command};
pub use wait::{DEADLINE, eventually, eventually_async};
