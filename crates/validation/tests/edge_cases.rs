//! Behavior that the recorded cases cover only in part: order, limits, and keys that conflict with paths.

use zumra_core::{Language, MessageCode};
use zumra_validation::requests::{LIST_ITEMS_MAX, customers, groups};
use zumra_validation::{
    AddCustomers, Entity, FieldErrors, Input, LookupResults, Lookups, Method, RawRequest, RuleSet,
    UniqueField,
};

/// The lookup results of an empty storage.
struct EmptyStorage;

impl LookupResults for EmptyStorage {
    fn exists(&self, _: Entity, _: i64) -> bool {
        false
    }

    fn is_used(&self, _: UniqueField, _: &str) -> bool {
        false
    }
}

fn read(content_type: &str, body: &[u8]) -> Input {
    Input::read(&RawRequest {
        method: Method::Post,
        content_type: Some(content_type.as_bytes()),
        query: None,
        body,
    })
    .expect("the body has few pieces")
}

fn errors(rules: &RuleSet, body: &str) -> Option<FieldErrors> {
    rules.check(&read("application/json", body.as_bytes()), &EmptyStorage).err()
}

/// Returns every invalid field with the codes of its violations.
fn codes(rules: &RuleSet, body: &str) -> Vec<(String, Vec<MessageCode>)> {
    let errors = errors(rules, body);
    let fields = errors.iter().flat_map(FieldErrors::iter);
    fields
        .map(|error| {
            (error.name.key.clone(), error.violations.iter().map(|violation| violation.code).collect())
        })
        .collect()
}

fn fields(rules: &RuleSet, body: &str) -> Vec<String> {
    codes(rules, body).into_iter().map(|(field, _)| field).collect()
}

/// Returns the English messages of a field.
fn messages(rules: &RuleSet, body: &str, field: &str) -> Vec<String> {
    let errors = errors(rules, body).expect("the input is invalid");
    errors.messages(Language::English).find(|(name, _)| *name == field).expect("the field has violations").1
}

#[test]
fn containers_with_entries_are_checked_last() {
    let body = r#"{"customers":[[1],"x",[],{"a":1},"y"],"group_id":"z"}"#;
    let expected = ["group_id", "customers.1", "customers.2", "customers.4", "customers.0", "customers.3"];
    assert_eq!(fields(&AddCustomers::rules(9), body), expected);
}

#[test]
fn each_wildcard_field_is_checked_over_all_elements_before_the_next() {
    let expected = [
        "name",
        "features",
        "conditions.0.type",
        "conditions.1.type",
        "conditions.0.symbol",
        "conditions.1.symbol",
    ];
    assert_eq!(fields(&groups::create(), r#"{"conditions":["x",{}],"features":1}"#), expected);
}

#[test]
fn container_under_the_empty_key_is_not_an_element() {
    let rules = AddCustomers::rules(9);
    assert_eq!(codes(&rules, r#"{"group_id":1,"customers":{"":[]}}"#)[1].0, "customers.");
    let body = r#"{"group_id":1,"customers":{"":["x"],"a":2}}"#;
    assert_eq!(fields(&rules, body), ["group_id", "customers.a"]);
    let request = AddCustomers::from_valid(&read("application/json", body.as_bytes())).unwrap();
    assert_eq!(request.customers.iter().map(|id| id.get()).collect::<Vec<_>>(), [2]);
}

#[test]
fn empty_key_does_not_replace_the_wildcard_in_parameters() {
    let body = r#"{"name":"x","conditions":{"":{"type":"doesnt_have_orders"}}}"#;
    let expected =
        "The conditions..symbol field is required unless conditions.*.type is in doesnt_have_orders.";
    assert_eq!(messages(&groups::create(), body, "conditions..symbol"), [expected]);
}

#[test]
fn masked_keys_are_looked_up_after_a_violation() {
    let rules = AddCustomers::rules(9);
    let both = vec![MessageCode::Integer, MessageCode::Exists];
    let body = r#"{"group_id":1,"customers":{"a.b":"x","*":null,"c":"x","d.":[]}}"#;
    let expected = [
        ("group_id".to_owned(), vec![MessageCode::Exists]),
        ("customers.a.b".to_owned(), both.clone()),
        ("customers.*".to_owned(), both),
        ("customers.c".to_owned(), vec![MessageCode::Integer]),
        // In an empty container, every entry exists.
        ("customers.d.".to_owned(), vec![MessageCode::Integer]),
    ];
    assert_eq!(codes(&rules, body), expected);
}

#[test]
fn masked_keys_are_shown_as_words_in_messages() {
    let body = r#"{"name":"x","conditions":{"a.b":{"type":"total_sales","symbol":"between","max_value":1}}}"#;
    let expected = "The conditions.a.b.min value field is required when conditions.a.b.symbol is empty.";
    assert_eq!(messages(&groups::create(), body, "conditions.a.b.min_value"), [expected]);
    let body = r#"{"name":"x","conditions":[{"type":"total_sales","symbol":"between","max_value":1}]}"#;
    let expected = "The conditions.0.min_value field is required when conditions.0.symbol is between.";
    assert_eq!(messages(&groups::create(), body, "conditions.0.min_value"), [expected]);
}

#[test]
fn too_many_elements_are_one_violation_without_lookups() {
    let rules = AddCustomers::rules(2);
    let body = r#"{"group_id":7,"customers":["x","y",3]}"#;
    assert_eq!(codes(&rules, body)[1..], [("customers".to_owned(), vec![MessageCode::MaxArray])]);
    assert_eq!(messages(&rules, body, "customers"), ["The customers may not have more than 2 items."]);
    let lookups = rules.lookups(&read("application/json", body.as_bytes()));
    assert_eq!(lookups, Lookups { groups: vec![7], ..Lookups::default() });
    let conditions = format!(r#"{{"name":"x","conditions":[{}1]}}"#, "1,".repeat(LIST_ITEMS_MAX));
    assert_eq!(
        codes(&groups::create(), &conditions),
        [("conditions".to_owned(), vec![MessageCode::MaxArray])]
    );
}

#[test]
fn lookups_are_sorted_and_unique() {
    let body = r#"{"first_name":"A","last_name":"B","mobile_code_country":"+966","mobile":777.0,
        "email":" A@Example.com ","groups":[3,"2",3,true,"x"]}"#;
    let lookups = customers::create().lookups(&read("application/json", body.as_bytes()));
    assert_eq!(lookups.groups, [1, 2, 3]);
    assert_eq!((lookups.emails, lookups.mobiles), (vec!["a@example.com".to_owned()], vec!["777".to_owned()]));
    assert!(lookups.customers.is_empty());
}

#[test]
fn violations_of_a_field_are_in_the_order_of_its_rules() {
    let body = format!(r#"{{"first_name":[{}1],"last_name":{:?}}}"#, "1,".repeat(25), "ع".repeat(26));
    let expected = [vec![MessageCode::String, MessageCode::MaxString], vec![MessageCode::MaxString]];
    assert_eq!(
        codes(&customers::update(), &body).into_iter().map(|(_, codes)| codes).collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn length_of_invalid_utf_8_is_limited() {
    let body = [b"first_name=".as_slice(), &b"%D8%A7%FF".repeat(13)].concat();
    let input = read("application/x-www-form-urlencoded", &body);
    let rules = RuleSet { fields: customers::update().fields.into_iter().take(1).collect() };
    let errors = rules.check(&input, &EmptyStorage).unwrap_err();
    let codes: Vec<MessageCode> =
        errors.iter().flat_map(|error| &error.violations).map(|violation| violation.code).collect();
    assert_eq!(codes, [MessageCode::MaxString]);
}
