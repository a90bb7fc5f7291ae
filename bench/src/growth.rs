//! What adding customers and reading lists costs when there are ever more of them.
//!
//! What belongs here: the sizes, and what is asked at each. How the data come into being is `growth/data.rs`. What a size
//! costs is compared with an empty group in turns, so that whatever else the machine does meets both.

mod data;

use std::time::Instant;

use serde::Serialize;

use crate::database::{Database, Site};
use crate::installation;
use crate::load::{self, Run};
use crate::measure::Summary;
use crate::progress;
use crate::requests;
use crate::service::Process;
use crate::workloads::{Ask, scaled};

/// Members that the group has.
const SIZES: [i64; 4] = [0, 10_000, 1_000_000, 10_000_000];
/// Where there are many merchants: members and customers of each.
const MANY_MEMBERS: i64 = 10_000;
const MANY_CUSTOMERS: i64 = 12_000;
/// From the shop of a request to that of the next: shops do not come in the order in which they lie in the database. A
/// prime, so that each has its turn.
const STEP: u64 = 7919;
/// Customers of the shops whose lists are read.
const SHOPS: [i64; 4] = [1000, 10_000, 100_000, 1_000_000];

/// Customers of one request.
const PIECE: i64 = 100;
/// The clients of the workload of the same size.
const CLIENTS: usize = 8;
/// Requests of a run, and of the one before it that is not counted.
const REQUESTS: u64 = 3000;
const WARM_UP: u64 = 50;
pub(crate) const RUNS: u64 = 5;
/// The same where there are many merchants: nothing is made ready between the runs, and they differ more.
const MANY_REQUESTS: u64 = 4000;
pub(crate) const MANY_RUNS: u64 = 9;
/// Starts of the service for each size.
const STARTS: u64 = 5;
/// How often each list is read, one request after another.
const READS: u64 = 300;
/// The only group, or the first of them.
const GROUP: i64 = 1;

/// What was measured on one engine.
#[derive(Serialize)]
pub(crate) struct Growth {
    pub(crate) points: Vec<Point>,
    pub(crate) lists: Vec<ListTimes>,
}

/// `add-100` at one size.
#[derive(Serialize)]
pub(crate) struct Point {
    pub(crate) merchants: i64,
    /// Of all merchants, before each run.
    pub(crate) members: i64,
    pub(crate) customers: i64,
    /// Time of a run by its requests: the median of the runs, the fastest and the slowest.
    pub(crate) ms_per_request: f64,
    /// How many times that of a run on an empty group just before: the median of the turns. For one shop, an empty group
    /// has another one beside it too, and differs from 1 by chance alone.
    pub(crate) of_empty: f64,
    pub(crate) fastest_ms: f64,
    pub(crate) slowest_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The most that a freshly started service had by the end of the runs.
    pub(crate) memory_mib: Option<u64>,
    /// From the start of a service to its first answer; the median.
    pub(crate) start_ms: f64,
}

/// How long one list takes, asked by one client.
#[derive(Serialize)]
pub(crate) struct ListTimes {
    /// Of the shop.
    pub(crate) customers: i64,
    pub(crate) list: &'static str,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Measures groups of at most `limit` members.
pub(crate) fn measure(site: &Site, limit: i64, scale: f64) -> anyhow::Result<Growth> {
    let requests = scaled(REQUESTS, scale).clamp(10, REQUESTS);
    let mut points = one_shop(site, limit, requests)?;
    points.extend(many_shops(site, limit, scaled(MANY_REQUESTS, scale).clamp(10, MANY_REQUESTS))?);
    let reads = scaled(READS, scale).clamp(10, READS);
    Ok(Growth { points, lists: lists(site, limit, reads)? })
}

/// One group of one shop, which grows, in turns with one that stays empty.
fn one_shop(site: &Site, limit: i64, requests: u64) -> anyhow::Result<Vec<Point>> {
    let room = i64::try_from(WARM_UP + REQUESTS)? * PIECE;
    let customers = (limit + limit / 10).max(limit + room);
    progress(&format!("{}: growth: a shop of {customers} customers", site.engine().name()));
    let empty = site.create()?;
    installation::load(&empty, std::iter::once(installation::shop(1, 1, 0)))?;
    empty.fill(&data::customers(site.engine(), 1..=1, customers))?;
    empty.settle()?;
    let database = site.copy(&empty)?;
    let control = Process::zumra(site.keeper(), &empty)?;
    let (mut points, mut grown) = (Vec::new(), 0);
    for size in SIZES.into_iter().filter(|size| *size <= limit) {
        progress(&format!("{}: growth: a group of {size} members", site.engine().name()));
        database.fill(&data::members(site.engine(), 1..=1, grown + 1..=size))?;
        database.settle()?;
        grown = size;
        let start_ms = start_ms(site, &database)?;
        let service = Process::zumra(site.keeper(), &database)?;
        let [mut of_none, mut of_size] = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            of_none.push(run_again(&empty, &control, 0, requests)?);
            of_size.push(run_again(&database, &service, size, requests)?);
        }
        database.fill(&[data::shrink(size)])?;
        points.push(point((1, size, customers), &of_size, &of_none, service.memory(), start_ms));
    }
    drop(control);
    site.drop(&database)?;
    site.drop(&empty)?;
    Ok(points)
}

/// A run on the group of one shop. Every one begins with the same members, and with the service's memory of pages filled
/// again.
fn run_again(database: &Database, service: &Process, size: i64, requests: u64) -> anyhow::Result<Run> {
    database.fill(&[data::shrink(size)])?;
    database.settle()?;
    let ask = |number: u64| add(1, size, number);
    send(service, 0..WARM_UP, ask)?;
    send(service, WARM_UP..WARM_UP + requests, ask)
}

/// A group in each of many shops: empty, and with all its members, in turns.
fn many_shops(site: &Site, limit: i64, requests: u64) -> anyhow::Result<Vec<Point>> {
    let merchants = (limit / MANY_MEMBERS).max(1);
    progress(&format!("{}: growth: {merchants} shops of {MANY_CUSTOMERS} customers", site.engine().name()));
    let empty = site.create()?;
    installation::load(&empty, (1..=merchants).map(|id| installation::shop(id, 1, 0)))?;
    empty.fill(&data::customers(site.engine(), 1..=merchants, MANY_CUSTOMERS))?;
    empty.settle()?;
    let full = site.copy(&empty)?;
    full.fill(&data::members(site.engine(), 1..=merchants, 1..=MANY_MEMBERS))?;
    full.settle()?;
    let starts = [start_ms(site, &empty)?, start_ms(site, &full)?];
    let services = [Process::zumra(site.keeper(), &empty)?, Process::zumra(site.keeper(), &full)?];
    let shops = merchants.unsigned_abs();
    let ask = |number: u64| {
        let shop = i64::try_from(number % shops * STEP % shops).unwrap_or(0);
        add(1 + shop, MANY_MEMBERS, number / shops)
    };
    // Small tries have not so many customers who are no members yet.
    let pieces = (merchants * (MANY_CUSTOMERS - MANY_MEMBERS) / PIECE).unsigned_abs();
    let requests = requests.min(pieces / (MANY_RUNS + 1));
    progress(&format!("{}: growth: {merchants} groups of none and of {MANY_MEMBERS}", site.engine().name()));
    let [mut of_none, mut of_all] = [Vec::new(), Vec::new()];
    for turn in 0..=MANY_RUNS {
        let numbers = || turn * requests..(turn + 1) * requests;
        let runs = (send(&services[0], numbers(), ask)?, send(&services[1], numbers(), ask)?);
        // The first is the warm-up.
        if turn > 0 {
            of_none.push(runs.0);
            of_all.push(runs.1);
        }
    }
    let point = |at: usize, size, runs: &[Run]| {
        let sizes = (merchants, merchants * size, merchants * MANY_CUSTOMERS);
        point(sizes, runs, &of_none, services[at].memory(), starts[at])
    };
    let points = vec![point(0, 0, &of_none), point(1, MANY_MEMBERS, &of_all)];
    drop(services);
    site.drop(&full)?;
    site.drop(&empty)?;
    Ok(points)
}

/// A piece of the customers who come after the members.
fn add(merchant: i64, members: i64, piece: u64) -> Ask {
    let first = members + 1 + i64::try_from(piece).unwrap_or(0) * PIECE;
    Ask::Add { merchant, group: GROUP, first, count: PIECE, bad: false }
}

fn send(service: &Process, numbers: std::ops::Range<u64>, ask: impl Fn(u64) -> Ask) -> anyhow::Result<Run> {
    load::run(&[service.address()], CLIENTS, numbers, &|_, number, to: &mut Vec<u8>| {
        requests::write(ask(number), to);
        200
    })
}

fn point(
    (merchants, members, customers): (i64, i64, i64),
    runs: &[Run],
    of_empty: &[Run],
    memory_mib: Option<u64>,
    start_ms: f64,
) -> Point {
    let ratios =
        runs.iter().zip(of_empty).map(|(run, empty)| run.elapsed.as_secs_f64() / empty.elapsed.as_secs_f64());
    let summary = Summary::of(runs, None, memory_mib);
    Point {
        merchants,
        members,
        customers,
        ms_per_request: 1000.0 / summary.requests,
        of_empty: median(ratios.collect()),
        fastest_ms: 1000.0 / summary.fastest,
        slowest_ms: 1000.0 / summary.slowest,
        p50_ms: summary.p50_ms,
        p99_ms: summary.p99_ms,
        memory_mib,
        start_ms,
    }
}

/// From the start of a service to its first answer, in milliseconds; the median of some starts.
fn start_ms(site: &Site, database: &Database) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let service = Process::zumra(site.keeper(), database)?;
        read(&service, 1, "customers/groups", 1)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(median(times))
}

/// The one in the middle; of an even number, the higher of the two. At least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Lists of shops of different sizes that share a database.
fn lists(site: &Site, limit: i64, reads: u64) -> anyhow::Result<Vec<ListTimes>> {
    let shops: Vec<(i64, i64)> = (1..).zip(SHOPS.into_iter().filter(|size| *size <= limit)).collect();
    progress(&format!("{}: growth: lists of {} shops", site.engine().name(), shops.len()));
    let database = site.create()?;
    installation::load(&database, shops.iter().map(|(id, _)| installation::shop(*id, 20, 0)))?;
    for &(id, customers) in &shops {
        database.fill(&data::customers(site.engine(), id..=id, customers))?;
    }
    database.settle()?;
    let service = Process::zumra(site.keeper(), &database)?;
    let mut times = Vec::new();
    for (id, customers) in shops {
        let keyword = format!("customers?keyword={}", data::name(customers));
        let mut lists = vec![("customers, page 1", "customers"), ("groups, page 1", "customers/groups")];
        if customers >= 15_000 {
            lists.push(("customers, page 1000", "customers?page=1000"));
        }
        lists.push(("customers, a keyword that finds one", &keyword));
        for (list, path) in lists {
            read(&service, id, path, reads / 10)?;
            let summary = Summary::of(&[read(&service, id, path, reads)?], None, None);
            times.push(ListTimes { customers, list, p50_ms: summary.p50_ms, p99_ms: summary.p99_ms });
        }
    }
    drop(service);
    site.drop(&database)?;
    Ok(times)
}

/// Asks one thing so many times, one after another.
fn read(service: &Process, merchant: i64, path: &str, times: u64) -> anyhow::Result<Run> {
    load::run(&[service.address()], 1, 0..times, &|_, _, to: &mut Vec<u8>| {
        requests::get(merchant, path, to);
        200
    })
}
