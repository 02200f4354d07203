//! Edits trust.toml.

use std::fmt::{self, Write as _};
use std::ops::Range;

use brine_core::VerifyingKey;
use brine_keys::{openssh_line, read_openssh_line};
use toml_edit::{Array, Value};

use crate::document::{self, PlacedEntry};
use crate::entry::{Scope, TrustEntry};
use crate::error::TrustError;
use crate::{ContextGlob, Trust};

/// The text of a trust.toml. It is always valid.
///
/// Entries are appended to the text and cut out of it, and every other byte stays as it is. (A TOML document model
/// would write line ends of its own, and move comments at the end of the file.)
///
/// ```
/// use brine_core::Signer;
/// use brine_trust::TrustStore;
///
/// # let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIET+QA4xCaomP4+xkZbqykQfTOFappgYVaYnFyVt7woD";
/// let (key, _) = brine_keys::read_openssh_line(line)?;
/// let mut store = TrustStore::parse("# our signers\n")?;
/// store.add(&Signer::new("alice", key).into())?;
/// assert_eq!(store.trust()?.entries().len(), 1);
/// assert_eq!(store.remove("alice")?, 1);
/// assert_eq!(store.to_string(), "# our signers\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore {
    text: String,
}

impl TrustStore {
    /// Reads a trust.toml.
    ///
    /// # Errors
    ///
    /// Those of [`Trust::parse`] for a trust.toml.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        document::read(text)?;
        Ok(Self { text: text.to_owned() })
    }

    /// Returns the signers in the file.
    ///
    /// # Errors
    ///
    /// None in practice: the text is always valid.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let entries = document::read(&self.text)?;
        Ok(Trust::new(entries.into_iter().map(|placed| placed.entry)))
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// - [`TrustError::AlreadyThere`] if there is an entry with this name and key;
    /// - [`TrustError::Inexpressible`] for an entry from an allowed_signers file;
    /// - those of [`TrustStore::parse`] if the name, the reason, the window or the size of the file is not allowed.
    pub fn add(&mut self, entry: &TrustEntry) -> Result<(), TrustError> {
        let name = || entry.name().to_owned();
        let entries = document::read(&self.text)?;
        if entries.iter().any(|placed| placed.entry.signer() == entry.signer()) {
            return Err(TrustError::AlreadyThere { name: name() });
        }
        let text = appended(&self.text, entry);
        let entries = document::read(&text)?;
        // Principals and namespaces cannot be written. Without them the entry would allow more.
        if entries.last().is_none_or(|last| last.entry != *entry) {
            return Err(TrustError::Inexpressible { name: name() });
        }
        self.text = text;
        Ok(())
    }

    /// Removes all entries with a name. If no entry has it, removes all entries with a key, which is given as an
    /// OpenSSH line or as a key id in hex. Returns the number of entries removed.
    ///
    /// Comment lines directly above an entry are removed with it.
    ///
    /// # Errors
    ///
    /// [`TrustError::NoSuchSigner`].
    pub fn remove(&mut self, name_or_key: &str) -> Result<usize, TrustError> {
        let entries = document::read(&self.text)?;
        let by_name = entries.iter().any(|placed| placed.entry.name() == name_or_key);
        let chosen = |entry: &TrustEntry| match by_name {
            true => entry.name() == name_or_key,
            false => is_key(entry.key(), name_or_key),
        };
        let mut text = self.text.clone();
        let mut removed = 0;
        // From the last to the first: removing an entry moves those after it.
        for (index, placed) in entries.iter().enumerate().rev() {
            if chosen(&placed.entry) {
                let before = index.checked_sub(1).and_then(|index| entries.get(index));
                text.replace_range(extent(&text, before, placed), "");
                removed += 1;
            }
        }
        if removed == 0 {
            return Err(TrustError::NoSuchSigner { wanted: name_or_key.to_owned() });
        }
        document::read(&text)?;
        self.text = text;
        Ok(removed)
    }
}

impl fmt::Display for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_key(key: &VerifyingKey, text: &str) -> bool {
    let wanted = read_openssh_line(text.trim());
    wanted.is_ok_and(|(wanted, _comment)| wanted == *key)
        || key.id().to_string().eq_ignore_ascii_case(text)
}

/// Returns the text with an entry appended, after a blank line.
fn appended(text: &str, entry: &TrustEntry) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut new = text.to_owned();
    if !text.is_empty() {
        new.push_str(if text.ends_with('\n') { "" } else { newline });
        new.push_str(newline);
    }
    new.push_str("[[signer]]");
    new.push_str(newline);
    for (key, value) in values(entry) {
        // Writing to a string does not fail.
        let _ = write!(new, "{key} = {value}{newline}");
    }
    new
}

/// Returns the keys of an entry with their values, as TOML.
fn values(entry: &TrustEntry) -> Vec<(&'static str, String)> {
    let string = |text: &str| Value::from(text).to_string();
    let mut values =
        vec![("name", string(entry.name())), ("key", string(&openssh_line(entry.key(), "")))];
    if let Scope::Globs(globs) = entry.scope() {
        let globs: Array = globs.iter().map(ContextGlob::as_str).collect();
        values.push(("contexts", Value::from(globs).to_string()));
    }
    let revoked_at = entry.revocation().map(|revocation| revocation.at);
    let times = [
        ("not-before", entry.not_before()),
        ("not-after", entry.not_after()),
        ("revoked-at", revoked_at),
    ];
    values.extend(times.into_iter().filter_map(|(key, at)| Some((key, at?.to_string()))));
    let reason = entry.revocation().and_then(|revocation| revocation.reason.as_ref());
    values.extend(reason.map(|reason| ("revoked-reason", string(reason))));
    values
}

/// Returns the place of an entry in the text: the comment lines directly above its header, the entry to the end of
/// its last line, and one blank line before. If it begins the file, the blank line after it.
fn extent(text: &str, before: Option<&PlacedEntry>, entry: &PlacedEntry) -> Range<usize> {
    let mut end = line_end(text, entry.end);
    let mut start = line_start(text, entry.header);
    // This stops at the end of the entry before: its last value may be a string of several lines, and they may
    // look like comments.
    let floor = before.map_or(0, |before| line_end(text, before.end));
    let above = text.get(floor..start).unwrap_or_default();
    let mut lines = above.split_inclusive('\n').rev().peekable();
    while let Some(comment) = lines.next_if(|line| line.trim_start().starts_with('#')) {
        start -= comment.len();
    }
    if let Some(blank) = lines.next_if(|line| line.trim().is_empty()) {
        start -= blank.len();
    } else if start == 0 {
        let below = text.get(end..).and_then(|below| below.split_inclusive('\n').next());
        end += below.filter(|line| line.trim().is_empty()).map_or(0, str::len);
    }
    start..end
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, offset: usize) -> usize {
    let newline = text.get(offset..).and_then(|after| after.find('\n'));
    newline.map_or(text.len(), |newline| offset + newline + 1)
}

#[cfg(test)]
mod tests;
