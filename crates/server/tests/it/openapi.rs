//! The OpenAPI document agrees with the service and with `docs/api.md`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use zumra_testkit::{TestApp, TestRequest};

/// The scope in the API guide of a route that accepts any valid token.
const ANY_TOKEN: &str = "any valid token";

fn document() -> Value {
    serde_json::from_str(zumra_server::openapi_document()).unwrap()
}

/// Method, path and scope of a route.
type Route = (String, String, String);

/// Returns the routes in the document.
fn documented_routes() -> BTreeSet<Route> {
    let route = |method: &str, path: &str, operation: &Value| {
        let scope = operation["x-required-scope"].as_str().unwrap_or(ANY_TOKEN);
        (method.to_uppercase(), path.to_owned(), scope.to_owned())
    };
    operations(&document()).iter().map(|(method, path, operation)| route(method, path, operation)).collect()
}

/// Returns method, path and description of each operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.clone(), path.clone(), operation.clone()));
        }
    }
    operations
}

/// Returns the routes in the endpoint table of the API guide, whose rows are
/// "| `PUT`, `DELETE /admin/v2/path` … | `scope` |".
fn routes_in_the_guide() -> BTreeSet<Route> {
    let guide = include_str!("../../../../docs/api.md");
    let rows = guide.lines().filter(|line| line.starts_with("| `") && line.contains("/admin/v2"));
    rows.flat_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let words: Vec<_> = cells[1].split([' ', '`', ',', '(', ')']).collect();
        let path = (*words.iter().find(|word| word.starts_with("/admin/v2")).unwrap()).to_owned();
        let scope = cells[2].trim_matches('`').to_owned();
        let methods = words.into_iter().filter(|word| ["GET", "POST", "PUT", "DELETE"].contains(word));
        methods.map(|method| (method.to_owned(), path.clone(), scope.clone())).collect::<Vec<_>>()
    })
    .collect()
}

/// Replaces each `{id}` in a path.
fn with_ids(path: &str) -> String {
    let segments: Vec<_> =
        path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment }).collect();
    segments.join("/")
}

#[test]
fn committed_document_is_up_to_date() {
    let committed = include_str!("../../../../openapi/zumra.json");
    assert!(
        committed == zumra_server::openapi_document(),
        "openapi/zumra.json is stale: run `cargo run -- openapi > openapi/zumra.json`"
    );
}

#[test]
fn document_and_api_guide_list_the_same_routes() {
    let (documented, guide) = (documented_routes(), routes_in_the_guide());
    assert!(!documented.is_empty());
    let differences: Vec<_> = documented.symmetric_difference(&guide).collect();
    assert!(differences.is_empty(), "update the endpoint table in docs/api.md: {differences:?}");
}

#[test]
fn every_operation_is_complete() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document()) {
        let name = format!("{method} {path}");
        assert!(
            ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
            "{name}: id is not unique"
        );
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{name}");
        let responses = operation["responses"].as_object().unwrap();
        let mut expected = vec!["401", "503"];
        if path.contains('{') {
            expected.push("404");
        }
        if operation["requestBody"].is_object() {
            expected.extend(["413", "422"]);
        }
        for status in expected {
            assert!(responses.contains_key(status), "{name}: {status} is not documented");
        }
        let (success, description) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
        let has_operation = description["headers"]["Zumra-Operation"].is_object();
        assert_eq!(has_operation, method != "get", "{name} {success}");
        let names = operation["parameters"].as_array().into_iter().flatten();
        let in_path = names.filter(|parameter| parameter["in"] == "path" && parameter["required"] == true);
        assert_eq!(in_path.count(), path.matches('{').count(), "{name}");
    }
}

#[tokio::test]
async fn documented_scope_is_enforced() {
    let app = TestApp::new().await;
    for (method, path, scope) in documented_routes() {
        let request = TestRequest::new(app.router.clone(), &method, &with_ids(&path));
        let is_webhook = scope.starts_with("webhooks");
        let other_token = if is_webhook { "test-token-with-read" } else { "test-token-with-webhooks" };
        let response = request.token(other_token).send().await;
        if scope == ANY_TOKEN {
            assert_eq!(response.status, 200, "{method} {path}");
            continue;
        }
        let message = format!("The access token should have access to one of those scopes: {scope}");
        assert_eq!((response.status, &response.json()["error"]["message"]), (401, &json!(message)), "{path}");
    }
}

#[tokio::test]
async fn documented_methods_are_allowed() {
    let app = TestApp::new().await;
    let document = document();
    let methods_of = |path: &str| -> BTreeSet<String> {
        let item = document["paths"][path].as_object();
        item.into_iter().flat_map(|item| item.keys()).map(|method| method.to_uppercase()).collect()
    };
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    for path in &paths {
        let response = TestRequest::new(app.router.clone(), "PATCH", &with_ids(path)).send().await;
        assert_eq!(response.status, 405, "{path}");
        let allow = response.header("allow").unwrap().split(',').filter(|method| *method != "HEAD");
        let allow: BTreeSet<_> = allow.map(str::to_owned).collect();
        let documented = methods_of(path);
        assert!(allow.is_superset(&documented), "{path}: {allow:?}");
        // A word in the place of an id also has methods of the path with the id.
        let (parent, _) = path.rsplit_once('/').unwrap();
        let siblings = paths.iter().filter(|sibling| sibling.starts_with(&format!("{parent}/{{")));
        let methods_with_id: BTreeSet<_> = siblings.flat_map(|sibling| methods_of(sibling)).collect();
        assert!(
            allow.difference(&documented).all(|method| methods_with_id.contains(method)),
            "{path}: {allow:?}"
        );
    }
}

#[test]
fn components_have_plain_names_and_no_copies() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in schemas.keys() {
        assert!(name.chars().all(char::is_alphanumeric), "{name}: composed of type parameters");
        assert!(!name.ends_with("View") && !name.ends_with("Body"), "{name}: the name of a Rust type");
    }
    for name in ["CustomerResponse", "GroupResponse", "ImportResponse", "StoreResponse", "MessageResponse"] {
        let data = name.strip_suffix("Response").unwrap();
        let reference = format!("#/components/schemas/{data}");
        assert_eq!(schemas[name]["properties"]["data"]["$ref"], reference, "{name}");
    }
    for name in ["CustomerList", "GroupList", "PaymentMethodList"] {
        let reference = format!("#/components/schemas/{}", name.strip_suffix("List").unwrap());
        assert_eq!(schemas[name]["properties"]["data"]["items"]["$ref"], reference, "{name}");
    }
    let required = |name: &str| schemas[name]["required"].clone();
    assert_eq!(required("NewCustomer"), json!(["first_name", "last_name", "mobile", "mobile_code_country"]));
    assert_eq!(required("NewGroup"), json!(["name"]));
    assert_eq!((required("CustomerUpdate"), required("GroupUpdate")), (Value::Null, Value::Null));
    let text = zumra_server::openapi_document();
    assert!(
        !text.to_lowercase().contains("contract"),
        "a description refers to a document that clients lack"
    );
}

#[test]
fn every_reference_resolves() {
    fn walk(document: &Value, node: &Value) {
        if let Some(reference) = node["$ref"].as_str() {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        match node {
            Value::Object(map) => map.values().for_each(|child| walk(document, child)),
            Value::Array(items) => items.iter().for_each(|child| walk(document, child)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
    assert_eq!(document["openapi"], json!("3.1.0"));
}

#[tokio::test]
async fn document_and_explorer_are_served() {
    let app = TestApp::new().await;
    let get = async |path: &str| TestRequest::new(app.router.clone(), "GET", path).send().await;
    assert_eq!(get("/openapi.json").await.json(), document());
    let redirect = get("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (308, Some("/docs/")));
    let page = get("/docs/").await;
    assert_eq!(page.status, 200);
    // The binary contains every script and style sheet of the page.
    let files = page
        .text()
        .split(['"', '\''])
        .filter(|text| matches!(text.rsplit_once('.'), Some((_, "js" | "css"))));
    let mut count = 0;
    for file in files {
        let name = file.strip_prefix("./").unwrap_or(file);
        assert_eq!(get(&format!("/docs/{name}")).await.status, 200, "{file}");
        count += 1;
    }
    assert!(count >= 3, "{}", page.text());
    let start = get("/docs/swagger-initializer.js").await;
    assert!(start.text().contains("/openapi.json") && start.text().contains("\"none\""), "{}", start.text());
    assert_eq!(get("/docs/nothing").await.status, 404);
}
