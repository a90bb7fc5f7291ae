//! Rules and rule sets, as data.

use zumra_core::MessageCode;

use crate::lookups::{Entity, UniqueField};

/// A rule for a field. Named after the rules of Laravel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Skips all rules of this field if its key is absent.
    Sometimes,
    /// Skips all rules except the required ones if the value is null.
    Nullable,
    /// The value must not be empty. Some fields have a message of their own, so the rule contains its code.
    Required(MessageCode),
    /// The value must not be empty if another field has one of the values.
    RequiredIf {
        /// Path of the other field; its `*` stands for the key of the element that is checked.
        other: &'static str,
        /// Values to compare with.
        values: &'static [&'static str],
    },
    /// The value must not be empty unless another field has one of the values.
    RequiredUnless {
        /// Path of the other field, as in [`Rule::RequiredIf`].
        other: &'static str,
        /// Values to compare with.
        values: &'static [&'static str],
    },
    /// An integer, or a text or double that represents one.
    Integer,
    /// A finite number, or a text that represents one.
    Numeric,
    /// A list or an object.
    Array,
    /// A text, valid UTF-8 or not.
    String,
    /// Maximum number of characters of a text, or of entries of a container.
    MaxLength(usize),
    /// Maximum number of entries of a container. Not a rule of Laravel: it bounds the work for one request. If it is
    /// violated, the elements are not checked.
    MaxItems(usize),
    /// One of these texts.
    In(&'static [&'static str]),
    /// A date such as `2026-11-23`.
    Date,
    /// An email address.
    Email,
    /// The id of an existing row of the merchant.
    Exists(Entity),
    /// A value that no other customer of the merchant uses.
    Unique(UniqueField),
}

impl Rule {
    /// Returns true if the rule runs even if the field is absent, and stops the checks of the field when violated.
    pub(crate) fn is_implicit(self) -> bool {
        matches!(self, Self::Required(_) | Self::RequiredIf { .. } | Self::RequiredUnless { .. })
    }

    /// Returns true if the rule needs a lookup. It runs only if no earlier rule is violated.
    pub(crate) fn needs_lookup(self) -> bool {
        matches!(self, Self::Exists(_) | Self::Unique(_))
    }
}

/// A field with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Keys separated by dots. One key may be `*`, which stands for every entry of the container before it.
    pub path: &'static str,
    /// Rules, in the order in which they run.
    pub rules: Vec<Rule>,
}

impl Field {
    /// Creates a field with its rules.
    pub fn new(path: &'static str, rules: impl Into<Vec<Rule>>) -> Self {
        Self { path, rules: rules.into() }
    }

    /// Returns the paths before and after the `*`, or `None` if there is no `*`. The second path may be empty.
    pub(crate) fn wildcard(&self) -> Option<(&'static str, &'static str)> {
        let (before, after) = self.path.split_once('*')?;
        Some((before.trim_end_matches('.'), after.trim_start_matches('.')))
    }

    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }
}

/// The rules of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// Fields, in the order in which they are checked.
    pub fields: Vec<Field>,
}
