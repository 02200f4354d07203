//! How a pipeline waits for other processes.

use std::fmt;
use std::thread;
use std::time::Duration;

use brine_core::Timestamp;

/// How a pipeline waits for another process. Nothing is reserved meanwhile.
pub trait Patience {
    /// Is told, once each time, that waiting takes long.
    fn note(&mut self, wait: LongWait) {
        let _ = wait;
    }

    /// Lets some time pass until the pipeline looks again.
    fn pause(&mut self, length: Duration) {
        thread::sleep(length);
    }
}

/// What a pipeline has been waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LongWait {
    /// Another process has locked the ledger.
    Ledger,
    /// Another process handles the next record.
    Record {
        /// When its lease runs out.
        until: Timestamp,
    },
}

impl fmt::Display for LongWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger => {
                f.write_str("waiting for another process, which holds the replay database")
            }
            Self::Record { until } => {
                write!(f, "waiting for a record that another process has until {until} at most")
            }
        }
    }
}

/// Sleeps, and says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuietPatience;

impl Patience for QuietPatience {}

impl<P: Patience> Patience for &mut P {
    fn note(&mut self, wait: LongWait) {
        (**self).note(wait);
    }

    fn pause(&mut self, length: Duration) {
        (**self).pause(length);
    }
}
