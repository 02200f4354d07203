//! Hints for what the output of a job must be.

use brine_job::{FormatError, JsonSchemaError};

pub(super) const fn of_schema(error: &JsonSchemaError) -> Option<&'static str> {
    match error {
        JsonSchemaError::Absent => Some("build brine with --features json-schema"),
        JsonSchemaError::Reference { .. } => {
            Some("nothing is fetched: put what it refers to into the schema itself, below $defs")
        }
        _ => None,
    }
}

pub(super) const fn of_format(error: &FormatError) -> Option<&'static str> {
    match error {
        FormatError::NoReader { .. } => Some("build brine with --features columnar"),
        _ => None,
    }
}
