//! Groups of customers.
//!
//! What belongs here: a group, its features, and what a change to a group does.

use serde::{Deserialize, Serialize};

use crate::text::Name;
use crate::{Condition, GroupId};

/// The name of a group: at most 255 characters.
pub type GroupName = Name<255>;

/// Name of the default group of a merchant created without one.
pub const DEFAULT_GROUP_NAME: &str = "المجموعة الافتراضية";

/// What the members of a group may use (contract §2.1, G2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Slugs of payment methods. `None` (not specified) differs from an empty list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Vec<String>>,
    /// Shipping methods; `all` means every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Vec<String>>,
}

/// A group of customers.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Unique within the merchant.
    pub id: GroupId,
    /// Display name; need not be unique.
    pub name: GroupName,
    /// Rules for membership; a customer must meet all of them. Stored, not evaluated.
    pub conditions: Vec<Condition>,
    /// What the members may use.
    pub features: Features,
    /// True for the group that every new customer joins. Each merchant has exactly one.
    pub is_default: bool,
}

/// A group to create. The storage assigns its id.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGroup {
    /// Display name; need not be unique.
    pub name: GroupName,
    /// Rules for membership.
    pub conditions: Vec<Condition>,
    /// What the members may use.
    pub features: Features,
}

/// A change to a group. `None` keeps the current value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupChange {
    /// New name.
    pub name: Option<GroupName>,
    /// Replaces all conditions.
    pub conditions: Option<Vec<Condition>>,
    /// Replaces all features.
    pub features: Option<Features>,
}

impl NewGroup {
    /// Creates a group with only a name.
    pub fn new(name: GroupName) -> Self {
        Self { name, conditions: Vec::new(), features: Features::default() }
    }

    /// Creates a group with the name of default groups.
    pub fn new_default() -> Self {
        Self::new(Name::parse(DEFAULT_GROUP_NAME).expect("the name is short and not blank"))
    }

    /// Returns the group as stored under `id`; not a default group.
    pub fn with_id(self, id: GroupId) -> Group {
        Group { conditions: self.conditions, features: self.features, ..Group::new(id, self.name) }
    }
}

impl Group {
    /// Creates a group with only a name.
    pub fn new(id: GroupId, name: GroupName) -> Self {
        Self { id, name, conditions: Vec::new(), features: Features::default(), is_default: false }
    }

    /// Applies a change.
    #[must_use]
    pub fn with_change(mut self, change: GroupChange) -> Self {
        self.name = change.name.unwrap_or(self.name);
        self.conditions = change.conditions.unwrap_or(self.conditions);
        self.features = change.features.unwrap_or(self.features);
        self
    }
}
