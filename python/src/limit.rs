//! Limits, as people type them.

use std::time::Duration;

use brine_job::Limit;
use pyo3::prelude::*;

use crate::failure::Failure;

/// Return a size in bytes: "64MiB", "64KiB" or "65536".
#[pyfunction]
pub(crate) fn size_in_bytes(size: &str) -> Result<u64, Failure> {
    parse(Limit::Memory, size)
}

/// Return a limit of time in seconds: "2s", "200ms" or "1h30m".
#[pyfunction]
pub(crate) fn time_limit_in_seconds(time: &str) -> Result<f64, Failure> {
    Ok(Duration::from_millis(parse(Limit::Wall, time)?).as_secs_f64())
}

fn parse(limit: Limit, text: &str) -> Result<u64, Failure> {
    let refused = |expected| Failure::usage(&format!("expected {expected}, and not {text:?}"));
    limit.parse_value(text).map_err(refused)
}
