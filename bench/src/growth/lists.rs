//! Response times of lists of merchants of different sizes that share a database.

use super::{data, service};
use crate::database::Databases;
use crate::installation;
use crate::process::Process;
use crate::progress::progress;
use crate::report::ListTimes;
use crate::summary::Summary;

/// Requests of each list, one after another.
pub(super) const READS: u64 = 300;
/// Customers of the merchants.
const MERCHANT_SIZES: [i64; 4] = [1000, 10_000, 100_000, 1_000_000];
/// Groups of each merchant.
const GROUPS: i64 = 20;
/// Merchants with at least this many customers have a page 1,000.
const CUSTOMERS_OF_1000_PAGES: i64 = 15_000;
/// The warm-up has `1 / WARM_UP_DIVISOR` of the requests.
const WARM_UP_DIVISOR: u64 = 10;

/// Measures merchants of at most `limit` customers.
pub(super) fn measure(databases: &Databases, limit: i64, reads: u64) -> anyhow::Result<Vec<ListTimes>> {
    let sizes = MERCHANT_SIZES.into_iter().filter(|size| *size <= limit);
    let merchants: Vec<(i64, i64)> = (1..).zip(sizes).collect();
    progress(&format!("{}: growth: lists of {} merchants", databases.engine().name(), merchants.len()));
    let database = databases.create()?;
    let fixtures = merchants.iter().map(|(id, _)| installation::merchant_fixture(*id, GROUPS, 0));
    installation::load(&database, fixtures)?;
    for &(id, customers) in &merchants {
        database.fill(&data::customers(databases.engine(), id..=id, customers))?;
    }
    database.settle()?;
    let zumra = Process::start_zumra(databases.janitor(), &database)?;
    let mut times = Vec::new();
    for (id, customers) in merchants {
        let keyword = format!("customers?keyword={}", data::name(customers));
        let mut lists = vec![("customers, page 1", "customers"), ("groups, page 1", "customers/groups")];
        if customers >= CUSTOMERS_OF_1000_PAGES {
            lists.push(("customers, page 1000", "customers?page=1000"));
        }
        lists.push(("customers, a keyword that finds one", &keyword));
        for (list, path) in lists {
            service::get_repeatedly(&zumra, id, path, reads / WARM_UP_DIVISOR)?;
            let run = service::get_repeatedly(&zumra, id, path, reads)?;
            let summary = Summary::from_runs(&[run], None, None);
            times.push(ListTimes { customers, list, p50_ms: summary.p50_ms, p99_ms: summary.p99_ms });
        }
    }
    drop(zumra);
    databases.drop(&database)?;
    Ok(times)
}
