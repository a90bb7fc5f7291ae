//! Numbered migrations: plain SQL files in the program, each remembered in the database with its hash.
//!
//! What belongs here: which migrations there are and what is still to do. Running them is the engine's work.

use sha2::{Digest, Sha256};

use crate::{Result, StorageError};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub number: u32,
    /// Its file's name, without the number.
    pub name: &'static str,
    /// What it runs.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-256 of its text, in hexadecimal.
    pub fn hash(&self) -> String {
        zumra_core::text::hex(&Sha256::digest(self.sql.as_bytes()))
    }
}

/// The migrations of the `sqlite` engine.
pub const SQLITE: &[Migration] = &[
    Migration { number: 1, name: "init", sql: include_str!("../migrations/sqlite/0001_init.sql") },
    Migration {
        number: 2,
        name: "standard_names",
        sql: include_str!("../migrations/sqlite/0002_standard_names.sql"),
    },
];

/// The migrations of the `postgres` engine.
pub const POSTGRES: &[Migration] = &[
    Migration { number: 1, name: "init", sql: include_str!("../migrations/postgres/0001_init.sql") },
    Migration {
        number: 2,
        name: "standard_names",
        sql: include_str!("../migrations/postgres/0002_standard_names.sql"),
    },
];

/// Those of `all` that come after what a database has `applied` (number and hash, ascending).
///
/// X/// another text under a number of ours.
pub fn outstanding<'a>(all: &'a [Migration], applied: &[(u32, String)]) -> Result<&'a [Migration]> {
    let known = all.last().map_or(0, |m| m.number);
    if let Some((found, _)) = applied.last().filter(|(number, _)| *number > known) {
        return Err(StorageError::NewerSchema { found: *found, known });
    }
    for (migration, (number, hash)) in all.iter().zip(applied) {
        if migration.number != *number || migration.hash() != *hash {
            return Err(StorageError::ForeignDatabase(format!(
                "migration {number} in the database is not migration {} of this program: the database was made by a different build of zumra",
                migration.number
            )));
        }
    }
    Ok(&all[applied.len()..])
}

/// The failure of reading whole tables from a database whose schema is older than this program.
pub(crate) fn behind() -> StorageError {
    StorageError::ForeignDatabase(
        "its schema is not up to date: start `zumra serve` on it once with this version".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Migration] = &[
        Migration { number: 1, name: "a", sql: "SELECT 1" },
        Migration { number: 2, name: "b", sql: "SELECT 2" },
    ];

    #[test]
    fn only_what_is_missing_is_outstanding() {
        assert_eq!(outstanding(ALL, &[]).unwrap().len(), 2);
        assert_eq!(outstanding(ALL, &[(1, ALL[0].hash())]).unwrap()[0].number, 2);
    }

    #[test]
    fn newer_and_changed_databases_are_refused() {
        let newer = [(1, ALL[0].hash()), (2, ALL[1].hash()), (3, String::new())];
        assert!(matches!(outstanding(ALL, &newer), Err(StorageError::NewerSchema { found: 3, known: 2 })));
        assert!(matches!(
            outstanding(ALL, &[(1, "other".to_owned())]),
            Err(StorageError::ForeignDatabase(_))
        ));
    }

    #[test]
    fn numbers_follow_one_another() {
        for all in [SQLITE, POSTGRES] {
            assert!(all.iter().zip(1..).all(|(migration, number)| migration.number == number));
        }
    }
}
