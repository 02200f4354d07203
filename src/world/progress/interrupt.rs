//! The line of progress goes also when a signal ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::{io, thread};

use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::{flag, low_level};

use crate::report::console;
use crate::world::end_signals::{are_claimed, is_ignored};

/// From now on takes the line away before a signal ends the process. Where something else decides what follows a
/// signal, the line goes when that has ended the work.
pub(super) fn erase_at_the_end() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without it, a line stays. That is no reason to fail.
        let _ = watch();
    });
}

fn watch() -> io::Result<()> {
    if are_claimed() {
        return Ok(());
    }
    let ending = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal));
    let ending: Vec<_> = ending.collect();
    let is_ending = Arc::<AtomicBool>::default();
    for signal in &ending {
        // A terminal that takes nothing now holds nobody up: the second signal ends the process at once.
        flag::register_conditional_default(*signal, Arc::clone(&is_ending))?;
    }
    let mut signals = Signals::new(&ending)?;
    let erase = move || {
        for signal in signals.forever() {
            if are_claimed() {
                continue;
            }
            is_ending.store(true, Ordering::SeqCst);
            console::erase();
            // Where that fails, the work goes on.
            let _ = low_level::emulate_default_handler(signal);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(erase).map(drop)
}
