//! What would hold, for people and for programs.

use std::ffi::OsStr;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::cli::report::{Facts, json_line, printable};
use crate::cli::whole_file::Access;
use crate::job::Plan;
use crate::job::limits::numbers;
use crate::job::plan::{Delivery, PAYLOAD_PATH};
use crate::text::hex;

/// Writes the plan.
pub(super) fn write(
    plan: &Plan,
    facts: &Facts<'_>,
    as_json: bool,
    output: &Output,
) -> Result<(), Failure> {
    let text = if as_json { json_line(&as_value(plan)) } else { describe(plan, facts) };
    output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()))
}

/// A page for people.
fn describe(plan: &Plan, facts: &Facts<'_>) -> String {
    let mut page = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(page, "{name:<12} {}", printable(value));
    };
    line("signed by", &facts.signer.name);
    line("program", &plan.program.path.to_string_lossy());
    if let Some(digest) = &plan.program.sha256 {
        line("with SHA-256", &hex(digest));
    }
    for argument in plan.program.arguments.iter().skip(1) {
        line("argument", &shown(argument));
    }
    line(
        "payload",
        match plan.delivery {
            Delivery::File => PAYLOAD_PATH,
            Delivery::Stdin => "on standard input",
        },
    );
    for (name, value) in &plan.environment {
        line("environment", &format!("{}={}", name.to_string_lossy(), shown(value)));
    }
    for path in &plan.system {
        line("system", &path.to_string_lossy());
    }
    for opening in &plan.openings {
        let (source, target) = (opening.source.to_string_lossy(), opening.target.to_string_lossy());
        line(if opening.writable { "write" } else { "read" }, &format!("{source} as {target}"));
    }
    for port in &plan.ports {
        line("tcp", &port.to_string());
    }
    if plan.ports.is_empty() {
        line("network", "none");
    }
    for (limit, number) in numbers(&plan.limits) {
        line(limit.name(), &limit.show(number));
    }
    line("format", plan.format.name());
    for layer in &plan.waived {
        line("without", layer.name());
    }
    line("plan", &hex(&plan.digest()));
    page
}

/// A line for programs.
fn as_value(plan: &Plan) -> Value {
    let texts = |list: &mut dyn Iterator<Item = &OsStr>| list.map(shown).collect::<Vec<_>>();
    let environment = plan
        .environment
        .iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), Value::from(shown(value))));
    let limits = numbers(&plan.limits).into_iter();
    let limits = limits.map(|(limit, number)| (limit.name().to_owned(), Value::from(number)));
    let openings = plan.openings.iter().map(|opening| {
        json!({
            "source": shown(opening.source.as_os_str()),
            "target": shown(opening.target.as_os_str()),
            "writable": opening.writable,
        })
    });
    json!({
        "schema": SCHEMA,
        "program": shown(plan.program.path.as_os_str()),
        "sha256": plan.program.sha256.map(|digest| hex(&digest)),
        "arguments": texts(&mut plan.program.arguments.iter().map(AsRef::as_ref)),
        "delivery": plan.delivery.name(),
        "environment": environment.collect::<Map<_, _>>(),
        "system": texts(&mut plan.system.iter().map(AsRef::as_ref)),
        "openings": openings.collect::<Vec<_>>(),
        "ports": plan.ports,
        "limits": limits.collect::<Map<_, _>>(),
        "format": plan.format.name(),
        "waived": plan.waived.iter().map(|layer| layer.name()).collect::<Vec<_>>(),
        "plan_digest": hex(&plan.digest()),
    })
}

fn shown(text: impl AsRef<OsStr>) -> String {
    text.as_ref().to_string_lossy().into_owned()
}

const SCHEMA: &str = "brine.plan/1";
