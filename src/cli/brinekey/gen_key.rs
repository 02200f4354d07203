//! `brinekey gen`, and how a key enters the store.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::cli::args::brinekey::Gen;
use crate::cli::failure::Failure;
use crate::cli::home::{Home, KeyName};
use crate::cli::output::Output;
use crate::cli::passphrase::{self, Source};
use crate::cli::report::note;
use crate::cli::resolve;
use crate::cli::whole_file::{Access, Existing, write_whole};
use crate::key::{SigningKey, VerifyingKey};
use crate::trust::Signer;

pub(super) fn run(args: &Gen) -> Result<(), Failure> {
    let name = KeyName::parse(&args.name)?;
    let home = Home::find()?;
    refuse_existing(&home, &name)?;
    if !args.no_trust {
        // Before there is a key: a trust file that cannot be read cannot be added to.
        resolve::default_trust()?;
    }
    let passphrase = if args.no_passphrase {
        None
    } else {
        Source::find(&args.passphrase).choose(&format!("{:?}", name.as_str()))?
    };
    let key = SigningKey::generate()?;
    let pem = match &passphrase {
        Some(passphrase) => key.to_encrypted_pkcs8_pem(passphrase)?,
        None => key.to_pkcs8_pem()?,
    };
    store(&home, &name, &pem, key.verifying_key())?;
    if passphrase.is_none() {
        let why = if args.no_passphrase || passphrase::has_terminal() {
            ""
        } else {
            " (there is no terminal to ask for a passphrase)"
        };
        note(&format!("the key is not encrypted{why}; \"brinekey passwd\" changes that"));
    }
    if !args.no_trust {
        super::trust::add_to_default(
            &home,
            &Signer::new(name.as_str(), key.verifying_key().clone()),
        )?;
    }
    announce(&home, &name, key.verifying_key())
}

/// Refuses to overwrite either half of a key.
pub(super) fn refuse_existing(home: &Home, name: &KeyName) -> Result<(), Failure> {
    let halves = [home.private_key(name), home.public_key(name)];
    match halves.into_iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(path) => Err(Failure::Exists { path }),
        None => Ok(()),
    }
}

/// Writes both halves; the private one only for its owner, and neither over another.
pub(super) fn store(
    home: &Home,
    name: &KeyName,
    pem: &str,
    public: &VerifyingKey,
) -> Result<(), Failure> {
    let keys = home.keys();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&keys)
        .map_err(|error| Failure::io(format!("{keys:?}"), error))?;
    write_new(&home.private_key(name), Access::Secret, pem)?;
    let line = format!("{}\n", public.to_openssh(name.as_str()));
    write_new(&home.public_key(name), Access::Ordinary, &line)
}

fn write_new(path: &Path, access: Access, text: &str) -> Result<(), Failure> {
    let written = write_whole(path, access, Existing::Keep, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::Exists { path: path.to_owned() },
        _ => Failure::io(format!("{path:?}"), error),
    })
}

/// Says where the key is, and what others type to trust it.
fn announce(home: &Home, name: &KeyName, public: &VerifyingKey) -> Result<(), Failure> {
    let line = public.to_openssh(name.as_str());
    // "default" tells others nothing about whose key it is.
    let signer = if name.as_str() == "default" { "NAME" } else { name.as_str() };
    note(&format!("made {:?}; keep it secret", home.private_key(name)));
    note(&format!("others trust it with: brinekey trust add {signer} \"{line}\""));
    Output::stdout().write(Access::Ordinary, |output| writeln!(output, "{line}"))
}
