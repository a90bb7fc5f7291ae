//! Customer groups.

use serde::{Deserialize, Serialize};

use crate::text::Name;
use crate::{Condition, GroupId};

/// The name of a group: at most 255 characters.
pub type GroupName = Name<255>;

/// The name of the default group of a merchant whose fixture names none.
pub const DEFAULT_GROUP_NAME: &str = "المجموعة الافتراضية";

/// What the members of a group may use (contract §2.1, G2).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// Slugs of payment methods. Nothing said is not the same as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Vec<String>>,
    /// Ways of shipping; `all` stands for every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Vec<String>>,
}

/// A group.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
    /// Who would belong to it by rule: those who meet all of these.
    pub conditions: Vec<Condition>,
    /// What its members may use.
    pub features: Features,
    /// Whether it is the one that every new customer joins. Each merchant has exactly one.
    pub is_default: bool,
}

/// What is to change in a group. Nothing stands for "as it is".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupChange {
    /// Another name.
    pub name: Option<GroupName>,
    /// Other conditions, all of them.
    pub conditions: Option<Vec<Condition>>,
    /// Other features, all of them.
    pub features: Option<Features>,
}

impl Group {
    /// A group with nothing but a name.
    pub fn new(id: GroupId, name: GroupName) -> Self {
        Self { id, name, conditions: Vec::new(), features: Features::default(), is_default: false }
    }

    /// The default group of a merchant who has named none.
    pub fn new_default(id: GroupId) -> Self {
        let name = Name::parse(DEFAULT_GROUP_NAME).expect("it is not blank and short");
        Self { is_default: true, ..Self::new(id, name) }
    }

    /// The group with a change made.
    #[must_use]
    pub fn with_change(mut self, change: GroupChange) -> Self {
        self.name = change.name.unwrap_or(self.name);
        self.conditions = change.conditions.unwrap_or(self.conditions);
        self.features = change.features.unwrap_or(self.features);
        self
    }
}
