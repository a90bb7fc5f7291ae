//! Settings: their sources, and errors of invalid ones.

use super::Zumra;

/// Returns the line of `zumra config` with this key, whatever its section.
fn line(config: &str, key: &str) -> String {
    config.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or(config).to_owned()
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let zumra = Zumra::new();
    assert_eq!(line(&zumra.ok("config"), "readers"), "readers = 4  # default");
    zumra.write("zumra.toml", "[limits]\nreaders = 5\n");
    assert_eq!(line(&zumra.ok("config"), "readers"), "readers = 5  # zumra.toml");
    let zumra = zumra.variable("ZUMRA_LIMITS_READERS", "6");
    assert_eq!(line(&zumra.ok("config"), "readers"), "readers = 6  # ZUMRA_LIMITS_READERS");
    let config = zumra.ok("config --limits-readers 7");
    assert_eq!(line(&config, "readers"), "readers = 7  # --limits-readers");
}

#[test]
fn named_settings_file_replaces_the_default_one() {
    let zumra = Zumra::new();
    zumra.write("zumra.toml", "listen = \"127.0.0.1:1\"\n");
    zumra.write("other.toml", "listen = \"127.0.0.1:2\"\n");
    assert_eq!(line(&zumra.ok("config"), "listen"), r#"listen = "127.0.0.1:1"  # zumra.toml"#);
    let with_flag = zumra.ok("config --config other.toml");
    assert_eq!(line(&with_flag, "listen"), r#"listen = "127.0.0.1:2"  # other.toml"#);
    assert_eq!(line(&with_flag, "public_url"), r#"public_url = "http://127.0.0.1:2"  # default"#);
    let zumra = zumra.variable("ZUMRA_CONFIG", "other.toml");
    assert_eq!(zumra.ok("config"), with_flag);
    assert!(zumra.fails("config --config missing.toml", 2).starts_with("settings: cannot read missing.toml"));
}

#[test]
fn output_of_config_is_a_settings_file() {
    let zumra = Zumra::new();
    let flags = "--listen [::1]:80 --public-url https://example.com --log-level info,zumra_server=debug \
                 --log-format pretty --tokens-cache-seconds 0 --database sqlite:a.db --admin-listen [::1]:81";
    let config = zumra.ok(&format!("config {flags}"));
    zumra.write("zumra.toml", &config);
    let values = |config: &str| -> Vec<String> {
        config.lines().map(|line| line.split("  # ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(values(&zumra.ok("config")), values(&config));
}

#[test]
fn password_of_a_database_url_is_hidden() {
    let zumra = Zumra::new().variable("ZUMRA_DATABASE", "postgres://zumra:s3cret@db/zumra");
    let config = zumra.ok("config");
    assert_eq!(line(&config, "database"), r#"database = "postgres://zumra:***@db/zumra"  # ZUMRA_DATABASE"#);
    assert!(!zumra.ok("serve --help").contains("s3cret"));
    for (address, expected) in [
        ("mysql://z:s3cret@db/z", "mysql://z:***@db/z: must begin with postgres:// or postgresql://"),
        ("postgres://z:s3cret@db/z?sslmode=s3cret", "postgres://z:***@db/z?***: sslmode must be"),
        ("postgres://z:s3cret@db/z?color=s3cret", "postgres://z:***@db/z?***: is not of the form"),
    ] {
        let zumra = Zumra::new().variable("ZUMRA_DATABASE", address);
        for command in ["serve --listen 127.0.0.1:0", "merchant list"] {
            let problem = zumra.fails(command, 2);
            assert!(problem.starts_with(&format!("settings: database: {expected}")), "{problem}");
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }
}

#[test]
fn replica_requires_postgres_urls() {
    let server = "postgres://z:s3cret@db1/z";
    let config = Zumra::new().variable("ZUMRA_REPLICA", "postgres://z:s3cret@db2/z").ok("config");
    assert_eq!(line(&config, "replica"), r#"replica = "postgres://z:***@db2/z"  # ZUMRA_REPLICA"#);
    assert!(Zumra::new().ok("config").contains("# replica is off  # default"));
    for (database, replica, expected) in [
        (
            "z.db",
            "postgres://z:s3cret@db2/z",
            "the database is the file z.db, and only PostgreSQL has replicas",
        ),
        (server, "z.db", "must be the URL of a PostgreSQL server, postgres://…"),
        (server, "", "must be the URL of a PostgreSQL server, postgres://…"),
        (
            server,
            "mysql://z:s3cret@db2/z",
            "mysql://z:***@db2/z: must begin with postgres:// or postgresql://",
        ),
        (server, "postgres://z:s3cret@/z", "postgres://z:***@/z: names no host"),
    ] {
        let zumra = Zumra::new();
        zumra.write("zumra.toml", &format!("database = {database:?}\nreplica = {replica:?}\n"));
        let problem = zumra.fails("serve --listen 127.0.0.1:0", 2);
        assert_eq!(problem.trim_end(), format!("settings: replica: {expected}"));
        assert!(!zumra.path("z.db").exists());
        // Commands that do not serve ignore the replica.
        assert!(zumra.ok("merchant create --name Shop --database other.db").contains("Shop"));
    }
}

#[test]
fn file_errors_contain_key_and_line() {
    let zumra = Zumra::new();
    for (file, expected) in [
        ("listen_on = 1\n", "settings: zumra.toml: line 1: listen_on: unknown field"),
        ("[limits]\nbody_byte = 1\n", "settings: zumra.toml: line 2: limits.body_byte: unknown field"),
        ("[limits]\nreaders = \"4\"\n", "settings: zumra.toml: line 2: limits.readers: invalid type"),
        (
            "[limits]\nreaders = 0\n",
            "settings: limits.readers: must be from 1 to 256, but zumra.toml sets it to 0",
        ),
    ] {
        zumra.write("zumra.toml", file);
        // A command that needs only the database reports them too, so that errors show early.
        for command in ["serve", "config", "merchant list"] {
            let problem = zumra.fails(command, 2);
            assert!(problem.starts_with(expected), "{command}: {problem}");
        }
    }
}

#[test]
fn variable_errors_contain_the_variable() {
    for (variable, value, expected) in [
        (
            "ZUMRA_LIMITS_BODY_BYTES",
            "16M",
            "settings: ZUMRA_LIMITS_BODY_BYTES: invalid value \"16M\": invalid digit",
        ),
        (
            "ZUMRA_LISTEN",
            "localhost",
            "settings: ZUMRA_LISTEN: invalid value \"localhost\": must be an IP address",
        ),
        (
            "ZUMRA_LOG_FORMAT",
            "xml",
            "settings: ZUMRA_LOG_FORMAT: invalid value \"xml\": must be json or pretty",
        ),
        (
            "ZUMRA_LIMITS_CONNECTIONS",
            "0",
            "settings: limits.connections: must be from 1 to 1000000, but ZUMRA_LIMITS_",
        ),
    ] {
        let problem = Zumra::new().variable(variable, value).fails("serve", 2);
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn errors_of_values_out_of_bounds_contain_the_key() {
    let zumra = Zumra::new();
    for (flags, key) in [
        ("--tokens-cache-seconds 6", "tokens.cache_seconds"),
        ("--limits-body-bytes 0", "limits.body_bytes"),
        ("--limits-customers-per-request 0", "limits.customers_per_request"),
        ("--limits-header-seconds 0", "limits.header_seconds"),
        ("--limits-body-seconds 9999", "limits.body_seconds"),
        ("--limits-request-seconds 0", "limits.request_seconds"),
        ("--limits-writer-queue 0", "limits.writer_queue"),
    ] {
        let problem = zumra.fails(&format!("serve {flags}"), 2);
        let flag = flags.split(' ').next().unwrap_or_default();
        assert!(problem.starts_with(&format!("settings: {key}: must be from ")), "{problem}");
        assert!(problem.contains(&format!("but {flag} sets it to ")), "{problem}");
    }
    let problem = zumra.fails("serve --log-level info,=,", 2);
    assert!(problem.starts_with("settings: log.level: "), "{problem}");
    assert_eq!(zumra.run("serve --public-url https://example.com/").code, Some(2));
    assert!(!zumra.path("zumra.db").exists());
}
