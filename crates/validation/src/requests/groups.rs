//! `POST /customers/groups` and `PUT /customers/groups/{group}`

use zumra_core::MessageCode;

use super::LIST_ITEMS_MAX;
use crate::{Field, Rule, RuleSet};

const NAME_MAX: usize = 255;
const TYPES: &[&str] = &["total_sales", "total_orders", "store_rating", "doesnt_have_orders"];
const SYMBOLS: &[&str] = &[">", "<", "between"];

/// Returns the rules for creating a group.
pub fn create() -> RuleSet {
    rules([].into())
}

/// Returns the rules for updating a group; an absent name is not changed.
pub fn update() -> RuleSet {
    rules([Rule::Sometimes].into())
}

/// Returns the rules for updating the default group; only its features can change.
pub fn update_default() -> RuleSet {
    let mut rules = update();
    rules.fields.retain(|field| field.path.starts_with("features"));
    rules
}

fn rules(mut name: Vec<Rule>) -> RuleSet {
    name.extend([Rule::Required(MessageCode::Required), Rule::String, Rule::MaxLength(NAME_MAX)]);
    // The maximum length is a limit of this service.
    let slug = [Rule::String, Rule::MaxLength(NAME_MAX)];
    let list = [Rule::Nullable, Rule::Array, Rule::MaxItems(LIST_ITEMS_MAX)];
    let between = Rule::RequiredIf { other: "conditions.*.symbol", values: &["between"] };
    let number = [between, Rule::Nullable, Rule::Numeric];
    let symbol = Rule::RequiredUnless { other: "conditions.*.type", values: &["doesnt_have_orders"] };
    let value = Rule::RequiredIf { other: "conditions.*.symbol", values: &[">", "<"] };
    RuleSet {
        fields: vec![
            Field::new("name", name),
            Field::new("conditions", list),
            Field::new("conditions.*.type", [Rule::Required(MessageCode::Required), Rule::In(TYPES)]),
            Field::new("conditions.*.symbol", [symbol, Rule::Nullable, Rule::In(SYMBOLS)]),
            Field::new("conditions.*.value", [value, Rule::Nullable, Rule::Numeric]),
            Field::new("conditions.*.min_value", number),
            Field::new("conditions.*.max_value", number),
            Field::new("features", [Rule::Nullable, Rule::Array]),
            Field::new("features.payment_method", list),
            Field::new("features.payment_method.*", slug),
            Field::new("features.shipping", list),
            Field::new("features.shipping.*", slug),
        ],
    }
}
