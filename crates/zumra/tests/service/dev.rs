//! `zumra dev`: what its banner promises.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::command;

/// A `zumra dev` on a free port. Killed when it is dropped.
struct Dev {
    child: Child,
    /// Where its throwaway database lies, because a killed process throws nothing away.
    _folder: tempfile::TempDir,
    banner: String,
}

impl Dev {
    /// Starts it and reads its banner up to the line with `curl`.
    fn start(flags: &[&str]) -> Self {
        let mut command = command();
        command
            .args(["dev", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let folder = tempfile::tempdir().unwrap();
        let mut child = command.env("TMPDIR", folder.path()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = String::new();
        while !banner.contains("curl ") {
            banner += &lines.next().expect("a banner with a curl line").unwrap();
            banner.push('\n');
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, _folder: folder, banner }
    }

    /// Pastes the curl line into a shell.
    fn paste(&self) -> String {
        let line = self.banner.lines().find(|line| line.contains("curl ")).unwrap();
        let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
        assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may be gone already
        let _ = self.child.wait();
    }
}

#[test]
fn the_line_in_the_banner_answers_as_the_contract_says() {
    let dev = Dev::start(&[]);
    for promised in ["667738032", "customers.read_write", "zumra-dev-token-read-write", "http://127.0.0.1:"] {
        assert!(dev.banner.contains(promised), "{promised}\n{}", dev.banner);
    }
    let expected =
        r#"{"status":200,"success":true,"data":["The customers has been added to group successfully"]}"#;
    assert_eq!(dev.paste().trim(), expected);
}

#[test]
fn a_shop_of_ones_own_takes_the_place_of_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.json");
    let shop = r#"{"merchants":[{"id":9,"name":"mine","groups":[{"id":77,"name":"g"}],"customers":[{"id":88,"first_name":"x"}]}]}"#;
    std::fs::write(&file, shop).unwrap();
    let dev = Dev::start(&["--fixtures", file.to_str().unwrap()]);
    assert!(dev.banner.contains("77") && !dev.banner.contains("667738032"), "{}", dev.banner);
    assert!(dev.paste().contains("added to group successfully"));
}

#[test]
fn a_wrong_file_ends_it_with_the_place_of_the_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.json");
    std::fs::write(&file, r#"{"merchants":[{"id":9,"name":"mine","customer":[]}]}"#).unwrap();
    let output =
        command().args(["dev", "--listen", "127.0.0.1:0", "--fixtures"]).arg(&file).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("merchants[0].customer"), "{error}");
}
