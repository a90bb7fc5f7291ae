//! What a token may do (contract §3.1).

use std::fmt;
use std::str::FromStr;

/// One permission, as it is written in a token and in the 401 that names it.
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
    /// `offline_access`: asks for a refresh token; opens no resource.
    OfflineAccess,
}

/// Text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope {0:?}; known are {known}", known = Scope::ALL.map(Scope::as_str).join(", "))]
pub struct UnknownScope(String);

impl Scope {
    /// Every scope, in the order in which a set of them is written.
    pub const ALL: [Self; 6] = [
        Self::CustomersRead,
        Self::CustomersReadWrite,
        Self::WebhooksRead,
        Self::WebhooksReadWrite,
        Self::PaymentsRead,
        Self::OfflineAccess,
    ];

    /// Its name on the wire.
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

    /// The wider scope that also opens what this one opens.
    fn implied_by(self) -> Option<Self> {
        match self {
            Self::CustomersRead => Some(Self::CustomersReadWrite),
            Self::WebhooksRead => Some(Self::WebhooksReadWrite),
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether this set opens what `scope` guards: it holds the scope itself, or the `read_write` that implies it.
    pub fn grants(self, scope: Scope) -> bool {
        self.holds(scope) || scope.implied_by().is_some_and(|wider| self.holds(wider))
    }

    /// Whether there is no scope in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes in it, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |s| self.holds(*s))
    }

    fn holds(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Display for Scopes {
    /// Separated by spaces, as OAuth writes them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.iter().enumerate() {
            write!(f, "{}{scope}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
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
    fn a_set_survives_its_text() {
        let all: Scopes = Scope::ALL.into_iter().collect();
        assert_eq!(all.to_string().parse(), Ok(all));
        assert!("customers.read customers.write".parse::<Scopes>().is_err());
    }
}
