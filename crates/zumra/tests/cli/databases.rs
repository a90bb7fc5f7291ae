//! Databases that are missing, of another program, or of a newer version.

use rusqlite::Connection;

use super::Zumra;

/// Commands that open the database, with different requirements.
const COMMANDS: [&str; 4] =
    ["serve --listen 127.0.0.1:0", "merchant create --name a", "merchant list", "token list --merchant 1"];

#[test]
fn newer_database_is_rejected() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --id 1 --name Shop");
    let connection = Connection::open(zumra.path("zumra.db")).unwrap();
    connection.execute("INSERT INTO schema_migrations VALUES (999, 'future', 'hash', 0)", []).unwrap();
    drop(connection);
    for command in COMMANDS {
        let problem = zumra.fails(command, 4);
        assert!(problem.contains("the database has schema 999"), "{command}: {problem}");
    }
}

#[test]
fn files_of_other_programs_are_rejected_and_unchanged() {
    let zumra = Zumra::new();
    let connection = Connection::open(zumra.path("other.db")).unwrap();
    connection.execute("CREATE TABLE notes (text TEXT)", []).unwrap();
    drop(connection);
    zumra.write("letter.txt", &"This is a letter and no database. ".repeat(100));
    for (name, expected) in
        [("other.db", "it is a database of another program"), ("letter.txt", "it is not a database")]
    {
        let before = std::fs::read(zumra.path(name)).unwrap();
        for command in COMMANDS {
            let problem = zumra.fails(&format!("{command} --database {name}"), 4);
            assert!(problem.contains(name) && problem.contains(expected), "{command}: {problem}");
        }
        assert_eq!(std::fs::read(zumra.path(name)).unwrap(), before, "{name}");
    }
}

#[test]
fn mistyped_path_creates_no_database() {
    let zumra = Zumra::new();
    for command in
        ["merchant list", "token list --merchant 1", "token create --merchant 1 --scope customers.read"]
    {
        let problem = zumra.fails(&format!("{command} --database typo.db"), 4);
        assert!(problem.contains("file typo.db does not exist"), "{problem}");
        assert!(!zumra.path("typo.db").exists());
    }
    for command in ["serve --listen 127.0.0.1:0", "merchant create --name a"] {
        let problem = zumra.fails(&format!("{command} --database no/such.db"), 4);
        assert!(problem.starts_with("database no/such.db: "), "{problem}");
        assert!(
            problem.ends_with("directory no does not exist; create it or choose another path"),
            "{problem}"
        );
    }
}

#[test]
fn database_is_set_by_flag_variable_or_file() {
    let zumra = Zumra::new();
    zumra.ok("merchant create --name a --database sqlite:flag.db");
    zumra.write("zumra.toml", "database = \"file.db\"\n");
    zumra.ok("merchant create --name a");
    let zumra = zumra.variable("ZUMRA_DATABASE", "variable.db");
    zumra.ok("merchant create --name a");
    for name in ["flag.db", "file.db", "variable.db"] {
        assert!(zumra.path(name).exists(), "{name}");
    }
    assert!(!zumra.path("zumra.db").exists());
}

#[test]
fn command_that_creates_a_database_names_its_file() {
    let zumra = Zumra::new();
    zumra.write("shops.json", r#"{"merchants":[{"id":2,"name":"b"}]}"#);
    let directory = zumra.path("").canonicalize().unwrap();
    let cases = [
        ("merchant create --id 1 --name a", "zumra.db"),
        ("merchant create --id 1 --name a --json --database other.db", "other.db"),
        ("load shops.json --database loaded.db", "loaded.db"),
        ("copy --from zumra.db --to copied.db", "copied.db"),
    ];
    for (line, file) in cases {
        let output = zumra.run(line);
        let note = format!("zumra: created database {}\n", directory.join(file).display());
        assert_eq!((output.code, output.stderr), (Some(0), note), "{line}");
    }
    for line in ["merchant create --id 2 --name b", "load shops.json --database loaded.db", "merchant list"] {
        assert_eq!(zumra.run(line).stderr, "", "{line}");
    }
}
