//! The commands that do not serve: output, errors and exit codes. `zumra serve` and `zumra dev` are in `tests/service`.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod copy;
mod databases;
mod doctor;
mod ids;
mod import;
mod load;
mod merchants;
mod postgres;
mod settings;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A temporary directory in which commands run, with an empty environment.
struct Zumra {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// The result of a command.
#[derive(Debug)]
struct Output {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Zumra {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets an environment variable for all later commands.
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Runs `zumra` with these arguments, separated by spaces.
    fn run(&self, arguments: &str) -> Output {
        self.run_with(arguments, "")
    }

    /// Like [`run`](Self::run), with text on standard input.
    fn run_with(&self, arguments: &str, input: &str) -> Output {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_zumra")));
        command.args(arguments.split_whitespace()).current_dir(self.directory.path());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read its input may have exited.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs a command like [`run`](Self::run). The note about a created database is not part of the output.
    fn run_quietly(&self, arguments: &str) -> Output {
        let mut output = self.run(arguments);
        if let Some((_, rest)) =
            output.stderr.split_once('\n').filter(|(note, _)| note.starts_with("zumra: created database /"))
        {
            output.stderr = rest.to_owned();
        }
        output
    }

    /// Runs a command that must succeed. Returns its output.
    fn ok(&self, arguments: &str) -> String {
        let output = self.run_quietly(arguments);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{arguments}\n{output:?}");
        output.stdout
    }

    /// Runs a command with `--json` that must succeed. Returns its output.
    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{arguments} --json"))).unwrap()
    }

    /// Runs a command that must fail with this exit code. Returns its error, which must be one line.
    fn fails(&self, arguments: &str, code: i32) -> String {
        let output = self.run_quietly(arguments);
        assert_eq!(output.code, Some(code), "{arguments}\n{output:?}");
        assert_eq!(output.stderr.lines().count(), 1, "{arguments}\n{}", output.stderr);
        output.stderr.strip_prefix("zumra: ").unwrap().trim_end().to_owned()
    }
}

#[test]
fn help_lists_the_exit_codes_and_version_is_one_line() {
    let zumra = Zumra::new();
    let help = zumra.ok("--help");
    assert!(help.contains("Exit codes:") && help.contains("zumra dev"), "{help}");
    assert_eq!(zumra.ok("--version"), format!("zumra {}\n", env!("CARGO_PKG_VERSION")));
    let short = zumra.ok("serve -h");
    assert!(short.contains("--listen") && !short.contains("--limits-"), "{short}");
    assert!(zumra.ok("serve --help").contains("--limits-body-bytes"));
}

#[test]
fn unknown_commands_and_flags_are_usage_errors() {
    let zumra = Zumra::new();
    for command in ["", "serv", "serve --listn 127.0.0.1:0", "merchant", "token create --merchant 1", "load"]
    {
        assert_eq!(zumra.run(command).code, Some(2), "{command}");
    }
}

#[test]
fn openapi_prints_the_document() {
    let document: Value = serde_json::from_str(&Zumra::new().ok("openapi")).unwrap();
    assert!(document["paths"]["/admin/v2/customers/groups/add_customers"]["post"].is_object(), "{document}");
}
