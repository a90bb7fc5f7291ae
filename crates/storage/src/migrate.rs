//! Numbered migrations: SQL files compiled into the program. The database records the hash of each applied migration.
//!
//! What belongs here: the list of migrations and which of them are outstanding. The engines run them.

use sha2::{Digest, Sha256};

use crate::{Result, StorageError};

/// One change of the schema. It must not change after its first release, because databases store its hash.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Position in the order, from 1.
    pub number: u32,
    /// Name of the file, without number and extension.
    pub name: &'static str,
    /// The SQL statements.
    pub sql: &'static str,
}

impl Migration {
    /// Returns the SHA-256 of the SQL statements, in hexadecimal.
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
    Migration {
        number: 3,
        name: "id_counters",
        sql: include_str!("../migrations/sqlite/0003_id_counters.sql"),
    },
    Migration {
        number: 4,
        name: "search_index",
        sql: include_str!("../migrations/sqlite/0004_search_index.sql"),
    },
    Migration {
        number: 5,
        name: "import_file_details",
        sql: include_str!("../migrations/sqlite/0005_import_file_details.sql"),
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
    Migration {
        number: 3,
        name: "id_counters",
        sql: include_str!("../migrations/postgres/0003_id_counters.sql"),
    },
    Migration {
        number: 4,
        name: "search_index",
        sql: include_str!("../migrations/postgres/0004_search_index.sql"),
    },
    Migration {
        number: 5,
        name: "import_file_details",
        sql: include_str!("../migrations/postgres/0005_import_file_details.sql"),
    },
];

/// Returns the migrations of `all` that a database has not applied yet. `applied` holds number and hash, ascending.
///
/// # Errors
///
/// [`StorageError::NewerSchema`] if the database has applied migrations that this program does not know;
/// [`StorageError::ForeignDatabase`] if a hash differs.
pub fn outstanding<'a>(all: &'a [Migration], applied: &[(u32, String)]) -> Result<&'a [Migration]> {
    let known = all.last().map_or(0, |migration| migration.number);
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

/// Returns the error for reading whole tables of a database with outstanding migrations.
pub(crate) fn schema_outdated() -> StorageError {
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
    fn only_unapplied_migrations_are_outstanding() {
        assert_eq!(outstanding(ALL, &[]).unwrap().len(), 2);
        assert_eq!(outstanding(ALL, &[(1, ALL[0].hash())]).unwrap()[0].number, 2);
    }

    #[test]
    fn database_with_newer_or_different_migrations_is_rejected() {
        let newer = [(1, ALL[0].hash()), (2, ALL[1].hash()), (3, String::new())];
        assert!(matches!(outstanding(ALL, &newer), Err(StorageError::NewerSchema { found: 3, known: 2 })));
        assert!(matches!(
            outstanding(ALL, &[(1, "other".to_owned())]),
            Err(StorageError::ForeignDatabase(_))
        ));
    }

    #[test]
    fn migration_numbers_ascend() {
        for all in [SQLITE, POSTGRES] {
            assert!(all.is_sorted_by(|before, after| before.number < after.number));
        }
    }
}
