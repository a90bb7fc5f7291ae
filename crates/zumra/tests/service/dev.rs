//! `zumra dev`: the banner and the request it suggests.

use std::process::{Child, Command, Stdio};

use zumra_testkit::DEADLINE;

use super::command;

/// A `zumra dev` on a free port. Killed when it is dropped.
struct Dev {
    child: Child,
    /// The parent of its throwaway database, which a killed process does not delete.
    _directory: tempfile::TempDir,
    banner: String,
}

impl Dev {
    /// Starts the process and reads its banner up to the line with `curl`.
    fn start(flags: &[&str]) -> Self {
        let mut command = command();
        command
            .args(["dev", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let directory = tempfile::tempdir().unwrap();
        let mut child = command.env("TMPDIR", directory.path()).spawn().unwrap();
        let lines = zumra_testkit::process::lines(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("curl ") {
            banner += &lines.recv_timeout(DEADLINE).expect("the banner has a line with curl");
            banner.push('\n');
        }
        Self { child, _directory: directory, banner }
    }

    /// Runs the line with `curl` in a shell and returns the response.
    fn run_curl(&self) -> String {
        let line = self.banner.lines().find(|line| line.contains("curl ")).unwrap();
        let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have exited
        let _ = self.child.wait();
    }
}

#[test]
fn banner_shows_a_request_that_succeeds() {
    let dev = Dev::start(&[]);
    for expected in ["667738032", "customers.read_write", "zumra-dev-token-read-write", "http://127.0.0.1:"] {
        assert!(dev.banner.contains(expected), "{expected}\n{}", dev.banner);
    }
    let expected =
        r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;
    assert_eq!(dev.run_curl().trim(), expected);
}

#[test]
fn fixtures_replace_the_demo_merchant() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.json");
    let shop = r#"{"merchants":[{"id":9,"name":"mine","groups":[{"id":77,"name":"g"}],"customers":[{"id":88,"first_name":"x"}],
        "tokens":[{"token":"a-secret-of-my-own-file","scopes":["customers.read"]}]},
        {"id":10,"name":"other","tokens":[{"token":"a-secret-of-another-shop","scopes":["payments.read"]}]}]}"#;
    std::fs::write(&file, shop).unwrap();
    let dev = Dev::start(&["--fixtures", file.to_str().unwrap()]);
    assert!(dev.banner.contains("77") && !dev.banner.contains("667738032"), "{}", dev.banner);
    for line in [
        "zumra-dev-token-read-only   customers.read",
        "a-secret-of-my-own-file     customers.read",
        "a-secret-of-another-shop    payments.read  (merchant 10)",
    ] {
        assert!(dev.banner.contains(&format!(" {line}\n")), "{line}\n{}", dev.banner);
    }
    // The file names no default group.
    let default = dev.banner.lines().find(|line| line.ends_with("(every new customer joins it)")).unwrap();
    assert!(default.contains("المجموعة الافتراضية"), "{default}");
    assert!(dev.run_curl().contains("added to group successfully"));
}

#[test]
fn invalid_fixture_fails_with_the_path_of_the_field() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shop.json");
    std::fs::write(&file, r#"{"merchants":[{"id":9,"name":"mine","customer":[]}]}"#).unwrap();
    let output =
        command().args(["dev", "--listen", "127.0.0.1:0", "--fixtures"]).arg(&file).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("merchants[0].customer"), "{error}");
}
