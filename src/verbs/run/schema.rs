//! Schemas that output is held to.

use std::path::Path;

use brine_job::{JsonSchema, MAX_JSON_SCHEMA_BYTES};

use crate::report::Failure;
use crate::world::input::InputFile;
use crate::world::permissions::PermissionRule;
use crate::world::program_file::open_regular;

/// Reads a schema: what matches it is released, so it is a file that decides.
pub(in crate::verbs) fn read(path: &Path, rule: PermissionRule) -> Result<JsonSchema, Failure> {
    let name = format!("{path:?}");
    let open = || open_regular(path).map_err(|error| Failure::io(&name, error));
    let file = rule.open(path, open)?;
    // One byte more than what is taken, so that the schema itself says that it is too large.
    let most = u64::try_from(MAX_JSON_SCHEMA_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let bytes = InputFile::of(file, name).read(most)?;
    JsonSchema::read(&bytes).map_err(|source| Failure::JsonSchema { path: path.to_owned(), source })
}
