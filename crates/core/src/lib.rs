//! The domain types of Zumra and their rules, independent of storage and of HTTP.
//!
//! What belongs here: types that are valid by construction, and functions without I/O. Time and randomness are
//! arguments ([`Clock`], [`Entropy`]).

pub mod clock;
pub mod condition;
pub mod customer;
pub mod digits;
pub mod entropy;
pub mod fixture;
mod folding;
pub mod group;
pub mod id;
pub mod id_set;
pub mod import;
pub mod merchant;
pub mod message;
pub mod operation;
pub mod page;
pub mod phone;
pub mod scope;
pub mod search;
mod search_v1;
pub mod text;
pub mod token;

pub use clock::{Clock, SystemClock};
pub use condition::Condition;
pub use customer::{Country, Customer, CustomerChange, Email, Gender, Mobile, MobileCode, NewCustomer};
pub use entropy::{Entropy, SystemEntropy};
pub use group::{Features, Group, GroupChange, GroupName, NewGroup};
pub use id::{ASSIGNED_ID_MAX, CustomerId, GroupId, IdGenerator, ImportId, MerchantId, OperationId, TokenId};
pub use id_set::IdSet;
pub use import::{FileDetails, Import, ImportChunk, ImportLease, LeaseKey, NewImport, RowProblem};
pub use merchant::{Domain, Merchant, MerchantName, NewMerchant, Plan};
pub use message::{Language, MessageCode};
pub use operation::{Actor, Operation, OperationKind, Subject};
pub use page::{Page, PageRequest};
pub use scope::{Scope, Scopes};
pub use search::{SEARCH_VERSION, SearchQuery, search_terms};
pub use token::{NewToken, Token, TokenHash, TokenSecret};
