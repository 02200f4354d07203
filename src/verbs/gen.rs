//! `brinekey gen`.

use brine_core::text::quoted;
use brine_core::{Signer, SigningKey, VerifyingKey};
use brine_keys::openssh_line;

use super::key_line::KeyLine;
use super::{fingerprint_lines, key_store, trust_file};
use crate::args::brinekey::Gen;
use crate::report::Failure;
use crate::report::console::note;
use crate::world::home::{Home, KeyName};
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::{self, Source};
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Gen) -> Result<(), Failure> {
    match make(args)? {
        Some((place, public, output)) => {
            // "default" tells others nothing about whose key it is.
            let name = place.name.as_str();
            let signer = if name == "default" { "NAME" } else { name };
            let trusting = |line: &str| {
                format!("others trust it with: brinekey trust add {signer} \"{line}\"")
            };
            announce(&place, &public, &output, ("keep it secret", &trusting))
        }
        None => Ok(()),
    }
}

/// Where a key was made.
pub(super) struct KeyPlace {
    home: Home,
    name: KeyName,
}

/// Makes a key, and says so to programs. Returns what is to be said to people.
pub(super) fn make(args: &Gen) -> Result<Option<(KeyPlace, VerifyingKey, Output)>, Failure> {
    let name = KeyName::parse(&args.name)?;
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let home = Home::find()?;
    key_store::refuse_existing(&home, &name)?;
    if !args.no_trust {
        // Before there is a key: a trust file that cannot be read cannot be added to.
        named_key::default_trust(&SmallFiles::new(args.permissions))?;
    }
    let passphrase = if args.no_passphrase {
        None
    } else {
        Source::find(&args.passphrase).choose(&format!("{:?}", name.as_str()))?
    };
    let key = SigningKey::generate()?;
    let signer = Signer::new(name.as_str(), key.verifying_key().clone());
    if !args.no_trust {
        trust_file::try_default(&home, &signer, args.permissions)?;
    }
    let pem = key_store::write_pkcs8(&key, passphrase.as_deref())?;
    key_store::store(&home, &name, &pem, key.verifying_key())?;
    if passphrase.is_none() {
        let why = if args.no_passphrase || passphrase::has_terminal() {
            ""
        } else {
            " (there is no terminal to ask for a passphrase)"
        };
        note(&format!("the key is not encrypted{why}; \"brinekey passwd\" changes that"));
    }
    if !args.no_trust {
        trust_file::add_to_default(&home, &signer, args.permissions)?;
    }
    if args.json {
        let (file, public) = (home.private_key(&name), key.verifying_key());
        let made = KeyLine::private(name.as_str(), &file, public, passphrase.is_some());
        output.print(&made.line())?;
        return Ok(None);
    }
    Ok(Some((KeyPlace { home, name }, key.verifying_key().clone(), output)))
}

/// Says where the key is, and what others type to trust it.
pub(super) fn announce(
    place: &KeyPlace,
    public: &VerifyingKey,
    output: &Output,
    (care, trusting): (&str, &dyn Fn(&str) -> String),
) -> Result<(), Failure> {
    let line = openssh_line(public, place.name.as_str());
    note(&format!("made {}; {care}", quoted(&place.home.private_key(&place.name))));
    note(&trusting(&line));
    note(
        "and compare its fingerprint with what you tell them by another way, such as the telephone:",
    );
    fingerprint_lines::tell(public);
    output.print(&format!("{line}\n"))
}
