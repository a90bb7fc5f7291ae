//! What the threads of the engine share: the jobs that wait for the writer, and what it has committed.
//!
//! Two threads take part. The writer runs jobs and commits them; the keeper makes commits durable and answers. Neither
//! waits for the other: while the disk is at work the writer goes on, and one sync makes durable all that was committed
//! before it began.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::batch::Batch;
use super::job::Job;
use crate::{Result, StorageError};

pub(super) struct Queue {
    state: Mutex<State>,
    /// A job has come.
    for_writer: Condvar,
    /// A commit has come.
    for_keeper: Condvar,
    /// Jobs that may be under way at once.
    limit: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn Job>>,
    committed: Vec<Batch>,
    /// Jobs that are not answered yet.
    under_way: usize,
    writer_waits: bool,
    /// The keeper waits for this many jobs to be committed.
    keeper_wants: Option<usize>,
    /// Nothing more is taken, for this reason.
    closed: Option<String>,
    /// That reason is the disk.
    is_refused: bool,
    writer_is_done: bool,
}

impl State {
    fn committed_jobs(&self) -> usize {
        self.committed.iter().map(Batch::jobs).sum()
    }
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), for_writer: Condvar::new(), for_keeper: Condvar::new(), limit }
    }

    /// Lets a job wait. [`StorageError::QueueFull`] if there are too many.
    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<()> {
        let mut state = self.lock();
        if let Some(why) = &state.closed {
            return Err(StorageError::Unavailable(why.clone()));
        }
        if state.under_way >= self.limit {
            return Err(StorageError::QueueFull);
        }
        state.under_way += 1;
        state.jobs.push_back(job);
        // Waking a thread that does not wait would be a call to the system for nothing, with every job.
        let waits = state.writer_waits;
        drop(state);
        if waits {
            self.for_writer.notify_one();
        }
        Ok(())
    }

    /// The next job, as soon as there is one. None when all that was taken is done and nothing more comes.
    pub(super) fn next_job(&self) -> Option<Box<dyn Job>> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed.is_some() {
                return None;
            }
            state.writer_waits = true;
            state = self.for_writer.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.writer_waits = false;
        }
    }

    /// A job that waits now.
    pub(super) fn waiting_job(&self) -> Option<Box<dyn Job>> {
        self.lock().jobs.pop_front()
    }

    /// Whether the keeper has nothing to do before more is committed.
    pub(super) fn keeper_waits(&self) -> bool {
        self.lock().keeper_wants.is_some()
    }

    /// Gives a batch to the keeper.
    pub(super) fn hand_over(&self, batch: Batch) {
        let mut state = self.lock();
        state.committed.push(batch);
        let is_enough = state.keeper_wants.is_some_and(|wanted| state.committed_jobs() >= wanted);
        drop(state);
        if is_enough {
            self.for_keeper.notify_one();
        }
    }

    /// All that was committed since the keeper asked last: as soon as it is `enough` jobs, or there is something and the
    /// time is over in which more are expected. Nothing when nothing comes any more.
    pub(super) fn committed(&self, enough: usize, patience: Duration) -> Vec<Batch> {
        let mut state = self.lock();
        state.keeper_wants = Some(1);
        while state.committed.is_empty() && !state.writer_is_done {
            state = self.for_keeper.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.keeper_wants = Some(enough);
        let is_short = |state: &mut State| state.committed_jobs() < enough && !state.writer_is_done;
        let waited = self.for_keeper.wait_timeout_while(state, patience, is_short);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.keeper_wants = None;
        std::mem::take(&mut state.committed)
    }

    /// Says that so many jobs are answered.
    pub(super) fn answered(&self, jobs: usize) {
        self.lock().under_way -= jobs;
    }

    /// Takes no more jobs, and says why. The first reason counts.
    pub(super) fn close(&self, why: String) {
        self.lock().closed.get_or_insert(why);
        self.for_writer.notify_one();
    }

    /// The same because the disk does not keep what is written.
    pub(super) fn refuse(&self, why: String) {
        self.lock().is_refused = true;
        self.close(why);
    }

    /// Whether the disk did not keep something.
    pub(super) fn is_refused(&self) -> bool {
        self.lock().is_refused
    }

    /// Says that no batch will be handed over any more. If jobs still wait, nobody will do them.
    pub(super) fn writer_is_done(&self) {
        let mut state = self.lock();
        state.writer_is_done = true;
        let waiting = std::mem::take(&mut state.jobs);
        drop(state);
        drop(waiting);
        self.for_keeper.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
