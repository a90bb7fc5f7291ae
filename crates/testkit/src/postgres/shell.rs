//! Shell scripts that run servers for as long as this process lives.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::process::lines;

/// Limit for one step of a script: `initdb` and the start of a server, a base backup, or a promotion. The programs of
/// PostgreSQL give up after a minute each.
const STEP_TIMEOUT: Duration = Duration::from_mins(3);

/// The running script. It stops its servers and deletes their files when its standard input closes.
pub(super) struct ServerShell {
    /// Need not be stopped on exit: the kernel closes the pipe when this process ends, even if it is killed.
    process: Child,
    /// The lines of its standard output.
    lines: Receiver<String>,
}

impl ServerShell {
    /// Starts a script and waits until it prints "ready". Panics with its error output otherwise.
    pub(super) fn start(command: &mut Command) -> Self {
        // Use a new process group: a test runner that kills a hanging test must not kill the script before it cleans
        // up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`sh` can be started");
        let lines = lines(process.stdout.take().expect("standard output is a pipe"));
        let mut shell = Self { process, lines };
        shell.expect_reply("ready");
        shell
    }

    /// Sends a command line to the script and waits for its reply.
    pub(super) fn send_command(&mut self, line: &str, reply: &str) {
        let mut input = self.process.stdin.as_ref().expect("standard input is a pipe");
        writeln!(input, "{line}").expect("the script is running");
        self.expect_reply(reply);
    }

    fn expect_reply(&mut self, reply: &str) {
        let line = self.lines.recv_timeout(STEP_TIMEOUT);
        if line.as_deref().map(str::trim) != Ok(reply) {
            drop(self.process.stdin.take()); // ends the script, and so its error output
            let mut problem = String::new();
            let mut errors = self.process.stderr.take().expect("standard error is a pipe");
            let _ = errors.read_to_string(&mut problem); // report what can be read
            panic!("no PostgreSQL server for tests, expected {reply:?}, got {line:?}: {problem}");
        }
    }

    /// Stops the servers and waits until their files are deleted.
    pub(super) fn stop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait(); // it may have exited
    }
}

/// Returns the command that runs a script with these ports as its first arguments.
pub(super) fn shell(script: &str, ports: &[u16]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args(ports.iter().map(u16::to_string));
    shell
}

/// Returns ports that are free now.
pub(super) fn free_ports<const N: usize>() -> [u16; N] {
    // Bind all ports at once, because a released port could be returned twice.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
    listeners.map(|listener| listener.local_addr().expect("the socket is bound").port())
}
