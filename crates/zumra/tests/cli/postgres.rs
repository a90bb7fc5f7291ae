//! Commands on a PostgreSQL database.

use serde_json::Value;
use zumra_testkit::TestDatabase;

use super::Zumra;

fn database() -> TestDatabase {
    tokio::runtime::Runtime::new().unwrap().block_on(TestDatabase::new())
}

#[test]
fn commands_work_on_postgres() {
    let database = database();
    let zumra = Zumra::new().variable("ZUMRA_DATABASE", &database.url());
    // The database has no tables yet, and `doctor` does not create them.
    let output = zumra.run("doctor --json");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, report["ok"].as_bool()), (Some(5), Some(false)), "{report}");
    zumra.ok("merchant create --id 1 --name Shop");
    assert!(zumra.ok("merchant list").contains("Shop"));
    zumra.ok("token create --merchant 1 --scope customers.read_write");
    assert!(zumra.ok("token list --merchant 1").contains("customers.read_write"));
    zumra.write(
        "shops.json",
        r#"{"merchants":[{"id":2,"name":"b","customers":[{"id":5,"first_name":"c"}]}]}"#,
    );
    zumra.ok("load shops.json");
    assert!(zumra.fails("merchant create --id 2 --name Again", 3).contains("there is already a merchant 2"));
    let output = zumra.run("doctor --json");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, report["ok"].as_bool()), (Some(0), Some(true)), "{report}");
    let finding = report["checks"][1]["finding"].as_str().unwrap();
    assert!(finding.contains(" is intact: PostgreSQL "), "{finding}");
    assert!(finding.ends_with("2 merchants, 1 customer, 0 memberships"), "{finding}");
}

#[test]
fn unreachable_server_is_reported_in_one_line() {
    let zumra = Zumra::new().variable("ZUMRA_DATABASE", "postgres://z:s3cret@127.0.0.1:1/z");
    for command in ["serve --listen 127.0.0.1:0", "merchant list"] {
        let problem = zumra.fails(command, 4);
        assert!(problem.starts_with("database postgres://z:***@127.0.0.1:1/z: the database is"), "{problem}");
        assert!(!problem.contains("s3cret"), "{problem}");
    }
    let output = zumra.run("doctor");
    assert!(output.code == Some(5) && !output.stdout.contains("s3cret"), "{}", output.stdout);
}
