//! JSON Schemas of an operator, which JSON output is held to.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use brine_core::hash::HashAlgorithm;
use brine_core::{Class, Classified};

use super::format::FormatError;

/// The largest schema, in bytes.
pub const MAX_JSON_SCHEMA_BYTES: usize = 1024 * 1024;

/// The most output that is held to a schema, in bytes. All of it is in memory then, in up to 32 times as many.
pub const MAX_SCHEMA_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;

/// A JSON Schema (draft 2020-12), ready to check output.
///
/// ```
/// # #[cfg(feature = "json-schema")] {
/// use brine_job::JsonSchema;
///
/// let schema = JsonSchema::read(br#"{ "type": "array", "items": { "type": "number" } }"#)?;
/// assert!(schema.check(&mut &b"[1, 2.5]"[..]).is_ok());
/// let error = schema.check(&mut &b"[1, \"2\"]"[..]).unwrap_err();
/// assert_eq!(error.to_string(), "output breaks the schema: type at \"/1\"");
/// # }
/// # Ok::<(), brine_job::JsonSchemaError>(())
/// ```
#[derive(Clone)]
pub struct JsonSchema(Arc<Compiled>);

struct Compiled {
    digest: [u8; 32],
    #[cfg(feature = "json-schema")]
    validator: jsonschema::Validator,
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonSchemaError {
    /// This program was built without the checker.
    #[error(
        "this brine was built without the feature json-schema, and cannot hold output to a schema"
    )]
    Absent,
    /// It is of another draft than 2020-12.
    #[error("schema is of {found:?}, not of draft 2020-12")]
    Draft {
        /// Its `$schema`.
        found: String,
    },
    /// It is not a schema.
    #[error("not a JSON Schema: {what}")]
    Invalid {
        /// What is wrong.
        what: String,
    },
    /// It is not JSON.
    #[error("schema is not JSON: {what}")]
    Json {
        /// What is wrong.
        what: String,
    },
    /// It refers to something outside itself. Nothing is fetched.
    #[error("schema refers to something that is not in it: {what}")]
    Reference {
        /// What it refers to.
        what: String,
    },
    /// It is larger than schemas may be.
    #[error("schema is {found} bytes, limit is {MAX_JSON_SCHEMA_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
}

impl JsonSchema {
    /// Reads a schema. It **must** come from whoever asks for the check, and never from a job.
    ///
    /// A schema has everything that it refers to in itself: nothing is fetched, from no file and no network. The
    /// metaschemas of draft 2020-12 are known. Patterns are matched in time that is linear in what they are matched to,
    /// so they have no look-around and no backreferences. What `format` says is not checked.
    ///
    /// # Errors
    ///
    /// [`JsonSchemaError`].
    pub fn read(bytes: &[u8]) -> Result<Self, JsonSchemaError> {
        if bytes.len() > MAX_JSON_SCHEMA_BYTES {
            return Err(JsonSchemaError::TooLarge { found: bytes.len() });
        }
        let digest = HashAlgorithm::Sha256.digest(bytes);
        let digest = digest.as_ref().first_chunk().copied().unwrap_or_default();
        compile(bytes, digest).map(|compiled| Self(Arc::new(compiled)))
    }

    /// Returns the SHA-256 of the schema as it was read.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }

    /// Reads `output` to its end, and checks that it is JSON as [`OutputFormat::Json`](crate::OutputFormat::Json) is,
    /// nested less deep than [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), and what the schema describes.
    ///
    /// # Errors
    ///
    /// [`FormatError`], which names the first value that breaks the schema, and the keyword.
    pub fn check(&self, output: &mut dyn Read) -> Result<(), FormatError> {
        check(&self.0, output)
    }
}

impl PartialEq for JsonSchema {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for JsonSchema {}

impl fmt::Debug for JsonSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonSchema").field(&brine_core::text::hex(self.digest())).finish()
    }
}

impl Classified for JsonSchemaError {
    fn class(&self) -> Class {
        match self {
            Self::Absent => Class::Unsupported,
            Self::Draft { .. }
            | Self::Invalid { .. }
            | Self::Json { .. }
            | Self::Reference { .. }
            | Self::TooLarge { .. } => Class::Key,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Absent => "json-schema-absent",
            Self::Draft { .. } => "json-schema-draft",
            Self::Invalid { .. } | Self::Json { .. } | Self::TooLarge { .. } => "json-schema-form",
            Self::Reference { .. } => "json-schema-reference",
        }
    }
}

#[cfg(not(feature = "json-schema"))]
fn compile(_: &[u8], _: [u8; 32]) -> Result<Compiled, JsonSchemaError> {
    Err(JsonSchemaError::Absent)
}

#[cfg(not(feature = "json-schema"))]
fn check(_: &Compiled, _: &mut dyn Read) -> Result<(), FormatError> {
    // There is no schema: none can be read.
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported).into())
}

#[cfg(feature = "json-schema")]
use self::checker::{check, compile};

#[cfg(feature = "json-schema")]
mod checker;

#[cfg(test)]
#[cfg(feature = "json-schema")]
mod tests;
