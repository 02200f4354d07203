//! How long a queue is waited for that another process has locked, or whose server is away.

use std::thread::sleep;
use std::time::{Duration, Instant};

use brine_cli::embed::Refused;
use brine_queue::RetryDelay;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::fork::detached;

/// How long a server that is away is waited for. A file that another process has locked is always waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until it is there.
    Endless,
    /// For one try.
    None,
    /// Until this moment.
    Until(Instant),
}

impl Patience {
    /// Waits for so long, but long enough to notice that an old connection has ended, and to make a new one. `None` is
    /// without end.
    pub(crate) fn within(length: Option<Duration>) -> Self {
        let until = length.and_then(|length| Instant::now().checked_add(length.max(RECONNECTING)));
        until.map_or(Self::Endless, Self::Until)
    }

    /// Waits long enough for a new connection.
    pub(crate) fn brief() -> Self {
        Self::within(Some(Duration::ZERO))
    }

    /// Does something without the interpreter, and again while it cannot be done yet. In between, a Ctrl-C is heard, so
    /// nothing **may** be in the hands of `work` alone.
    pub(crate) fn insist<T: Send>(
        self,
        py: Python<'_>,
        mut work: impl FnMut() -> Result<T, Refused> + Send,
    ) -> PyResult<T> {
        let mut failures = 0;
        loop {
            match detached(py, &mut work) {
                Err(refused) if is_locked(&refused) => py.check_signals()?,
                Err(refused) if is_away(&refused) && !self.is_over() => {
                    failures += 1;
                    self.pause(py, failures)?;
                }
                done => return done.map_err(|refused| Failure::from(refused).into()),
            }
        }
    }

    fn is_over(self) -> bool {
        match self {
            Self::Endless => false,
            Self::None => true,
            Self::Until(until) => Instant::now() >= until,
        }
    }

    /// Waits before the next try. Nobody who wants to fork waits for that.
    fn pause(self, py: Python<'_>, failures: u64) -> PyResult<()> {
        let begun = Instant::now();
        let pause = PAUSES.after(failures).map_err(Failure::from)?;
        while begun.elapsed() < pause && !self.is_over() {
            py.check_signals()?;
            let left = pause.saturating_sub(begun.elapsed());
            py.detach(|| sleep(left.min(LOOK)));
        }
        py.check_signals()
    }
}

/// Tries again while another process has the queue locked, but not for ever. It is for work of which a message is lost
/// to others for as long as its lease lasts.
pub(crate) fn patiently<T, E: Into<Refused>>(
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<T, Refused> {
    let mut tries = MOST_TRIES;
    loop {
        match work().map_err(Into::into) {
            Err(refused) if is_locked(&refused) && tries > 0 => tries = tries.saturating_sub(1),
            done => return done,
        }
    }
}

fn is_locked(refused: &Refused) -> bool {
    matches!(refused.reason, "queue-locked" | "replay-locked")
}

/// Returns whether the server of a queue cannot be reached.
pub(crate) fn is_away(refused: &Refused) -> bool {
    matches!(refused.reason, "queue-connection" | "replay-connection")
}

/// How long a file that another process has locked is waited for before a Ctrl-C is looked for.
pub(crate) const OF_FILE: Duration = Duration::from_millis(200);

/// How long an answer of a server is waited for, and a connection to it.
pub(crate) const OF_SERVER: Duration = Duration::from_secs(1);

/// How long to wait for a server after a first failure, and at most.
const PAUSES: RetryDelay =
    RetryDelay { first: Duration::from_millis(100), longest: Duration::from_secs(5) };

/// How long it takes to make a new connection to a server that is there.
const RECONNECTING: Duration = Duration::from_secs(1);

/// How often a Ctrl-C is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// How often a message that is held waits for another process.
const MOST_TRIES: usize = 50;
