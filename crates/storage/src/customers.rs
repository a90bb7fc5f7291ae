//! Customers.

use async_trait::async_trait;
use jiff::Timestamp;
use zumra_core::search::search_terms;
use zumra_core::text::Name;
use zumra_core::{
    Customer, CustomerChange, CustomerId, Email, Gender, GroupId, MerchantId, Mobile, MobileCode,
    NewCustomer, Operation, OperationId, OperationKind, Page, PageRequest, SearchQuery,
};

use crate::row::{Row, RowReader};
use crate::{Resource, Result, StorageError, Written};

/// Storage of customers.
#[async_trait]
pub trait Customers: Send + Sync {
    /// Returns one page of the customers that match `filter`, newest first.
    async fn list_customers(
        &self,
        merchant: MerchantId,
        filter: CustomerFilter,
        page: PageRequest,
    ) -> Result<Page<Customer>>;

    /// Returns one customer, or `None` if the merchant has no such customer.
    async fn find_customer(&self, merchant: MerchantId, customer: CustomerId) -> Result<Option<Customer>>;

    /// Inserts a customer under a new id, and adds it to the default group and to `groups`.
    ///
    /// # Errors
    ///
    /// [`Conflict::Mobile`](crate::Conflict::Mobile) or [`Conflict::Email`](crate::Conflict::Email) if another customer
    /// has the mobile number or the email address; [`StorageError::MissingGroup`] if one of `groups` does not exist;
    /// [`StorageError::IdsUsedUp`] if no id is left.
    async fn create_customer(
        &self,
        merchant: MerchantId,
        customer: NewCustomer,
        groups: Vec<GroupId>,
        operation: Operation,
    ) -> Result<Written<Customer>>;

    /// Updates a customer; given groups replace all of its groups except the default group.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no such customer; conflicts and
    /// missing groups as in [`Customers::create_customer`].
    async fn update_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        change: CustomerChange,
        operation: Operation,
    ) -> Result<Written<Customer>>;

    /// Deletes a customer and ends its memberships.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no such customer.
    async fn delete_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        operation: Operation,
    ) -> Result<OperationId>;

    /// Bans a customer for `reason`, or lifts the ban if `reason` is `None`.
    ///
    /// # Errors
    ///
    /// [`StorageError::NotFound`] if the merchant has no such customer, or if the
    /// customer is not banned and the ban is to be lifted.
    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>>;

    /// Rebuilds the search index of up to `limit` customers of one merchant whose search terms have an older version.
    /// Returns `None` if there is no such merchant. Until its last chunk, a merchant's customers are found by the terms
    /// of both versions.
    ///
    /// Idempotent: several processes may rebuild at once, and a chunk that failed is rebuilt by the next call.
    async fn rebuild_search_index(&self, limit: u32) -> Result<Option<RebuiltChunk>>;

    /// Returns those of `contacts` that a customer other than `except` uses. Validation runs this lookup.
    async fn find_used_contacts(
        &self,
        merchant: MerchantId,
        contacts: Contacts,
        except: Option<CustomerId>,
    ) -> Result<Contacts>;
}

/// Conditions of a customer list; all of them must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerFilter {
    /// Matches a customer if each prefix in the query is the beginning of one of the customer's search terms.
    pub keyword: Option<SearchQuery>,
    /// Inclusive lower bound of the creation time.
    pub created_from: Option<jiff::Timestamp>,
    /// Exclusive upper bound of the creation time.
    pub created_before: Option<jiff::Timestamp>,
}

/// Contact data that is unique among the customers of a merchant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Mobile numbers, without country calling code.
    pub mobiles: Vec<String>,
    /// Email addresses, in the form of [`Email::key`](zumra_core::Email::key).
    pub emails: Vec<String>,
}

/// A part of a merchant's index that was rebuilt in one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RebuiltChunk {
    /// The merchant.
    pub merchant: MerchantId,
    /// Number of customers in this part.
    pub customers: u64,
    /// True if it was the last part: all customers of the merchant have search terms of this version.
    pub is_last: bool,
}

/// The columns that [`decode`] reads.
pub(crate) const COLUMNS: [&str; 13] = [
    "id",
    "first_name",
    "last_name",
    "mobile",
    "mobile_code",
    "email",
    "gender",
    "birthday",
    "city",
    "location",
    "ban_reason",
    "created_at",
    "updated_at",
];

/// Decodes a row with the columns of [`COLUMNS`]. Leaves the groups of the customer empty.
pub(crate) fn decode(row: &impl Row) -> Result<Customer> {
    let mut row = RowReader::new(row, "customers");
    Ok(Customer {
        id: row.id("id", CustomerId::new)?,
        details: NewCustomer {
            first_name: row.parsed("first_name", Name::parse)?,
            last_name: row.optional_parsed("last_name", Name::parse)?,
            mobile: row.optional_parsed("mobile", str::parse)?,
            mobile_code: row.optional_parsed("mobile_code", str::parse)?,
            email: row.optional_parsed("email", str::parse)?,
            gender: row.optional_parsed("gender", str::parse)?,
            birthday: row.optional_parsed("birthday", str::parse)?,
            city: row.optional_text()?,
            location: row.optional_text()?,
        },
        ban_reason: row.optional_text()?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        groups: Vec::new(),
    })
}

/// The details of a customer as they are stored, one field for each column but the id.
pub(crate) struct StoredDetails<'c> {
    pub(crate) first_name: &'c str,
    pub(crate) last_name: Option<&'c str>,
    pub(crate) mobile: Option<&'c str>,
    pub(crate) mobile_code: Option<&'c str>,
    pub(crate) email: Option<&'c str>,
    pub(crate) email_key: Option<String>,
    pub(crate) gender: Option<&'static str>,
    pub(crate) birthday: Option<String>,
    pub(crate) city: Option<&'c str>,
    pub(crate) location: Option<&'c str>,
    /// Separated by spaces.
    pub(crate) search_terms: String,
}

impl<'c> From<&'c NewCustomer> for StoredDetails<'c> {
    fn from(customer: &'c NewCustomer) -> Self {
        Self {
            first_name: customer.first_name.as_str(),
            last_name: customer.last_name.as_ref().map(Name::as_str),
            mobile: customer.mobile.as_ref().map(Mobile::as_str),
            mobile_code: customer.mobile_code.as_ref().map(MobileCode::as_str),
            email: customer.email.as_ref().map(Email::as_str),
            email_key: customer.email.as_ref().map(Email::key),
            gender: customer.gender.map(Gender::as_str),
            birthday: customer.birthday.map(|day| day.to_string()),
            city: customer.city.as_deref(),
            location: customer.location.as_deref(),
            search_terms: search_terms(customer),
        }
    }
}

/// Returns a new customer with these details and groups, as inserted at `created_at`.
pub(crate) fn build_customer(
    id: CustomerId,
    details: NewCustomer,
    created_at: Timestamp,
    groups: Vec<GroupId>,
) -> Customer {
    Customer { id, details, created_at, updated_at: created_at, ban_reason: None, groups }
}

/// Returns the operation that sets or lifts the ban of a customer, or `None` if `reason` equals the stored reason.
///
/// # Errors
///
/// [`StorageError::NotFound`] if a ban is to be lifted and there is none.
pub(crate) fn ban_operation(stored: &Customer, reason: Option<&str>) -> Result<Option<OperationKind>> {
    match (reason, stored.ban_reason.as_deref()) {
        (None, None) => Err(StorageError::NotFound(Resource::Ban)),
        (reason, stored) if reason == stored => Ok(None),
        (Some(_), _) => Ok(Some(OperationKind::BanCustomer)),
        (None, Some(_)) => Ok(Some(OperationKind::UnbanCustomer)),
    }
}

/// Returns the smallest string above every search term that begins with `prefix`.
pub(crate) fn prefix_end(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
