//! `zumra doctor`.

use rusqlite::Connection;
use serde_json::Value;

use super::Zumra;

/// The findings, and the exit code.
fn findings(zumra: &Zumra, flags: &str) -> (Value, Option<i32>) {
    let output = zumra.run(&format!("doctor --json {flags}"));
    (serde_json::from_str(&output.stdout).unwrap(), output.code)
}

fn check<'a>(findings: &'a Value, name: &str) -> &'a Value {
    let checks = findings["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_healthy_installation_is_well() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let (found, code) = findings(&zumra, "");
    // The room and the speed of the disk are those of the machine that tests.
    for name in ["settings", "database", "clock"] {
        assert_eq!(check(&found, name)["ok"], true, "{found}");
    }
    let finding = check(&found, "database")["finding"].as_str().unwrap();
    assert!(finding.starts_with("zumra.db is whole: SQLite "), "{finding}");
    assert!(finding.ends_with("1 merchant, 0 customers, 0 memberships"), "{finding}");
    assert_eq!(code, Some(if found["ok"] == true { 0 } else { 5 }));
    let output = zumra.run("doctor");
    assert!(output.stdout.contains("\nok     clock     it is "), "{}", output.stdout);
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let zumra = Zumra::new();
    let (found, code) = findings(&zumra, "");
    assert_eq!((code, &check(&found, "database")["ok"]), (Some(5), &Value::Bool(false)));
    assert!(
        check(&found, "database")["advice"].as_str().is_some_and(|advice| advice.contains("zumra serve"))
    );
    assert!(!zumra.path("zumra.db").exists());
    let output = zumra.run("doctor");
    assert!(output.stdout.contains("WRONG  database  zumra.db: "), "{}", output.stdout);
    assert!(
        output.stderr.ends_with("attention\n") && output.stderr.lines().count() == 1,
        "{}",
        output.stderr
    );
}

#[test]
fn damage_is_found() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let mut file = std::fs::read(zumra.path("zumra.db")).unwrap();
    let (page, end) = (4096, file.len());
    file[page..end].fill(0xff);
    std::fs::write(zumra.path("zumra.db"), file).unwrap();
    let (found, code) = findings(&zumra, "");
    assert_eq!((code, &check(&found, "database")["ok"]), (Some(5), &Value::Bool(false)), "{found}");
}

#[test]
fn a_newer_database_and_a_clock_that_went_back_are_found() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let connection = Connection::open(zumra.path("zumra.db")).unwrap();
    connection.execute("UPDATE operations SET at = at + 3600000000", []).unwrap();
    let (found, code) = findings(&zumra, "");
    assert_eq!((code, &check(&found, "clock")["ok"]), (Some(5), &Value::Bool(false)), "{found}");
    connection.execute("INSERT INTO schema_migrations VALUES (999, 'future', 'hash', 0)", []).unwrap();
    let (found, _) = findings(&zumra, "");
    assert!(check(&found, "database")["finding"].as_str().unwrap().contains("schema 999"), "{found}");
}

#[test]
fn wrong_settings_are_a_finding() {
    let zumra = Zumra::new();
    zumra.write("zumra.toml", "[limits]\nreaders = 0\n");
    let (found, code) = findings(&zumra, "");
    assert_eq!((code, found["checks"].as_array().map(Vec::len)), (Some(5), Some(1)));
    let finding = check(&found, "settings")["finding"].as_str().unwrap();
    assert!(finding.starts_with("limits.readers: must be"), "{finding}");
    let (found, _) = findings(&zumra, "--limits-readers 1 --database mysql://z:s3cret@db/z");
    let finding = check(&found, "settings")["finding"].as_str().unwrap();
    assert!(finding.starts_with("database: mysql://z:***@db/z"), "{finding}");
}
