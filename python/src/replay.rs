//! Making replay databases, and looking at them.

use std::path::PathBuf;

use brine_cli::embed;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::fork::detached;
use crate::moment::LengthText;

/// Make a replay database at `path`, where there must be nothing, and return how it stands.
///
/// A new database refuses what was signed before it, or up to a minute after, because another database may have given
/// it out. On the first day, when there was no other, give `accept_older`. Envelopes older than `max_age`, by default a
/// day, are refused: a `timedelta`, or text like `"7d"`.
///
/// The dictionary is what `brine replay init --json` writes. Raise `InputOutputError` with the reason `exists` if
/// something has that name.
#[pyfunction]
#[pyo3(signature = (path, *, accept_older=false, max_age=None))]
pub(crate) fn replay_init(
    py: Python<'_>,
    path: PathBuf,
    accept_older: bool,
    max_age: Option<LengthText>,
) -> PyResult<Bound<'_, PyAny>> {
    let max_age = max_age.map(|text| text.0);
    let made = detached(py, || embed::replay_init(&path, accept_older, max_age.as_deref()));
    read_json(py, &made.map_err(Failure::from)?)
}

/// Return how a replay database stands: the dictionary that `brine replay status --json` writes of it.
#[pyfunction]
pub(crate) fn replay_status(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    let status = detached(py, || embed::replay_status(&path));
    read_json(py, &status.map_err(Failure::from)?)
}

fn read_json<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("json")?.call_method1("loads", (text,))
}
