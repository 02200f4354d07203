//! The names that a person can mean: those of keys in the key store, and of signers and contexts in the trust file.
//!
//! What cannot be read has no names: whoever types a command is not told of it until the command runs.

use std::collections::BTreeSet;
use std::path::Path;

use brine_core::ContextGlob;
use brine_core::text::all_harmless;
use brine_trust::{Scope, Trust, TrustEntry};

use crate::world::home::{Home, KeyName};
use crate::world::named_key::{default_trust, names_in_store, read_trust};
use crate::world::small_files::SmallFiles;

/// Returns the names of the keys in the key store.
pub(super) fn keys() -> BTreeSet<String> {
    let names = Home::find().and_then(|home| names_in_store(&home)).unwrap_or_default();
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

/// Returns the names of the signers in a trust file, by default in that of the home.
pub(super) fn signers(trust: Option<&Path>) -> BTreeSet<String> {
    let trust = read(trust);
    let names = trust.entries().iter().flat_map(|entry| {
        // The principals of an allowed_signers line are patterns. One that answers to itself is a name.
        let principals = entry.name().split(',').filter(|part| !part.starts_with('!'));
        let names = principals.chain([entry.name()]).filter(|name| entry.answers_to(name));
        names.map(str::to_owned)
    });
    names.filter(|name| can_be_typed(name) && !name.contains(['*', '?'])).collect()
}

/// Returns the signers that `-p` can name. Others have names that no key could have.
pub(super) fn signers_like_keys(trust: Option<&Path>) -> BTreeSet<String> {
    signers(trust).into_iter().filter(|name| KeyName::parse(name).is_ok()).collect()
}

/// Returns the contexts for which a trust file trusts somebody: whole, or as far as a pattern has whole parts.
pub(super) fn contexts(trust: Option<&Path>) -> BTreeSet<String> {
    let globs = globs(trust);
    let literal = globs.iter().map(|glob| match glob.split_once('*') {
        Some((before, _)) => {
            before.rsplit_once('/').map_or(String::new(), |(path, _)| format!("{path}/"))
        }
        None => glob.clone(),
    });
    literal.filter(|context| can_be_typed(context)).collect()
}

/// Returns the contexts for which a trust file trusts somebody, as patterns.
pub(super) fn globs(trust: Option<&Path>) -> BTreeSet<String> {
    let trust = read(trust);
    let globs = trust.entries().iter().flat_map(of_entry);
    globs.filter(|glob| can_be_typed(glob)).collect()
}

fn of_entry(entry: &TrustEntry) -> Vec<String> {
    match entry.scope() {
        Scope::Globs(globs) => globs.iter().map(|glob| glob.as_str().to_owned()).collect(),
        Scope::Namespaces(list) => {
            let parts = list.as_str().split(',').filter(|part| !part.starts_with('!'));
            parts.filter(|part| ContextGlob::parse(part).is_ok()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn read(trust: Option<&Path>) -> Trust {
    // Whoever types does not wait for the other end of a pipe.
    let files = SmallFiles::default().again();
    let read = trust.map_or_else(|| default_trust(&files), |path| read_trust(path, &files));
    read.unwrap_or_default()
}

/// Returns whether a shell can put the text on a line as one word that is no option.
fn can_be_typed(text: &str) -> bool {
    !text.is_empty() && all_harmless(text) && !text.starts_with('-')
}
