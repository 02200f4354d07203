//! The thread on which the clients of servers run.
//!
//! A process has one, whatever number of queues is open. It keeps connections alive, and gives back messages whose
//! leases ran out, while no thread is in a call.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};
#[cfg(feature = "amqp")]
use tokio::task::JoinHandle;

use crate::error::QueueError;

/// The runtime, and the process that made it.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// Does something to its end, and blocks the calling thread meanwhile. That **must not** be a thread of such a runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, QueueError> {
    Ok(runtime()?.block_on(work))
}

/// Does something beside everything else.
#[cfg(feature = "amqp")]
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<JoinHandle<T>, QueueError> {
    Ok(runtime()?.spawn(work))
}

/// Returns the runtime of this process. A process that was forked has none of the threads of its parent, and gets
/// another one.
fn runtime() -> Result<&'static Runtime, QueueError> {
    let mut made = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match *made {
        Some((maker, runtime)) if maker == process => Ok(runtime),
        _ => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1).thread_name("brine-queue").enable_all();
            let runtime = builder.build().map_err(|error| QueueError::Database(error.into()))?;
            // It lasts as long as the process. That of a parent process is left alone: its end would wait for threads
            // that are not here.
            let runtime: &'static Runtime = Box::leak(Box::new(runtime));
            *made = Some((process, runtime));
            Ok(runtime)
        }
    }
}
