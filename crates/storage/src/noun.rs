//! What gets ids from the storage.

use std::fmt;

/// What gets assigned ids. Each merchant has a counter for each. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// Customers.
    Customer = 1,
    /// Customer groups.
    Group = 2,
    /// Imports.
    Import = 3,
}

impl Noun {
    /// Returns the number by which the noun is stored.
    pub(crate) fn number(self) -> i64 {
        self as i64
    }

    /// Returns the table whose ids these are.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Group => "groups",
            Self::Import => "imports",
        }
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.table())
    }
}
