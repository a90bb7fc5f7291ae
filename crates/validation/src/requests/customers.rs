//! `POST /customers` and `PUT /customers/{customer}`

use zumra_core::MessageCode;
use zumra_core::customer::{EMAIL_MAX, MOBILE_CODE_MAX, MOBILE_MAX};

use super::LIST_ITEMS_MAX;
use crate::{Entity, Field, Rule, RuleSet, UniqueField};

const NAME_MAX: usize = 25;
/// Limits of this service, beyond what anybody writes.
const LONGEST: (Rule, Rule, Rule) =
    (Rule::MaxLength(MOBILE_MAX), Rule::MaxLength(MOBILE_CODE_MAX), Rule::MaxLength(EMAIL_MAX));

/// Rules for making a customer.
pub fn create() -> RuleSet {
    rules(&[])
}

/// Rules for changing a customer: what is left out stays. [`crate::LookupResults::is_used`] must pass over the customer
/// itself.
pub fn update() -> RuleSet {
    rules(&[Rule::Sometimes])
}

/// Rules for a row of a file that is imported: as for making a customer, but the last name may be missing, and there are
/// no groups.
pub fn import() -> RuleSet {
    let mut rules = create();
    rules.fields.retain(|field| !field.path.starts_with("groups"));
    for field in rules.fields.iter_mut().filter(|field| field.path == "last_name") {
        field.rules[0] = Rule::Nullable;
    }
    rules
}

/// `first` are the rules before those of the four fields that a new customer must have.
fn rules(first: &[Rule]) -> RuleSet {
    let required =
        |path, code, rules: &[Rule]| Field::new(path, [first, &[Rule::Required(code)], rules].concat());
    let name = [Rule::String, Rule::MaxLength(NAME_MAX)];
    let (mobile_max, code_max, email_max) = LONGEST;
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
