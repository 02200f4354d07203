//! `brine inspect`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::inspect_records::inspect_records;
use super::verify::{read_rest, reading};
use crate::cbor::{Decoder, diagnose, quote};
use crate::claims::Claims;
use crate::cli::args::brine::Inspect;
use crate::cli::failure::Failure;
use crate::cli::input::Input;
use crate::cli::output::Output;
use crate::cli::report::{json_line, printable};
use crate::cli::whole_file::Access;
use crate::cose::{
    Algorithm, BatchProof, ContentType, HeaderMap, Label, Outline, Position, Sequence, Sign1,
    Signature, Tagging, label, label_name,
};
use crate::error::{Error, Result};
use crate::job::Grants;
use crate::stream::Start;
use crate::text::hex;

pub(super) fn run(args: &Inspect) -> Result<(), Failure> {
    if let Some(framing) = args.framing.name() {
        return inspect_records(args, framing.into());
    }
    let output = Output::stdout();
    let (mut file, name) = Input::open(args.input.as_deref())?.into_file();
    let start = Start::read(&mut file).map_err(|error| reading(&name, error))?;
    let envelope = if start.is_segment() {
        // The header of segment 0 speaks for the stream, however long it is.
        start.read_opening(&mut file).map_err(|error| reading(&name, error))?
    } else {
        read_rest(start.into_bytes(), file, name)?
    };
    let mut unreadable = None;
    let text = show(args, &envelope, None, &mut unreadable)?;
    output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()))?;
    unreadable.map_or(Ok(()), |error| Err(error.into()))
}

/// Shows an envelope, of a file or the one that is record `number`, as was asked for.
pub(super) fn show(
    args: &Inspect,
    envelope: &[u8],
    number: Option<u64>,
    unreadable: &mut Option<Error>,
) -> Result<String> {
    if args.diag {
        return Ok(diagnostic(envelope, unreadable));
    }
    match Outline::parse(envelope, Tagging::Optional) {
        Ok(outline) if args.json => Ok(facts_line(envelope, &outline, number)),
        Ok(outline) => Ok(describe(envelope, &outline)),
        Err(error) if args.json => Err(error),
        Err(error) => {
            let text = diagnostic(envelope, unreadable);
            *unreadable = Some(error);
            Ok(text)
        }
    }
}

/// Everything in diagnostic notation, item by item, as far as it goes.
fn diagnostic(envelope: &[u8], unreadable: &mut Option<Error>) -> String {
    let mut text = format!("/ {WARNING} /\n");
    let mut rest = envelope;
    let mut offset = 0;
    while !rest.is_empty() {
        let shown = diagnose(rest, LONGEST_SHOWN);
        text.push_str(&shown.text);
        text.push('\n');
        if let Some(broken) = shown.broken {
            *unreadable = Some(Error::Malformed(broken.within(offset)));
            break;
        }
        offset += shown.read;
        rest = rest.get(shown.read..).unwrap_or_default();
        if text.len() > MAX_DIAGNOSTIC_BYTES {
            let _ = writeln!(text, "/ {} more bytes /", rest.len());
            break;
        }
    }
    text
}

/// A page for people.
fn describe<'a>(envelope: &'a [u8], outline: &Outline<'a>) -> String {
    let facts = Facts::of(envelope, outline);
    let mut page = Page(format!("{WARNING}\n\n"));
    page.line("envelope", &format!("COSE_Sign1, {} bytes", envelope.len()));
    page.line("kind", &facts.kind);
    if let Some(position) = facts.position {
        page.line("stream", &format!("{}, segment {}", hex(&position.stream_id), position.index));
    }
    page.line("algorithm", &facts.algorithm);
    page.line("key id", &facts.key_id.unwrap_or_else(|| "none".to_owned()));
    page.optional("content type", facts.content_type.map(|found| found.to_string()));
    if let Some(claims) = facts.claims {
        let time = |at: Option<crate::Timestamp>| at.map(|at| at.to_string());
        page.optional("context", claims.audience.map(|audience| audience.to_string()));
        page.optional("issuer", claims.issuer.map(str::to_owned));
        page.optional("subject", claims.subject.map(str::to_owned));
        page.optional("issued at", time(claims.issued_at));
        page.optional("not before", time(claims.not_before));
        page.optional("expires", time(claims.expires));
        page.optional("claim id", claims.cti.map(hex));
    }
    if let Some(Sequence { channel, seq }) = facts.sequence {
        page.line("sequence", &format!("{seq} of channel {}", hex(&channel)));
    }
    for grant in &facts.grants {
        page.line("asks for", grant);
    }
    page.line(
        "payload",
        &match outline.payload {
            None => "detached".to_owned(),
            Some(payload) => format!("{} bytes", payload.len()),
        },
    );
    if let Some(proof) = facts.batch {
        let (leaf, size) = (proof.leaf_index(), proof.tree_size());
        let nodes = proof.path_length();
        page.line("batch", &format!("leaf {leaf} of {size}, path of {nodes}"));
    }
    let signature = facts.batch.map_or(outline.signature, |proof| proof.signature().as_slice());
    page.line("signature", &hex(signature));
    page.map("protected header", &outline.protected);
    page.map("unprotected header (anyone can have changed it)", &outline.unprotected);
    if let Some(refusal) = facts.refusal {
        let _ = write!(
            page.0,
            "\n\"brine verify\" will refuse it: {}\n",
            printable(&refusal.to_string())
        );
    }
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, name: &str, value: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{name:<13} {}", printable(value));
    }

    fn optional(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.line(name, &value);
        }
    }

    fn map(&mut self, title: &str, map: &HeaderMap<'_>) {
        if map.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "\n{title}");
        for (label, value) in map.iter() {
            let name = name_of(&label).map(|name| format!(" ({name})")).unwrap_or_default();
            let value = diagnose(value, LONGEST_SHOWN).text;
            let _ = writeln!(self.0, "  {label}{name}: {}", printable(&value));
        }
    }
}

fn facts_line<'a>(envelope: &'a [u8], outline: &Outline<'a>, number: Option<u64>) -> String {
    let facts = Facts::of(envelope, outline);
    let claims = facts.claims.unwrap_or_default();
    let time = |at: Option<crate::Timestamp>| at.map(|at| at.to_string());
    let line = json!({
        "schema": SCHEMA,
        "number": number,
        "verified": false,
        "envelope_bytes": envelope.len(),
        "kind": facts.kind,
        "algorithm": facts.algorithm,
        "key_id": facts.key_id,
        "content_type": facts.content_type.map(|found| found.to_string()),
        "context": claims.audience.map(|audience| audience.names().collect::<Vec<_>>()),
        "issuer": claims.issuer,
        "subject": claims.subject,
        "issued_at": time(claims.issued_at),
        "not_before": time(claims.not_before),
        "expires": time(claims.expires),
        "cti": claims.cti.map(hex),
        "sequence": facts.sequence.map(|sequence| json!({
            "channel": hex(&sequence.channel),
            "seq": sequence.seq,
        })),
        "detached": outline.payload.is_none(),
        "payload_bytes": outline.payload.map(<[u8]>::len),
        "signature": hex(outline.signature),
        "grants": facts.grants,
        "batch": facts.batch.map(|proof| json!({
            "tree_size": proof.tree_size(),
            "leaf_index": proof.leaf_index(),
            "path_nodes": proof.path_length(),
            "root_signature": hex(proof.signature()),
        })),
        "protected": json_map(&outline.protected),
        "unprotected": json_map(&outline.unprotected),
        "refusal": facts.refusal.map(|error| json!({
            "reason": error.reason(),
            "message": error.to_string(),
        })),
    });
    json_line(&line)
}

fn json_map(map: &HeaderMap<'_>) -> Value {
    let entries = map.iter().map(|(label, value)| {
        json!({
            "label": match &label {
                Label::Int(number) => json!(number),
                Label::Text(text) => json!(text),
            },
            "name": name_of(&label),
            "value": diagnose(value, LONGEST_SHOWN).text,
        })
    });
    Value::Array(entries.collect())
}

const fn name_of(label: &Label<'_>) -> Option<&'static str> {
    match label {
        Label::Int(number) => label_name(*number),
        Label::Text(_) => None,
    }
}

/// What an envelope claims, each part read as far as it can be, whatever the others are like.
struct Facts<'a> {
    algorithm: String,
    batch: Option<BatchProof<'a>>,
    claims: Option<Claims<'a>>,
    /// Of the payload, or of what it is the digest of.
    content_type: Option<ContentType<'a>>,
    /// What a job asks for, as it is typed.
    grants: Vec<String>,
    key_id: Option<String>,
    kind: String,
    position: Option<Position>,
    /// Why nobody will verify it, if that can be told from its form.
    refusal: Option<Error>,
    sequence: Option<Sequence>,
}

impl<'a> Facts<'a> {
    fn of(envelope: &'a [u8], outline: &Outline<'a>) -> Self {
        let shown = |label| outline.protected.get(label).map(|value| diagnose(value, 64).text);
        let sign1 = Sign1::parse(envelope, Tagging::Optional);
        let kind = sign1.as_ref().map(|sign1| sign1.kind(None));
        Self {
            algorithm: shown(label::ALG).map_or_else(|| "none".to_owned(), |id| named(&id)),
            batch: sign1.as_ref().ok().and_then(|sign1| match sign1.signature() {
                Signature::Batch(proof) => Some(proof),
                Signature::Plain(_) => None,
            }),
            claims: outline
                .protected
                .get(label::CWT_CLAIMS)
                .and_then(|map| Claims::decode(map).ok()),
            content_type: outline
                .protected
                .get(label::CONTENT_TYPE)
                .or_else(|| outline.protected.get(label::PREIMAGE_CONTENT_TYPE))
                .and_then(|value| ContentType::decode(value).ok()),
            grants: outline
                .protected
                .get(label::GRANTS)
                .and_then(|value| Grants::decode(value).ok())
                .map(|grants| grants.iter().map(|grant| grant.to_string()).collect())
                .unwrap_or_default(),
            key_id: outline
                .protected
                .get(label::KID)
                .and_then(|value| Decoder::new(value).bytes().ok().map(hex)),
            kind: match &kind {
                Ok(Ok(kind)) => kind.name().to_owned(),
                Ok(Err(Error::UnknownTyp { typ })) => quote(typ),
                Ok(Err(_)) | Err(_) => "unknown".to_owned(),
            },
            position: sign1.as_ref().ok().and_then(|sign1| sign1.header().position),
            sequence: sign1.as_ref().ok().and_then(|sign1| sign1.header().sequence),
            refusal: sign1.err(),
        }
    }
}

/// Adds the algorithm's name to its number.
fn named(id: &str) -> String {
    let known = id.parse().ok().and_then(Algorithm::from_id);
    known.map_or_else(|| id.to_owned(), |algorithm| format!("{id} ({})", algorithm.name()))
}

pub(super) const SCHEMA: &str = "brine.inspect/1";

const WARNING: &str = "nothing below has been verified: anyone can have written it";

/// Longer strings are cut, in bytes.
const LONGEST_SHOWN: usize = 1024;

const MAX_DIAGNOSTIC_BYTES: usize = 16 * 1024 * 1024;
