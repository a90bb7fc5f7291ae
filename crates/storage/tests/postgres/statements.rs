//! Rules for the text of every statement of the engine.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

/// The statements that name no merchant: a part of each, and the reason.
const WITHOUT_A_MERCHANT: &[(&str, &str)] = &[
    ("FROM merchants WHERE merchant_id > $1", "operators list all merchants"),
    ("SELECT count(*) FROM {}", "the size of a copy of the database"),
    ("WHERE tokens.hash = $1", "the token tells to which merchant a request belongs"),
    ("SELECT current_setting('server_version')", "operators inspect the whole database"),
    ("SELECT 1 FROM merchants LIMIT 1", "a health check reads no merchant's rows"),
    ("FROM groups WHERE deleted_by IS NOT NULL LIMIT 1", "the next group to archive may be any merchant's"),
    ("FROM imports WHERE finished_at IS NULL", "the next import may be any merchant's"),
    ("SELECT id FROM matches", "the matches are the merchant's"),
    ("WITH matches AS", "the query of the matches names the merchant"),
    ("FROM ({matches}) AS matches", "its parts name the merchant"),
    ("FROM customer_search_terms WHERE {", "the condition names the merchant"),
    ("FROM search_index WHERE {", "the condition names the merchant"),
    ("FROM merchants LEFT JOIN search_index_versions", "the next index to rebuild may be any merchant's"),
    ("FROM pg_control_system()", "the WAL position of a server"),
    ("schema_migrations", "migrations belong to no merchant"),
    ("statement_timeout", "a setting of the session"),
    ("SET enable_seqscan = on", "a setting of the session"),
];

/// Features that distributed databases lack.
const FORBIDDEN: &[&str] =
    &["LISTEN", "NOTIFY", "PG_ADVISORY", "TEMP", "NEXTVAL", "SERIAL", "IDENTITY", "LOCK TABLE"];

/// Minimum number of statements in the engine.
const STATEMENTS_MIN: usize = 70;

#[test]
fn every_statement_names_its_merchant_and_uses_portable_sql() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let (mut statements, mut used) = (0, vec![false; WITHOUT_A_MERCHANT.len()]);
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let found = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => rust_statements(&text),
            Some("sql") => vec![text],
            _ => panic!("{}: neither Rust nor SQL", path.display()),
        };
        for statement in found {
            statements += 1;
            let upper = statement.to_uppercase();
            for word in FORBIDDEN {
                assert!(!upper.contains(word), "{}: {word} in {statement}", path.display());
            }
            let is_exception = |(part, _): &(&str, &str)| statement.contains(part);
            let exception = WITHOUT_A_MERCHANT.iter().position(is_exception);
            let names_merchant =
                ["merchant_id = $1", "(merchant_id, "].iter().any(|name| statement.contains(name));
            assert!(names_merchant || exception.is_some(), "{}: {statement}", path.display());
            if let Some(exception) = exception {
                used[exception] = true;
            }
        }
    }
    assert!(statements >= STATEMENTS_MIN, "only {statements} statements found: the search is broken");
    for ((part, reason), used) in WITHOUT_A_MERCHANT.iter().zip(used) {
        assert!(used, "no statement contains {part} ({reason}): remove the exception");
    }
}

/// Returns the string literals that begin like a statement, as the compiler's lexer sees them.
fn rust_statements(source: &str) -> Vec<String> {
    let without_tests = source.split("#[cfg(test)]").next().unwrap();
    let mut statements = Vec::new();
    collect(without_tests.parse().unwrap(), &mut statements);
    statements
}

fn collect(tokens: TokenStream, statements: &mut Vec<String>) {
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "SET ", "CREATE "];
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), statements),
            TokenTree::Literal(literal) => {
                let literal = literal.to_string();
                let text = literal.trim_start_matches(['b', 'r', '#', '"', '\\', 'n', ' ', '\n']);
                if literal.contains('"') && verbs.iter().any(|verb| text.starts_with(verb)) {
                    statements.push(literal);
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}
