//! `PUT /customers/blacklist/{customer}`

use zumra_core::Code;

use crate::{Field, Rule, RuleSet};

/// Rules for banning a customer.
pub fn ban() -> RuleSet {
    RuleSet { fields: vec![Field::new("reason", [Rule::Required(Code::Required), Rule::String])] }
}
