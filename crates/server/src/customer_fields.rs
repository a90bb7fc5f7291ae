//! The fields of a customer in API requests and in rows of an import.

use zumra_core::text::Name;
use zumra_core::{CustomerChange, MessageCode};

use crate::fields::Fields;
use crate::problem::Problem;

/// Reads the details of a customer. Absent fields are `None`.
///
/// # Errors
///
/// [`Problem::InvalidFields`] if a value cannot be stored, such as form text that is not UTF-8.
pub(crate) fn read_customer_change(fields: &Fields) -> Result<CustomerChange, Problem> {
    let name = |field| fields.parse_with(field, MessageCode::String, |text| Name::parse(text).ok());
    Ok(CustomerChange {
        first_name: name("first_name")?.flatten(),
        last_name: name("last_name")?.flatten(),
        mobile: fields.parse("mobile", MessageCode::Numeric)?.flatten(),
        mobile_code: fields.parse("mobile_code_country", MessageCode::String)?.flatten(),
        email: fields.parse("email", MessageCode::Email)?,
        gender: fields.parse("gender", MessageCode::In)?,
        birthday: fields.parse("birthday", MessageCode::DateFormat)?,
        groups: fields.group_ids("groups"),
    })
}
