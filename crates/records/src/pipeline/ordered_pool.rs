//! Work on all threads, with the results in order.

use std::io;
use std::thread;

use brine_core::pool::{STACK_BYTES, pool};

/// Takes jobs from `source` until it has no more, works on them, and gives the results to `sink` in the order
/// of the jobs.
///
/// With more than one thread the source has a thread of its own, so that it is read while others work. Where
/// the system grants no threads, everything happens on this one.
///
/// # Errors
///
/// Those of `source`, after the results of all jobs before, and those of `sink`.
pub(crate) fn in_order<J, R, S, E>(
    threads: usize,
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
    let started = if threads > 1 { pool(threads, move |job| Ok(on_thread(job))) } else { None };
    let Some((jobs, results)) = started else {
        while let Some(job) = source().map_err(PoolEnd::Source)? {
            sink(work(job)).map_err(PoolEnd::Sink)?;
        }
        return Ok(());
    };
    let feed = move || {
        loop {
            let submitted = match source() {
                Ok(Some(job)) => jobs.submit(job),
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
            Ok(Some(result)) => sink(result.map_err(PoolEnd::Source)?).map_err(PoolEnd::Sink)?,
            Ok(None) => return Ok(()),
            Err(_) => return Err(PoolEnd::WorkerLost),
        }
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

    #[test]
    fn an_error_of_the_source_comes_after_what_it_gave_before() {
        for threads in [1, 3] {
            let mut jobs = vec![Err("broken"), Ok(Some(2)), Ok(Some(1))];
            let mut seen = Vec::new();
            let end: Result<(), PoolEnd<&str, ()>> = in_order(
                threads,
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
            in_order(2, move || Ok(jobs.next()), work, |_| Ok(()));
        assert!(matches!(end, Err(PoolEnd::WorkerLost)), "{end:?}");
    }
}
