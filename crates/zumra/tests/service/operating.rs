//! What operators see: metrics, logs, failed starts, and commands beside a running service.

use zumra_testkit::{ServerProcess, serve_command};

use super::{ADD, Installation, TOKEN, add_body, command, is_member};

/// Returns a port that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn metrics_are_served_on_the_admin_address_only() {
    let installation = Installation::new(2);
    let admin = format!("127.0.0.1:{}", free_port());
    let server = installation.serve(&["--admin-listen", &admin]);
    server.post(ADD, TOKEN, &add_body([1, 2])).unwrap();
    assert_eq!(server.get("/metrics", TOKEN).unwrap().0, 404);
    let (status, metrics) = server.send_to(&admin, "GET /metrics HTTP/1.1", "").unwrap();
    assert_eq!(status, 200);
    let route = r#"zumra_http_requests_total{method="POST",route="/admin/v2/customers/groups/add_customers",status="200"} 1"#;
    for line in [
        route,
        "zumra_storage_operations_total 1",
        "zumra_storage_batch_operations_count 1",
        "zumra_storage_queue_depth 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn listen_address_in_use_fails_with_one_line() {
    let installation = Installation::new(1);
    let server = installation.serve(&[]);
    let other = Installation::new(1);
    let output = command()
        .args(["serve", "--listen", server.address(), "--database"])
        .arg(other.database())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("listen") && error.contains("in use"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn running_service_accepts_new_tokens_and_rejects_revoked_ones() {
    let installation = Installation::new(1);
    let server = installation.serve(&["--tokens-cache-seconds", "0"]);
    let zumra = |arguments: &[&str]| {
        let output =
            command().args(arguments).arg("--json").arg("--database").arg(installation.database()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let created = zumra(&["token", "create", "--merchant", "1", "--scope", "customers.read_write"]);
    let secret = created["token"].as_str().unwrap();
    assert_eq!(server.post(ADD, secret, &add_body([1])).unwrap().0, 200);
    zumra(&["token", "revoke", "--merchant", "1", &created["id"].to_string()]);
    assert_eq!(server.post(ADD, secret, &add_body([1])).unwrap().0, 401);
    assert!(is_member(&server, 1));
    assert_eq!(server.terminate_and_wait(), Some(0));
}

#[test]
fn logs_contain_no_secrets() {
    let installation = Installation::new(1);
    let mut serve = serve_command(super::binary(), &installation.database());
    serve.args(["--log-level", "trace"]);
    let (server, log) = ServerProcess::start_with_log(&mut serve);
    server.post(ADD, TOKEN, &add_body([1])).unwrap();
    server.post(ADD, "a-wrong-token-that-is-long", &add_body([1])).unwrap();
    server.get("/admin/v2/customers?keyword=searched", TOKEN).unwrap();
    server.terminate_and_wait();
    let log = log.join().unwrap();
    assert!(log.contains("add_customers"), "{log}");
    // The request with a valid token names its merchant.
    let line = log.lines().find(|line| line.contains("add_customers 200")).unwrap();
    assert!(line.contains(r#""merchant":1"#), "{line}");
    for secret in [TOKEN, "a-wrong-token-that-is-long", "searched", "group_id"] {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
}

#[test]
fn backup_of_a_running_service_is_a_consistent_database() {
    let installation = Installation::new(3);
    let server = installation.serve(&[]);
    assert_eq!(server.post(ADD, TOKEN, &add_body([1, 2])).unwrap().0, 200);
    let copy = installation.directory.path().join("copy.db");
    let backup = || {
        command().arg("backup").arg(&copy).arg("--database").arg(installation.database()).output().unwrap()
    };
    let output = backup();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.post(ADD, TOKEN, &add_body([3])).unwrap().0, 200);
    let before = std::fs::read(&copy).unwrap();
    assert_eq!(backup().status.code(), Some(3), "a backup does not overwrite a file");
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let restored = ServerProcess::start(&mut serve_command(super::binary(), &copy));
    let members = [1, 2, 3].map(|customer| is_member(&restored, customer));
    assert_eq!(members, [true, true, false], "the copy has the state at the time of the backup");
}
