//! Editing of trust.toml.

use std::fmt::{self, Write as _};
use std::ops::Range;

use brine_core::VerifyingKey;
use brine_keys::{openssh_line, read_openssh_line};
use toml_edit::{Array, Value};

use crate::document::{self, PlacedEntry};
use crate::entry::{Scope, TrustEntry};
use crate::error::TrustError;
use crate::{ContextGlob, Trust};

/// The text of a trust.toml, valid at all times.
///
/// Entries are cut out of the text and appended to it, so that everything else is kept to the byte.
/// A document model writes line ends of its own, and moves comments at the end of the file.
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

    /// Returns what the file says.
    ///
    /// # Errors
    ///
    /// None in practice, since the text was read before.
    pub fn trust(&self) -> Result<Trust, TrustError> {
        let entries = document::read(&self.text)?;
        Ok(Trust::new(entries.into_iter().map(|placed| placed.entry)))
    }

    /// Appends a signer.
    ///
    /// # Errors
    ///
    /// - [`TrustError::AlreadyThere`] if the name has this key already;
    /// - [`TrustError::Inexpressible`] for a signer from an allowed_signers file;
    /// - those of [`TrustStore::parse`] for a name, reason, window or size that a file may not have.
    pub fn add(&mut self, entry: &TrustEntry) -> Result<(), TrustError> {
        let name = || entry.name().to_owned();
        let entries = document::read(&self.text)?;
        if entries.iter().any(|placed| placed.entry.signer() == entry.signer()) {
            return Err(TrustError::AlreadyThere { name: name() });
        }
        let text = appended(&self.text, entry);
        let entries = document::read(&text)?;
        // What cannot be written, such as principals, must not be left out: less would be restricted.
        if entries.last().is_none_or(|last| last.entry != *entry) {
            return Err(TrustError::Inexpressible { name: name() });
        }
        self.text = text;
        Ok(())
    }

    /// Removes all signers of a name; or, if nobody has it, all with a key, given as OpenSSH text or
    /// as a key id in hex. Returns how many were removed.
    ///
    /// The comment lines right above an entry go with it.
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
        // From the last to the first, so that the places of those before stay right.
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

/// Returns the text with an entry at its end, after a blank line.
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

/// Returns where an entry stands: from the comment lines right above its header to the end of its
/// last line, and one blank line before (at the top of the file, after).
fn extent(text: &str, before: Option<&PlacedEntry>, entry: &PlacedEntry) -> Range<usize> {
    let mut end = line_end(text, entry.end);
    let mut start = line_start(text, entry.header);
    // Never above the end of the entry before: its last value may be a string of several lines,
    // which look like comments.
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
mod tests {
    use proptest::prelude::*;

    use brine_core::Signer;

    use crate::tests::{ALICE, BOB, CAROL, at, key};
    use crate::{PatternList, Revocation};

    use super::*;

    fn store(text: &str) -> TrustStore {
        TrustStore::parse(text).unwrap()
    }

    /// An entry as it is written by `add`.
    fn entry(name: &str, key: &str) -> String {
        format!("[[signer]]\nname = \"{name}\"\nkey = \"{key}\"\n")
    }

    #[test]
    fn add_writes_everything_and_reads_it_back() {
        let signer = TrustEntry::new(Signer::new("O'Neil \"é\" \\", key(ALICE)))
            .with_scope(Scope::Globs(vec![ContextGlob::parse("reports/*").unwrap()]))
            .with_not_before(at("1970-01-01T00:00:00Z"))
            .with_not_after(at("9999-12-30T00:00:00Z"))
            .with_revocation(Revocation {
                at: at("2026-06-01T00:00:00Z"),
                reason: Some("#'".to_owned()),
            });
        let mut store = TrustStore::default();
        store.add(&signer).unwrap();
        assert_eq!(store.trust().unwrap().entries(), [signer]);
        let expected = format!(
            "[[signer]]\nname = 'O'Neil \"é\" \\'\nkey = \"{ALICE}\"\ncontexts = [\"reports/*\"]\n\
             not-before = 1970-01-01T00:00:00Z\nnot-after = 9999-12-30T00:00:00Z\n\
             revoked-at = 2026-06-01T00:00:00Z\nrevoked-reason = \"#'\"\n"
        );
        assert_eq!(store.to_string().lines().count(), expected.lines().count());
        assert!(store.to_string().ends_with(expected.split_once("key").unwrap().1));
    }

    #[test]
    fn add_keeps_everything_else_to_the_byte() {
        let bob = TrustEntry::new(Signer::new("bob", key(BOB)));
        for (text, between) in [
            ("".to_owned(), ""),
            ("# top\n".to_owned(), "\n"),
            ("# top".to_owned(), "\n\n"),
            ("version = 1 # one\n\n\n".to_owned(), "\n"),
            (format!("# top\n\n  {}\t# end  \n# more", entry("alice", ALICE)), "\n\n"),
        ] {
            let mut store = store(&text);
            store.add(&bob).unwrap();
            assert_eq!(store.to_string(), format!("{text}{between}{}", entry("bob", BOB)));
        }
    }

    #[test]
    fn add_keeps_line_ends() {
        let mut store = store("# top\r\n");
        store.add(&Signer::new("bob", key(BOB)).into()).unwrap();
        let expected = format!("# top\n\n{}", entry("bob", BOB)).replace('\n', "\r\n");
        assert_eq!(store.to_string(), expected);
    }

    #[test]
    fn add_refuses_what_is_there() {
        let text = entry("alice", ALICE);
        let mut store = store(&text);
        let error = TrustError::AlreadyThere { name: "alice".to_owned() };
        assert_eq!(store.add(&Signer::new("alice", key(ALICE)).into()), Err(error));
        assert_eq!(store.to_string(), text);
        store.add(&Signer::new("alice", key(BOB)).into()).unwrap();
        store.add(&Signer::new("bob", key(ALICE)).into()).unwrap();
        assert_eq!(store.trust().unwrap().entries().len(), 3);
    }

    #[test]
    fn add_refuses_what_cannot_be_written() {
        let alice = || TrustEntry::new(Signer::new("alice", key(ALICE)));
        let error = TrustError::Inexpressible { name: "alice".to_owned() };
        let list = PatternList::new("*");
        for signer in
            [alice().with_principals(list.clone()), alice().with_scope(Scope::Namespaces(list))]
        {
            assert_eq!(TrustStore::default().add(&signer), Err(error.clone()));
        }
        let control = TrustError::ControlCharacter { line: 2, key: "name" };
        for name in ["a\nb", "a\u{1b}", "\u{0}", "a\r"] {
            let added = TrustStore::default().add(&Signer::new(name, key(ALICE)).into());
            assert_eq!(added, Err(control.clone()), "{name:?}");
        }
        let reversed = alice()
            .with_not_before(at("2026-01-02T00:00:00Z"))
            .with_not_after(at("2026-01-01T00:00:00Z"));
        let added = TrustStore::default().add(&reversed);
        assert_eq!(added, Err(TrustError::EmptyWindow { line: 1 }));
    }

    #[test]
    fn remove_takes_a_name_a_key_or_a_key_id() {
        let text = [entry("alice", ALICE), entry("bob", BOB), entry("alice", CAROL)].concat();
        let id = key(BOB).id().to_string();
        for (wanted, removed, rest) in [
            ("alice", 2, entry("bob", BOB)),
            ("bob", 1, [entry("alice", ALICE), entry("alice", CAROL)].concat()),
            (BOB, 1, [entry("alice", ALICE), entry("alice", CAROL)].concat()),
            (&format!(" {ALICE} a\n"), 1, [entry("bob", BOB), entry("alice", CAROL)].concat()),
            (&id, 1, [entry("alice", ALICE), entry("alice", CAROL)].concat()),
            (&id.to_uppercase(), 1, [entry("alice", ALICE), entry("alice", CAROL)].concat()),
        ] {
            let mut store = store(&text);
            assert_eq!(store.remove(wanted), Ok(removed), "{wanted}");
            assert_eq!(store.to_string(), rest, "{wanted}");
        }
    }

    #[test]
    fn a_name_goes_before_a_key_id() {
        let id = key(BOB).id().to_string();
        let mut store = store(&[entry("bob", BOB), entry(&id, ALICE)].concat());
        assert_eq!(store.remove(&id), Ok(1));
        assert_eq!(store.to_string(), entry("bob", BOB));
    }

    #[test]
    fn remove_refuses_what_is_not_there() {
        let text = entry("alice", ALICE);
        let mut store = store(&text);
        for wanted in ["bob", "", "Alice", "alice ", BOB, "ssh-ed25519 AAAA"] {
            let error = TrustError::NoSuchSigner { wanted: wanted.to_owned() };
            assert_eq!(store.remove(wanted), Err(error));
        }
        assert_eq!(store.to_string(), text);
    }

    #[test]
    fn remove_keeps_everything_else_to_the_byte() {
        let (alice, bob) = (entry("alice", ALICE), entry("bob", BOB));
        for (text, rest) in [
            (
                format!("# top\n\n# of bob\n{bob}\n# of alice\n{alice}"),
                format!("# top\n\n# of alice\n{alice}"),
            ),
            (
                format!("version = 1 # v\r\n{bob}# of alice\r\n{alice}"),
                format!("version = 1 # v\r\n# of alice\r\n{alice}"),
            ),
            (format!("{bob}\n\n# team A\n\n{alice}"), format!("\n# team A\n\n{alice}")),
            (
                format!("{alice}\n# of bob\n # more\n\t{}# end", bob.replace('\n', " # x\n")),
                format!("{alice}# end"),
            ),
            (
                format!("{alice}contexts = [ # a\n 'x', ]\n\n{}", bob.trim_end()),
                format!("{alice}contexts = [ # a\n 'x', ]\n"),
            ),
        ] {
            let mut store = store(&text);
            assert_eq!(store.remove("bob"), Ok(1));
            assert_eq!(store.to_string(), rest);
        }
    }

    #[test]
    fn remove_leaves_strings_of_the_entry_before_alone() {
        let reason =
            "revoked-at = 2026-01-01T00:00:00Z\nrevoked-reason = '''\\\n# not a comment'''\n";
        let text = format!("{}{reason}{}", entry("alice", ALICE), entry("bob", BOB));
        // Line ends are control characters, so that such strings do not get in to begin with.
        let error = TrustError::ControlCharacter { line: 5, key: "revoked-reason" };
        assert_eq!(TrustStore::parse(&text), Err(error));
        let text = text.replace("'''", "\"\"\"");
        let mut store = store(&text);
        assert_eq!(store.remove("bob"), Ok(1));
        assert_eq!(
            store.to_string(),
            format!("{}{}", entry("alice", ALICE), reason.replace("'''", "\"\"\""))
        );
    }

    #[test]
    fn a_store_is_never_invalid() {
        let error = TrustError::UnknownKey { line: 1, key: "x".to_owned() };
        assert_eq!(TrustStore::parse("x = 1"), Err(error));
    }

    /// Texts of comments, blank lines and entries, each line ended.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("\n".to_owned()),
            Just("# comment\n".to_owned()),
            Just(entry("alice", ALICE)),
            Just(entry("carol", CAROL).replace('\n', " # x\n")),
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn add_then_remove_gives_back_the_same_text(text in texts(), name in "[ -~é]{1,20}") {
            prop_assume!(name != "alice" && name != "carol");
            let mut store = store(&text);
            store.add(&Signer::new(&name, key(BOB)).into()).unwrap();
            prop_assert_eq!(store.remove(&name), Ok(1));
            prop_assert_eq!(store.to_string(), text);
        }

        #[test]
        fn remove_leaves_the_others(text in texts()) {
            let mut store = store(&text);
            let before = store.trust().unwrap();
            if store.remove("alice").is_ok() {
                let after = store.trust().unwrap();
                let rest = before.entries().iter().filter(|entry| entry.name() != "alice");
                prop_assert_eq!(after.entries().iter().collect::<Vec<_>>(), rest.collect::<Vec<_>>());
            }
        }
    }
}
