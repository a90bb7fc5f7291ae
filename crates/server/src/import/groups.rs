//! The groups that rows name.

use std::collections::{HashMap, HashSet};

use zumra_core::digits::{ascii_digit, is_invisible, plain_number};
use zumra_core::{GroupId, MerchantId, PageRequest};
use zumra_storage::{Storage, StorageError};

use super::columns::fold;
use super::names::visible_text;

/// Maximum number of groups that an import knows by name.
const GROUPS_MAX: u64 = 10_000;
/// Groups per read.
const PAGE_GROUPS: u32 = zumra_core::page::PER_PAGE_MAX;

/// The groups of a merchant, by name and id.
#[derive(Debug, Default)]
pub(super) struct GroupNames {
    ids: HashSet<GroupId>,
    exact: HashMap<String, Vec<GroupId>>,
    folded: HashMap<String, Vec<GroupId>>,
}

/// Why a text names no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoGroup {
    Unknown,
    /// Several groups have this name.
    Ambiguous,
}

impl GroupNames {
    /// Reads the groups of a merchant.
    pub(super) async fn load(storage: &dyn Storage, merchant: MerchantId) -> Result<Self, StorageError> {
        let mut names = Self::default();
        for page in 1..=GROUPS_MAX.div_ceil(u64::from(PAGE_GROUPS)) {
            let groups =
                storage.list_groups(merchant, PageRequest { page, per_page: PAGE_GROUPS }).await?.items;
            let is_last = groups.len() < PAGE_GROUPS as usize;
            for group in groups {
                names.add(group.id, group.name.as_str());
            }
            if is_last {
                break;
            }
        }
        Ok(names)
    }

    fn add(&mut self, id: GroupId, name: &str) {
        self.ids.insert(id);
        self.exact.entry(visible_text(name)).or_default().push(id);
        self.folded.entry(fold_group(name)).or_default().push(id);
    }

    /// Returns the group with this name or id. An exact name counts before another spelling of it, and before an id.
    pub(super) fn find(&self, text: &str) -> Result<GroupId, NoGroup> {
        let text = visible_text(text);
        let by_id = || {
            let id = find_id(&text)?;
            self.ids.contains(&id).then_some(id)
        };
        match (self.exact.get(&text).map(Vec::as_slice), by_id()) {
            (Some([group]), _) => return Ok(*group),
            (None, Some(group)) => return Ok(group),
            (Some(_), _) => return Err(NoGroup::Ambiguous),
            (None, None) => {}
        }
        let folded = fold_group(&text);
        match self.folded.get(&folded).filter(|_| !folded.is_empty()).map(Vec::as_slice) {
            Some([group]) => Ok(*group),
            Some(_) => Err(NoGroup::Ambiguous),
            None => Err(NoGroup::Unknown),
        }
    }
}

/// Returns the id that a text is, perhaps with what spreadsheet programs put around a number.
fn find_id(text: &str) -> Option<GroupId> {
    let number = plain_number(text)?;
    // `1-2` is not the id 12.
    let digits: String = text.chars().map(|c| ascii_digit(c).unwrap_or(c)).collect();
    digits.contains(&number).then(|| number.parse().ok().and_then(GroupId::new)).flatten()
}

/// Returns the name of a group in lower case, with one form of each Arabic letter and one space between words. Signs are
/// kept, because they tell groups apart: `A+` and `A-`.
fn fold_group(name: &str) -> String {
    let is_mark = |c: char| c.is_alphabetic() || is_invisible(c);
    let fold_char = |c: char| match fold(c.encode_utf8(&mut [0; 4])) {
        sign if sign.is_empty() && !is_mark(c) => c.to_string(),
        folded => folded,
    };
    let words: Vec<String> =
        name.split_whitespace().map(|word| word.chars().map(fold_char).collect()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_tell_groups_apart() {
        let mut names = GroupNames::default();
        for (id, name) in [(12, "A+"), (13, "أقل من 100 <"), (14, "VIP ⭐")] {
            names.add(GroupId::new(id).unwrap(), name);
        }
        for (text, id) in [("a+", 12), ("اقـلّ من  ١٠٠ <", 13), ("vip ⭐", 14)] {
            assert_eq!(names.find(text).map(GroupId::get), Ok(id), "{text}");
        }
        for text in ["A-", "A", "أقل من 100 >", "VIP ⭐⭐", "VIP", "1-2", "1 2", "(1) 2", "1/2"] {
            assert_eq!(names.find(text), Err(NoGroup::Unknown), "{text}");
        }
    }

    #[test]
    fn groups_are_found_by_name_and_id() {
        let mut names = GroupNames::default();
        for (id, name) in [(1, "VIP"), (2, "عملاء الجملة"), (3, "twice"), (4, "twice"), (5, "7"), (7, "vip 2")]
        {
            names.add(GroupId::new(id).unwrap(), name);
        }
        let find = |text: &str| names.find(text).map(GroupId::get);
        for (text, id) in [
            ("VIP", 1),
            (" vip ", 1),
            ("عملاء الجمله", 2),
            ("\u{200F}عملاء الجملة", 2),
            ("3", 3),
            ("٤", 4),
            ("7", 5),
            ("Vip  2", 7),
            ("\u{200F}=\"3\"", 3),
        ] {
            assert_eq!(find(text), Ok(id), "{text}");
        }
        assert_eq!(find("twice"), Err(NoGroup::Ambiguous));
        for text in ["", "8", "gold", "|"] {
            assert_eq!(find(text), Err(NoGroup::Unknown), "{text}");
        }
    }
}
