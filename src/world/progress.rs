//! Progress, for a person who waits.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::home;

/// A line at the bottom of the terminal, for work that takes over a second.
///
/// It goes when this is dropped, so that what is said next has the line for itself.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

/// Whether a person wants to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// If there is a person: standard error is a terminal, and nothing says that this is CI.
    IfWatched,
    Never,
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
        let watched = || rustix::termios::isatty(rustix::stdio::stderr()) && !home::is_ci();
        Self((show == Show::IfWatched && watched()).then(|| {
            let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
            let template = if length.is_some() { WITH_LENGTH } else { WITHOUT_LENGTH };
            // A template that does not parse leaves the style as it is.
            match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        }))
    }

    /// Counts bytes, from any thread.
    pub(crate) fn advance(&self, bytes: usize) {
        let Some(bar) = &self.0 else { return };
        bar.inc(u64::try_from(bytes).unwrap_or(u64::MAX));
        if bar.is_hidden() && bar.elapsed() >= PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// How long work may take before progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);

const WITH_LENGTH: &str =
    "{bar:24} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";

const WITHOUT_LENGTH: &str = "{binary_bytes}, {binary_bytes_per_sec}, {elapsed}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parse() {
        for template in [WITH_LENGTH, WITHOUT_LENGTH] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
