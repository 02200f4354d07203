//! Schemas, compiled and applied by the crate jsonschema.

use std::io::Read;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, Retrieve, Uri};
use serde_json::Value;

use super::{Compiled, JsonSchemaError, MAX_SCHEMA_OUTPUT_BYTES};
use crate::format::{FormatError, OutputFormat};

/// Compiles a schema.
pub(super) fn compile(bytes: &[u8], digest: [u8; 32]) -> Result<Compiled, JsonSchemaError> {
    let not_json = |what: String| JsonSchemaError::Json { what };
    // The same strictness that output meets: of two members of one name, readers take different ones.
    OutputFormat::Json.check(&mut &*bytes).map_err(|error| not_json(error.to_string()))?;
    let schema: Value =
        serde_json::from_slice(bytes).map_err(|error| not_json(error.to_string()))?;
    if let Some(found) = schema.get("$schema")
        && found.as_str().map(|found| found.trim_end_matches('#')) != Some(DRAFT)
    {
        return Err(JsonSchemaError::Draft {
            found: found.to_string().chars().take(MOST_SHOWN).collect(),
        });
    }
    let built = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_retriever(NothingIsFetched)
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
        .should_validate_formats(false)
        .build(&schema);
    let validator = built.map_err(|error| {
        let what = error.to_string();
        match error.kind() {
            ValidationErrorKind::Referencing(_) => JsonSchemaError::Reference { what },
            _ => JsonSchemaError::Invalid {
                what: format!("{what} at {:?}", error.instance_path().as_str()),
            },
        }
    })?;
    Ok(Compiled { digest, validator })
}

/// Checks output, all of which must fit memory.
pub(super) fn check(schema: &Compiled, output: &mut dyn Read) -> Result<(), FormatError> {
    let mut bytes = Vec::new();
    output.take(MAX_SCHEMA_OUTPUT_BYTES.saturating_add(1)).read_to_end(&mut bytes)?;
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if found > MAX_SCHEMA_OUTPUT_BYTES {
        return Err(FormatError::TooLargeForSchema);
    }
    OutputFormat::Json.check(&mut bytes.as_slice())?;
    // What is left to go wrong is its depth: serde_json stops one level earlier.
    let deep = |_| FormatError::Json { offset: found, what: "it nests too deep for a schema" };
    let value: Value = serde_json::from_slice(&bytes).map_err(deep)?;
    drop(bytes);
    schema.validator.validate(&value).map_err(|error| FormatError::Schema {
        instance: error.instance_path().as_str().chars().take(MOST_SHOWN).collect(),
        keyword: error.kind().keyword().to_owned(),
    })
}

/// Refuses everything that a schema refers to outside itself.
struct NothingIsFetched;

impl Retrieve for NothingIsFetched {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("nothing is fetched".into())
    }
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The largest pattern, compiled, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// How much of a text of somebody's is shown, in characters.
const MOST_SHOWN: usize = 200;
