//! What was signed, as it is shown to programs. docs/json.md describes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use brine_core::claims::Audience;
use brine_core::text::hex;
use brine_core::{Algorithm, KeyId, Timestamp, Verified};
use brine_records::SigningCounts;
use serde::Serialize;

use super::byte_name::{exact, shown};
use super::console::json_line;
use super::exit::Status;

/// What was signed, and where the signature is.
#[derive(Debug)]
pub(crate) struct SignedInput {
    pub(crate) file: PathBuf,
    pub(crate) output: PathBuf,
    /// The key, as it was named.
    pub(crate) key: String,
    pub(crate) key_id: KeyId,
    pub(crate) detached: bool,
    pub(crate) facts: SignatureFacts,
    pub(crate) records: Option<SignedRecords>,
}

/// What a signature says. Of records, what each of them says.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SignatureFacts {
    pub(crate) algorithm: i64,
    pub(crate) content_type: Option<String>,
    pub(crate) context: Option<Vec<String>>,
    pub(crate) cti: Option<String>,
    #[serde(serialize_with = "as_text")]
    pub(crate) expires: Option<Timestamp>,
    #[serde(serialize_with = "as_text")]
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) kind: &'static str,
    #[serde(serialize_with = "as_text")]
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) payload_bytes: Option<u64>,
}

impl SignatureFacts {
    /// Returns what is said by whoever cosigns what was verified.
    pub(crate) fn cosigned(verified: &Verified) -> Self {
        let (header, claims) = (verified.header(), verified.claims());
        let names = |found: Audience<'_>| found.names().map(str::to_owned).collect();
        Self {
            algorithm: Algorithm::default().id(),
            content_type: header.content_type().map(|found| found.to_string()),
            context: claims.audience.map(names),
            cti: claims.cti.map(hex),
            expires: claims.expires,
            issued_at: claims.issued_at,
            kind: verified.kind().name(),
            not_before: claims.not_before,
            payload_bytes: Some(verified.payload_bytes()),
        }
    }
}

/// What became of records that were to be signed.
#[derive(Debug)]
pub(crate) struct SignedRecords {
    /// Names the signer of these records, as it numbers them.
    pub(crate) channel: String,
    pub(crate) counts: SigningCounts,
}

impl SignedInput {
    /// Returns the exit status, if nothing failed.
    pub(super) fn status(&self) -> Status {
        match &self.records {
            // Skipped, and kept nowhere.
            Some(SignedRecords { counts, .. }) if counts.refused > counts.kept => Status::Altered,
            _ => Status::Done,
        }
    }

    /// Writes the line.
    pub(super) fn line(&self) -> String {
        json_line(&SignedLine {
            schema: SCHEMA,
            status: self.status().code(),
            file: shown(&self.file),
            file_hex: exact(&self.file),
            output: shown(&self.output),
            output_hex: exact(&self.output),
            key: &self.key,
            key_id: self.key_id.to_string(),
            detached: self.detached,
            facts: &self.facts,
            records: self.records.as_ref().map(SignedRecordLine::of),
        })
    }
}

#[derive(Serialize)]
struct SignedLine<'a> {
    schema: &'static str,
    status: u8,
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_hex: Option<String>,
    key: &'a str,
    key_id: String,
    detached: bool,
    #[serde(flatten)]
    facts: &'a SignatureFacts,
    #[serde(flatten)]
    records: Option<SignedRecordLine<'a>>,
}

#[derive(Serialize)]
struct SignedRecordLine<'a> {
    channel: &'a str,
    records_signed: u64,
    records_refused: u64,
    records_kept: u64,
    reasons: &'a BTreeMap<&'static str, u64>,
}

impl<'a> SignedRecordLine<'a> {
    fn of(records: &'a SignedRecords) -> Self {
        let SignedRecords { channel, counts } = records;
        Self {
            channel,
            records_signed: counts.signed,
            records_refused: counts.refused,
            records_kept: counts.kept,
            reasons: &counts.reasons,
        }
    }
}

/// Writes a time as RFC 3339 has it.
fn as_text<S: serde::Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.to_string()).serialize(to)
}

/// The version of the line's form.
const SCHEMA: &str = "brine.signed/1";
