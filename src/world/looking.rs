//! Waits for something, and looks after other things meanwhile.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Does the work on a thread of its own, and calls `look` now and then until it is done.
pub(crate) fn while_looking<T: Send>(
    work: impl FnOnce() -> io::Result<T> + Send,
    mut look: impl FnMut(),
) -> io::Result<T> {
    thread::scope(|scope| {
        let (tell, done) = channel();
        thread::Builder::new().spawn_scoped(scope, move || {
            // Who listens is this function, as long as it waits.
            let _ = tell.send(work());
        })?;
        loop {
            match done.recv_timeout(LOOK) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::Other.into()),
                Err(RecvTimeoutError::Timeout) => look(),
            }
        }
    })
}

/// How often it looks: several times in the shortest lease.
const LOOK: Duration = Duration::from_millis(250);
