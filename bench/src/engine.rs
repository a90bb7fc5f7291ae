//! The storage engines that are measured.

use serde::Serialize;

/// A storage engine. Results name it by its product name.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Engine {
    #[serde(rename = "SQLite")]
    Sqlite,
    #[serde(rename = "PostgreSQL")]
    Postgres,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}
