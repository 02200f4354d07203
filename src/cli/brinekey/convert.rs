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
use crate::cli::report::note;
use crate::cli::resolve::{self, Named};
use crate::cli::whole_file::Access;
use crate::key::SigningKey;
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
    Output::plan(None, &[])?.write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
}

pub(super) fn import(args: &Import) -> Result<(), Failure> {
    let name = KeyName::parse(&args.name)?;
    let home = Home::find()?;
    gen_key::refuse_existing(&home, &name)?;
    let bytes = if args.file == Path::new("-") {
        Zeroizing::new(Input::open(None)?.read(MAX_KEY_FILE_BYTES)?)
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
    let reads = [crate::cli::input::Identity::of_path(&path)];
    let output = Output::plan(args.output.as_deref(), &reads)?;
    output.refuse_terminal("a private key")?;
    if let Some(target) = args.output.as_deref().filter(|target| *target != Path::new("-"))
        && fs::symlink_metadata(target).is_ok_and(|found| found.is_file() || found.is_symlink())
    {
        return Err(Failure::Exists { path: target.to_owned() });
    }
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

const MAX_KEY_FILE_BYTES: u64 = 64 * 1024;
