//! `brinekey pub`, `import` and `export`: keys in other forms.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use super::gen_key;
use crate::cli::args::brinekey::{Export, Import, PrivateForm, Pub, PublicForm};
use crate::cli::failure::Failure;
use crate::cli::home::{Home, KeyName};
use crate::cli::input::Input;
use crate::cli::output::Output;
use crate::cli::passphrase::Source;
use crate::cli::reads::Reads;
use crate::cli::report::note;
use crate::cli::resolve::{self, Named};
use crate::cli::whole_file::Access;
use crate::error::Error;
use crate::key::{KeyError, MAX_KEY_FILE_BYTES, SigningKey};
use crate::trust::Signer;

pub(super) fn public(args: &Pub) -> Result<(), Failure> {
    let key = resolve::verifying_key(&args.key)?;
    let text = match args.form {
        PublicForm::Openssh => {
            let comment = match Named::parse(&args.key)? {
                Named::Name(name) => name.as_str().to_owned(),
                Named::File(_) | Named::OpenSsh(_) => String::new(),
            };
            format!("{}\n", key.to_openssh(&comment))
        }
        PublicForm::Spki => key.to_spki_pem(),
    };
    Output::stdout().write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
}

pub(super) fn import(args: &Import) -> Result<(), Failure> {
    let name = KeyName::parse(&args.name)?;
    let home = Home::find()?;
    gen_key::refuse_existing(&home, &name)?;
    let bytes = if args.file == Path::new("-") {
        if args.passphrase.passphrase_fd == Some(0) {
            let usage = "standard input cannot be both the key and the passphrase";
            return Err(Failure::Usage(usage.to_owned()));
        }
        let limit = u64::try_from(MAX_KEY_FILE_BYTES).unwrap_or(u64::MAX);
        let read = Input::open(None)?.read(limit);
        Zeroizing::new(read.map_err(|failure| match failure {
            Failure::Brine(Error::TooLarge { .. }) => KeyError::TooLarge.into(),
            other => other,
        })?)
    } else {
        resolve::read_private(&args.file)?
    };
    let (key, passphrase) = open(&args.file, &bytes, &Source::find(&args.passphrase))?;
    let pem = write_pkcs8(&key, passphrase.as_deref())?;
    gen_key::store(&home, &name, &pem, key.verifying_key())?;
    if args.trust {
        super::trust::add_to_default(
            &home,
            &Signer::new(name.as_str(), key.verifying_key().clone()),
        )?;
    }
    let state = if passphrase.is_some() { "encrypted as before" } else { "not encrypted" };
    note(&format!("made {:?}, {state}", home.private_key(&name)));
    Ok(())
}

pub(super) fn export(args: &Export) -> Result<(), Failure> {
    let path = resolve::private_path(&args.key)?;
    let output = match args.output.as_deref() {
        // A private key goes over no other file, whatever appears while a passphrase is typed.
        Some(target) if target != Path::new("-") && !is_device(target) => {
            Output::new_file(target.to_owned())?
        }
        target => Output::plan(target, &Reads::default().and(Some(&path)))?,
    };
    output.refuse_terminal("a private key")?;
    let bytes = resolve::read_private(&path)?;
    let (key, passphrase) = open(&path, &bytes, &Source::find(&args.passphrase))?;
    let passphrase = passphrase.filter(|_| !args.no_passphrase);
    let text = match args.form {
        PrivateForm::Openssh => {
            let comment = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            key.to_openssh(&comment, passphrase.as_ref().map(|passphrase| passphrase.as_str()))?
        }
        PrivateForm::Pkcs8 => write_pkcs8(&key, passphrase.as_deref())?,
    };
    output.write(Access::Secret, |file| file.write_all(text.as_bytes()))
}

/// Opens a private key and keeps the passphrase it was opened with, to write it anew.
pub(super) fn open(
    path: &Path,
    bytes: &[u8],
    passphrases: &Source,
) -> Result<(SigningKey, Option<Zeroizing<String>>), Failure> {
    let mut used = None;
    let mut ask = || {
        let passphrase = passphrases.open(&format!("{path:?}"))?;
        used = Some(passphrase.clone());
        Ok(passphrase)
    };
    let key =
        SigningKey::parse(bytes, &mut ask).map_err(|failure| resolve::in_file(path, failure))?;
    Ok((key, used))
}

pub(super) fn write_pkcs8(
    key: &SigningKey,
    passphrase: Option<&String>,
) -> Result<Zeroizing<String>, Failure> {
    Ok(match passphrase {
        Some(passphrase) => key.to_encrypted_pkcs8_pem(passphrase)?,
        None => key.to_pkcs8_pem()?,
    })
}

fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}
