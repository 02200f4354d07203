//! What an envelope claims.

use brine_core::batch::{BatchProof, Signature};
use brine_core::cbor::{Decoder, diagnose, quote};
use brine_core::cose::{FormError, HeaderMap, Label, Outline, Tagging, label, label_name};
use brine_core::text::hex;
use brine_core::{
    Algorithm, Claims, ClaimsError, ContentType, Kind, KindError, Position, Sequence, Signatures,
    Timestamp, UnverifiedEnvelope,
};
use brine_job::{Grants, JobResult};
use brine_trust::UnverifiedStatement;
use serde::Serialize;

use super::LONGEST_SHOWN;
use super::shown_certificate::ShownCertificate;
use super::shown_signer::ShownSigner;
use crate::report::console::json_line;
use crate::report::statement_facts::StatementFacts;
use crate::report::verdict::{RefusalFacts, SequenceFacts};

/// The most of a signature field that is shown, in bytes: more than any proof of a batch has.
const MAX_SIGNATURE_SHOWN: usize = 4096;

/// The version of the line's form.
pub(in crate::verbs) const INSPECT_SCHEMA: &str = "brine.inspect/1";

/// What an envelope claims, each part read as far as it can be, whatever the others are like.
pub(super) struct Claimed<'a> {
    pub(super) algorithm: String,
    /// The number of the algorithm, if it has one, and its name, if that is known.
    algorithm_facts: (Option<i64>, Option<&'static str>),
    pub(super) batch: Option<BatchProof<'a>>,
    pub(super) certificates: Vec<ShownCertificate>,
    pub(super) claims: Option<Claims<'a>>,
    /// Of the payload, or of the content that it is the digest of.
    pub(super) content_type: Option<ContentType<'a>>,
    /// What a job requests, as it is typed.
    pub(super) grants: Vec<String>,
    pub(super) result: Option<JobResult>,
    pub(super) key_id: Option<String>,
    pub(super) kind: String,
    /// The kind by the name that it has in verdicts.
    kind_name: &'static str,
    /// What private numbers mean.
    pub(super) numbers: Numbers,
    pub(super) position: Option<Position>,
    /// Why nobody will verify it, if its form tells that.
    pub(super) refusal: Option<RefusalFacts>,
    pub(super) sequence: Option<Sequence>,
    /// Whoever signed an envelope of several signers.
    pub(super) signers: Vec<ShownSigner>,
    /// What a statement about keys says.
    pub(super) statement: Option<StatementFacts>,
    /// The type, if it is somebody else's.
    typ: Option<String>,
}

/// How long an envelope and its parts are, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    pub(super) envelope: u64,
    /// `None` if the payload is detached.
    pub(super) payload: Option<u64>,
    pub(super) signature: u64,
}

impl Lengths {
    /// Measures an envelope that is in memory.
    pub(super) fn of(envelope: &[u8], outline: &Outline<'_>) -> Self {
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self {
            envelope: length(envelope),
            payload: outline.payload.map(length),
            signature: length(outline.signature),
        }
    }
}

impl<'a> Claimed<'a> {
    pub(super) fn of(
        parsed: Result<UnverifiedEnvelope<'a>, FormError>,
        outline: &Outline<'a>,
    ) -> Self {
        let get = |label| outline.protected.get(label);
        let numbers = Numbers::under(get(label::TYP));
        let private = |label| parsed.as_ref().ok().and_then(|parsed| parsed.private(label));
        let claims = get(label::CWT_CLAIMS).and_then(|map| Claims::decode(map).ok());
        let kind = parsed.as_ref().map(|parsed| parsed.kind(None));
        let (kind_name, typ) = match &kind {
            Ok(Ok(Kind::Segment)) => ("stream", None),
            Ok(Ok(kind)) => (kind.name(), None),
            Ok(Err(KindError::UnknownTyp { typ })) => (Kind::Foreign.name(), Some(typ.clone())),
            Ok(Err(KindError::Untyped)) => (Kind::Untyped.name(), None),
            Ok(Err(_)) | Err(_) => ("unknown", None),
        };
        Self {
            algorithm: get(label::ALG)
                .map_or_else(|| "none".to_owned(), |id| numbers.algorithm_shown(id)),
            algorithm_facts: get(label::ALG).map(|id| numbers.algorithm(id)).unwrap_or_default(),
            batch: parsed.as_ref().ok().and_then(|parsed| match parsed.signature() {
                Signature::Batch(proof) => Some(proof),
                Signature::Plain(_) => None,
            }),
            certificates: ShownCertificate::all(
                parsed.as_ref().ok().and_then(UnverifiedEnvelope::certificates).as_ref(),
            ),
            claims,
            content_type: get(label::CONTENT_TYPE)
                .or_else(|| get(label::PREIMAGE_CONTENT_TYPE))
                .and_then(|value| ContentType::decode(value).ok()),
            grants: private(label::GRANTS)
                .and_then(|value| Grants::decode(value).ok())
                .map(|grants| grants.iter().map(|grant| grant.to_string()).collect())
                .unwrap_or_default(),
            key_id: get(label::KID).and_then(|value| Decoder::new(value).bytes().ok().map(hex)),
            kind: match &kind {
                Ok(Ok(kind)) => kind.name().to_owned(),
                Ok(Err(KindError::UnknownTyp { typ })) => quote(typ),
                Ok(Err(_)) | Err(_) => "unknown".to_owned(),
            },
            kind_name,
            typ,
            numbers,
            position: private(label::POSITION).and_then(|value| Position::decode(value).ok()),
            result: private(label::RESULT).and_then(|value| JobResult::decode(value).ok()),
            signers: Vec::new(),
            statement: None,
            sequence: private(label::SEQUENCE).and_then(|value| Sequence::decode(value).ok()),
            refusal: parsed
                .as_ref()
                .err()
                .map(|error| RefusalFacts::new(error))
                .or_else(|| malformed_grants(private(label::GRANTS)?))
                .or_else(|| malformed_result(private(label::RESULT)?))
                .or_else(|| undated(claims?)),
        }
    }

    /// Claims the same of an envelope that is in memory, all of which is read.
    pub(super) fn of_whole(
        envelope: &[u8],
        parsed: Result<UnverifiedEnvelope<'a>, FormError>,
        outline: &Outline<'a>,
    ) -> Self {
        let mut claimed = Self::of(parsed, outline);
        if let Ok(signatures) = Signatures::parse(envelope, Tagging::Any) {
            claimed.signers = ShownSigner::all(&signatures, claimed.numbers);
            if signatures.is_of_several() {
                // They are each signer's.
                claimed.certificates.clear();
            }
        }
        if claimed.refusal.is_none()
            && [Kind::Revocation, Kind::Rotation]
                .iter()
                .any(|kind| kind.name() == claimed.kind_name)
        {
            match UnverifiedStatement::parse(envelope.to_vec()) {
                Ok(statement) => claimed.statement = Some(StatementFacts::of(&statement)),
                Err(error) => claimed.refusal = Some(RefusalFacts::new(&error)),
            }
        }
        claimed
    }

    /// Writes a line for programs.
    pub(super) fn to_json(
        &self,
        lengths: Lengths,
        outline: &Outline<'_>,
        number: Option<u64>,
    ) -> String {
        let claims = self.claims.unwrap_or_default();
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        json_line(&ClaimedLine {
            schema: INSPECT_SCHEMA,
            number,
            verified: false,
            envelope_bytes: lengths.envelope,
            kind: self.kind_name,
            typ: self.typ.as_deref(),
            algorithm: self.algorithm_facts.0,
            algorithm_name: self.algorithm_facts.1,
            key_id: self.key_id.as_deref(),
            certificates: &self.certificates,
            content_type: self.content_type.map(|found| found.to_string()),
            context: claims.audience.map(|audience| audience.names().collect()),
            issuer: claims.issuer,
            subject: claims.subject,
            issued_at: time(claims.issued_at),
            not_before: time(claims.not_before),
            expires: time(claims.expires),
            cti: claims.cti.map(hex),
            sequence: self.sequence.map(SequenceFacts::of),
            stream: self
                .position
                .as_ref()
                .map(|found| StreamLine { stream_id: hex(&found.stream_id), segment: found.index }),
            detached: lengths.payload.is_none(),
            payload_bytes: lengths.payload,
            signature: hex(signature_shown(outline)),
            signature_bytes: lengths.signature,
            grants: &self.grants,
            signers: &self.signers,
            statement: self.statement.as_ref(),
            batch: self.batch.map(|proof| BatchLine {
                tree_size: proof.tree_size(),
                leaf_index: proof.leaf_index(),
                path_nodes: proof.path_length(),
                root_signature: hex(proof.signature()),
            }),
            protected: self.numbers.parameters(&outline.protected),
            unprotected: self.numbers.parameters(&outline.unprotected),
            refusal: self.refusal.as_ref(),
        })
    }
}

#[derive(Serialize)]
struct ClaimedLine<'a> {
    schema: &'static str,
    number: Option<u64>,
    verified: bool,
    envelope_bytes: u64,
    kind: &'static str,
    typ: Option<&'a str>,
    algorithm: Option<i64>,
    algorithm_name: Option<&'static str>,
    key_id: Option<&'a str>,
    certificates: &'a [ShownCertificate],
    content_type: Option<String>,
    context: Option<Vec<&'a str>>,
    issuer: Option<&'a str>,
    subject: Option<&'a str>,
    issued_at: Option<String>,
    not_before: Option<String>,
    expires: Option<String>,
    cti: Option<String>,
    sequence: Option<SequenceFacts>,
    stream: Option<StreamLine>,
    detached: bool,
    payload_bytes: Option<u64>,
    signature: String,
    signature_bytes: u64,
    grants: &'a [String],
    signers: &'a [ShownSigner],
    statement: Option<&'a StatementFacts>,
    batch: Option<BatchLine>,
    protected: Vec<ParameterLine>,
    unprotected: Vec<ParameterLine>,
    refusal: Option<&'a RefusalFacts>,
}

#[derive(Serialize)]
struct StreamLine {
    stream_id: String,
    segment: u64,
}

#[derive(Serialize)]
struct BatchLine {
    tree_size: u64,
    leaf_index: u64,
    path_nodes: usize,
    root_signature: String,
}

#[derive(Serialize)]
struct ParameterLine {
    label: LabelLine,
    name: Option<&'static str>,
    value: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum LabelLine {
    Number(i64),
    Text(String),
}

/// Returns as much of a signature field as is shown: all of it, if there can be such a signature.
pub(super) fn signature_shown<'a>(outline: &Outline<'a>) -> &'a [u8] {
    outline.signature.get(..MAX_SIGNATURE_SHOWN).unwrap_or(outline.signature)
}

/// Says why nobody will take this for the result of a job.
fn malformed_result(result: &[u8]) -> Option<RefusalFacts> {
    JobResult::decode(result).err().map(|error| RefusalFacts::new(&error))
}

/// Says why nobody will run a job with these grants.
fn malformed_grants(grants: &[u8]) -> Option<RefusalFacts> {
    Grants::decode(grants).err().map(|error| RefusalFacts::new(&error))
}

/// Says why nobody can judge the time of an envelope with these claims.
fn undated(claims: Claims<'_>) -> Option<RefusalFacts> {
    let claim = claims.undated?;
    Some(RefusalFacts::new(&ClaimsError::Date { claim }))
}

/// What the numbers of an envelope mean. Private ones are brine's under a type of brine's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    Own,
    Foreign,
}

impl Numbers {
    /// Returns what numbers mean under this type.
    fn under(typ: Option<&[u8]>) -> Self {
        let typ = typ.and_then(|value| ContentType::decode(value).ok());
        if Kind::stated_by(typ).is_some() { Self::Own } else { Self::Foreign }
    }

    fn are_known(self, number: i64) -> bool {
        self == Self::Own || number >= FIRST_NOT_PRIVATE
    }

    /// Returns the registered name of a label.
    pub(super) fn name_of(self, label: &Label<'_>) -> Option<&'static str> {
        match label {
            Label::Int(number) if self.are_known(*number) => label_name(*number),
            Label::Int(_) | Label::Text(_) => None,
        }
    }

    /// Adds the algorithm's name to its number.
    pub(super) fn algorithm_shown(self, id: &[u8]) -> String {
        let (_, name) = self.algorithm(id);
        let id = diagnose(id, 64).text;
        name.map_or_else(|| id.clone(), |name| format!("{id} ({name})"))
    }

    /// Returns the number of an algorithm, if it has one, and its name, if that is known.
    pub(super) fn algorithm(self, id: &[u8]) -> (Option<i64>, Option<&'static str>) {
        let number: Option<i64> = diagnose(id, 64).text.parse().ok();
        let known = number.filter(|number| self.are_known(*number)).and_then(Algorithm::from_id);
        (number, known.map(Algorithm::name))
    }

    fn parameters(self, map: &HeaderMap<'_>) -> Vec<ParameterLine> {
        let line = |(label, value): (Label<'_>, &[u8])| ParameterLine {
            name: self.name_of(&label),
            label: match label {
                Label::Int(number) => LabelLine::Number(number),
                Label::Text(text) => LabelLine::Text(text.into_owned()),
            },
            value: diagnose(value, LONGEST_SHOWN).text,
        };
        map.iter().map(line).collect()
    }
}

/// All numbers below it are for private use, as the registries of COSE have it.
const FIRST_NOT_PRIVATE: i64 = -65_536;
