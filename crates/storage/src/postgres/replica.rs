//! A read replica: a standby of the same server, from which lists are read once it shows every acknowledged write.
//!
//! What belongs here: its pool, the check that it has caught up, and its health. The queries are in each noun's file
//! and run on either server.
//!
//! Before a list, the primary reports its WAL position. Every acknowledged write of any client and any process lies
//! before that position, so a replica that has replayed up to it shows them all (read your writes). Operation ids
//! cannot replace the WAL position, because they do not ascend in the order of commits. A process stores only the
//! replica's health between lists, so processes need not coordinate.
//!
//! WAL positions are comparable only within one timeline, so the replica also reports its timeline. A standby that was
//! ahead of the new primary at a failover holds changes that were lost, and its position looks valid. It reports the
//! old timeline, and is not used.
//!
//! The statements for both positions are specific to PostgreSQL, and run only if a replica is configured.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, GenericClient, Pool, PoolError, TimeoutType, Timeouts};

use futures_util::future::BoxFuture;

use super::connections::TIMEOUT_MARGIN;
use super::connections::{Connections, within};
use super::errors::{AttemptError, AttemptResult};
use super::url::PostgresOptions;
use super::{pool, sql};
use crate::metrics::{Listed, Metrics};
use crate::{Result, StorageError};

/// Time limit of getting a connection and checking that the replica has caught up. A list on the replica has the same
/// time limit as on the primary.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit of connecting to each host of the replica's URL, so that the next host is tried in time.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Longest wait for the replica to catch up, and for a free connection. Beyond it the primary is faster.
const CATCH_UP_TIMEOUT: Duration = Duration::from_millis(20);
/// Pause between two checks while the replica catches up.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(2);
/// How long the replica stays disabled after a failure.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// A position in the WAL of the primary.
struct WalPosition {
    /// Log sequence number.
    lsn: String,
    /// The timeline that the LSN belongs to, in the form of the prefix of WAL file names.
    timeline: String,
    /// The system identifier of the server. Physical copies of a server share it.
    system_id: i64,
    database: String,
}

/// Whether the replica has replayed the WAL up to a position of the primary.
enum CatchUp {
    Reached,
    Behind,
    /// The replica cannot be used, for this reason.
    Unusable(&'static str),
}

/// A replica, with a pool of its own.
pub(super) struct Replica {
    pool: Pool,
    /// Time limit of one statement, as the client sees it. The server's own limit is shorter.
    timeout: Duration,
    health: Health,
    metrics: Metrics,
}

impl Replica {
    /// Returns a replica without connecting to it, because it may be unreachable.
    pub(super) fn new(options: &PostgresOptions, metrics: Metrics) -> Result<Self> {
        let mut options = options.clone();
        if options.config.get_connect_timeout().is_none() {
            options.config.connect_timeout(CONNECT_TIMEOUT);
        }
        let pool = pool::build(&options).map_err(|error| match error {
            StorageError::Unavailable(why) => StorageError::Unavailable(format!("replica: {why}")),
            other => other,
        })?;
        let timeout = options.statement_timeout + TIMEOUT_MARGIN;
        Ok(Self { pool, timeout, health: Health::default(), metrics })
    }

    /// Runs `work` on `input`: on the replica if it shows every write acknowledged so far, else on the primary. A
    /// failure of the replica is never returned.
    pub(super) async fn read<W, T, F>(&self, primary: &Connections, input: &W, work: F) -> Result<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        if self.health.admit_list(Instant::now()) {
            match primary.read(&(), |db, ()| Box::pin(wal_position(db))).await {
                Ok(position) => {
                    if let Some(value) = self.try_read(&position, input, &work).await {
                        self.metrics.lists.get_or_create(&Listed::REPLICA).inc();
                        return Ok(value);
                    }
                }
                // A failure of the primary, after its retry.
                Err(error @ StorageError::Unavailable(_)) => return Err(error),
                // The primary is a standby itself, or not PostgreSQL, and has no WAL position.
                Err(error) => self.disable(error),
            }
        }
        self.metrics.lists.get_or_create(&Listed::PRIMARY).inc();
        primary.read(input, work).await
    }

    /// Runs `work` on the replica. Returns `None` if that fails or the replica is behind, and updates its health.
    async fn try_read<W, T, F>(&self, position: &WalPosition, input: &W, work: &F) -> Option<T>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        match self.read_at(position, input, work).await {
            Ok(None) => None,
            Ok(Some(value)) => {
                if self.health.enable() {
                    tracing::info!("replica recovered; reading lists from it again");
                }
                Some(value)
            }
            // A recovery conflict: replay removed rows that the list still needed. The replica is healthy.
            Err(AttemptError::Retryable(why)) => {
                tracing::debug!(%why, "list conflicts with replay on the replica; reading it from the primary");
                None
            }
            Err(error) => {
                self.disable(error.into_storage_error());
                None
            }
        }
    }

    /// Returns `None` if the replica is behind, or has no free connection.
    async fn read_at<W, T, F>(&self, position: &WalPosition, input: &W, work: &F) -> AttemptResult<Option<T>>
    where
        F: for<'c> Fn(&'c Client, &'c W) -> BoxFuture<'c, AttemptResult<T>>,
    {
        let client = within(CHECK_TIMEOUT, self.connection_at(position)).await?;
        let Some(client) = client else { return Ok(None) };
        within(self.timeout, work(&client, input)).await.map(Some)
    }

    /// Returns a connection that shows everything up to `position`.
    async fn connection_at(&self, position: &WalPosition) -> AttemptResult<Option<Client>> {
        let timeouts = Timeouts { wait: Some(CATCH_UP_TIMEOUT), ..self.pool.timeouts() };
        let client = match self.pool.timeout_get(&timeouts).await {
            Err(PoolError::Timeout(TimeoutType::Wait)) => return Ok(None),
            result => result?,
        };
        let started = Instant::now();
        loop {
            match catch_up(&client, position).await? {
                CatchUp::Reached => return Ok(Some(client)),
                CatchUp::Behind if started.elapsed() < CATCH_UP_TIMEOUT => {
                    tokio::time::sleep(CATCH_UP_INTERVAL).await;
                }
                CatchUp::Behind => return Ok(None),
                CatchUp::Unusable(why) => return Err(StorageError::Unavailable(why.to_owned()).into()),
            }
        }
    }

    /// Disables the replica for the cool-down. Logs one warning, even if many lists fail at the same time.
    fn disable(&self, error: StorageError) {
        // If one connection hangs, assume that all do. Otherwise each would have to fail a list first.
        self.pool.retain(|_, _| false);
        if self.health.disable(Instant::now()) {
            let why = match error {
                StorageError::Unavailable(why) => why,
                other => other.to_string(),
            };
            tracing::warn!(%why, "replica disabled for 5 s; reading lists from the primary");
        }
    }

    /// Closes the connections.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// Returns the primary's WAL position. Every write that it has acknowledged lies before it.
async fn wal_position<C: GenericClient>(primary: &C) -> AttemptResult<WalPosition> {
    let statement = "SELECT pg_current_wal_lsn()::text, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                            system_identifier, current_database()::text
                     FROM pg_control_system()";
    let row = sql::query_one(primary, statement, &[]).await?;
    Ok(WalPosition {
        lsn: row.try_get(0)?,
        timeline: row.try_get(1)?,
        system_id: row.try_get(2)?,
        database: row.try_get(3)?,
    })
}

/// Checks whether the replica has replayed the WAL up to `position`.
async fn catch_up<C: GenericClient>(replica: &C, position: &WalPosition) -> AttemptResult<CatchUp> {
    // A standby takes its timeline from its last restartpoint. So a new timeline is reported late, but never before the
    // standby follows it.
    let statement = "SELECT pg_is_in_recovery(),
                            system_identifier = $3 AND current_database() = $4::text,
                            lpad(upper(to_hex(timeline_id)), 8, '0') = $2::text,
                            coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false)
                     FROM pg_control_system(), pg_control_checkpoint()";
    let WalPosition { lsn, timeline, system_id, database } = position;
    let row = sql::query_one(replica, statement, &[lsn, timeline, system_id, database]).await?;
    let [is_standby, is_same_database, is_same_timeline, is_reached] =
        [row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
    Ok(match (is_standby, is_same_database, is_same_timeline, is_reached) {
        (false, ..) => CatchUp::Unusable("it is not a standby: it accepts writes"),
        (_, false, ..) => CatchUp::Unusable("it is a standby of another database"),
        (_, _, false, _) => CatchUp::Unusable("it has had no restartpoint since the failover of the primary"),
        (.., true) => CatchUp::Reached,
        (.., false) => CatchUp::Behind,
    })
}

/// A circuit breaker. `None` while the replica is enabled. Otherwise the end of the cool-down, after which one list may
/// try the replica again.
#[derive(Default)]
struct Health(Mutex<Option<Instant>>);

impl Health {
    /// Returns true if a list that begins now may use the replica. After a cool-down only the first one may: if the
    /// replica still hangs, the other lists do not wait for it.
    fn admit_list(&self, now: Instant) -> bool {
        let mut disabled_until = self.lock();
        match *disabled_until {
            None => true,
            Some(end) if end <= now => {
                *disabled_until = Some(now + COOL_DOWN);
                true
            }
            Some(_) => false,
        }
    }

    /// Disables the replica for the cool-down. Returns true if it was enabled.
    fn disable(&self, now: Instant) -> bool {
        self.lock().replace(now + COOL_DOWN).is_none()
    }

    /// Enables the replica. Returns true if it was disabled.
    fn enable(&self) -> bool {
        self.lock().take().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_cool_down_one_list_tries_the_replica() {
        let (health, start) = (Health::default(), Instant::now());
        assert!(health.admit_list(start) && health.admit_list(start), "enabled for every list");
        assert!(!health.enable(), "it was never disabled");
        assert!(health.disable(start), "the first failure disables it");
        assert!(!health.disable(start), "it is disabled already");
        assert!(!health.admit_list(start + COOL_DOWN / 2));
        assert!(health.admit_list(start + COOL_DOWN));
        assert!(!health.admit_list(start + COOL_DOWN), "only one list tries");
        assert!(health.admit_list(start + COOL_DOWN * 2), "after another cool-down, another list tries");
        assert!(health.enable() && !health.enable());
        assert!(health.admit_list(start));
    }
}
