//! The service as its own process: started, asked over a real connection, and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// A running `zumra`. Killed when it is dropped.
pub struct ServerProcess {
    child: Mutex<Child>,
    address: String,
}

impl ServerProcess {
    /// Starts a command that logs JSON lines to standard error, and waits for the line that says where it listens.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_log(command).0
    }

    /// The same, and a thread that ends with the server and gives its whole log.
    pub fn start_with_log(command: &mut Command) -> (Self, JoinHandle<String>) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut log = String::new();
        let address = loop {
            let start = log.len();
            assert!(
                lines.read_line(&mut log).expect("readable logs") > 0,
                "it ended before it listened:\n{log}"
            );
            let entry: Value = serde_json::from_str(&log[start..]).unwrap_or_default();
            if let Some(address) = entry["listen"].as_str() {
                break address.to_owned();
            }
        };
        // Somebody has to read on, or the server would wait for room in the pipe.
        let reader = std::thread::spawn(move || {
            let _ = lines.read_to_string(&mut log); // what could be read is what there is
            log
        });
        (Self { child: Mutex::new(child), address }, reader)
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request and reads the whole answer: status and body. `head` is everything before the empty line but
    /// for the headers that every request needs.
    pub fn send(&self, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        self.send_to(&self.address, head, body)
    }

    /// The same to another of its addresses.
    pub fn send_to(&self, address: &str, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let length = body.len();
        let request = format!(
            "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("no answer"))?;
        Ok((status, body.to_owned()))
    }

    /// Sends JSON with a token.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> std::io::Result<(u16, String)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
        );
        self.send(&head, &body.to_string())
    }

    /// Reads a path with a token.
    pub fn get(&self, path: &str, token: &str) -> std::io::Result<(u16, String)> {
        self.send(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}"), "")
    }

    /// Kills it at once, without a chance to finish anything.
    pub fn kill(&self) {
        self.child().kill().expect("it runs");
    }

    /// Asks it to stop, as an operator would: it finishes what it accepted.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Stops it where it is, with all its connections open, as a machine that hangs.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on after [`pause`](Self::pause), as if nothing had been.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        // There is no way in the standard library, and `kill` is on every Unix.
        let status = Command::new("kill").arg(signal).arg(self.child().id().to_string()).status();
        assert!(status.expect("kill is there").success());
    }

    /// Kills the process and waits until it has exited.
    pub fn kill_and_wait(self) {
        self.kill();
        self.wait();
    }

    /// Asks the process to stop and waits until it has exited. Returns its exit code, or `None` if a signal ended it.
    pub fn terminate_and_wait(self) -> Option<i32> {
        self.terminate();
        self.wait()
    }

    /// Waits until the process has exited. Returns its exit code, or `None` if a signal ended it.
    pub fn wait(self) -> Option<i32> {
        self.child().wait().expect("it ends").code()
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill(); // it may be gone already
        let _ = child.wait();
    }
}

/// The command for a server on a free port with this database, at `binary`.
pub fn serve_command(binary: &Path, database: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database"]).arg(database);
    command.env_clear();
    command
}
