//! `PUT /customers/blacklist/{customer}`

use zumra_core::MessageCode;

use crate::{Field, Rule, RuleSet};

/// Characters of a reason at most: a limit of this service.
const REASON_MAX: usize = 65_535;

/// Rules for banning a customer.
pub fn ban() -> RuleSet {
    let rules = [Rule::Required(MessageCode::Required), Rule::String, Rule::MaxLength(REASON_MAX)];
    RuleSet { fields: vec![Field::new("reason", rules)] }
}
