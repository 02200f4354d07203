//! Progress, for a person who waits.
//!
//! A line is drawn where all of this holds: the work takes over a second, standard error is a terminal that takes
//! control sequences, this process is in the foreground there, nothing says that this is CI, and nobody else draws on
//! the same terminal. So there is one line for a pipeline, of whichever process came first. Processes of brine tell each
//! other by a lock on the terminal; `curl`, `pv` and the like are known by name.

mod interrupt;
mod meter;
mod neighbours;
mod turn;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};
use std::time::{Duration, Instant};

use rustix::stdio::stderr;
use rustix::termios::{isatty, tcgetwinsize};

use self::meter::Meter;
use self::turn::Turn;
use super::home;
use crate::report::console;

/// A line at the bottom of the terminal, for work that takes over a second.
///
/// It goes when this is dropped, so that what is said next has the line for itself.
#[derive(Debug)]
pub(crate) struct Progress(Option<Watched>);

/// Whether a person wants to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// If there is a person: standard error is a terminal, and nothing says that this is CI.
    IfWatched,
    Never,
}

/// Work that a person may watch.
#[derive(Debug)]
struct Watched {
    start: Instant,
    /// How many bytes there will be, if that is known.
    length: Option<u64>,
    done: AtomicU64,
    /// When to draw next, in milliseconds after the start.
    next_draw: AtomicU64,
    turn: Mutex<Turn>,
}

impl Show {
    /// Not where that would be in the way.
    pub(crate) const fn unless(quiet: bool) -> Self {
        if quiet { Self::Never } else { Self::IfWatched }
    }
}

impl Progress {
    /// Starts the clock. `length` is how many bytes there will be, if that is known.
    pub(crate) fn start(length: Option<u64>, show: Show) -> Self {
        let is_watched = || isatty(stderr()) && !home::is_ci() && home::has_full_terminal();
        Self((show == Show::IfWatched && is_watched()).then(|| Watched::new(length)))
    }

    /// Counts bytes, from any thread.
    pub(crate) fn advance(&self, bytes: usize) {
        if let Some(watched) = &self.0 {
            watched.advance(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// Shows another line in its place, when it is time to draw.
    pub(crate) fn show_line(&self, line: impl FnOnce() -> String) {
        if let Some(watched) = &self.0 {
            watched.draw_when_due(|_| line().chars().take(usable_columns()).collect());
        }
    }
}

impl Watched {
    fn new(length: Option<u64>) -> Self {
        // Who knows how much there will be has the first turn of a pipeline, and tells a person more.
        let patience = if length.is_some() { PATIENCE } else { PATIENCE + A_MOMENT };
        Self {
            start: Instant::now(),
            length,
            done: AtomicU64::new(0),
            next_draw: AtomicU64::new(milliseconds(patience)),
            turn: Mutex::default(),
        }
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.draw_when_due(|elapsed| {
            Meter { done, length: self.length, elapsed }.line(usable_columns())
        });
    }

    fn draw_when_due(&self, line: impl FnOnce(Duration) -> String) {
        let elapsed = self.start.elapsed();
        if milliseconds(elapsed) < self.next_draw.load(Ordering::Relaxed) {
            return;
        }
        // Another thread draws already.
        let mut turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let pause = match turn.take() {
            true => {
                console::draw(&line(elapsed));
                BETWEEN_DRAWS
            }
            false => BETWEEN_ATTEMPTS,
        };
        self.next_draw.store(milliseconds(elapsed.saturating_add(pause)), Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        console::erase();
    }
}

/// Returns how many columns a line may take now. In the last one, some terminals go on to the next line.
fn usable_columns() -> usize {
    let found = tcgetwinsize(stderr()).map(|size| usize::from(size.ws_col));
    let columns = found.ok().filter(|columns| *columns > 0).unwrap_or(USUAL_COLUMNS);
    columns.saturating_sub(1)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long work may take before progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// How much earlier somebody who knows the length is.
const A_MOMENT: Duration = Duration::from_millis(200);

const BETWEEN_DRAWS: Duration = Duration::from_millis(100);

/// How long to wait after somebody else was found to draw.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

/// As wide as a terminal that does not say how wide it is.
const USUAL_COLUMNS: usize = 80;
