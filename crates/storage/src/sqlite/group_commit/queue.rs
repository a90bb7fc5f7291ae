//! The queue between callers, the writer and the syncer.
//!
//! One lock protects two queues: jobs for the writer, and committed batches for the syncer. The types of jobs and
//! batches are generic, because this file only makes threads wait and wakes them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Result, StorageError};

pub(super) struct Queue<J, B> {
    state: Mutex<State<J, B>>,
    /// Signals the writer: a job was pushed, the queue was closed, or the syncer has exited.
    job_pushed: Condvar,
    /// Signals the syncer: enough jobs are committed, or the writer has exited.
    batch_committed: Condvar,
    /// Maximum number of pending jobs: queued, running, or committed and not yet durable.
    limit: usize,
}

struct State<J, B> {
    intake: Intake,
    jobs: VecDeque<J>,
    committed: Vec<B>,
    /// Number of jobs in `committed`.
    committed_jobs: usize,
    /// Number of jobs that were pushed and are not completed yet.
    pending_jobs: usize,
    is_writer_waiting: bool,
    has_writer_exited: bool,
    syncer: SyncerState,
}

/// Whether jobs are accepted and run. The state changes only from an earlier variant to a later one.
enum Intake {
    Open,
    /// New jobs are rejected for this reason; queued jobs still run.
    Draining(String),
    /// New jobs are rejected for this reason, and queued jobs never run.
    Failed(String),
}

/// What the syncer thread does.
#[derive(Clone, Copy)]
enum SyncerState {
    /// Waits for the first committed batch.
    Idle,
    /// Has a batch, and waits until this many jobs are committed or `max_wait` has passed.
    WaitingFor(usize),
    /// Runs fsync and completes jobs.
    Syncing,
    /// Has exited and takes no batches.
    Exited,
}

impl SyncerState {
    /// Returns true if the syncer waits and should be woken once `committed_jobs` jobs are committed.
    fn has_enough(self, committed_jobs: usize) -> bool {
        match self {
            Self::Idle => true,
            Self::WaitingFor(min_jobs) => committed_jobs >= min_jobs,
            Self::Syncing | Self::Exited => false,
        }
    }
}

impl<J, B> State<J, B> {
    fn take_committed(&mut self) -> Vec<B> {
        self.committed_jobs = 0;
        std::mem::take(&mut self.committed)
    }
}

impl<J, B> Queue<J, B> {
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            intake: Intake::Open,
            jobs: VecDeque::new(),
            committed: Vec::new(),
            committed_jobs: 0,
            pending_jobs: 0,
            is_writer_waiting: false,
            has_writer_exited: false,
            syncer: SyncerState::Idle,
        };
        Self { state: Mutex::new(state), job_pushed: Condvar::new(), batch_committed: Condvar::new(), limit }
    }

    /// Enqueues a job for the writer.
    ///
    /// # Errors
    /// [`StorageError::QueueFull`] at the limit, [`StorageError::Unavailable`] if the queue is closed.
    pub(super) fn push(&self, job: J) -> Result<()> {
        let mut state = self.lock();
        if let Intake::Draining(reason) | Intake::Failed(reason) = &state.intake {
            return Err(StorageError::Unavailable(reason.clone()));
        }
        if state.pending_jobs >= self.limit {
            return Err(StorageError::QueueFull);
        }
        state.pending_jobs += 1;
        state.jobs.push_back(job);
        // Notify only a writer that waits, because each notification costs a system call.
        let is_writer_waiting = state.is_writer_waiting;
        drop(state);
        if is_writer_waiting {
            self.job_pushed.notify_one();
        }
        Ok(())
    }

    /// Blocks until a job is queued and returns it. Returns `None` once the queue is drained or has failed.
    pub(super) fn next_job(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            match &state.intake {
                Intake::Failed(_) => return None,
                Intake::Open | Intake::Draining(_) => {}
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if matches!(state.intake, Intake::Draining(_)) {
                return None;
            }
            state.is_writer_waiting = true;
            state = self.job_pushed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.is_writer_waiting = false;
        }
    }

    /// Returns a queued job without waiting for one.
    pub(super) fn try_next_job(&self) -> Option<J> {
        let mut state = self.lock();
        if matches!(state.intake, Intake::Failed(_)) {
            return None;
        }
        state.jobs.pop_front()
    }

    /// Returns true if the syncer waits for commits.
    pub(super) fn is_syncer_waiting(&self) -> bool {
        matches!(self.lock().syncer, SyncerState::Idle | SyncerState::WaitingFor(_))
    }

    /// Passes a committed batch of `jobs` jobs to the syncer. Returns the batch if the syncer has exited.
    pub(super) fn hand_over(&self, batch: B, jobs: usize) -> std::result::Result<(), B> {
        let mut state = self.lock();
        if matches!(state.syncer, SyncerState::Exited) {
            return Err(batch);
        }
        state.committed.push(batch);
        state.committed_jobs += jobs;
        let has_enough = state.syncer.has_enough(state.committed_jobs);
        drop(state);
        if has_enough {
            self.batch_committed.notify_one();
        }
        Ok(())
    }

    /// Blocks until a batch is committed, waits up to `max_wait` for `min_jobs` jobs, then takes all committed batches.
    /// Returns no batches once the writer has exited and all of its batches were taken.
    pub(super) fn take_committed(&self, min_jobs: usize, max_wait: Duration) -> Vec<B> {
        let mut state = self.lock();
        state.syncer = SyncerState::Idle;
        while state.committed.is_empty() && !state.has_writer_exited {
            state = self.batch_committed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.syncer = SyncerState::WaitingFor(min_jobs);
        let needs_more =
            |state: &mut State<J, B>| state.committed_jobs < min_jobs && !state.has_writer_exited;
        let waited = self.batch_committed.wait_timeout_while(state, max_wait, needs_more);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.syncer = SyncerState::Syncing;
        state.take_committed()
    }

    /// Subtracts completed jobs from the pending ones.
    pub(super) fn complete(&self, jobs: usize) {
        let mut state = self.lock();
        debug_assert!(jobs <= state.pending_jobs, "each job completes only once");
        state.pending_jobs -= jobs;
    }

    /// Rejects new jobs for `reason`; queued jobs still run. The first reason stays.
    pub(super) fn close(&self, reason: &str) {
        let mut state = self.lock();
        if matches!(state.intake, Intake::Open) {
            state.intake = Intake::Draining(reason.to_owned());
        }
        drop(state);
        self.job_pushed.notify_one();
    }

    /// Rejects new and queued jobs for `reason`, because commits can no longer be made durable. The first reason stays.
    pub(super) fn fail(&self, reason: &str) {
        let mut state = self.lock();
        if !matches!(state.intake, Intake::Failed(_)) {
            state.intake = Intake::Failed(reason.to_owned());
        }
        drop(state);
        self.job_pushed.notify_one();
    }

    /// Returns true after [`Queue::fail`].
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.lock().intake, Intake::Failed(_))
    }

    /// Reports to the syncer that no batch will follow. Returns the jobs that were never run, and why.
    pub(super) fn writer_exited(&self, reason: &str) -> (VecDeque<J>, String) {
        self.close(reason);
        let mut state = self.lock();
        state.has_writer_exited = true;
        let jobs = std::mem::take(&mut state.jobs);
        let reason = match &state.intake {
            Intake::Draining(reason) | Intake::Failed(reason) => reason.clone(),
            Intake::Open => reason.to_owned(),
        };
        drop(state);
        self.batch_committed.notify_one();
        (jobs, reason)
    }

    /// Makes [`Queue::hand_over`] return batches from now on. Returns those that were committed and not taken.
    pub(super) fn syncer_exited(&self) -> Vec<B> {
        let mut state = self.lock();
        state.syncer = SyncerState::Exited;
        let batches = state.take_committed();
        drop(state);
        self.job_pushed.notify_one();
        batches
    }

    /// Blocks the writer until the syncer has exited, which [`Queue::writer_exited`] makes it do.
    pub(super) fn wait_for_syncer_exit(&self) {
        let mut state = self.lock();
        debug_assert!(state.has_writer_exited, "the syncer would wait for the writer");
        while !matches!(state.syncer, SyncerState::Exited) {
            state = self.job_pushed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<J, B>> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn queue(limit: usize) -> Queue<u32, &'static str> {
        Queue::new(limit)
    }

    #[test]
    fn push_over_limit_is_rejected_until_jobs_complete() {
        let queue = queue(1);
        queue.push(1).unwrap();
        assert!(matches!(queue.push(2), Err(StorageError::QueueFull)));
        assert_eq!(queue.next_job(), Some(1));
        assert!(matches!(queue.push(2), Err(StorageError::QueueFull)), "a running job counts too");
        queue.complete(1);
        queue.push(2).unwrap();
    }

    #[test]
    fn closed_queue_still_returns_queued_jobs() {
        let queue = queue(8);
        queue.push(1).unwrap();
        queue.close("first");
        queue.close("second");
        assert!(matches!(queue.push(2), Err(StorageError::Unavailable(reason)) if reason == "first"));
        assert_eq!((queue.next_job(), queue.next_job()), (Some(1), None));
    }

    #[test]
    fn failed_queue_returns_no_queued_jobs() {
        let queue = queue(8);
        queue.push(1).unwrap();
        queue.close("closed");
        queue.fail("fsync failed");
        assert!(matches!(queue.push(2), Err(StorageError::Unavailable(reason)) if reason == "fsync failed"));
        assert_eq!((queue.next_job(), queue.try_next_job()), (None, None));
        let (never_run, reason) = queue.writer_exited("exited");
        assert_eq!((never_run, reason.as_str()), (VecDeque::from([1]), "fsync failed"));
    }

    #[test]
    fn committed_batches_are_taken_together() {
        let queue = queue(8);
        assert!(queue.is_syncer_waiting());
        queue.hand_over("a", 1).unwrap();
        queue.hand_over("b", 2).unwrap();
        assert_eq!(queue.take_committed(3, Duration::ZERO), ["a", "b"]);
        assert!(!queue.is_syncer_waiting());
        queue.hand_over("c", 1).unwrap();
        assert_eq!(queue.take_committed(2, Duration::ZERO), ["c"], "the wait for more jobs has a limit");
        queue.writer_exited("exited");
        assert!(queue.take_committed(1, Duration::MAX).is_empty());
        queue.syncer_exited();
        assert_eq!(queue.hand_over("d", 1), Err("d"));
    }

    #[test]
    fn syncer_waits_until_enough_jobs_are_committed() {
        let max_wait = Duration::from_secs(30);
        let queue = queue(8);
        std::thread::scope(|scope| {
            let syncer = scope.spawn(|| {
                let started = Instant::now();
                (queue.take_committed(3, max_wait), started.elapsed())
            });
            queue.hand_over("a", 1).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            assert!(!syncer.is_finished(), "one job is not enough");
            queue.hand_over("b", 2).unwrap();
            let (batches, waited) = syncer.join().unwrap();
            assert_eq!(batches, ["a", "b"]);
            assert!(waited < max_wait, "{waited:?}");
        });
    }

    #[test]
    fn job_and_closing_wake_the_waiting_writer() {
        let queue = queue(8);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| (queue.next_job(), queue.next_job()));
            std::thread::sleep(Duration::from_millis(20));
            queue.push(1).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            queue.close("closed");
            assert_eq!(writer.join().unwrap(), (Some(1), None));
        });
    }
}
