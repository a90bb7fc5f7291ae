//! `PUT /customers/blacklist/{customer}`

use zumra_core::MessageCode;

use crate::{Field, Rule, RuleSet};

/// Maximum length of a reason, in characters. Set by this service, not by the contract.
const REASON_MAX: usize = 65_535;

/// Returns the rules for banning a customer.
pub fn ban() -> RuleSet {
    let rules = [Rule::Required(MessageCode::Required), Rule::String, Rule::MaxLength(REASON_MAX)];
    RuleSet { fields: vec![Field::new("reason", rules)] }
}
