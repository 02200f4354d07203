//! `brinekey list`.

use std::fmt::Write as _;
use std::io::ErrorKind;

use brine_keys::{is_encrypted, ssh_fingerprint};
use serde::Serialize;

use crate::args::brinekey::List;
use crate::report::Failure;
use crate::report::console::json_line;
use crate::world::home::{Home, KeyName};
use crate::world::input::read_secret;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &List) -> Result<(), Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let home = Home::find()?;
    let names = named_key::names_in_store(&home)?;
    let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in &names {
        let key = StoredKey::read(&home, name);
        // Writing to a String does not fail.
        let _ = match args.json {
            true => text.write_str(&json_line(&key)),
            false => writeln!(text, "{:<width$}  {}", key.name, key.summary()),
        };
    }
    output.print(&text)
}

/// A key of the store, as far as it can be read.
#[derive(Serialize)]
pub(super) struct StoredKey<'a> {
    schema: &'static str,
    name: &'a str,
    /// `None` without a private half that can be read.
    encrypted: Option<bool>,
    private: bool,
    key_id: Option<String>,
    ssh_fingerprint: Option<String>,
    #[serde(skip)]
    short_id: Option<String>,
}

impl<'a> StoredKey<'a> {
    pub(super) fn read(home: &Home, name: &'a KeyName) -> Self {
        let private = read_secret(&home.private_key(name));
        let is_missing = matches!(&private, Err(Failure::Unreadable { source, .. })
            if source.kind() == ErrorKind::NotFound);
        let encrypted = private.ok().and_then(|bytes| is_encrypted(&bytes).ok());
        // A list decides nothing; "brinekey check" says what is wrong.
        let files = SmallFiles::new(PermissionRule::Waived);
        let halves = [home.public_key(name), home.private_key(name)];
        let public = halves.iter().find_map(|path| named_key::read_public(path, &files).ok());
        Self {
            schema: KEY_SCHEMA,
            name: name.as_str(),
            encrypted,
            private: !is_missing,
            key_id: public.as_ref().map(|key| key.id().to_string()),
            ssh_fingerprint: public.as_ref().map(ssh_fingerprint),
            short_id: public.as_ref().map(|key| key.id().short()),
        }
    }

    pub(super) fn fingerprint(&self) -> Option<&str> {
        self.ssh_fingerprint.as_deref()
    }

    fn summary(&self) -> String {
        let state = match self.encrypted {
            Some(true) => "encrypted",
            Some(false) => "not encrypted",
            None if self.private => "private half unreadable",
            None => "public half only",
        };
        format!("{}  {state}", self.short_id.as_deref().unwrap_or("unreadable"))
    }
}

/// The version of the form in which keys are shown to programs.
pub(super) const KEY_SCHEMA: &str = "brine.key/1";
