//! Lines on standard error, and text that is safe to show.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use brine_core::text::{is_harmless, push_escaped};
use serde::Serialize;

use super::Failure;

/// Says why there is no result, and what to type next.
pub(crate) fn complain(failure: &Failure) {
    note(&format!("error: {failure}"));
    if let Some(hint) = failure.hint() {
        note(&format!("hint: {hint}"));
    }
}

/// Says what is wrong with what was typed. The text may hold anything, in several lines.
pub(crate) fn usage(text: &str) {
    let lines: Vec<_> = text.lines().map(printable).collect();
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}

/// Tells a person something that is not an error.
pub(crate) fn note(text: &str) {
    // Nothing can be said about a standard error that is closed.
    let _ = writeln!(io::stderr().lock(), "{}: {}", program(), printable(text));
}

/// Sets the name of the program. Every line on standard error begins with it.
pub(crate) fn set_program(name: &'static str) {
    PROGRAM.get_or_init(|| name);
}

fn program() -> &'static str {
    PROGRAM.get().copied().unwrap_or("brine")
}

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// Escapes control characters, so that nobody else's text acts on the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if is_harmless(character) {
            safe.push(character);
        } else {
            safe.extend(character.escape_unicode());
        }
        safe
    })
}

/// Writes a value on one line of JSON, with escapes for everything that a terminal could act on.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    // Maps have text for keys, and no number is a NaN: writing to memory does not fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        // A character that is not harmless stands inside a string, where an escape means the same.
        if is_harmless(character) {
            line.push(character);
        } else {
            push_escaped(&mut line, character);
        }
    }
    line.push('\n');
    line
}
