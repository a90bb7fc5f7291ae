//! The growth benchmark: what adding customers and reading lists costs as the number of rows grows.
//!
//! Runs on a filled group alternate with runs on an empty group, so that other load on the host
//! affects both. `growth/data.rs` creates the rows, `growth/lists.rs` measures lists.

mod data;
mod lists;
mod service;

use std::ops::Range;

use crate::database::{Database, Databases};
use crate::installation;
use crate::load::{self, Run};
use crate::process::Process;
use crate::progress::progress;
use crate::report::{Growth, GrowthPoint};
use crate::requests;
use crate::summary::{Summary, median};
use crate::workloads::{Request, scaled};
use data::GROUP;

/// Members of the group of one merchant.
const GROUP_SIZES: [i64; 4] = [0, 10_000, 1_000_000, 10_000_000];
/// Members and customers of each of many merchants.
const MANY_MEMBERS: i64 = 10_000;
const MANY_CUSTOMERS: i64 = 12_000;
/// Distance between the merchants of two consecutive requests, so that merchants are not visited in storage
/// order. A prime, so that each merchant is visited.
const MERCHANT_STEP: u64 = 7919;

/// Customers per request.
const REQUEST_SIZE: i64 = 100;
/// The same number of clients as in the workload `add-100`.
const CLIENTS: usize = 8;
/// Requests of a run with one merchant, and of the discarded warm-up before it.
const REQUESTS: u64 = 3000;
const WARM_UP_REQUESTS: u64 = 50;
/// Runs for each group size.
pub(crate) const RUNS: u64 = 5;
/// Requests of a run with many merchants, and the number of runs. These runs vary more, so there are more of them. The
/// data are not reset between them.
const MANY_REQUESTS: u64 = 4000;
pub(crate) const MANY_RUNS: u64 = 9;
/// Minimum number of requests of a run, at any scale.
const MIN_REQUESTS: u64 = 10;

/// Number of rows of one measured configuration.
#[derive(Clone, Copy)]
struct Size {
    merchants: i64,
    members: i64,
    customers: i64,
}

/// Runs the growth benchmark with groups of at most `limit` members.
pub(crate) fn measure(databases: &Databases, limit: i64, scale: f64) -> anyhow::Result<Growth> {
    let requests = |count: u64| scaled(count, scale).clamp(MIN_REQUESTS, count);
    let mut points = measure_one_merchant(databases, limit, requests(REQUESTS))?;
    points.extend(measure_many_merchants(databases, limit, requests(MANY_REQUESTS))?);
    Ok(Growth { points, lists: lists::measure(databases, limit, requests(lists::READS))? })
}

/// Measures a growing group of one merchant alternately with an empty group.
fn measure_one_merchant(
    databases: &Databases,
    limit: i64,
    requests: u64,
) -> anyhow::Result<Vec<GrowthPoint>> {
    let added_per_run = i64::try_from(WARM_UP_REQUESTS + REQUESTS)? * REQUEST_SIZE;
    let customers = (limit + limit / 10).max(limit + added_per_run);
    let engine = databases.engine();
    progress(&format!("{}: growth: one merchant with {customers} customers", engine.name()));
    let empty = databases.create()?;
    installation::load(&empty, std::iter::once(installation::merchant_fixture(1, 1, 0)))?;
    empty.fill(&data::customers(engine, 1..=1, customers))?;
    empty.settle()?;
    let database = databases.copy(&empty)?;
    let empty_service = Process::start_zumra(databases.janitor(), &empty)?;
    let (mut points, mut filled) = (Vec::new(), 0);
    for members in GROUP_SIZES.into_iter().filter(|members| *members <= limit) {
        progress(&format!("{}: growth: a group of {members} members", engine.name()));
        database.fill(&data::members(engine, 1..=1, filled + 1..=members))?;
        database.settle()?;
        filled = members;
        let start_ms = service::median_start_ms(databases, &database)?;
        let service = Process::start_zumra(databases.janitor(), &database)?;
        let [mut empty_runs, mut runs] = [Vec::new(), Vec::new()];
        for _ in 0..RUNS {
            empty_runs.push(run_from(0, &empty, &empty_service, requests)?);
            runs.push(run_from(members, &database, &service, requests)?);
        }
        database.fill(&[data::delete_members_above(members)])?;
        let size = Size { merchants: 1, members, customers };
        points.push(summarize(size, &runs, &empty_runs, service.peak_memory_mib(), start_ms));
    }
    drop(empty_service);
    databases.drop(&database)?;
    databases.drop(&empty)?;
    Ok(points)
}

/// Resets the group of one merchant to `members` members, warms up the service and measures one run.
///
/// The warm-up fills the service's page cache again after the reset.
fn run_from(members: i64, database: &Database, service: &Process, requests: u64) -> anyhow::Result<Run> {
    database.fill(&[data::delete_members_above(members)])?;
    database.settle()?;
    let request = |number: u64| add_request(1, members, number);
    send(service, 0..WARM_UP_REQUESTS, request)?;
    send(service, WARM_UP_REQUESTS..WARM_UP_REQUESTS + requests, request)
}

/// Measures one group of each of many merchants: empty groups alternately with filled groups.
fn measure_many_merchants(
    databases: &Databases,
    limit: i64,
    requests: u64,
) -> anyhow::Result<Vec<GrowthPoint>> {
    let merchants = (limit / MANY_MEMBERS).max(1);
    let engine = databases.engine();
    progress(&format!(
        "{}: growth: {merchants} merchants with {MANY_CUSTOMERS} customers each",
        engine.name()
    ));
    let empty = databases.create()?;
    installation::load(&empty, (1..=merchants).map(|id| installation::merchant_fixture(id, 1, 0)))?;
    empty.fill(&data::customers(engine, 1..=merchants, MANY_CUSTOMERS))?;
    empty.settle()?;
    let filled = databases.copy(&empty)?;
    filled.fill(&data::members(engine, 1..=merchants, 1..=MANY_MEMBERS))?;
    filled.settle()?;
    let empty_start_ms = service::median_start_ms(databases, &empty)?;
    let filled_start_ms = service::median_start_ms(databases, &filled)?;
    let empty_service = Process::start_zumra(databases.janitor(), &empty)?;
    let filled_service = Process::start_zumra(databases.janitor(), &filled)?;
    // With a small limit, there are few customers who are not members yet.
    let available_requests = (merchants * (MANY_CUSTOMERS - MANY_MEMBERS) / REQUEST_SIZE).unsigned_abs();
    let requests = requests.min(available_requests / (MANY_RUNS + 1));
    progress(&format!("{}: growth: {merchants} groups of 0 and of {MANY_MEMBERS} members", engine.name()));
    let [mut empty_runs, mut filled_runs] = [Vec::new(), Vec::new()];
    for turn in 0..=MANY_RUNS {
        let numbers = || turn * requests..(turn + 1) * requests;
        let request = |number| many_merchants_request(merchants.unsigned_abs(), number);
        let empty_run = send(&empty_service, numbers(), request)?;
        let filled_run = send(&filled_service, numbers(), request)?;
        // The first turn is the warm-up.
        if turn > 0 {
            empty_runs.push(empty_run);
            filled_runs.push(filled_run);
        }
    }
    let size = |members| Size { merchants, members, customers: merchants * MANY_CUSTOMERS };
    let (empty_memory, filled_memory) = (empty_service.peak_memory_mib(), filled_service.peak_memory_mib());
    let points = vec![
        summarize(size(0), &empty_runs, &empty_runs, empty_memory, empty_start_ms),
        summarize(size(merchants * MANY_MEMBERS), &filled_runs, &empty_runs, filled_memory, filled_start_ms),
    ];
    drop((empty_service, filled_service));
    databases.drop(&filled)?;
    databases.drop(&empty)?;
    Ok(points)
}

/// Returns the add request with this number. Consecutive numbers belong to different merchants.
fn many_merchants_request(merchants: u64, number: u64) -> Request {
    let merchant = i64::try_from(number % merchants * MERCHANT_STEP % merchants).unwrap_or(0);
    add_request(1 + merchant, MANY_MEMBERS, number / merchants)
}

/// Returns the add request at `index`. Each request adds the next [`REQUEST_SIZE`] customers after the first `members`.
fn add_request(merchant: i64, members: i64, index: u64) -> Request {
    let first = members + 1 + i64::try_from(index).unwrap_or(0) * REQUEST_SIZE;
    Request::Add { merchant, group: GROUP, first, count: REQUEST_SIZE, is_last_missing: false }
}

fn send(service: &Process, numbers: Range<u64>, request: impl Fn(u64) -> Request) -> anyhow::Result<Run> {
    load::run(&[service.address()], CLIENTS, numbers, &|_, number, buffer: &mut Vec<u8>| {
        requests::write(request(number), buffer);
        200
    })
}

/// Summarizes runs, each compared with the run on an empty group in the same turn.
fn summarize(
    size: Size,
    runs: &[Run],
    empty_runs: &[Run],
    memory_mib: Option<u64>,
    start_ms: f64,
) -> GrowthPoint {
    debug_assert_eq!(runs.len(), empty_runs.len());
    let ratios = runs
        .iter()
        .zip(empty_runs)
        .map(|(run, empty_run)| run.elapsed.as_secs_f64() / empty_run.elapsed.as_secs_f64());
    let summary = Summary::from_runs(runs, None, memory_mib);
    GrowthPoint {
        merchants: size.merchants,
        members: size.members,
        customers: size.customers,
        ms_per_request: 1000.0 / summary.median_per_second,
        ratio_to_empty: median(ratios.collect()),
        fastest_ms: 1000.0 / summary.fastest_per_second,
        slowest_ms: 1000.0 / summary.slowest_per_second,
        p50_ms: summary.p50_ms,
        p99_ms: summary.p99_ms,
        memory_mib,
        start_ms,
    }
}
