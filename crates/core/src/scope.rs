//! Scopes of tokens (contract §3.1).

use std::fmt;
use std::str::FromStr;

/// One permission, as named in a token and in the 401 response when it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// `customers.read`
    CustomersRead,
    /// `customers.read_write`
    CustomersReadWrite,
    /// `webhooks.read`
    WebhooksRead,
    /// `webhooks.read_write`
    WebhooksReadWrite,
    /// `payments.read`
    PaymentsRead,
    /// `offline_access`: requests a refresh token; grants no resource.
    OfflineAccess,
}

/// A text that is not the name of a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {0:?}; known are {known}", known = Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope(String);

impl Scope {
    /// Every scope, in the order in which [`Scopes`] lists them.
    pub const ALL: [Self; 6] = [
        Self::CustomersRead,
        Self::CustomersReadWrite,
        Self::WebhooksRead,
        Self::WebhooksReadWrite,
        Self::PaymentsRead,
        Self::OfflineAccess,
    ];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CustomersRead => "customers.read",
            Self::CustomersReadWrite => "customers.read_write",
            Self::WebhooksRead => "webhooks.read",
            Self::WebhooksReadWrite => "webhooks.read_write",
            Self::PaymentsRead => "payments.read",
            Self::OfflineAccess => "offline_access",
        }
    }

    /// Returns the wider scope that implies this one.
    fn implied_by(self) -> Option<Self> {
        match self {
            Self::CustomersRead => Some(Self::CustomersReadWrite),
            Self::WebhooksRead => Some(Self::WebhooksReadWrite),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes, one bit per scope.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Returns true if the set contains `scope` or the `read_write` scope that implies it.
    pub fn grants(self, scope: Scope) -> bool {
        self.contains(scope) || scope.implied_by().is_some_and(|wider| self.contains(wider))
    }

    /// Returns true if the set contains no scope.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the scopes of the set, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.contains(*s))
    }

    fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Display for Scopes {
    /// Writes the names separated by spaces, as in OAuth (RFC 6749 §3.3).
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            write!(formatter, "{}{scope}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Scopes({self})")
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        text.split_ascii_whitespace().map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_write_implies_read_of_its_own_resource_only() {
        let scopes: Scopes = "customers.read_write".parse().unwrap();
        assert!(scopes.grants(Scope::CustomersRead) && scopes.grants(Scope::CustomersReadWrite));
        assert!(!scopes.grants(Scope::WebhooksRead));
        let scopes: Scopes = "customers.read".parse().unwrap();
        assert!(!scopes.grants(Scope::CustomersReadWrite));
    }

    #[test]
    fn scopes_round_trip_through_text() {
        let all: Scopes = Scope::ALL.into_iter().collect();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert!("customers.read customers.write".parse::<Scopes>().is_err());
    }
}
