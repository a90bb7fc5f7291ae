//! Test harness: the service over a throwaway database, the service as a process, and PostgreSQL servers.
//!
//! What belongs here: whatever tests of more than one crate need. Time and randomness are arguments, and every wait has
//! a deadline.

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
