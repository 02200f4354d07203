//! Keys, as they are shown to programs. docs/json.md describes the line.

use std::io::ErrorKind;
use std::path::Path;

use brine_core::VerifyingKey;
use brine_keys::{HeldForm, HeldKey, is_encrypted, openssh_line, ssh_fingerprint};
use serde::Serialize;

use super::key_store::shown_key;
use crate::report::Failure;
use crate::report::byte_name::{exact, shown};
use crate::report::console::json_line;
use crate::world::home::{Home, KeyName};
use crate::world::input::read_secret;
use crate::world::named_key::Named;

/// A key, as it is shown to programs.
#[derive(Debug, Serialize)]
pub(super) struct KeyLine {
    schema: &'static str,
    pub(super) name: String,
    /// The file of the private half.
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
    /// `None` without a private half that can be read.
    pub(super) encrypted: Option<bool>,
    pub(super) private: bool,
    key_id: Option<String>,
    ssh_fingerprint: Option<String>,
    public_key: Option<String>,
    /// What it is, of a key that the agent holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'static str>,
}

impl KeyLine {
    /// Describes a key, of which nothing but the public half was looked at.
    pub(super) fn public(name: &str, key: &VerifyingKey) -> Self {
        Self::of(name, Some(key), None)
    }

    /// Describes a key whose private half is, or was put, in a file.
    pub(super) fn private(name: &str, file: &Path, key: &VerifyingKey, is_encrypted: bool) -> Self {
        Self::of(name, Some(key), Some((file, Some(is_encrypted))))
    }

    /// Describes a key of the key store, as far as it can be read.
    pub(super) fn stored(home: &Home, name: &KeyName) -> Self {
        let path = home.private_key(name);
        let private = read_secret(&path);
        let is_missing = matches!(&private, Err(Failure::Unreadable { source, .. })
            if source.kind() == ErrorKind::NotFound);
        let encrypted = private.ok().and_then(|bytes| is_encrypted(&bytes).ok());
        // "brinekey check" says what is wrong with it.
        let public = shown_key(home, name);
        let private = (!is_missing).then_some((path.as_path(), encrypted));
        Self::of(name.as_str(), public.as_ref(), private)
    }

    /// Describes a key that was named somehow.
    pub(super) fn named(text: &str, key: &VerifyingKey) -> Self {
        match (Named::parse(text), Home::find()) {
            (Ok(Named::Name(name)), Ok(home)) => Self::stored(&home, &name),
            _ => Self::public(text, key),
        }
    }

    /// Describes a key that the agent holds, by its comment.
    pub(super) fn held(held: &HeldKey) -> Self {
        let agent = match held.form() {
            HeldForm::Ed25519(_) => "key",
            HeldForm::Certificate(_) => "certificate",
            HeldForm::Fido => "fido",
            _ => "other",
        };
        let line = Self::of(held.comment(), held.verifying_key(), None);
        let ssh_fingerprint = Some(held.fingerprint().to_string());
        Self { agent: Some(agent), ssh_fingerprint, ..line }
    }

    fn of(name: &str, key: Option<&VerifyingKey>, private: Option<(&Path, Option<bool>)>) -> Self {
        let file = private.map(|(file, _)| file);
        Self {
            schema: SCHEMA,
            name: name.to_owned(),
            file: file.map(shown),
            file_hex: file.and_then(exact),
            encrypted: private.and_then(|(_, encrypted)| encrypted),
            private: private.is_some(),
            key_id: key.map(|key| key.id().to_string()),
            ssh_fingerprint: key.map(ssh_fingerprint),
            public_key: key.map(|key| openssh_line(key, "")),
            agent: None,
        }
    }

    /// Returns the fingerprint that people compare, if there is a public half to read.
    pub(super) fn fingerprint(&self) -> Option<&str> {
        self.ssh_fingerprint.as_deref()
    }

    /// Writes the line.
    pub(super) fn line(&self) -> String {
        json_line(self)
    }
}

/// The version of the line's form.
const SCHEMA: &str = "brine.key/1";
