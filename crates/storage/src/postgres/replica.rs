//! A replica: a standby of the same server, which lists are read from once it shows what was acknowledged before.
//!
//! What belongs here: its pool, how far it has come, and when it is left alone. What is read stands with each noun, and
//! runs on either server.
//!
//! A list first asks the primary how far its log is written. All that was acknowledged before, to whichever client
//! and by whichever service, lies before that point, so a replica that has replayed up to there shows it. Ids of
//! operations could not be the measure: they do not ascend in the order of commits. Nothing is kept between two
//! lists but whether the replica is well, so services need not agree on anything.
//!
//! Positions in a log mean something only within one history, so the replica also says whose log it replays. One that
//! was ahead of its primary's successor when that took over holds changes that never came to be; its positions would
//! look as good as any. It says the old timeline, and is not asked.
//!
//! These two statements are PostgreSQL's own, and run only where a replica is configured.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, GenericClient, Pool, PoolError, TimeoutType, Timeouts};

use super::address::PostgresOptions;
use super::connections::{Connections, Work};
use super::errors::{Failure, Try};
use super::{GRACE, open};
use crate::metrics::{Listed, Metrics};
use crate::{Result, StorageError};

/// How long the replica may take until it has said how far it is, a new connection included. Its lists take as long as
/// the primary's may.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// How long each host of its address may take to be reached, so that another one gets its turn in time.
const HOST_TIME: Duration = Duration::from_millis(300);
/// How long anybody waits for it to catch up, and for a free connection: then the primary is quicker.
const CATCH_UP_TIME: Duration = Duration::from_millis(20);
/// How long anybody waits between two looks.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(2);
/// How long it is left alone after it has failed.
const REST: Duration = Duration::from_secs(5);

/// A point in the log of the primary.
struct Point {
    position: String,
    /// The history that the position belongs to, as the names of log files begin.
    timeline: String,
    /// The server that it belongs to; copies of a server share it.
    system: i64,
    database: String,
}

/// What the replica says to a point.
enum Answer {
    /// It has replayed up to there.
    There,
    NotYet,
    /// Why it cannot be asked.
    No(&'static str),
}

/// A replica, with connections of its own.
pub(super) struct Replica {
    pool: Pool,
    /// A list that takes longer has lost its server: the server's own limit comes first.
    patience: Duration,
    standing: Standing,
    metrics: Metrics,
}

impl Replica {
    /// Connects to nothing yet: it may be away.
    pub(super) fn new(options: &PostgresOptions, metrics: Metrics) -> Result<Self> {
        let mut options = options.clone();
        if options.config.get_connect_timeout().is_none() {
            options.config.connect_timeout(HOST_TIME);
        }
        let pool = open::pool(&options).map_err(|error| match error {
            StorageError::Unavailable(why) => StorageError::Unavailable(format!("replica: {why}")),
            other => other,
        })?;
        let patience = options.statement_time + GRACE;
        Ok(Self { pool, patience, standing: Standing::default(), metrics })
    }

    /// Runs `work` on the replica if that shows everything acknowledged until now, else on the primary. No failure of
    /// the replica's comes out of here.
    pub(super) async fn read<T, F>(&self, primary: &Connections, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        if self.standing.admits(Instant::now()) {
            match primary.read(|db| Box::pin(point(db))).await {
                Ok(point) => {
                    if let Some(done) = self.read_once(&point, &work).await {
                        self.metrics.lists.get_or_create(&Listed::REPLICA).inc();
                        return Ok(done);
                    }
                }
                // The primary's own failure, after as many tries as a list gets.
                Err(error @ StorageError::Unavailable(_)) => return Err(error),
                // It answers, but has no such point: it is a standby itself, or not PostgreSQL.
                Err(error) => self.leave(error),
            }
        }
        self.metrics.lists.get_or_create(&Listed::PRIMARY).inc();
        primary.read(work).await
    }

    async fn read_once<T, F>(&self, point: &Point, work: &F) -> Option<T>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        match self.read_from(point, work).await {
            Ok(None) => None,
            Ok(Some(done)) => {
                if self.standing.resume() {
                    tracing::info!("lists are read from the replica again");
                }
                Some(done)
            }
            // What it replays takes away rows that the list still needed. It is well.
            Err(Failure::InTheWay(why)) => {
                tracing::debug!(%why, "a list is read from the primary");
                None
            }
            Err(Failure::Final(error) | Failure::Lost(error)) => {
                self.leave(error);
                None
            }
        }
    }

    /// Nothing if the replica is behind, or busy.
    async fn read_from<T, F>(&self, point: &Point, work: &F) -> Try<Option<T>>
    where
        F: for<'c> Fn(&'c Client) -> Work<'c, Try<T>>,
    {
        let caught_up = tokio::time::timeout(ANSWER_TIME, self.caught_up(point)).await;
        let Some(client) = caught_up.unwrap_or_else(|_| Err(Failure::silent()))? else { return Ok(None) };
        let done = tokio::time::timeout(self.patience, work(&client)).await;
        done.unwrap_or_else(|_| Err(Failure::silent())).map(Some)
    }

    /// A connection on which everything up to this point can be seen.
    async fn caught_up(&self, point: &Point) -> Try<Option<Client>> {
        let times = Timeouts { wait: Some(CATCH_UP_TIME), ..self.pool.timeouts() };
        let client = match self.pool.timeout_get(&times).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => return Ok(None),
            got => got?,
        };
        let since = Instant::now();
        loop {
            match answer(&client, point).await? {
                Answer::There => return Ok(Some(client)),
                Answer::NotYet if since.elapsed() < CATCH_UP_TIME => {
                    tokio::time::sleep(CATCH_UP_PAUSE).await;
                }
                Answer::NotYet => return Ok(None),
                Answer::No(why) => return Err(StorageError::Unavailable(why.to_owned()).into()),
            }
        }
    }

    /// Says so once, however many lists find the same.
    fn leave(&self, error: StorageError) {
        // Who hangs on one connection hangs on all, and each would have to be found out by another list.
        self.pool.retain(|_, _| false);
        if self.standing.leave(Instant::now()) {
            let why = match error {
                StorageError::Unavailable(why) => why,
                other => other.to_string(),
            };
            tracing::warn!(%why, "the replica is left alone; lists are read from the primary");
        }
    }

    /// Lets go of the connections.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Where the primary is. Everything that it has acknowledged lies before this point.
async fn point<C: GenericClient>(primary: &C) -> Try<Point> {
    let sql = "SELECT pg_current_wal_lsn()::text, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                      system_identifier, current_database()::text
               FROM pg_control_system()";
    let statement = primary.prepare_cached(sql).await?;
    let row = primary.query_one(&statement, &[]).await?;
    Ok(Point {
        position: row.try_get(0)?,
        timeline: row.try_get(1)?,
        system: row.try_get(2)?,
        database: row.try_get(3)?,
    })
}

async fn answer<C: GenericClient>(replica: &C, point: &Point) -> Try<Answer> {
    // A replica knows its timeline from the newest checkpoint that it has made its own, so a change of timeline shows
    // late here, but never before it is followed.
    let sql = "SELECT pg_is_in_recovery(),
                      system_identifier = $3 AND current_database() = $4::text,
                      lpad(upper(to_hex(timeline_id)), 8, '0') = $2::text,
                      coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)
               FROM pg_control_system(), pg_control_checkpoint()";
    let statement = replica.prepare_cached(sql).await?;
    let Point { position, timeline, system, database } = point;
    let row = replica.query_one(&statement, &[position, timeline, system, database]).await?;
    let [recovers, same, follows, there] =
        [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
    Ok(match (recovers, same, follows, there) {
        (false, ..) => Answer::No("it is no replica: it takes writes itself"),
        (_, false, ..) => Answer::No("it is a replica of another database"),
        (_, _, false, _) => Answer::No("it has made no checkpoint yet since the primary took over"),
        (.., true) => Answer::There,
        (.., false) => Answer::NotYet,
    })
}

/// Whether the replica is asked. Nothing if it is; else the moment from which on one list may find out again.
#[derive(Default)]
struct Standing(Mutex<Option<Instant>>);

impl Standing {
    /// Whether a list that begins now may ask it. Of those that come after a rest only the first may: if it still
    /// hangs, the others do not wait for it.
    fn admits(&self, now: Instant) -> bool {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *rest {
            None => true,
            Some(end) if end <= now => {
                *rest = Some(now + REST);
                true
            }
            Some(_) => false,
        }
    }

    /// Leaves it alone for a while. Whether it was asked until now.
    fn leave(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(now + REST).is_none()
    }

    /// It is well. Whether it was left alone until now.
    fn resume(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_rest_one_list_asks_for_all() {
        let (standing, start) = (Standing::default(), Instant::now());
        assert!(standing.admits(start) && standing.admits(start), "it is asked by all");
        assert!(!standing.resume(), "and was never left");
        assert!(standing.leave(start), "that is news");
        assert!(!standing.leave(start), "and that is none");
        assert!(!standing.admits(start + REST / 2));
        assert!(standing.admits(start + REST));
        assert!(!standing.admits(start + REST), "one is enough");
        assert!(standing.admits(start + REST * 2), "if nothing came of it, another");
        assert!(standing.resume() && !standing.resume());
        assert!(standing.admits(start));
    }
}
