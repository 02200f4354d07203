//! Times: from what Python has to what people type, and back.

use brine_core::Timestamp;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDelta, PyInt, PyString, PyTzInfo};

use crate::failure::Result;

/// A moment, as the programs read it: from a `datetime` with a time zone, from a `timedelta` that counts from now, or
/// from text.
pub(crate) struct MomentText(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for MomentText {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyDateTime>() {
            if object.getattr("tzinfo")?.is_none() {
                return Err(PyValueError::new_err("a datetime without a time zone is no moment"));
            }
            let seconds: f64 = object.call_method0("timestamp")?.extract()?;
            // What expires is not to be good for longer than it was asked to.
            return Ok(Self(format!("{:.0}", seconds.floor())));
        }
        Length::of(object)?
            .map_or_else(|| Err(expected("a datetime, a timedelta", object)), |text| Ok(Self(text)))
    }
}

/// A length of time, as the programs read it: from a `timedelta` or from text.
pub(crate) struct LengthText(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for LengthText {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Length::of(object)?
            .map_or_else(|| Err(expected("a timedelta", object)), |text| Ok(Self(text)))
    }
}

/// Return a length of time in seconds.
#[pyfunction]
pub(crate) fn length_in_seconds(length: LengthText) -> Result<f64> {
    Ok(brine_cli::embed::length(&length.0)?.as_secs_f64())
}

struct Length;

impl Length {
    fn of(object: Borrowed<'_, '_, PyAny>) -> PyResult<Option<String>> {
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Some(text.to_str()?.to_owned()));
        }
        if object.is_instance_of::<PyDelta>() {
            let seconds: f64 = object.call_method0("total_seconds")?.extract()?;
            return Ok(Some(format!("{:.0}s", seconds.trunc())));
        }
        Ok(None)
    }
}

fn expected(what: &str, object: Borrowed<'_, '_, PyAny>) -> PyErr {
    let hint = if object.is_instance_of::<PyInt>() { "; write seconds as \"90s\"" } else { "" };
    PyTypeError::new_err(format!("expected {what} or text like \"7d\"{hint}"))
}

/// Returns a moment as Python has it, in UTC.
pub(crate) fn datetime(py: Python<'_>, at: Timestamp) -> PyResult<Bound<'_, PyDateTime>> {
    let utc = PyTzInfo::utc(py)?.to_owned();
    let seconds = u32::try_from(at.unix()).map_or_else(|_| large(at), f64::from);
    PyDateTime::from_timestamp(py, seconds, Some(&utc))
}

/// Times up to the year 9999 are whole numbers of a double.
fn large(at: Timestamp) -> f64 {
    let (high, low) = (at.unix() >> 32, at.unix() & u64::from(u32::MAX));
    let part = |half: u64| u32::try_from(half).map_or(0.0, f64::from);
    part(high).mul_add(4_294_967_296.0, part(low))
}
