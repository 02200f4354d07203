//! `brinekey import`.

use std::path::Path;

use brine_core::Signer;
use brine_core::text::quoted;
use brine_keys::{KeyFileError, MAX_KEY_FILE_BYTES};
use zeroize::Zeroizing;

use super::key_line::KeyLine;
use super::{fingerprint_lines, key_store, trust_file};
use crate::args::brinekey::Import;
use crate::report::console::typeable;
use crate::report::{Failure, console};
use crate::world::home::{Home, KeyName};
use crate::world::input::InputFile;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Import) -> Result<(), Failure> {
    let name = KeyName::parse(&args.name)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and_input(Some(&args.file)))?;
    let home = Home::find()?;
    key_store::refuse_existing(&home, &name)?;
    let bytes = read(args)?;
    let (key, passphrase) = named_key::opened(&args.file, &bytes, &Source::find(&args.passphrase))?;
    let pem = key_store::write_pkcs8(&key, passphrase.as_deref())?;
    let signer = Signer::new(name.as_str(), key.verifying_key().clone());
    if args.trust {
        trust_file::try_default(&home, &signer, args.permissions)?;
    }
    key_store::store(&home, &name, &pem, key.verifying_key())?;
    if args.trust {
        trust_file::add_to_default(&home, &signer, args.permissions)?;
    }
    if args.json {
        let (file, public) = (home.private_key(&name), key.verifying_key());
        let made = KeyLine::private(name.as_str(), &file, public, passphrase.is_some());
        return output.print(&made.line());
    }
    let state = if passphrase.is_some() { "encrypted as before" } else { "not encrypted" };
    console::note(&format!("made {}, {state}", quoted(&home.private_key(&name))));
    fingerprint_lines::tell(key.verifying_key());
    // A file that cannot be read is told of where it decides.
    let trust = named_key::default_trust(&SmallFiles::new(args.permissions));
    if trust.is_ok_and(|trust| trust.entries_of(key.verifying_key().id()).next().is_none()) {
        let name = typeable(name.as_str());
        console::note(&format!(
            "the trust file does not have it: \"brinekey trust add {name} {name}\" trusts it"
        ));
    }
    Ok(())
}

fn read(args: &Import) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if args.file != Path::new("-") {
        return named_key::read_private(&args.file, args.permissions);
    }
    if args.passphrase.passphrase_fd == Some(0) {
        return Err(Failure::usage("standard input cannot be both the key and the passphrase"));
    }
    let limit = u64::try_from(MAX_KEY_FILE_BYTES).unwrap_or(u64::MAX);
    let secret = InputFile::open(None)?.read_secret(limit)?;
    secret.ok_or_else(|| KeyFileError::TooLarge.into())
}
