//! `POST /customers` and `PUT /customers/{customer}`

use zumra_core::Code;

use super::MEMBERS_MAX;
use crate::{Column, Field, Rule, RuleSet, Table};

const NAME_MAX: usize = 25;

/// Rules for making a customer.
pub fn create() -> RuleSet {
    rules(&[])
}

/// Rules for changing a customer: what is left out stays. [`crate::Facts::is_taken`] must pass over the customer
/// itself.
pub fn update() -> RuleSet {
    rules(&[Rule::Sometimes])
}

/// `first` are the rules before those of the four fields that a new customer must have.
fn rules(first: &[Rule]) -> RuleSet {
    let required =
        |path, code, rules: &[Rule]| Field::new(path, [first, &[Rule::Required(code)], rules].concat());
    let name = [Rule::String, Rule::MaxLength(NAME_MAX)];
    RuleSet {
        fields: vec![
            required("first_name", Code::FirstNameRequired, &name),
            required("last_name", Code::LastNameRequired, &name),
            required("mobile_code_country", Code::MobileCodeCountryRequired, &[Rule::String]),
            required("mobile", Code::MobileRequired, &[Rule::Numeric, Rule::Unique(Column::Mobile)]),
            Field::new("email", [Rule::Nullable, Rule::Email, Rule::Unique(Column::Email)]),
            Field::new("gender", [Rule::Nullable, Rule::In(&["male", "female"])]),
            Field::new("birthday", [Rule::Nullable, Rule::Date]),
            Field::new("groups", [Rule::Nullable, Rule::Array, Rule::MaxMembers(MEMBERS_MAX)]),
            Field::new("groups.*", [Rule::Integer, Rule::Exists(Table::Groups)]),
        ],
    }
}
