//! The plan, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use brine_core::text::hex;
use brine_job::{GrantedPath, PAYLOAD_PATH, PayloadDelivery, Plan};
use serde::Serialize;

use crate::report::byte_name::{all_exact, exact, shown};
use crate::report::console::{json_line, note, printable};

/// Describes a plan on a page for people.
pub(super) fn page(plan: &Plan, signer: &str) -> String {
    let parts = plan.parts();
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{name:<12} {}", printable(value));
    };
    line("signed by", signer);
    line("program", &shown(&parts.program.path));
    if let Some(digest) = &parts.program.sha256 {
        line("with SHA-256", &hex(digest));
    }
    for argument in parts.program.arguments.iter().skip(1) {
        line("argument", &shown(argument));
    }
    line("payload", if parts.delivery.is_file() { PAYLOAD_PATH } else { "on standard input" });
    if parts.delivery == PayloadDelivery::FileAndInput {
        line("input", "on standard input");
    }
    for (name, value) in &parts.environment {
        line("environment", &format!("{}={}", shown(name), shown(value)));
    }
    for path in &parts.system {
        line("system", &shown(path));
    }
    for GrantedPath { source, target, writable } in &parts.granted_paths {
        let (source, target) = (shown(source), shown(target));
        line(if *writable { "write" } else { "read" }, &format!("{source} as {target}"));
    }
    for port in &parts.ports {
        line("tcp", &port.to_string());
    }
    if parts.ports.is_empty() {
        line("network", "none");
    }
    for (power, descriptor) in parts.powers.iter().zip(FIRST_DESCRIPTOR..) {
        line("power", &format!("{power} as descriptor {descriptor}"));
    }
    for (limit, value) in &parts.limits.values() {
        line(limit.name(), &limit.show(*value));
    }
    line("format", &parts.format_name());
    if parts.exec_scratch {
        line("scratch", "may be executed");
    }
    for layer in &parts.waived {
        line("without", layer.name());
    }
    line("plan", &hex(&plan.digest()));
    page
}

/// Says that the program of a plan may look for its libraries where the job sees nothing.
pub(super) fn note_outside(plan: &Plan, outside: &BTreeSet<PathBuf>) {
    let parts = plan.parts();
    let path = &parts.program.path;
    note(&format!(
        "warning: {path:?} lies outside the system directories of the plan: without its own libraries it may load \
         others, or not start"
    ));
    let all: Vec<_> = parts.system.union(outside).collect();
    note(&format!(
        "hint: a policy that has system = {all:?} lets the job see {outside:?}, and so does \"--system\" for each"
    ));
}

/// Describes a plan on a line for programs.
pub(super) fn line(plan: &Plan) -> String {
    let parts = plan.parts();
    let path = |path: &GrantedPath| GrantedPathLine {
        source: shown(&path.source),
        target: shown(&path.target),
        writable: path.writable,
    };
    json_line(&PlanLine {
        schema: SCHEMA,
        program: shown(&parts.program.path),
        program_hex: exact(&parts.program.path),
        sha256: parts.program.sha256.map(|digest| hex(&digest)),
        command: parts.program.arguments.iter().map(shown).collect(),
        command_hex: all_exact(&parts.program.arguments),
        delivery: parts.delivery.name(),
        environment: parts.environment.iter().map(|(n, v)| (shown(n), shown(v))).collect(),
        system: parts.system.iter().map(shown).collect(),
        openings: parts.granted_paths.iter().map(path).collect(),
        ports: parts.ports.iter().copied().collect(),
        powers: parts.powers.iter().map(ToString::to_string).collect(),
        limits: parts.limits.values().iter().map(|(limit, n)| (limit.name(), *n)).collect(),
        format: parts.format_name(),
        exec_scratch: parts.exec_scratch,
        waived: parts.waived.iter().map(|layer| layer.name()).collect(),
        plan_digest: hex(&plan.digest()),
    })
}

/// The descriptor of the first power.
const FIRST_DESCRIPTOR: u32 = 3;

#[derive(Serialize)]
struct PlanLine {
    schema: &'static str,
    program: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    program_hex: Option<String>,
    sha256: Option<String>,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_hex: Option<Vec<String>>,
    delivery: &'static str,
    environment: BTreeMap<String, String>,
    system: Vec<String>,
    openings: Vec<GrantedPathLine>,
    ports: Vec<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    powers: Vec<String>,
    limits: BTreeMap<&'static str, u64>,
    format: String,
    exec_scratch: bool,
    waived: Vec<&'static str>,
    plan_digest: String,
}

#[derive(Serialize)]
struct GrantedPathLine {
    source: String,
    target: String,
    writable: bool,
}

const SCHEMA: &str = "brine.plan/1";
