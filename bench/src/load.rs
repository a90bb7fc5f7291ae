//! Clients that send requests as fast as they are answered, and what they saw.
//!
//! The generator must not be the bottleneck: the HTTP bound is measured with the same clients and the same bodies, so
//! whatever they cost lowers both sides of the ratio, and a service close to the bound shows itself.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::service::{Service, TOKEN};
use crate::workloads::Workload;

/// How long clients warm up before the first run.
const WARM_UP: Duration = Duration::from_secs(1);

/// What the runs of a workload came to.
pub(crate) struct Measured {
    /// Requests a second, one number a run, ascending.
    pub(crate) rates: Vec<f64>,
    /// Microseconds from sending to the whole answer, of all runs, ascending.
    pub(crate) micros: Vec<u32>,
}

impl Measured {
    pub(crate) fn median(&self) -> f64 {
        self.rates[self.rates.len() / 2]
    }

    /// The time that this part of the requests did not exceed, in milliseconds.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a list of measurements"
        )]
        let index = ((self.micros.len() - 1) as f64 * part) as usize;
        f64::from(self.micros[index]) / 1000.0
    }
}

/// One client's connection.
struct Client<'a> {
    stream: BufReader<TcpStream>,
    workload: &'a Workload,
    number: i64,
    turn: i64,
}

impl<'a> Client<'a> {
    fn connect(service: &Service, workload: &'a Workload, turn: i64) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(service.address()).context("no connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { stream: BufReader::new(stream), workload, number: 0, turn })
    }

    /// Sends the next request and reads its whole answer.
    fn next(&mut self) -> anyhow::Result<Duration> {
        let (group, customers) = self.workload.request(self.turn, self.number);
        self.number += 1;
        let customers: Vec<String> = customers.iter().map(i64::to_string).collect();
        let body = format!(r#"{{"group_id":{group},"customers":[{}]}}"#, customers.join(","));
        let request = format!(
            "POST /admin/v2/customers/groups/add_customers HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let started = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.read_answer()?;
        Ok(started.elapsed())
    }

    fn read_answer(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if line.split(' ').nth(1) != Some(self.workload.status()) {
            bail!("{} was answered with {line:?}", self.workload.name);
        }
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse()?;
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(())
    }
}

/// Sends a workload to a service for some time, several times.
pub(crate) fn measure(
    service: &Service,
    workload: &Workload,
    time: Duration,
    runs: usize,
) -> anyhow::Result<Measured> {
    let mut clients = (0..workload.clients)
        .map(|client| Client::connect(service, workload, client))
        .collect::<anyhow::Result<Vec<_>>>()?;
    run(&mut clients, WARM_UP)?;
    let mut measured = Measured { rates: Vec::new(), micros: Vec::new() };
    for _ in 0..runs {
        let (micros, elapsed) = run(&mut clients, time)?;
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        measured.rates.push(micros.len() as f64 / elapsed.as_secs_f64());
        measured.micros.extend(micros);
    }
    measured.rates.sort_by(f64::total_cmp);
    measured.micros.sort_unstable();
    Ok(measured)
}

fn run(clients: &mut [Client<'_>], time: Duration) -> anyhow::Result<(Vec<u32>, Duration)> {
    let is_over = AtomicBool::new(false);
    let started = Instant::now();
    let micros = std::thread::scope(|scope| {
        let working: Vec<_> = clients
            .iter_mut()
            .map(|client| {
                let is_over = &is_over;
                scope.spawn(move || -> anyhow::Result<Vec<u32>> {
                    let mut micros = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        micros.push(u32::try_from(client.next()?.as_micros()).unwrap_or(u32::MAX));
                    }
                    Ok(micros)
                })
            })
            .collect();
        std::thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in working {
            all.extend(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??);
        }
        anyhow::Ok(all)
    })?;
    Ok((micros, started.elapsed()))
}
