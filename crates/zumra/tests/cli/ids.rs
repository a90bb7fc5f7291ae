//! Ids after a backup was restored: the mark of `zumra backup`, and `zumra ids skip`.

use super::Zumra;

/// Imports one customer, and returns the highest id of a customer, found in the file itself.
fn create_customer(zumra: &Zumra, database: &str, mobile: u32) -> i64 {
    zumra.write("one.csv", &format!("first_name,mobile\nSara,{mobile}"));
    let imported = zumra.json(&format!("import one.csv --merchant 5 --database {database}"));
    assert_eq!(imported["customers"], 1, "{imported}");
    let file = rusqlite::Connection::open(zumra.path(database)).unwrap();
    file.query_row("SELECT max(id) FROM customers", [], |row| row.get(0)).unwrap()
}

#[test]
fn restored_backup_skips_ids_once() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop --database here.db");
    assert_eq!(create_customer(&zumra, "here.db", 500_000_001), 1);
    zumra.ok("backup --database here.db copy.db");
    // What the days after the backup assign.
    assert_eq!(create_customer(&zumra, "here.db", 500_000_002), 2);
    zumra.ok("doctor --database copy.db --json");
    let problem = zumra.fails("copy --from copy.db --to other.db", 4);
    assert!(problem.contains("a backup that was not used yet"), "{problem}");
    let first = create_customer(&zumra, "copy.db", 500_000_002);
    assert!((1_000_001..1_010_000).contains(&first), "{first}");
    assert_eq!(create_customer(&zumra, "copy.db", 500_000_003), first + 1, "it skips once");
    zumra.ok("copy --from copy.db --to other.db");
    assert_eq!(create_customer(&zumra, "other.db", 500_000_004), first + 2, "the copy goes on");
    assert_eq!(create_customer(&zumra, "here.db", 500_000_003), 3, "the source of the backup skips nothing");
}

#[test]
fn ids_are_skipped_by_command() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 5 --name Shop --database here.db");
    assert_eq!(zumra.ok("ids skip --database here.db"), "Skipped 1000000 ids of 1 merchant.\n");
    assert_eq!(create_customer(&zumra, "here.db", 500_000_001), 1_000_001);
    let skipped = zumra.json("ids skip --database here.db --count 10");
    assert_eq!((&skipped["skipped"], &skipped["merchants"]), (&10.into(), &1.into()));
    assert_eq!(create_customer(&zumra, "here.db", 500_000_002), 1_000_012);
    for invalid in ["--count 0", "--count 2147483648", "--count x"] {
        assert_eq!(zumra.run(&format!("ids skip --database here.db {invalid}")).code, Some(2), "{invalid}");
    }
    assert_eq!(zumra.run("ids skip --database none.db").code, Some(4));
}
