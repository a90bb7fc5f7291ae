//! Two other shop backends, loaded with the same requests on the same PostgreSQL server. `bench/peers` sets them up.
//!
//! What belongs here: how they are started and measured. What they are asked is `peers/product.rs`, how a single request
//! is answered `peers/http.rs`, what their numbers say about ours `peers/against.rs`.

pub(crate) mod against;
mod http;
mod product;

use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use crate::database::{Database, Site};
use crate::load::{self, Refusal, Run};
use crate::measure::Summary;
use crate::report::{Bounds, Line, Report};
use crate::service::{Process, free_address};
use crate::workloads::{Kind, WORKLOADS, Workload, scaled};
use crate::{Arguments, fail, progress};
use against::Against;
use product::Product;

/// The folder of `set-up` and `start`.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
/// Each peer is measured with so many processes: more than there are cores gain nothing.
const PROCESSES: [usize; 2] = [1, 2];
/// They are slow and vary little: of more runs than these no more is learnt.
const RUNS: u64 = 3;
/// How long a peer may take until it answers, and how long to wait between two looks.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(200);
/// A peer whose processes use less of a core than this has started.
const IDLE: f64 = 0.1;

/// Whom we are measured against.
#[derive(Serialize)]
pub(crate) struct Peers {
    medusa: String,
    vendure: String,
    node: String,
    /// Runs of each workload.
    runs: u64,
    /// What they were asked for and did not do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<Refused>,
    against: Vec<Against>,
}

/// A workload that a peer refuses.
#[derive(Serialize)]
struct Refused {
    system: &'static str,
    processes: usize,
    workload: &'static str,
    answer: String,
}

/// Measures both peers by the workloads that are wanted and that they know: those that add.
pub(crate) fn measure(
    site: &Site,
    folder: &Path,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let is_wanted = |workload: &&Workload| workload.kind == Kind::New && arguments.wants(workload.name);
    let wanted: Vec<&Workload> = WORKLOADS.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    progress("peers: setting them up");
    match set_up(site, folder).and_then(|()| versions(folder, arguments.runs.min(RUNS))) {
        Ok(peers) => report.peers = Some(peers),
        Err(error) => {
            fail(report, "peers", &error);
            return report.save(&arguments.out);
        }
    }
    for product in Product::ALL {
        for processes in PROCESSES {
            let place = Place { site, folder, database: site.named(product.name())?, product, processes };
            place.measure(&wanted, arguments, report)?;
        }
    }
    Ok(())
}

/// Makes their databases anew, and installs what is not installed yet.
fn set_up(site: &Site, folder: &Path) -> anyhow::Result<()> {
    let (host, port) = site.place()?;
    let mut command = Command::new(Path::new(SCRIPTS).join("set-up"));
    command.arg(folder).args([host, port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().context("bench/peers/set-up cannot be started")?;
    let pid = child.id();
    site.keeper().started(pid)?;
    let output = child.wait_with_output()?;
    site.keeper().ended(pid)?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// What is installed.
fn versions(folder: &Path, runs: u64) -> anyhow::Result<Peers> {
    let [medusa, vendure] = Product::ALL.map(|product| product.version(folder));
    let node = Command::new("node").arg("--version").output().context("node cannot be run")?;
    let node = String::from_utf8_lossy(&node.stdout).trim().trim_start_matches('v').to_owned();
    Ok(Peers { medusa: medusa?, vendure: vendure?, node, runs, refusals: Vec::new(), against: Vec::new() })
}

/// What is measured now, and where.
struct Place<'a> {
    site: &'a Site,
    folder: &'a Path,
    database: Database,
    product: Product,
    processes: usize,
}

impl Place<'_> {
    /// All workloads, one after the other. What was measured is saved after each.
    fn measure(
        &self,
        wanted: &[&Workload],
        arguments: &Arguments,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let (name, processes) = (self.product.name(), self.processes);
        let mut running = None;
        for workload in wanted {
            progress(&format!("peers: {name} × {processes}: {}", workload.name));
            let lines = self.started(&mut running).and_then(|peer| self.line(peer, workload, arguments));
            match lines {
                Ok(line) => {
                    // Peers are measured last on the engine that is measured last.
                    let engine = report.engines.last_mut().context("no engine")?;
                    engine.lines.push(line);
                }
                Err(error) => {
                    // It may still work on what was asked: the next workload gets another one.
                    running = None;
                    self.note(report, workload, &error);
                }
            }
            let against = against::against(report);
            report.peers.as_mut().context("no peers")?.against = against;
            report.save(&arguments.out)?;
        }
        Ok(())
    }

    /// Ten thousand at once are more than a shop's backend must take: to refuse them is an answer, not a failure.
    fn note(&self, report: &mut Report, workload: &Workload, error: &anyhow::Error) {
        let (system, processes) = (self.product.name(), self.processes);
        match (error.downcast_ref::<Refusal>(), &mut report.peers) {
            (Some(refusal), Some(peers)) if workload.size >= 10_000 => {
                let answer = refusal.reason();
                progress(&format!("peers: {system} × {processes}: {} refused: {answer}", workload.name));
                peers.refusals.push(Refused { system, processes, workload: workload.name, answer });
            }
            _ => fail(report, &format!("{} on {system} × {processes}", workload.name), error),
        }
    }

    /// The peer, started if it is not.
    fn started<'a>(&self, running: &'a mut Option<Peer>) -> anyhow::Result<&'a Peer> {
        let peer = match running.take() {
            Some(peer) => peer,
            None => self.start()?,
        };
        Ok(running.insert(peer))
    }

    fn start(&self) -> anyhow::Result<Peer> {
        let ((host, port), address) = (self.site.place()?, free_address()?);
        let mut command = Command::new(Path::new(SCRIPTS).join("start"));
        command.arg(self.product.name()).arg(self.folder).args([
            host,
            port.to_string(),
            address.port().to_string(),
            self.processes.to_string(),
        ]);
        let mut process = Process::launch(self.site.keeper(), command, address)?;
        wait_until_ready(&mut process)?;
        let answer = http::ask(address, &self.product.login())?;
        let token = self.product.token(&answer).context("no token after the login")?;
        Ok(Peer { process, token })
    }

    /// One workload, which begins with groups that are empty and ends with as many members as were sent.
    fn line(&self, peer: &Peer, workload: &Workload, arguments: &Arguments) -> anyhow::Result<Line> {
        let product = self.product;
        self.database.fill(&[format!("TRUNCATE {}", product.tables().join(", "))])?;
        self.database.settle()?;
        // Whatever many processes answer, each has to compile for itself.
        let warm_up = product::warm_up(workload.size) * self.processes as u64;
        let requests = scaled(product.requests(workload.size), arguments.scale).max(workload.clients as u64);
        if warm_up > 0 {
            peer.run(product, workload, 0..warm_up)?;
        }
        let (mut runs, mut cpu) = (Vec::new(), Some(0.0));
        let mut sent = warm_up;
        for _ in 0..arguments.runs.min(RUNS) {
            let before = peer.process.cpu();
            runs.push(peer.run(product, workload, sent..sent + requests)?);
            sent += requests;
            let used = peer.process.cpu().zip(before).map(|(to, from)| to - from);
            cpu = cpu.zip(used).map(|(sum, used)| sum + used);
        }
        let (wanted, rows) = (i64::try_from(sent)? * workload.size, self.database.rows(product.tables()[0])?);
        anyhow::ensure!(rows == wanted, "{wanted} customers were sent, and {rows} are members");
        Ok(Line {
            system: product.name().to_owned(),
            processes: self.processes,
            workload: workload.name,
            clients: workload.clients,
            size: workload.size,
            summary: Summary::of(&runs, cpu, peer.process.memory()),
            bounds: Bounds::default(),
        })
    }
}

/// A peer that runs, and who we are for it.
struct Peer {
    process: Process,
    token: String,
}

impl Peer {
    fn run(&self, product: Product, workload: &Workload, numbers: Range<u64>) -> anyhow::Result<Run> {
        let address: SocketAddr = self.process.address();
        load::run(&[address], workload.clients, numbers, &|_, number, to: &mut Vec<u8>| {
            product.write(workload.ask(number), &self.token, to);
            200
        })
    }
}

/// Waits until a peer answers. Of several processes the first one answers while the others still start, and nobody else
/// tells: so it also waits until they have nothing to do.
fn wait_until_ready(process: &mut Process) -> anyhow::Result<()> {
    let started = Instant::now();
    let health = http::get("/health");
    let mut is_healthy = false;
    loop {
        process.check()?;
        is_healthy = is_healthy || http::ask(process.address(), &health).is_ok_and(|a| a.status == 200);
        if is_healthy {
            let before = process.cpu();
            std::thread::sleep(Duration::from_secs(1));
            let used = process.cpu().zip(before).map_or(0.0, |(to, from)| to - from);
            if used < IDLE {
                return Ok(());
            }
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "it has not started in {} s", PATIENCE.as_secs());
        std::thread::sleep(LOOK);
    }
}
