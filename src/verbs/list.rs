//! `brinekey list`.

use std::fmt::Write as _;

use brine_core::text::quoted;

use super::key_line::KeyLine;
use crate::args::brinekey::List;
use crate::report::Failure;
use crate::report::console::note;
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
    let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in &names {
        let key = KeyLine::stored(&home, name);
        // Writing to a String does not fail.
        let _ = match args.json {
            true => text.write_str(&key.line()),
            false => writeln!(text, "{:<width$}  {}", key.name, summary(&key)),
        };
    }
    output.print(&text)
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
