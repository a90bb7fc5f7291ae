//! Customers.

use async_trait::async_trait;
use zumra_core::{
    Customer, CustomerChange, CustomerId, GroupId, MerchantId, NewCustomer, Operation, OperationId, Page,
    PageRequest, SearchQuery,
};

use crate::{Result, Written};

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

    /// Inserts a customer and adds it to the default group and to `groups`.
    ///
    /// # Errors
    ///
    /// [`Conflict::Customer`](crate::Conflict::Customer), [`Conflict::Mobile`](crate::Conflict::Mobile) or
    /// [`Conflict::Email`](crate::Conflict::Email) if another customer has the id, the mobile number or the e-mail
    /// address; [`StorageError::MissingGroup`](crate::StorageError::MissingGroup) if one of `groups` does not exist.
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
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no such customer; conflicts and
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
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no such customer.
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
    /// [`StorageError::NotFound`](crate::StorageError::NotFound) if the merchant has no such customer, or if the
    /// customer is not banned and the ban is to be lifted.
    async fn ban_customer(
        &self,
        merchant: MerchantId,
        customer: CustomerId,
        reason: Option<String>,
        operation: Operation,
    ) -> Result<Written<()>>;

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
    /// Matches customers that the query matches: each of its prefixes begins a search term of the customer.
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
    /// E-mail addresses, in the form of [`Email::key`](zumra_core::Email::key).
    pub emails: Vec<String>,
}
