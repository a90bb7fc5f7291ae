//! What validation asks the storage: which ids exist, and which contacts are already used.

use zumra_core::{CustomerId, GroupId, MerchantId};
use zumra_storage::{Contacts, Ids};
use zumra_validation::{Entity, LookupResults, Lookups, UniqueField};

use crate::app::App;
use crate::problem::Problem;

/// The results of the lookups of one request.
#[derive(Default)]
pub(crate) struct StoredLookups {
    existing: Ids,
    used: Contacts,
}

impl StoredLookups {
    /// Queries the storage for `lookups`, at most twice. `except` is a customer whose own contacts do not count as
    /// already used.
    pub(crate) async fn fetch(
        app: &App,
        merchant: MerchantId,
        lookups: Lookups,
        except: Option<CustomerId>,
    ) -> Result<Self, Problem> {
        let mut results = Self::default();
        let ids = Ids {
            groups: lookups.groups.into_iter().filter_map(GroupId::new).collect(),
            customers: lookups.customers.into_iter().filter_map(CustomerId::new).collect(),
        };
        if !ids.is_empty() {
            results.existing = app.memberships.find_existing_ids(merchant, ids).await?;
        }
        if !lookups.emails.is_empty() || !lookups.mobiles.is_empty() {
            // No engine stores U+0000, so a text with it cannot be used, and PostgreSQL rejects it as a parameter.
            let storable =
                |texts: Vec<String>| texts.into_iter().filter(|text| !text.contains('\0')).collect();
            let contacts = Contacts { mobiles: storable(lookups.mobiles), emails: storable(lookups.emails) };
            results.used = app.storage.find_used_contacts(merchant, contacts, except).await?;
        }
        Ok(results)
    }
}

impl LookupResults for StoredLookups {
    fn exists(&self, entity: Entity, id: i64) -> bool {
        contains(&self.existing, entity, id)
    }

    fn is_used(&self, field: UniqueField, value: &str) -> bool {
        let used = match field {
            UniqueField::Email => &self.used.emails,
            UniqueField::Mobile => &self.used.mobiles,
        };
        used.iter().any(|used| used == value)
    }
}

/// Returns true if `ids` contain the id of `entity`.
pub(crate) fn contains(ids: &Ids, entity: Entity, id: i64) -> bool {
    match entity {
        Entity::Groups => GroupId::new(id).is_some_and(|id| ids.groups.contains(id)),
        Entity::Customers => CustomerId::new(id).is_some_and(|id| ids.customers.contains(id)),
    }
}
