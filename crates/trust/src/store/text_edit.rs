//! Changes to the text of a trust.toml, which leave every other byte as it is.

use std::fmt::Write as _;
use std::ops::Range;

use brine_keys::openssh_line;
use toml_edit::{Array, Value};

use crate::ContextGlob;
use crate::authority::Authority;
use crate::document::{Place, PlacedEntry};
use crate::entry::{Scope, TrustEntry};

/// Returns the text with an entry appended, after a blank line.
pub(super) fn appended(text: &str, entry: &TrustEntry) -> String {
    appended_table(text, "signer", &values(entry))
}

/// Returns the text with an authority appended, after a blank line.
pub(super) fn appended_authority(text: &str, authority: &Authority) -> String {
    let mut values = values(authority.entry());
    let principals: Array = authority.principals().as_str().split(',').collect();
    values.insert(2, ("principals", Value::from(principals).to_string()));
    if authority.needs_revocations() {
        values.push(("needs-revocations", "true".to_owned()));
    }
    appended_table(text, "authority", &values)
}

fn appended_table(text: &str, table: &str, values: &[(&'static str, String)]) -> String {
    let newline = newline(text);
    let mut new = text.to_owned();
    if !text.is_empty() {
        new.push_str(if text.ends_with('\n') { "" } else { newline });
        new.push_str(newline);
    }
    new.push_str(&format!("[[{table}]]{newline}"));
    for (key, value) in values {
        // Writing to a string does not fail.
        let _ = write!(new, "{key} = {value}{newline}");
    }
    new
}

/// Returns the text with the revocation that `entry` has, in place of the one of `placed` or below its last value.
pub(super) fn with_revocation(text: &str, placed: &PlacedEntry, entry: &TrustEntry) -> String {
    let mut new = text.to_owned();
    let below = line_end(text, placed.place.end);
    let mut added = String::new();
    let mut replaced = Vec::new();
    let old = values(&placed.entry);
    for (key, value) in values(entry).into_iter().filter(|value| !old.contains(value)) {
        let place = match key {
            "revoked-reason" => &placed.revoked_reason,
            _ => &placed.revoked_at,
        };
        match place {
            Some(place) => replaced.push((place.clone(), value)),
            None => added.push_str(&format!("{key} = {value}{}", newline(text))),
        }
    }
    let before = text.get(..below).unwrap_or_default();
    let ended = if before.ends_with('\n') || added.is_empty() { "" } else { newline(text) };
    new.insert_str(below, &format!("{ended}{added}"));
    // From the last to the first, and all before what was added.
    replaced.sort_by_key(|(place, _)| place.start);
    for (place, value) in replaced.into_iter().rev() {
        new.replace_range(place, &value);
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
    if entry.may_issue() {
        values.push(("may-issue", "true".to_owned()));
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

/// Returns the text without the tables that are chosen, of all of one sort in their order.
pub(super) fn without(text: &str, tables: &[(&Place, bool)]) -> String {
    let mut text = text.to_owned();
    // From the last to the first: removing one moves those after it.
    for (index, (place, is_chosen)) in tables.iter().enumerate().rev() {
        if *is_chosen {
            let before = index.checked_sub(1).and_then(|index| tables.get(index));
            text.replace_range(extent(&text, before.map(|(place, _)| *place), place), "");
        }
    }
    text
}

/// Returns the text of an entry or an authority: the comment lines directly above its header, the entry to the end of
/// its last line, and one blank line before. If it begins the file, the blank line after it.
fn extent(text: &str, before: Option<&Place>, place: &Place) -> Range<usize> {
    let mut end = line_end(text, place.end);
    let mut start = line_start(text, place.header);
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

/// Returns the line end that the text uses.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn line_end(text: &str, offset: usize) -> usize {
    let newline = text.get(offset..).and_then(|after| after.find('\n'));
    newline.map_or(text.len(), |newline| offset + newline + 1)
}
