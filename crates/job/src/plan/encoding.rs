//! Plans as bytes: one encoding for each, and its digest.

use std::ffi::OsStr;

use brine_core::cbor::Encoder;
use brine_core::hash::HashAlgorithm;

use super::{GrantedPath, JobProgram, Plan, PlanParts};

impl Plan {
    /// Returns the plan in its one encoding: deterministic CBOR (RFC 8949, Section 4.2.1).
    ///
    /// ```cddl
    /// plan = [
    ///   version: 1 / 2,
    ///   program: [path: bstr, sha256: bstr .size 32 / nil, arguments: [+ bstr]],
    ///   delivery: "stdin" / "file" / "file-and-input",
    ///   environment: [* [name: bstr, value: bstr]],
    ///   system: [* bstr],
    ///   openings: [* [source: bstr, target: bstr, writable: bool]],
    ///   ports: [* uint],
    ///   limits: [* [name: tstr, uint]],
    ///   format: tstr,                    ; or "json-schema:" and the SHA-256 of the schema, in hex
    ///   exec-scratch: bool,
    ///   waived: [* tstr],
    ///   ? powers: [+ tstr],              ; only in version 2, which a plan with powers has
    /// ]
    /// ```
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        // Every part is named here, so that none is left out of the digest.
        let PlanParts {
            program,
            delivery,
            environment,
            system,
            granted_paths,
            ports,
            powers,
            limits,
            // Both are in the name of what the output must be.
            format: _,
            schema: _,
            exec_scratch,
            waived,
        } = self.parts();
        let mut plan = Encoder::new();
        match powers.is_empty() {
            true => plan.array(11).int(1),
            false => plan.array(12).int(2),
        };
        put_program(&mut plan, program);
        plan.text(delivery.name());
        put_list(&mut plan, environment.iter(), |plan, (name, value)| {
            plan.array(2).bytes(raw(name)).bytes(raw(value));
        });
        put_list(&mut plan, system.iter(), |plan, path| {
            plan.bytes(raw(path));
        });
        put_list(&mut plan, granted_paths.iter(), |plan, granted| {
            let GrantedPath { source, target, writable } = granted;
            plan.array(3).bytes(raw(source)).bytes(raw(target)).bool(*writable);
        });
        put_list(&mut plan, ports.iter(), |plan, port| {
            plan.uint(u64::from(*port));
        });
        put_list(&mut plan, limits.values().into_iter(), |plan, (limit, value)| {
            plan.array(2).text(limit.name()).uint(value);
        });
        plan.text(&self.parts().format_name()).bool(*exec_scratch);
        put_list(&mut plan, waived.iter(), |plan, layer| {
            plan.text(layer.name());
        });
        if !powers.is_empty() {
            put_list(&mut plan, powers.iter(), |plan, power| {
                plan.text(power.as_str());
            });
        }
        plan.into_bytes()
    }

    /// Returns the SHA-256 of [`to_cbor`](Self::to_cbor), by which verdicts name the plan.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let digest = HashAlgorithm::Sha256.digest(&self.to_cbor());
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

fn put_program(plan: &mut Encoder, program: &JobProgram) {
    let JobProgram { path, sha256, arguments } = program;
    plan.array(3).bytes(raw(path));
    match sha256 {
        Some(digest) => plan.bytes(digest),
        None => plan.nil(),
    };
    put_list(plan, arguments.iter(), |plan, argument| {
        plan.bytes(raw(argument));
    });
}

fn put_list<T>(
    plan: &mut Encoder,
    items: impl ExactSizeIterator<Item = T>,
    put: impl Fn(&mut Encoder, T),
) {
    plan.array(u64::try_from(items.len()).unwrap_or(u64::MAX));
    items.for_each(|item| put(plan, item));
}

/// Returns the bytes of a text of this system; on Unix, as they are.
fn raw(text: &(impl AsRef<OsStr> + ?Sized)) -> &[u8] {
    text.as_ref().as_encoded_bytes()
}
