//! The process that started this one.

use std::io;

/// Asks the system for a SIGTERM when the thread that started this process ends (prctl(2), `PR_SET_PDEATHSIG`).
#[cfg(target_os = "linux")]
pub(crate) fn end_with_it() -> io::Result<()> {
    let signal = Some(rustix::process::Signal::TERM);
    Ok(rustix::process::set_parent_process_death_signal(signal)?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_it() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
