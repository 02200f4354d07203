//! The line of progress goes also when a signal ends the process.

use std::sync::Once;
use std::thread;

use crate::report::console;
use crate::world::end_signals::EndSignals;

/// From now on takes the line away before SIGINT or SIGTERM ends the process. Where something else catches these
/// signals, the line goes when that has ended the work.
pub(super) fn erase_at_the_end() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if EndSignals::are_caught() {
            return;
        }
        // Without it, a line stays. That is no reason to fail.
        let Ok(signals) = EndSignals::catch() else { return };
        let wait = move || {
            signals.wait();
            console::erase();
            signals.end_process();
        };
        let _ = thread::Builder::new().name("interrupt".to_owned()).spawn(wait);
    });
}
