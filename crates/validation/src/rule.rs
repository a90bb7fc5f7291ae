//! Rules and sets of them, as data.

use zumra_core::MessageCode;

use crate::lookups::{Entity, UniqueField};

/// One rule of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No rule of this field runs when its key is absent.
    Sometimes,
    /// No rule runs over null, those that require the field aside.
    Nullable,
    /// Not empty. Carries the code of the failure, which is a sentence of its own for some fields.
    Required(MessageCode),
    /// Not empty when another field is one of some values.
    RequiredIf {
        /// The other field; its `*` stands for the key of the element that is being checked.
        other: &'static str,
        /// The values.
        values: &'static [&'static str],
    },
    /// Not empty unless another field is one of some values.
    RequiredUnless {
        /// The other field, as in [`Rule::RequiredIf`].
        other: &'static str,
        /// The values.
        values: &'static [&'static str],
    },
    /// An integer, or what reads as one.
    Integer,
    /// A number, or a text that reads as one.
    Numeric,
    /// A list or an object.
    Array,
    /// A text.
    String,
    /// At most so many characters; of a list, members.
    MaxLength(usize),
    /// At most so many members. A limit of this service, which protects it: when it is crossed, the failure stands
    /// for all the elements, and none of them is looked at.
    MaxItems(usize),
    /// One of these texts.
    In(&'static [&'static str]),
    /// A day as `2026-11-23`.
    Date,
    /// An e-mail address.
    Email,
    /// The id of something that the shop has.
    Exists(Entity),
    /// A value that no other customer of the shop has.
    Unique(UniqueField),
}

impl Rule {
    /// Whether the rule runs though the field is absent, and ends the field when it fails.
    pub(crate) fn is_implicit(self) -> bool {
        matches!(self, Self::Required(_) | Self::RequiredIf { .. } | Self::RequiredUnless { .. })
    }

    /// Whether the rule asks the storage, which it does only for a value that passed every rule before.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Exists(_) | Self::Unique(_))
    }
}

/// A field with its rules, in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Keys with dots between them. One of them may be `*`: every element of what stands before it.
    pub path: &'static str,
    /// The rules.
    pub rules: Vec<Rule>,
}

impl Field {
    /// A field with rules.
    pub fn new(path: &'static str, rules: impl Into<Vec<Rule>>) -> Self {
        Self { path, rules: rules.into() }
    }

    /// The paths before and after the `*`, if there is one. What comes after it may be empty.
    pub(crate) fn wildcard(&self) -> Option<(&'static str, &'static str)> {
        let (before, after) = self.path.split_once('*')?;
        Some((before.trim_end_matches('.'), after.trim_start_matches('.')))
    }

    pub(crate) fn has(&self, rule: Rule) -> bool {
        self.rules.contains(&rule)
    }
}

/// The fields of a request, in the order in which they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    /// The fields.
    pub fields: Vec<Field>,
}
