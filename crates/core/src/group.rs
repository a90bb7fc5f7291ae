//! Customer groups.

use crate::GroupId;
use crate::text::Name;

/// The name of a group: at most 255 characters.
pub type GroupName = Name<255>;

/// A group as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
}

/// A group to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its id.
    pub id: GroupId,
    /// Its name.
    pub name: GroupName,
}
