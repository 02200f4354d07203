//! Calls to Python from below which nothing unwinds.

use std::thread;

/// Calls Python. When the interpreter ends, it ends the other threads that run Python by unwinding them (before 3.14).
/// That must not go on through the libraries, which would work on without the interpreter: such a thread stops here
/// for ever, and ends with the process. The call **must** own no object of Python: nothing could let go of it then.
///
/// PyO3 declares that most of its calls do not unwind, so an optimised build may leave the stop out. The thread then
/// ends the process by SIGABRT, and still nothing goes on through the libraries.
pub(crate) fn calling<T>(call: impl FnOnce() -> T) -> T {
    let stop = StopHere;
    let value = call();
    std::mem::forget(stop);
    value
}

struct StopHere;

impl Drop for StopHere {
    fn drop(&mut self) {
        // A panic becomes an exception, and unwinds as it should.
        while !thread::panicking() {
            thread::park();
        }
    }
}
