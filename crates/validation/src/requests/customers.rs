//! `POST /customers` and `PUT /customers/{customer}`

use zumra_core::MessageCode;
use zumra_core::customer::{EMAIL_MAX, MOBILE_CODE_MAX, MOBILE_MAX};

use super::LIST_ITEMS_MAX;
use crate::{Entity, Field, Rule, RuleSet, UniqueField};

const NAME_MAX: usize = 25;
/// Maximum lengths of mobile number, country code and email. Limits of this service; no real value is longer.
const LENGTH_LIMITS: (Rule, Rule, Rule) =
    (Rule::MaxLength(MOBILE_MAX), Rule::MaxLength(MOBILE_CODE_MAX), Rule::MaxLength(EMAIL_MAX));

/// Returns the rules for creating a customer.
pub fn create() -> RuleSet {
    rules(&[])
}

/// Returns the rules for updating a customer; absent fields are not changed. [`crate::LookupResults::is_used`] must not
/// count the customer itself.
pub fn update() -> RuleSet {
    rules(&[Rule::Sometimes])
}

/// Returns the rules for a row of an import: like [`create`], but the last name is optional and there are no groups.
pub fn import() -> RuleSet {
    let mut rules = create();
    rules.fields.retain(|field| !field.path.starts_with("groups"));
    for field in rules.fields.iter_mut().filter(|field| field.path == "last_name") {
        field.rules[0] = Rule::Nullable;
    }
    rules
}

/// Returns the rules for a customer. The four fields that a new customer requires start with the rules in `first`.
fn rules(first: &[Rule]) -> RuleSet {
    let required =
        |path, code, rules: &[Rule]| Field::new(path, [first, &[Rule::Required(code)], rules].concat());
    let name = [Rule::String, Rule::MaxLength(NAME_MAX)];
    let (mobile_max, code_max, email_max) = LENGTH_LIMITS;
    RuleSet {
        fields: vec![
            required("first_name", MessageCode::FirstNameRequired, &name),
            required("last_name", MessageCode::LastNameRequired, &name),
            required(
                "mobile_code_country",
                MessageCode::MobileCodeCountryRequired,
                &[Rule::String, code_max],
            ),
            required(
                "mobile",
                MessageCode::MobileRequired,
                &[Rule::Numeric, mobile_max, Rule::Unique(UniqueField::Mobile)],
            ),
            Field::new("email", [Rule::Nullable, Rule::Email, email_max, Rule::Unique(UniqueField::Email)]),
            Field::new("gender", [Rule::Nullable, Rule::In(&["male", "female"])]),
            Field::new("birthday", [Rule::Nullable, Rule::Date]),
            Field::new("groups", [Rule::Nullable, Rule::Array, Rule::MaxItems(LIST_ITEMS_MAX)]),
            Field::new("groups.*", [Rule::Integer, Rule::Exists(Entity::Groups)]),
        ],
    }
}
