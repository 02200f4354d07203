//! `brinekey passwd`.

use std::io::Write as _;

use brine_core::text::quoted;

use super::key_line::KeyLine;
use super::key_store;
use crate::args::brinekey::Passwd;
use crate::report::console::note;
use crate::report::{Failure, KeepingFailure};
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::{self, Source};
use crate::world::whole_file::{Access, Existing, write_whole};

pub(super) fn run(args: &Passwd) -> Result<(), Failure> {
    let path = named_key::private_path(&args.key)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&path)))?;
    let bytes = named_key::read_private(&path, args.permissions)?;
    if bytes.starts_with(b"-----BEGIN OPENSSH") {
        return Err(Failure::Usage(format!(
            "{} is an OpenSSH key: ssh-keygen -p changes its passphrase",
            quoted(&path)
        )));
    }
    let (key, _) = named_key::opened(&path, &bytes, &Source::find(&args.passphrase))?;
    let chosen = match &args.new_passphrase_file {
        _ if args.no_passphrase => None,
        Some(file) => Source::File(file.clone()).choose("")?,
        None if passphrase::has_terminal() => {
            Source::Terminal.choose(&quoted(&path).to_string())?
        }
        None => return Err(KeepingFailure::PassphraseUntyped(NOBODY_TO_ASK.to_owned()).into()),
    };
    let pem = key_store::write_pkcs8(&key, chosen.as_deref())?;
    write_whole(&path, Access::Secret, Existing::Replace, |file| file.write_all(pem.as_bytes()))?;
    if args.json {
        let made = KeyLine::private(&args.key, &path, key.verifying_key(), chosen.is_some());
        return output.print(&made.line());
    }
    let state = if chosen.is_some() { "encrypted" } else { "not encrypted" };
    note(&format!("{} is {state} now", quoted(&path)));
    Ok(())
}

const NOBODY_TO_ASK: &str =
    "there is no terminal to ask for the new one; give --new-passphrase-file or --no-passphrase";
