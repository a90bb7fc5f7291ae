//! Request validation with the results of Laravel's validator, for the requests of Salla's Merchant API.
//!
//! What belongs here: parsing a request into an [`Input`], rule sets as data ([`RuleSet`]), and violations as message
//! codes with arguments ([`Violation`]). The texts of messages belong to `zumra_core::message`. No I/O:
//! [`RuleSet::lookups`] returns the lookups that an input needs, and [`LookupResults`] provides their results.
//!
//! ```
//! use zumra_validation::{AddCustomers, Input, Method, RawRequest};
//!
//! let body = br#"{"group_id": 667738032, "customers": ["447121768"]}"#;
//! let content_type = Some("application/json".as_bytes());
//! let input = Input::read(&RawRequest { method: Method::Post, content_type, query: None, body })?;
//! let rules = AddCustomers::rules(10_000);
//! let lookups = rules.lookups(&input);
//! assert_eq!((lookups.groups, lookups.customers), (vec![667_738_032], vec![447_121_768]));
//! # Ok::<(), zumra_validation::InputTooLarge>(())
//! ```

// Compiles and runs the examples in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod budget;
mod check;
mod date;
mod double;
mod email;
mod form;
mod input;
mod json;
mod lookups;
mod multipart;
mod normalize;
mod number;
pub mod requests;
mod rule;
mod trim;
mod value;
mod violation;

pub use budget::InputTooLarge;
pub use input::{Input, Method, RawRequest, is_json};
pub use lookups::{Entity, LookupResults, Lookups, UniqueField};
pub use multipart::{file as uploaded_file, text as uploaded_text};
pub use requests::add_customers::AddCustomers;
pub use rule::{Field, Rule, RuleSet};
pub use value::{Map, Value};
pub use violation::{Argument, FieldError, FieldErrors, FieldName, Localized, Violation};
