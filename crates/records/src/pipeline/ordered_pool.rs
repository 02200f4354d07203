//! Work on all threads, with the results in order.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use brine_core::pool::{STACK_BYTES, pool};

/// How many bytes records may take together while they are worked on, over all threads. One block may take more,
/// if it is alone.
pub const MAX_BYTES_IN_FLIGHT: usize = 256 * 1024 * 1024;

/// Takes jobs from `source` until it has no more, works on them, and gives the results to `sink` in the order
/// of the jobs.
///
/// With more than one thread the source has a thread of its own, so that it is read while others work. Where
/// the system grants no threads, everything happens on this one. `weigh` says how many bytes a job takes, from when
/// it leaves the source until the sink has taken its result: at most [`MAX_BYTES_IN_FLIGHT`] are taken together, so
/// that whoever sends long records does not choose how much memory so many threads take.
///
/// # Errors
///
/// Those of `source`, after the results of all jobs before, and those of `sink`.
pub(crate) fn in_order<J, R, S, E>(
    threads: usize,
    weigh: impl Fn(&J) -> usize + Send + 'static,
    mut source: impl FnMut() -> Result<Option<J>, S> + Send + 'static,
    work: impl Fn(J) -> R + Clone + Send + Sync + 'static,
    mut sink: impl FnMut(R) -> Result<(), E>,
) -> Result<(), PoolEnd<S, E>>
where
    J: Send + 'static,
    R: Send + 'static,
    S: Send + 'static,
{
    let on_thread = work.clone();
    let weighed = move |(job, weight): (J, Weight)| Ok((on_thread(job), weight));
    let started = if threads > 1 { pool(threads, weighed) } else { None };
    let Some((jobs, results)) = started else {
        while let Some(job) = source().map_err(PoolEnd::Source)? {
            sink(work(job)).map_err(PoolEnd::Sink)?;
        }
        return Ok(());
    };
    let budget = ByteBudget::new(MAX_BYTES_IN_FLIGHT);
    let scales = Arc::clone(&budget.0);
    let feed = move || {
        loop {
            let submitted = match source() {
                Ok(Some(job)) => match Scales::take(&scales, weigh(&job)) {
                    Some(weight) => jobs.submit((job, weight)),
                    None => return,
                },
                Ok(None) => return,
                Err(error) => {
                    // If the work was given up, no thread collects any more.
                    let _ = jobs.submit_done(Err(error));
                    return;
                }
            };
            if submitted.is_err() {
                return;
            }
        }
    };
    thread::Builder::new().stack_size(STACK_BYTES).spawn(feed).map_err(PoolEnd::Thread)?;
    loop {
        match results.take() {
            Ok(Some(result)) => {
                let (result, weight) = result.map_err(PoolEnd::Source)?;
                sink(result).map_err(PoolEnd::Sink)?;
                drop(weight);
            }
            Ok(None) => return Ok(()),
            Err(_) => return Err(PoolEnd::WorkerLost),
        }
    }
}

/// A bound on bytes. When it is gone, nobody waits for them any more.
struct ByteBudget(Arc<Scales>);

impl ByteBudget {
    fn new(most: usize) -> Self {
        let (held, freed) = (Mutex::new(Held { bytes: 0, is_over: false }), Condvar::new());
        Self(Arc::new(Scales { held, freed, most }))
    }
}

impl Drop for ByteBudget {
    fn drop(&mut self) {
        self.0.held().is_over = true;
        self.0.freed.notify_all();
    }
}

struct Scales {
    held: Mutex<Held>,
    freed: Condvar,
    most: usize,
}

struct Held {
    bytes: usize,
    is_over: bool,
}

impl Scales {
    /// Takes so many bytes when they are there, or all of them are; `None` if they will never be.
    fn take(scales: &Arc<Self>, bytes: usize) -> Option<Weight> {
        let too_many = |held: &mut Held| {
            !held.is_over && held.bytes > 0 && held.bytes.saturating_add(bytes) > scales.most
        };
        let waited = scales.freed.wait_while(scales.held(), too_many);
        let mut held = waited.unwrap_or_else(PoisonError::into_inner);
        if held.is_over {
            return None;
        }
        held.bytes = held.bytes.saturating_add(bytes);
        Some(Weight { scales: Arc::clone(scales), bytes })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that were taken, until it is dropped.
struct Weight {
    scales: Arc<Scales>,
    bytes: usize,
}

impl Drop for Weight {
    fn drop(&mut self) {
        let mut held = self.scales.held();
        held.bytes = held.bytes.saturating_sub(self.bytes);
        drop(held);
        self.scales.freed.notify_all();
    }
}

/// Why the work ended before the source did.
#[derive(Debug)]
pub(crate) enum PoolEnd<S, E> {
    Sink(E),
    Source(S),
    Thread(io::Error),
    WorkerLost,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More jobs than there are threads, of which the first take the longest.
    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [0, 1, 2, 5] {
            let mut jobs = 0..40_u64;
            let mut seen = Vec::new();
            let work = |job: u64| {
                thread::sleep(std::time::Duration::from_millis(10_u64.saturating_sub(job)));
                job
            };
            let done: Result<(), PoolEnd<(), ()>> = in_order(
                threads,
                |_| 1,
                move || Ok(jobs.next()),
                work,
                |job| {
                    seen.push(job);
                    Ok(())
                },
            );
            assert!(done.is_ok());
            assert!(seen.into_iter().eq(0..40), "{threads} threads");
        }
    }

    /// However many threads there are, and whatever they could take on: the bytes of the jobs that have left the
    /// source and not the sink are counted.
    #[test]
    fn jobs_hold_no_more_bytes_together_than_they_may() {
        use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
        const MEBI: usize = 1 << 20;
        for (job_bytes, most) in
            [(66 * MEBI, 3), (MAX_BYTES_IN_FLIGHT, 1), (usize::MAX, 1), (0, 32)]
        {
            let (held, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let mut left = 60;
            let source = move || {
                left -= 1;
                Ok((left > 0).then_some(()))
            };
            let (working, seen) = (Arc::clone(&held), Arc::clone(&peak));
            let work = move |()| {
                seen.fetch_max(working.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
            };
            let done: Result<(), PoolEnd<(), ()>> = in_order(
                16,
                move |()| job_bytes,
                source,
                work,
                |()| {
                    held.fetch_sub(1, SeqCst);
                    Ok(())
                },
            );
            assert!(done.is_ok());
            assert_eq!(held.load(SeqCst), 0);
            let peak = peak.load(SeqCst);
            assert!((1..=most).contains(&peak), "{peak} jobs of {job_bytes} bytes at once");
        }
    }

    /// A source that waits for bytes is not left behind when the work is given up.
    #[test]
    fn a_source_that_waits_for_bytes_ends_with_the_work() {
        let mut jobs = 0..;
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let source = move || {
            let _ = &held;
            Ok(jobs.next())
        };
        let end: Result<(), PoolEnd<(), &str>> =
            in_order(2, |_: &u32| MAX_BYTES_IN_FLIGHT, source, |job| job, |_| Err("full"));
        assert!(matches!(end, Err(PoolEnd::Sink("full"))), "{end:?}");
        while Arc::strong_count(&alive) > 1 {
            thread::yield_now();
        }
    }

    #[test]
    fn an_error_of_the_source_comes_after_what_it_gave_before() {
        for threads in [1, 3] {
            let mut jobs = vec![Err("broken"), Ok(Some(2)), Ok(Some(1))];
            let mut seen = Vec::new();
            let end: Result<(), PoolEnd<&str, ()>> = in_order(
                threads,
                |_| 1,
                move || jobs.pop().unwrap(),
                |job| job,
                |job| {
                    seen.push(job);
                    Ok(())
                },
            );
            assert!(matches!(end, Err(PoolEnd::Source("broken"))), "{end:?}");
            assert_eq!(seen, [1, 2]);
        }
    }

    #[test]
    fn nothing_reaches_a_sink_that_failed() {
        for threads in [1, 3] {
            let mut jobs = 0..;
            let mut seen = Vec::new();
            let end: Result<(), PoolEnd<(), &str>> = in_order(
                threads,
                |_| 1,
                move || Ok(jobs.next()),
                |job: u32| job,
                |job| {
                    seen.push(job);
                    if job == 3 { Err("full") } else { Ok(()) }
                },
            );
            assert!(matches!(end, Err(PoolEnd::Sink("full"))), "{end:?}");
            assert_eq!(seen, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn a_worker_that_dies_ends_the_work() {
        let mut jobs = 0..10;
        let work = |job: u32| {
            assert!(job != 2, "this worker dies as it should");
            job
        };
        let end: Result<(), PoolEnd<(), ()>> =
            in_order(2, |_| 1, move || Ok(jobs.next()), work, |_| Ok(()));
        assert!(matches!(end, Err(PoolEnd::WorkerLost)), "{end:?}");
    }
}
