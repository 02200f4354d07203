//! Blocks of records on all threads, with the results in order.

use std::thread;

use crate::cli::failure::Failure;
use crate::pool::{STACK_BYTES, pool};

/// Takes jobs from `source` until it has no more, has them done, and gives the results to `sink` in
/// the order of the jobs.
///
/// With more than one thread the source has a thread of its own, so that reading goes on while others
/// work; where the system grants no threads, everything happens here.
///
/// # Errors
///
/// Those of `source`, after the results of what it gave before, and those of `sink`.
pub(super) fn in_order<J, R>(
    threads: usize,
    mut source: impl FnMut() -> Result<Option<J>, Failure> + Send + 'static,
    work: impl Fn(J) -> R + Clone + Send + Sync + 'static,
    mut sink: impl FnMut(R) -> Result<(), Failure>,
) -> Result<(), Failure>
where
    J: Send + 'static,
    R: Send + 'static,
{
    let on_thread = work.clone();
    let started = if threads > 1 { pool(threads, move |job| Ok(on_thread(job))) } else { None };
    let Some((jobs, results)) = started else {
        while let Some(job) = source()? {
            sink(work(job))?;
        }
        return Ok(());
    };
    let feed = move || {
        loop {
            let submitted = match source() {
                Ok(Some(job)) => jobs.submit(job),
                Ok(None) => return,
                Err(failure) => {
                    // Nobody collects any more if the work was given up.
                    let _ = jobs.submit_done(Err(failure));
                    return;
                }
            };
            if submitted.is_err() {
                return;
            }
        }
    };
    let feeder = thread::Builder::new().stack_size(STACK_BYTES).spawn(feed);
    feeder.map_err(|error| Failure::io("thread", error))?;
    while let Some(result) = results.take()? {
        sink(result?)?;
    }
    Ok(())
}
