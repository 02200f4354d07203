//! `brinekey list` and `show`.

use std::fmt::Write as _;

use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::args::brinekey::{List, Show};
use crate::cli::failure::Failure;
use crate::cli::home::Home;
use crate::cli::input::read_small;
use crate::cli::output::Output;
use crate::cli::report::{json_line, printable};
use crate::cli::resolve;
use crate::cli::whole_file::Access;
use crate::key::{SigningKey, VerifyingKey};

pub(super) fn list(args: &List) -> Result<(), Failure> {
    let home = Home::find()?;
    let names = resolve::names_in_store(&home)?;
    let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in names {
        let private = read_small(&home.private_key(&name)).ok().map(Zeroizing::new);
        let encrypted = private.as_ref().and_then(|bytes| SigningKey::is_encrypted(bytes).ok());
        let halves = [home.public_key(&name), home.private_key(&name)];
        let public = halves.iter().find_map(|path| resolve::read_public(path).ok());
        let id = public.as_ref().map(|key| key.id());
        // Writing to a String does not fail.
        let _ = if args.json {
            let fingerprint = public.as_ref().map(VerifyingKey::ssh_fingerprint);
            let line = json_line(&json!({
                "schema": SCHEMA, "name": name.as_str(), "encrypted": encrypted,
                "private": encrypted.is_some(),
                "key_id": id.map(|id| id.to_string()), "ssh_fingerprint": fingerprint,
            }));
            text.write_str(&line)
        } else {
            let state = match encrypted {
                Some(true) => "encrypted",
                Some(false) => "not encrypted",
                None => "public half only",
            };
            let id = id.map_or_else(|| "unreadable".to_owned(), |id| id.short());
            writeln!(text, "{:<width$}  {id}  {state}", name.as_str())
        };
    }
    print(&text)
}

pub(super) fn show(args: &Show) -> Result<(), Failure> {
    let key = resolve::verifying_key(&args.key)?;
    let text = if args.json {
        json_line(&json!({
            "schema": SCHEMA, "name": args.key, "key_id": key.id().to_string(),
            "ssh_fingerprint": key.ssh_fingerprint(), "public_key": key.to_openssh(""),
        }))
    } else {
        let fingerprint = key.ssh_fingerprint();
        format!(
            "key         {}\nkey id      {}\n  aloud     {}\nfingerprint {fingerprint}\n  aloud     {}\n",
            printable(&args.key),
            key.id(),
            key.id().grouped(),
            grouped(fingerprint.trim_start_matches("SHA256:")),
        )
    };
    print(&text)
}

/// Blanks after every four characters.
fn grouped(text: &str) -> String {
    let mut groups = String::new();
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            groups.push(' ');
        }
        groups.push(character);
    }
    groups
}

fn print(text: &str) -> Result<(), Failure> {
    Output::stdout().write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
}

const SCHEMA: &str = "brine.key/1";
