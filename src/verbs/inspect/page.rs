//! What an envelope claims, as a page for people.

use std::fmt::Write as _;

use brine_core::cbor::diagnose;
use brine_core::cose::{HeaderMap, Outline};
use brine_core::text::hex;
use brine_core::{Claims, Sequence, Timestamp};

use super::claimed::{Claimed, Lengths, Numbers, signature_shown};
use super::{LONGEST_SHOWN, WARNING};
use crate::report::console::printable;

pub(super) fn describe(claimed: Claimed<'_>, lengths: Lengths, outline: &Outline<'_>) -> String {
    let mut page = Page(format!("{WARNING}\n\n"));
    let is_of_several = !claimed.signers.is_empty();
    let form = if is_of_several { "COSE_Sign" } else { "COSE_Sign1" };
    page.line("envelope", &format!("{form}, {} bytes", lengths.envelope));
    page.line("kind", &claimed.kind);
    if let Some(position) = claimed.position {
        page.line("stream", &format!("{}, segment {}", hex(&position.stream_id), position.index));
    }
    for signer in &claimed.signers {
        page.line("signer", signer.line());
        signer.certificates.iter().for_each(|found| page.line("certificate", &found.line()));
    }
    if !is_of_several {
        page.line("algorithm", &claimed.algorithm);
        page.line("key id", claimed.key_id.as_deref().unwrap_or("none"));
    }
    for certificate in &claimed.certificates {
        page.line("certificate", &certificate.line());
    }
    page.optional("content type", claimed.content_type.map(|found| found.to_string()));
    if let Some(claims) = &claimed.claims {
        page.claims(claims);
    }
    if let Some(Sequence { channel, seq }) = claimed.sequence {
        page.line("sequence", &format!("{seq} of channel {}", hex(&channel)));
    }
    for grant in &claimed.grants {
        page.line("asks for", grant);
    }
    if let Some(result) = &claimed.result {
        page.line("result of job", &hex(&result.job.0));
        page.line("outcome", &format!("{}, status {}", result.outcome, result.status));
    }
    if let Some(statement) = &claimed.statement {
        statement.lines().for_each(|(name, value)| page.line(name, &value));
    }
    let payload = lengths.payload.map(|length| format!("{length} bytes"));
    page.line("payload", payload.as_deref().unwrap_or("detached"));
    if let Some(proof) = claimed.batch {
        let (leaf, size) = (proof.leaf_index(), proof.tree_size());
        page.line("batch", &format!("leaf {leaf} of {size}, path of {}", proof.path_length()));
    }
    if !is_of_several {
        let signature = match claimed.batch {
            Some(proof) => hex(proof.signature()),
            None => hex(signature_shown(outline)),
        };
        let shown = u64::try_from(signature_shown(outline).len()).unwrap_or(u64::MAX);
        let is_cut = shown < lengths.signature;
        let note = if is_cut { format!(" ... {} bytes", lengths.signature) } else { String::new() };
        page.line("signature", &format!("{signature}{note}"));
    }
    page.map("protected header", &outline.protected, claimed.numbers);
    let title = "unprotected header (anyone can have changed it)";
    page.map(title, &outline.unprotected, claimed.numbers);
    if let Some(refusal) = claimed.refusal {
        let message = printable(&refusal.message);
        let _ = write!(page.0, "\n\"brine verify\" will refuse it: {message}\n");
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

    fn claims(&mut self, claims: &Claims<'_>) {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        self.optional("context", claims.audience.map(|audience| audience.to_string()));
        self.optional("issuer", claims.issuer.map(str::to_owned));
        self.optional("subject", claims.subject.map(str::to_owned));
        self.optional("issued at", time(claims.issued_at));
        self.optional("not before", time(claims.not_before));
        self.optional("expires", time(claims.expires));
        self.optional("claim id", claims.cti.map(hex));
    }

    fn map(&mut self, title: &str, map: &HeaderMap<'_>, numbers: Numbers) {
        if map.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "\n{title}");
        for (label, value) in map.iter() {
            let name = numbers.name_of(&label).map(|name| format!(" ({name})")).unwrap_or_default();
            let value = diagnose(value, LONGEST_SHOWN).text;
            let _ = writeln!(self.0, "  {label}{name}: {}", printable(&value));
        }
    }
}
