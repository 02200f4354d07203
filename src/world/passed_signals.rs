//! Signals that are passed on to a command, while this process waits for its end.

use std::fs::File;
use std::io;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::signal::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::end_signals::{claim, is_ignored};

/// The signals that would end this process, caught. The command gets them, and says by its own end what they mean.
#[derive(Debug)]
pub(crate) struct PassedSignals {
    signals: Signals,
    /// From then on they end this process again.
    has_ended: Arc<AtomicBool>,
}

impl PassedSignals {
    /// Catches the signals, except those that this process was started to ignore: the command ignores them, too.
    pub(crate) fn catch() -> io::Result<Self> {
        claim();
        let passed: Vec<_> = PASSED.into_iter().filter(|signal| !is_ignored(*signal)).collect();
        let has_ended = Arc::default();
        for signal in &passed {
            flag::register_conditional_default(*signal, Arc::clone(&has_ended))?;
        }
        // SIGCHLD is caught, because the status of the command is lost where it is ignored.
        let signals = Signals::new(passed.iter().chain(&[SIGCHLD]))?;
        Ok(Self { signals, has_ended })
    }

    /// Waits for the end of the command, and passes on to it what arrives meanwhile.
    pub(crate) fn wait(self, mut command: Child) -> io::Result<ExitStatus> {
        let Self { mut signals, has_ended } = self;
        let (id, handle) = (Pid::from_child(&command), signals.handle());
        thread::scope(|scope| {
            let pass_on = move || {
                let passed = signals.forever().filter(|signal| is_for_command(*signal));
                passed.filter_map(Signal::from_named_raw).for_each(|signal| {
                    // A command of another user, as sudo is, takes none.
                    let _ = kill_process(id, signal);
                });
            };
            if thread::Builder::new().spawn_scoped(scope, pass_on).is_err() {
                // Where the system grants no thread for that, they end this process as ever.
                has_ended.store(true, Ordering::SeqCst);
            }
            // Until it has been reaped, which is later, its process id is still its own.
            let ended = end_of(id);
            handle.close();
            ended
        })?;
        has_ended.store(true, Ordering::SeqCst);
        command.wait()
    }
}

/// Waits until a child has ended, and does not reap it. No signal has to arrive for that: whoever started this process
/// can have blocked them all.
fn end_of(id: Pid) -> io::Result<()> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match waitid(WaitId::Pid(id), options) {
            Err(Errno::INTR) => {}
            ended => return Ok(ended.map(drop)?),
        }
    }
}

/// Returns whether a signal has to be passed on. What a person types at the terminal reached the command already:
/// twice is an order to end at once for many programs.
fn is_for_command(signal: i32) -> bool {
    match signal {
        SIGCHLD => false,
        SIGINT | SIGQUIT => !is_in_foreground(),
        _ => true,
    }
}

/// Returns whether the keys of the terminal send signals to this process, and to all others of its group.
fn is_in_foreground() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

const PASSED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
