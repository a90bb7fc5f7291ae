//! `zumra doctor`.

use rusqlite::Connection;
use serde_json::Value;

use super::Zumra;

/// Runs `zumra doctor --json`. Returns its output and exit code.
fn run_doctor(zumra: &Zumra, flags: &str) -> (Value, Option<i32>) {
    let output = zumra.run(&format!("doctor --json {flags}"));
    (serde_json::from_str(&output.stdout).unwrap(), output.code)
}

fn check<'a>(output: &'a Value, name: &str) -> &'a Value {
    let checks = output["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn valid_installation_is_ok() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let (report, code) = run_doctor(&zumra, "");
    // Free space and fsync time depend on the host.
    for name in ["settings", "database", "clock"] {
        assert_eq!(check(&report, name)["ok"], true, "{report}");
    }
    let finding = check(&report, "database")["finding"].as_str().unwrap();
    assert!(finding.starts_with("zumra.db is intact: SQLite "), "{finding}");
    assert!(finding.ends_with("1 merchant, 0 customers, 0 memberships"), "{finding}");
    assert_eq!(code, Some(if report["ok"] == true { 0 } else { 5 }));
    let output = zumra.run("doctor");
    assert!(output.stdout.contains("\nok       clock     20"), "{}", output.stdout);
}

#[test]
fn missing_database_is_a_warning_and_not_created() {
    let zumra = Zumra::new();
    let (report, code) = run_doctor(&zumra, "");
    assert_eq!((code, &check(&report, "database")["ok"]), (Some(5), &Value::Bool(false)));
    assert!(
        check(&report, "database")["advice"].as_str().is_some_and(|advice| advice.contains("zumra serve"))
    );
    assert!(!zumra.path("zumra.db").exists());
    let output = zumra.run("doctor");
    assert!(output.stdout.contains("warning  database  zumra.db: "), "{}", output.stdout);
    assert!(
        output.stderr.starts_with("zumra: doctor: ")
            && output.stderr.ends_with(" checks\n")
            && output.stderr.lines().count() == 1,
        "{}",
        output.stderr
    );
}

#[test]
fn damaged_database_is_a_warning() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let mut file = std::fs::read(zumra.path("zumra.db")).unwrap();
    let (page, end) = (4096, file.len());
    file[page..end].fill(0xff);
    std::fs::write(zumra.path("zumra.db"), file).unwrap();
    let (report, code) = run_doctor(&zumra, "");
    assert_eq!((code, &check(&report, "database")["ok"]), (Some(5), &Value::Bool(false)), "{report}");
}

#[test]
fn newer_database_and_slow_clock_are_warnings() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let connection = Connection::open(zumra.path("zumra.db")).unwrap();
    connection.execute("UPDATE operations SET at = at + 3600000000", []).unwrap();
    let (report, code) = run_doctor(&zumra, "");
    assert_eq!((code, &check(&report, "clock")["ok"]), (Some(5), &Value::Bool(false)), "{report}");
    connection.execute("INSERT INTO schema_migrations VALUES (999, 'future', 'hash', 0)", []).unwrap();
    let (report, _) = run_doctor(&zumra, "");
    assert!(check(&report, "database")["finding"].as_str().unwrap().contains("schema 999"), "{report}");
}

#[test]
fn invalid_settings_are_a_warning() {
    let zumra = Zumra::new();
    zumra.write("zumra.toml", "[limits]\nreaders = 0\n");
    let (report, code) = run_doctor(&zumra, "");
    assert_eq!((code, report["checks"].as_array().map(Vec::len)), (Some(5), Some(1)));
    let finding = check(&report, "settings")["finding"].as_str().unwrap();
    assert!(finding.starts_with("limits.readers: must be"), "{finding}");
    let (report, _) = run_doctor(&zumra, "--limits-readers 1 --database mysql://z:s3cret@db/z");
    let finding = check(&report, "settings")["finding"].as_str().unwrap();
    assert!(finding.starts_with("database: mysql://z:***@db/z"), "{finding}");
}
