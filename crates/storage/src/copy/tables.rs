//! The tables of an installation and their columns, for copies between engines.

/// The type of a column. All numbers are copied as 64-bit integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Int,
    /// `smallint` on PostgreSQL.
    SmallInt,
    /// `boolean` on PostgreSQL.
    Bool,
    Text,
    Bytes,
}

/// A table as a copy reads and writes it. Every table has the column `merchant_id` before these columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Number of leading columns that form the primary key together with `merchant_id`. They hold numbers that
    /// are positive, or not negative behind a positive one.
    pub(crate) key_columns: usize,
    pub(crate) columns: &'static [(&'static str, ColumnType)],
}

impl Table {
    /// Returns the names of the key columns without `merchant_id`, separated by commas.
    pub(crate) fn key(&self) -> String {
        let key = &self.columns[..self.key_columns];
        key.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// Returns the names of all columns, separated by commas.
    pub(crate) fn column_names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// All tables, referenced tables first. `search_index` and `customer_counters` are derived from `customers`: the
/// engines write them with its rows.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "merchants",
        key_columns: 0,
        columns: &[
            ("name", ColumnType::Text),
            ("plan", ColumnType::Text),
            ("time_zone", ColumnType::Text),
            ("domain", ColumnType::Text),
            ("created_at", ColumnType::Int),
        ],
    },
    Table {
        name: "operations",
        key_columns: 1,
        columns: &[
            ("id", ColumnType::Int),
            ("at", ColumnType::Int),
            ("actor", ColumnType::Text),
            ("kind", ColumnType::Text),
            ("group_id", ColumnType::Int),
            ("customer_id", ColumnType::Int),
            ("changes", ColumnType::Int),
        ],
    },
    Table {
        name: "tokens",
        key_columns: 1,
        columns: &[
            ("id", ColumnType::Int),
            ("hash", ColumnType::Bytes),
            ("scopes", ColumnType::Text),
            ("created_at", ColumnType::Int),
            ("expires_at", ColumnType::Int),
            ("revoked_at", ColumnType::Int),
        ],
    },
    Table {
        name: "groups",
        key_columns: 1,
        columns: &[
            ("id", ColumnType::Int),
            ("name", ColumnType::Text),
            ("conditions", ColumnType::Text),
            ("features", ColumnType::Text),
            ("is_default", ColumnType::Bool),
            ("created_at", ColumnType::Int),
            ("deleted_by", ColumnType::Int),
        ],
    },
    Table {
        name: "customers",
        key_columns: 1,
        columns: &[
            ("id", ColumnType::Int),
            ("first_name", ColumnType::Text),
            ("last_name", ColumnType::Text),
            ("mobile", ColumnType::Text),
            ("mobile_code", ColumnType::Text),
            ("email", ColumnType::Text),
            ("email_key", ColumnType::Text),
            ("gender", ColumnType::Text),
            ("birthday", ColumnType::Text),
            ("city", ColumnType::Text),
            ("location", ColumnType::Text),
            ("ban_reason", ColumnType::Text),
            ("search_terms", ColumnType::Text),
            ("created_at", ColumnType::Int),
            ("updated_at", ColumnType::Int),
        ],
    },
    Table {
        name: "search_index_versions",
        key_columns: 0,
        columns: &[
            ("version", ColumnType::Int),
            ("next_version", ColumnType::Int),
            ("rebuilt_through", ColumnType::Int),
        ],
    },
    Table {
        name: "memberships",
        key_columns: 2,
        columns: &[
            ("group_id", ColumnType::Int),
            ("customer_id", ColumnType::Int),
            ("operation_id", ColumnType::Int),
            ("source", ColumnType::SmallInt),
        ],
    },
    Table {
        name: "past_memberships",
        key_columns: 3,
        columns: &[
            ("group_id", ColumnType::Int),
            ("customer_id", ColumnType::Int),
            ("operation_id", ColumnType::Int),
            ("ended_operation_id", ColumnType::Int),
            ("source", ColumnType::SmallInt),
        ],
    },
    Table {
        name: "imports",
        key_columns: 1,
        columns: &[
            ("id", ColumnType::Int),
            ("at", ColumnType::Int),
            ("actor", ColumnType::Text),
            ("language", ColumnType::Text),
            ("last_row", ColumnType::Int),
            ("created_customers", ColumnType::Int),
            ("rejected_rows", ColumnType::Int),
            ("fencing_token", ColumnType::Int),
            ("lease_until", ColumnType::Int),
            ("finished_at", ColumnType::Int),
            ("failure", ColumnType::Text),
            ("file", ColumnType::Bytes),
            ("file_details", ColumnType::Text),
        ],
    },
    Table {
        name: "import_problems",
        key_columns: 2,
        columns: &[
            ("import_id", ColumnType::Int),
            ("number", ColumnType::Int),
            ("row_number", ColumnType::Int),
            ("column_name", ColumnType::Text),
            ("reason", ColumnType::Text),
        ],
    },
    Table {
        name: "retired_ids",
        key_columns: 2,
        columns: &[("noun", ColumnType::Int), ("id", ColumnType::Int)],
    },
    Table {
        name: "id_counters",
        key_columns: 2,
        columns: &[("noun", ColumnType::Int), ("shard", ColumnType::Int), ("last", ColumnType::Int)],
    },
];
