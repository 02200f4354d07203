//! `brinekey list`.

use std::fmt::Write as _;

use brine_core::text::quoted;
use brine_keys::HeldKey;

use super::key_line::KeyLine;
use crate::args::brinekey::List;
use crate::report::console::{note, printable};
use crate::report::{AgentFailure, Failure, kind_in_agent};
use crate::world::agent::{self, AgentTimes};
use crate::world::home::Home;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

pub(super) fn run(args: &List) -> Result<(), Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let home = Home::find()?;
    let names = named_key::names_in_store(&home)?;
    if names.is_empty() && !args.json {
        note(&format!("no keys in {}; \"brinekey gen\" makes one", quoted(&home.keys())));
    }
    let stored = names.iter().map(|name| KeyLine::stored(&home, name));
    let stored = stored.map(|key| (summary(&key), key));
    let held = held_in_agent();
    let held = held.iter().map(|key| (in_agent(key), KeyLine::held(key)));
    let keys: Vec<_> = stored.chain(held).collect();
    let shown = |key: &KeyLine| printable(&key.name);
    let width = keys.iter().map(|(_, key)| shown(key).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (summary, key) in &keys {
        // Writing to a String does not fail.
        let _ = match args.json {
            true => text.write_str(&key.line()),
            false => writeln!(text, "{:<width$}  {summary}", shown(key)),
        };
    }
    output.print(&text)
}

/// Returns what the agent holds, if there is one. That it does not answer takes nothing from the list.
fn held_in_agent() -> Vec<HeldKey> {
    match agent::held(AgentTimes::LOOKING) {
        Ok(held) => held,
        Err(AgentFailure::NotNamed) => Vec::new(),
        Err(failure) => {
            note(&format!("the keys in the agent are not listed: {failure}"));
            Vec::new()
        }
    }
}

/// Says what a key in the agent is, and whether it signs.
fn in_agent(key: &HeldKey) -> String {
    let kind = match kind_in_agent(key) {
        Some(kind) => format!(", {}, which signs no envelopes", printable(&kind)),
        None => String::new(),
    };
    format!("{}  in the agent{kind}", key.fingerprint())
}

fn summary(key: &KeyLine) -> String {
    let state = match key.encrypted {
        Some(true) => "encrypted",
        Some(false) => "not encrypted",
        None if key.private => "private half unreadable",
        None => "public half only",
    };
    format!("{}  {state}", key.fingerprint().unwrap_or("unreadable"))
}
