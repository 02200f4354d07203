//! Work on several threads whose results come back in the order it was given.

use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// A thread ended before its work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a thread ended before its work was done")]
pub struct WorkerLost;

/// Starts `threads` threads that all do `work`.
///
/// At most `threads` + 1 results wait to be collected: that is the bound on memory, and one more than
/// there are threads, so that none is idle while the oldest result is used. The threads end when the
/// submitter is gone.
///
/// Where the system grants fewer threads, those do the work; `None` if it grants none.
pub fn pool<J, R>(
    threads: usize,
    work: impl Fn(J) -> R + Send + Sync + 'static,
) -> Option<(Submitter<J, R>, Collector<R>)>
where
    J: Send + 'static,
    R: Send + 'static,
{
    pool_with(STACK_BYTES, threads, work)
}

fn pool_with<J, R>(
    stack_bytes: usize,
    threads: usize,
    work: impl Fn(J) -> R + Send + Sync + 'static,
) -> Option<(Submitter<J, R>, Collector<R>)>
where
    J: Send + 'static,
    R: Send + 'static,
{
    let (jobs, queue) = sync_channel::<(J, SyncSender<R>)>(threads);
    let (order, results) = sync_channel(threads + 1);
    let (work, queue) = (Arc::new(work), Arc::new(Mutex::new(queue)));
    let started = (0..threads).map_while(|_| {
        let (work, queue) = (Arc::clone(&work), Arc::clone(&queue));
        let worker = move || {
            loop {
                // The lock is held while waiting: one thread waits for work, the others for it.
                let next = queue.lock().map(|queue| queue.recv());
                let Ok(Ok((job, reply))) = next else { return };
                // Nobody waits for the result if the stream was given up.
                let _ = reply.send(work(job));
            }
        };
        thread::Builder::new().stack_size(stack_bytes).spawn(worker).ok()
    });
    (started.count() > 0).then_some((Submitter { jobs, order }, Collector { results }))
}

/// Gives work to the threads.
#[derive(Debug)]
pub struct Submitter<J, R> {
    jobs: SyncSender<(J, SyncSender<R>)>,
    order: SyncSender<Receiver<R>>,
}

impl<J, R> Submitter<J, R> {
    /// Gives work to the next free thread, waiting while too many results wait to be collected.
    ///
    /// # Errors
    ///
    /// [`WorkerLost`] if nobody collects any more.
    pub fn submit(&self, job: J) -> Result<(), WorkerLost> {
        let reply = self.reserve()?;
        self.jobs.send((job, reply)).map_err(|_| WorkerLost)
    }

    /// Puts a result in its place that needs no work.
    ///
    /// # Errors
    ///
    /// [`WorkerLost`] if nobody collects any more.
    pub fn submit_done(&self, result: R) -> Result<(), WorkerLost> {
        self.reserve()?.send(result).map_err(|_| WorkerLost)
    }

    fn reserve(&self) -> Result<SyncSender<R>, WorkerLost> {
        let (reply, result) = sync_channel(1);
        self.order.send(result).map_err(|_| WorkerLost)?;
        Ok(reply)
    }
}

/// Takes the results.
#[derive(Debug)]
pub struct Collector<R> {
    results: Receiver<Receiver<R>>,
}

impl<R> Collector<R> {
    /// Returns the oldest result, waiting for it; `None` once the submitter is gone.
    ///
    /// # Errors
    ///
    /// [`WorkerLost`] if the thread that had the work is gone.
    pub fn take(&self) -> Result<Option<R>, WorkerLost> {
        match self.results.recv() {
            Ok(result) => result.recv().map(Some).map_err(|_| WorkerLost),
            Err(_) => Ok(None),
        }
    }
}

/// Starts a thread that does `work` with `value`.
///
/// # Errors
///
/// `value`, if the system grants no thread.
pub fn spawn_with<T, R>(
    value: T,
    work: impl FnOnce(T) -> R + Send + 'static,
) -> Result<JoinHandle<Option<R>>, T>
where
    T: Send + 'static,
    R: Send + 'static,
{
    spawn_on(STACK_BYTES, value, work)
}

fn spawn_on<T, R>(
    stack_bytes: usize,
    value: T,
    work: impl FnOnce(T) -> R + Send + 'static,
) -> Result<JoinHandle<Option<R>>, T>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let (hand_over, handed_over) = sync_channel(1);
    let thread = move || handed_over.recv().ok().map(work);
    match thread::Builder::new().stack_size(stack_bytes).spawn(thread) {
        Err(_) => Err(value),
        Ok(thread) => hand_over.send(value).map(|()| thread).map_err(|SendError(value)| value),
    }
}

/// What hashing and signing need of a stack, several times over, and much less than is usual.
pub const STACK_BYTES: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_back_in_order_whatever_the_work_takes() {
        for threads in [1, 2, 5] {
            let (submitter, collector) = pool(threads, |number: u64| {
                thread::sleep(Duration::from_micros(number * 37 % 400));
                number * 2
            })
            .unwrap();
            let feeder = thread::spawn(move || {
                for number in 0..200 {
                    match number % 7 {
                        0 => submitter.submit_done(number * 2).unwrap(),
                        _ => submitter.submit(number).unwrap(),
                    }
                }
            });
            let mut results = Vec::new();
            while let Some(result) = collector.take().unwrap() {
                results.push(result);
            }
            feeder.join().unwrap();
            assert_eq!(results, (0..200).map(|number| number * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_more_is_taken_on_than_the_bound() {
        let (submitter, collector) = pool(2, |number: u64| number).unwrap();
        let feeder = thread::spawn(move || {
            let mut given = 0;
            while submitter.submit(given).is_ok() {
                given += 1;
            }
            given
        });
        thread::sleep(Duration::from_millis(200));
        drop(collector);
        assert_eq!(feeder.join().unwrap(), 3);
    }

    /// More than any address space has.
    const NO_SUCH_STACK: usize = 1 << 50;

    #[test]
    fn a_system_that_grants_no_threads_gives_everything_back() {
        assert!(pool_with(NO_SUCH_STACK, 4, |number: u64| number).is_none());
        let given = spawn_on(NO_SUCH_STACK, "value", |value| value);
        assert_eq!(given.err(), Some("value"));
        let given = spawn_with("value", |value| value);
        assert_eq!(given.unwrap().join().unwrap(), Some("value"));
    }

    #[test]
    fn a_thread_that_panics_is_an_error_and_not_a_wait_for_ever() {
        let (submitter, collector) = pool(2, |()| panic!("on purpose")).unwrap();
        submitter.submit(()).unwrap();
        assert_eq!(collector.take(), Err(WorkerLost));
    }
}
