//! PostgreSQL for tests: one throwaway server for a process, a fresh database for each test. For the benchmark: one that
//! keeps what it acknowledges.
//!
//! The server is the installed one; it is made when a test first wants it and ends with the process, however that
//! ends. `ZUMRA_TEST_POSTGRES_URL` names a server to use in its place: an address of a database whose user may make
//! databases.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use tokio_postgres::{Client, NoTls};
use zumra_core::{Entropy, SystemEntropy, text::hex};

/// Nothing of a test has to survive a power cut.
const TEST_SETTINGS: &[&str] =
    &["max_connections=200", "fsync=off", "full_page_writes=off", "autovacuum=off"];

/// What keeps the server, and stops it when its standard input closes.
const CLUSTER: &str = concat!(include_str!("server.sh"), include_str!("cluster.sh"));
/// The same for a primary and its standby.
const PAIR: &str = concat!(include_str!("server.sh"), include_str!("pair.sh"));

struct Server {
    /// The address of a database to give orders from.
    address: String,
    _keeper: Option<Keeper>,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| match given() {
        Some(address) => Server { address, _keeper: None },
        None => start(),
    })
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the service")]
fn given() -> Option<String> {
    std::env::var("ZUMRA_TEST_POSTGRES_URL").ok()
}

fn start() -> Server {
    let [port] = free_ports();
    let keeper = Keeper::start(&mut cluster(port, TEST_SETTINGS));
    Server { address: address_of(port, "postgres"), _keeper: Some(keeper) }
}

/// What keeps one server with these settings.
fn cluster(port: u16, settings: &[&str]) -> Command {
    let mut shell = shell(CLUSTER, &[port]);
    shell.args(settings);
    shell
}

/// A shell that runs a script with these ports as its first arguments.
fn shell(script: &str, ports: &[u16]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).args(ports.iter().map(u16::to_string));
    shell
}

fn address_of(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All at once: a port that is free again could be given twice.
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|free| free.local_addr().expect("a port").port())
}

/// A shell that keeps servers.
struct Keeper {
    /// Never waited for: it ends when this process closes the pipe, which is when it is gone.
    shell: Child,
    output: BufReader<ChildStdout>,
}

impl Keeper {
    fn start(shell: &mut Command) -> Self {
        let mut shell = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell is there");
        let output = BufReader::new(shell.stdout.take().expect("a pipe"));
        let mut keeper = Self { shell, output };
        keeper.expect("ready");
        keeper
    }

    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("readable output");
        if line.trim() != word {
            let mut problem = String::new();
            let _ = self.shell.stderr.take().expect("a pipe").read_to_string(&mut problem); // what there is
            panic!("no PostgreSQL for the tests: {problem}");
        }
    }
}

/// A server with settings as in production: what it acknowledges survives a power cut. For measuring, not for tests. Gone
/// when it is dropped, or when the process is.
pub struct DurableServer {
    keeper: Keeper,
    port: u16,
}

impl DurableServer {
    /// How it differs from what PostgreSQL does by itself, and what matters most of that.
    pub const SETTINGS: &[&str] = &[
        "fsync=on",
        "synchronous_commit=on",
        "full_page_writes=on",
        "autovacuum=on",
        "shared_buffers=1GB",
        "max_wal_size=8GB",
        "min_wal_size=4GB",
        "checkpoint_timeout=15min",
        "max_connections=300",
    ];

    /// Makes one with its files in a folder of their own inside of `folder`, which says what disk is used. The user of
    /// the server must be able to reach it.
    pub fn start(folder: &Path) -> Self {
        let [port] = free_ports();
        let keeper = Keeper::start(cluster(port, Self::SETTINGS).env("TMPDIR", folder));
        Self { keeper, port }
    }

    /// The address of a database on it.
    pub fn url(&self, database: &str) -> String {
        address_of(self.port, database)
    }
}

impl Drop for DurableServer {
    fn drop(&mut self) {
        drop(self.keeper.shell.stdin.take());
        let _ = self.keeper.shell.wait(); // until the folder is gone
    }
}

/// A primary, and a standby that has every commit before it is acknowledged. Gone when the process is.
pub struct TestPair {
    keeper: Keeper,
    ports: [u16; 2],
}

impl TestPair {
    /// Makes one.
    pub fn start() -> Self {
        let ports = free_ports();
        Self { keeper: Keeper::start(&mut shell(PAIR, &ports)), ports }
    }

    /// An address that leads to whichever of the two takes writes.
    pub fn url(&self) -> String {
        let [first, second] = self.ports;
        format!(
            "postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres?target_session_attrs=read-write&sslmode=disable"
        )
    }

    /// An address that leads to the one that began as the primary, whatever it is now.
    pub fn first_url(&self) -> String {
        address_of(self.ports[0], "postgres")
    }

    /// An address that leads to the one that began as the standby, whatever it is now.
    pub fn second_url(&self) -> String {
        address_of(self.ports[1], "postgres")
    }

    /// The primary crashes, and the standby takes its place.
    pub fn fail_over(&mut self) {
        self.order(b"fail over\n");
    }

    /// The same, but the primary had changes of which the standby knew nothing, and comes back as a standby that
    /// shows them: it can never follow the new primary.
    pub fn fail_over_with_divergence(&mut self) {
        self.order(b"part\n");
    }

    fn order(&mut self, line: &[u8]) {
        let mut input = self.keeper.shell.stdin.as_ref().expect("a pipe");
        input.write_all(line).expect("the keeper lives");
        self.keeper.expect("promoted");
    }

    /// Waits until the standby shows everything that was written.
    pub async fn wait_for_replay(&self) {
        let client = self.connect().await;
        client.batch_execute("SET synchronous_commit = remote_apply").await.expect("it is set");
        // A commit that changes nothing, and is acknowledged when the standby shows it.
        let message = "SELECT pg_logical_emit_message(true, 'zumra', '')";
        client.batch_execute(message).await.expect("the standby replays");
    }

    /// A connection to the one that takes writes.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }

    /// A connection to the one that began as the standby.
    pub async fn connect_to_second(&self) -> Client {
        connect(&self.second_url()).await
    }

    /// A connection to the one that began as the primary.
    pub async fn connect_to_first(&self) -> Client {
        connect(&self.first_url()).await
    }
}

/// A database of its own, empty, on the server of the tests. Gone when it is dropped.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// Makes one. Fails with what to install if there is no server.
    pub async fn new() -> Self {
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes);
        let name = format!("zumra_test_{}", hex(&bytes));
        let client = connect(&server().address).await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database is made");
        Self { name }
    }

    /// Its address.
    pub fn url(&self) -> String {
        let (place, query) = server().address.split_once('?').unwrap_or((&server().address, ""));
        let (host, _) = place.rsplit_once('/').expect("an address ends with a name");
        format!("{host}/{}?{query}", self.name)
    }

    /// Takes it away from everybody: connections are cut, and new ones refused.
    pub async fn block_connections(&self) {
        let client = connect(&server().address).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        let orders = format!("ALTER DATABASE {0} ALLOW_CONNECTIONS false; {cut} = '{0}'", self.name);
        client.batch_execute(&orders).await.expect("it is shut");
    }

    /// Gives it back.
    pub async fn allow_connections(&self) {
        let client = connect(&server().address).await;
        let order = format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name);
        client.batch_execute(&order).await.expect("it is open");
    }

    /// A connection to it, for looking behind the scenes.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let order = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread, because a test's own runtime cannot wait for another one.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let _ = connect(&server().address).await.batch_execute(&order).await; // gone with its server at last
            });
        });
        let _ = dropping.join();
    }
}

async fn connect(address: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(address, NoTls).await.expect("the server of the tests answers");
    // It ends when the client is dropped, or with an error that the client sees too.
    tokio::spawn(async move { drop(connection.await) });
    client
}
