//! The service as a separate process: started, called over TCP, paused and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::wait::{DEADLINE, eventually};

/// Timeout of one read or write on a connection. Above the service's own request timeout of 30 s.
const SOCKET_TIMEOUT: Duration = Duration::from_mins(1);

/// A running `zumra`. Killed when it is dropped.
pub struct ServerProcess {
    child: Mutex<Child>,
    address: String,
}

impl ServerProcess {
    /// Starts a command that logs JSON lines to standard error, and waits for the line with its listen address.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_log(command).0
    }

    /// Like [`start`](Self::start). The thread ends when the process does, and returns its complete log.
    pub fn start_with_log(command: &mut Command) -> (Self, JoinHandle<String>) {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program can be started");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let (address_sender, address_receiver) = mpsc::channel();
        let reader = std::thread::spawn(move || read_log(stderr, &address_sender));
        let Ok(address) = address_receiver.recv_timeout(DEADLINE) else {
            let _ = child.kill(); // it may have exited
            let _ = child.wait();
            panic!("the service did not listen:\n{}", reader.join().unwrap_or_default());
        };
        (Self { child: Mutex::new(child), address }, reader)
    }

    /// Returns the address and port the service listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// Sends a request and reads the complete response. Returns its status and body.
    ///
    /// `head` is the request line and headers, without `Host`, `Connection` and `Content-Length`.
    ///
    /// # Errors
    ///
    /// If the connection fails or closes before a status line arrives.
    pub fn send(&self, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        self.send_to(&self.address, head, body)
    }

    /// Like [`send`](Self::send), to another address of the service.
    pub fn send_to(&self, address: &str, head: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
        stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
        let length = body.len();
        let request = format!(
            "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes())?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("no status line"))?;
        Ok((status, body.to_owned()))
    }

    /// Sends a POST request with a JSON body and a bearer token.
    pub fn post(&self, path: &str, token: &str, body: &Value) -> std::io::Result<(u16, String)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json"
        );
        self.send(&head, &body.to_string())
    }

    /// Sends a GET request with a bearer token.
    pub fn get(&self, path: &str, token: &str) -> std::io::Result<(u16, String)> {
        self.send(&format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer {token}"), "")
    }

    /// Sends SIGKILL, so that the process cannot finish anything, and waits until it has exited.
    pub fn kill(&self) {
        let mut child = self.child();
        child.kill().expect("the process is running");
        child.wait().expect("the process is a child");
    }

    /// Sends SIGTERM. The process finishes the requests it has accepted.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends SIGSTOP. The process hangs with its connections open.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Sends SIGCONT. The process continues after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        // The standard library only sends SIGKILL, and every Unix has `kill`.
        let status = Command::new("kill").arg(signal).arg(self.child().id().to_string()).status();
        assert!(status.expect("`kill` can be started").success());
    }

    /// Asks the process to stop and waits until it has exited. Returns its exit code, or `None` if a signal ended it.
    pub fn terminate_and_wait(self) -> Option<i32> {
        self.terminate();
        self.wait()
    }

    /// Waits until the process has exited. Returns its exit code, or `None` if a signal ended it.
    ///
    /// # Panics
    ///
    /// If it runs longer than [`DEADLINE`].
    pub fn wait(self) -> Option<i32> {
        let mut status: Option<ExitStatus> = None;
        eventually(DEADLINE, "the service has exited", || {
            status = self.child().try_wait().expect("the process is a child");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let mut child = self.child();
        let _ = child.kill(); // it may have exited
        let _ = child.wait();
    }
}

/// Reads a log to its end, so that the process never blocks on a full pipe. Sends the first listen address in it.
fn read_log(stderr: ChildStderr, address_sender: &mpsc::Sender<String>) -> String {
    let mut lines = BufReader::new(stderr);
    let mut log = String::new();
    loop {
        let start = log.len();
        if !lines.read_line(&mut log).is_ok_and(|bytes| bytes > 0) {
            return log; // the process exited before it listened
        }
        let entry: Value = serde_json::from_str(&log[start..]).unwrap_or_default();
        if let Some(address) = entry["listen"].as_str() {
            let _ = address_sender.send(address.to_owned()); // the receiver may have timed out
            break;
        }
    }
    let _ = lines.read_to_string(&mut log); // after an error, return the log up to it
    log
}

/// Returns the lines of a pipe as they arrive. A thread reads the pipe to its end, so that its writer never blocks.
pub fn lines(pipe: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = sender.send(line); // the receiver may be gone
        }
    });
    lines
}

/// Returns the command that serves `database` on a free port, with the program at `binary` and an empty environment.
pub fn serve_command(binary: &Path, database: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database"]).arg(database);
    command.env_clear();
    command
}
