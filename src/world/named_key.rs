//! From what a person calls a key or a signer to the key or signer itself.

use std::fs;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_core::{Signer, SigningKey, VerifyingKey};
use brine_keys::{KeyFileError, is_private_key};
use brine_trust::{KeptStatements, RevocationList, Trust, TrustEntry, TrustError, TrustStore};
use data_encoding::{BASE64, Encoding, HEXLOWER_PERMISSIVE};
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use super::home::{Home, KEY_SUFFIXES, KeyName};
use super::input::{open, read_small};
use super::passphrase::Source;
use super::permissions::PermissionRule;
use super::small_files::SmallFiles;
use super::statements;
use crate::args::judge::TrustArgs;
use crate::report::Failure;
use crate::report::console::warn;
use crate::report::similar::closest;

/// What a text names.
#[derive(Debug)]
pub(crate) enum Named {
    Agent(String),
    File(PathBuf),
    Name(KeyName),
    OpenSsh(String),
}

impl Named {
    /// Tells them apart by the text alone: what lies in the current directory has no say.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if is_secret(text) {
            return Err(Failure::SecretForName);
        }
        if text.starts_with("ssh-ed25519 ") {
            return Ok(Self::OpenSsh(text.to_owned()));
        }
        // Both may have slashes, and name no file.
        if let Some(name) = text.strip_prefix(IN_AGENT) {
            return Ok(Self::Agent(name.to_owned()));
        }
        if text.starts_with("SHA256:") {
            return Err(Failure::BadName(text.to_owned()));
        }
        let suffix = KEY_SUFFIXES.iter().any(|suffix| text.ends_with(suffix));
        if text.contains('/') || suffix {
            return Ok(Self::File(PathBuf::from(text)));
        }
        KeyName::parse(text).map(Self::Name)
    }
}

/// Returns whether a text is a private key, or the Base64 of one, or a seed. No key is called so.
fn is_secret(text: &str) -> bool {
    let bare = text.trim().as_bytes();
    let decoded = |form: &Encoding| Zeroizing::new(form.decode(bare).unwrap_or_default());
    let (base64, hex) = (decoded(&BASE64), decoded(&HEXLOWER_PERMISSIVE));
    text.contains("PRIVATE KEY-----")
        || is_private_key(text.as_bytes())
        || is_private_key(&base64)
        || base64.starts_with(OPENSSH_PRIVATE)
        || [base64.len(), hex.len()].contains(&SEED_BYTES)
}

/// What the name of a key in an agent begins with.
const IN_AGENT: &str = "agent:";

/// How long a secret key of Ed25519 is (RFC 8032, Section 5.1.5).
const SEED_BYTES: usize = 32;

/// How a private key of OpenSSH begins (PROTOCOL.key).
const OPENSSH_PRIVATE: &[u8] = b"openssh-key-v1\0";

/// Returns the file of the private key that a person names.
pub(crate) fn private_path(text: &str) -> Result<PathBuf, Failure> {
    match Named::parse(text)? {
        Named::Agent(_) => Err(Failure::no_secret_of_agent()),
        Named::OpenSsh(_) => Err(KeyFileError::PrivateExpected.into()),
        Named::File(path) => Ok(path),
        Named::Name(name) => store_path(&name, Home::private_key),
    }
}

/// Opens a private key that was read, and keeps the passphrase that it was opened with, to write it anew.
pub(crate) fn opened(
    path: &Path,
    bytes: &[u8],
    passphrases: &Source,
) -> Result<(SigningKey, Option<Zeroizing<String>>), Failure> {
    let what = quoted(path).to_string();
    let mut tries = passphrases.tries(&what);
    loop {
        let mut used = None;
        let mut ask = || {
            let passphrase = tries.passphrase()?;
            used = Some(passphrase.clone());
            Ok(passphrase)
        };
        match brine_keys::read_private(bytes, &mut ask) {
            Err(Failure::Key(KeyFileError::WrongPassphrase)) if tries.has_another() => {}
            read => return Ok((read.map_err(|failure| in_file(path, failure))?, used)),
        }
    }
}

/// Reads a private key file into memory that is wiped, and warns if others may read it.
///
/// It is used nevertheless: refusing it makes it no secret again, and a container may be given its key in no other way.
pub(crate) fn read_private(
    path: &Path,
    rule: impl Into<PermissionRule>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (bytes, exposed) = read_exposed(path, rule)?;
    if let Some(exposed) = exposed {
        warn(warning_of(&exposed));
    }
    Ok(bytes)
}

/// Says to a person that others may read a private key file, and what to do about it.
pub(crate) fn warning_of(exposed: &Failure) -> String {
    match exposed.hint() {
        Some(hint) => format!("{exposed}: {hint}"),
        None => exposed.to_string(),
    }
}

/// Reads a private key file, and returns what is wrong if others may read it.
pub(crate) fn read_exposed(
    path: &Path,
    rule: impl Into<PermissionRule>,
) -> Result<(Zeroizing<Vec<u8>>, Option<Failure>), Failure> {
    let unreadable = |source| Failure::Unreadable { path: path.to_owned(), source };
    let file = open(path).map_err(unreadable)?;
    let bytes = read_small(&file).map_err(unreadable)?;
    // What cannot be used is refused as what it is.
    let exposed = rule.into().read_by_others(path, &file).filter(|_| is_usable(&bytes));
    Ok((bytes, exposed))
}

fn is_usable(private_key: &[u8]) -> bool {
    let read = brine_keys::read_private(private_key, &mut || Err(KeyFileError::PassphraseNeeded));
    matches!(read, Ok(_) | Err(KeyFileError::PassphraseNeeded))
}

/// Says in which file a key is that cannot be used.
pub(crate) fn in_file(path: &Path, failure: Failure) -> Failure {
    match failure {
        Failure::Key(source) => Failure::KeyFile { path: path.to_owned(), source },
        other => other,
    }
}

/// Finds the public key that a person names: text, a file, or a name in the key store.
pub(crate) fn verifying_key(text: &str, files: &SmallFiles) -> Result<VerifyingKey, Failure> {
    match Named::parse(text)? {
        // Whoever is behind a socket does not say who is believed.
        Named::Agent(_) => Err(Failure::mistyped(
            "a key in an agent is named where something is signed",
            "\"brinekey pub agent:NAME\" prints the public half, which can be named here",
        )),
        Named::OpenSsh(line) => Ok(brine_keys::read_openssh_line(&line)?.0),
        Named::File(path) => read_public(&path, files),
        Named::Name(name) => read_public(&store_path(&name, Home::public_key)?, files),
    }
}

/// Reads the public key in a file of either half.
pub(crate) fn read_public(path: &Path, files: &SmallFiles) -> Result<VerifyingKey, Failure> {
    let bytes = files.read(path)?;
    brine_keys::read_public(&bytes).map_err(|error| in_file(path, error.into()))
}

/// Returns the path of a key in the store, which must be there.
pub(crate) fn store_path(
    name: &KeyName,
    half: impl Fn(&Home, &KeyName) -> PathBuf,
) -> Result<PathBuf, Failure> {
    let home = Home::find()?;
    let path = half(&home, name);
    match fs::metadata(&path) {
        Ok(_) => return Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        // Somebody else's key store is no empty one.
        Err(source) => return Err(Failure::Unreadable { path, source }),
    }
    let known = names_in_store(&home).unwrap_or_default();
    let similar = closest(name.as_str(), known.iter().map(KeyName::as_str));
    Err(Failure::NoSuchKey { name: name.as_str().to_owned(), directory: home.keys(), similar })
}

/// Returns the names of the keys in the store, sorted.
pub(crate) fn names_in_store(home: &Home) -> Result<Vec<KeyName>, Failure> {
    let directory = home.keys();
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => {
            entries.map_err(|source| Failure::Unreadable { path: directory.clone(), source })?
        }
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            // A certificate beside a key is no key.
            let certified = name.strip_suffix("-cert.pub").map(|name| format!("{name}-cert.key"));
            if certified.is_some_and(|key| !directory.join(key).exists()) {
                return None;
            }
            KeyName::parse(name.strip_suffix(".pub").or(name.strip_suffix(".key"))?).ok()
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Collects whom to believe: what `-p` and `--trust` name, else the default trust file.
pub(crate) fn trust(args: &TrustArgs, files: &SmallFiles) -> Result<Trust, Failure> {
    let is_name = |text: &String| matches!(Named::parse(text), Ok(Named::Name(_)));
    let file = match &args.trust {
        Some(path) => read_trust(path, files)?,
        // Keys that were given whole owe nothing to the default file.
        None if !args.public_keys.is_empty() && !args.public_keys.iter().any(is_name) => {
            Trust::default()
        }
        None => default_trust(files)?,
    };
    let mut trust =
        if args.public_keys.is_empty() { file } else { named_only(args, &file, files)? };
    if let Some(path) = &args.revoked {
        trust.revoke(read_revoked(path, files)?);
    }
    Ok(trust)
}

/// Believes only the keys and authorities that `-p` names. The file says what names mean, and what it revokes stays revoked.
fn named_only(args: &TrustArgs, file: &Trust, files: &SmallFiles) -> Result<Trust, Failure> {
    let (mut entries, mut authorities) = (Vec::new(), Vec::new());
    for text in &args.public_keys {
        let named = file.authorities().iter().filter(|authority| authority.name() == text);
        let named: Vec<_> = named.cloned().collect();
        if named.is_empty() {
            entries.extend(named_entries(text, file, files)?);
        } else {
            let signers = file.entries().iter().filter(|entry| entry.answers_to(text));
            entries.extend(signers.cloned());
        }
        authorities.extend(named);
    }
    Ok(file.restricted_to(entries, authorities))
}

/// Reads a trust file of either form.
pub(crate) fn read_trust(path: &Path, files: &SmallFiles) -> Result<Trust, Failure> {
    let bytes = files.read(path)?;
    let parsed = Trust::parse_with_lists(&bytes, &TimeZone::system);
    let (trust, lists) = parsed.map_err(|source| trust_file(path, source))?;
    let trust = with_lists(trust, path, lists, files)?;
    statements::apply(&statements::read_kept(path, files)?, trust, path)
}

/// Returns whom a trust file trusts that is being changed, with all that is revoked beside it.
pub(crate) fn trust_in(
    store: &TrustStore,
    path: &Path,
    kept: &KeptStatements,
    files: &SmallFiles,
) -> Result<Trust, Failure> {
    let wrong = |error| trust_file(path, error);
    let lists = store.revoked_files().map_err(wrong)?;
    let trust = with_lists(store.trust().map_err(wrong)?, path, lists, files)?;
    statements::apply(kept, trust, path)
}

/// Revokes what the lists say that a trust file names.
fn with_lists(
    mut trust: Trust,
    path: &Path,
    lists: Vec<String>,
    files: &SmallFiles,
) -> Result<Trust, Failure> {
    for name in lists {
        // From the directory of the file that names it.
        trust.revoke(read_revoked(&path.with_file_name(name), files)?);
    }
    Ok(trust)
}

/// Reads the default trust file; where there is none, nobody is trusted.
pub(crate) fn default_trust(files: &SmallFiles) -> Result<Trust, Failure> {
    let file = Home::find()?.trust_file();
    match read_trust(&file, files) {
        Err(Failure::Unreadable { path, source })
            if path == file && source.kind() == std::io::ErrorKind::NotFound =>
        {
            // What keys say of themselves holds all the same.
            statements::apply(&statements::read_kept(&file, files)?, Trust::default(), &file)
        }
        other => other,
    }
}

/// Reads a list of revoked keys.
pub(crate) fn read_revoked(path: &Path, files: &SmallFiles) -> Result<RevocationList, Failure> {
    RevocationList::parse(&files.read(path)?).map_err(|source| trust_file(path, source))
}

pub(crate) fn trust_file(path: &Path, source: TrustError) -> Failure {
    Failure::TrustFile { path: path.to_owned(), source }
}

/// Finds the entries that one `-p` names.
///
/// A name stands for its entries in the trust file, else for the key of that name in the store. Where
/// the file has entries for that key, these are meant: a name is no way around the contexts and windows
/// that the file gives a key.
fn named_entries(text: &str, file: &Trust, files: &SmallFiles) -> Result<Vec<TrustEntry>, Failure> {
    let Named::Name(name) = Named::parse(text)? else {
        return Ok(vec![Signer::new(text, verifying_key(text, files)?).into()]);
    };
    let name = name.as_str();
    let answering = file.entries().iter().filter(|entry| entry.answers_to(name));
    let mut entries: Vec<_> = answering.cloned().collect();
    if entries.is_empty() {
        let key = stored_key(name, file, files)?;
        entries.extend(file.entries_of(key.id()).cloned());
        if entries.is_empty() {
            entries.push(Signer::new(name, key).into());
        }
    }
    Ok(entries)
}

fn stored_key(name: &str, file: &Trust, files: &SmallFiles) -> Result<VerifyingKey, Failure> {
    verifying_key(name, files).map_err(|failure| match failure {
        Failure::NoSuchKey { name, similar, .. } => {
            let known = file.entries().iter().map(TrustEntry::name);
            let similar = similar.or_else(|| closest(&name, known));
            Failure::NoSuchSigner { name, similar }
        }
        other => other,
    })
}
