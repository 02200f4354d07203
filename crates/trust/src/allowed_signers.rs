//! Reads OpenSSH's allowed_signers (ssh-keygen(1), ALLOWED SIGNERS).
//!
//! A line is `principals [options] keytype base64 [comment]`. Where the manual and the program differ, this module
//! does what the program does (`sshsig.c`): that is what people have tested their files with.

mod moment;

use std::borrow::Cow;

use brine_core::text::all_harmless;
use brine_core::{Signer, Timestamp};
use jiff::tz::TimeZone;

use crate::authority::Authority;
use crate::entry::{Scope, TrustEntry};
use crate::error::TrustError;
use crate::openssh_text::{ED25519, FIELD_SPACE, Key, SPACE, is_other_key_type, lines};
use crate::pattern::PatternList;
use crate::trust_file::BYTE_ORDER_MARK;

/// What an allowed_signers file says.
#[derive(Debug, Default)]
pub(crate) struct AllowedSigners {
    pub(crate) entries: Vec<TrustEntry>,
    pub(crate) authorities: Vec<Authority>,
    /// How many lines were left out because they have no Ed25519 key.
    pub(crate) skipped: usize,
}

impl AllowedSigners {
    /// Returns whether no line names anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.authorities.is_empty() && self.skipped == 0
    }
}

/// Reads an allowed_signers file.
pub(crate) fn read(text: &[u8], zone: &dyn Fn() -> TimeZone) -> Result<AllowedSigners, TrustError> {
    let mut read = AllowedSigners::default();
    for (number, text) in lines(without_mark(text)?) {
        match (Line { number, zone }).entry(text)? {
            Some(Named::Authority(authority)) => read.authorities.push(authority),
            Some(Named::Signer(entry)) => read.entries.push(entry),
            None => read.skipped += 1,
        }
    }
    Ok(read)
}

/// Whom a line names.
enum Named {
    Authority(Authority),
    Signer(TrustEntry),
}

/// Removes a byte order mark from a first line that says nothing.
///
/// OpenSSH takes the mark for a part of the line: it passes over a comment behind it, and gives the first signer
/// another name.
fn without_mark(text: &[u8]) -> Result<&[u8], TrustError> {
    let Some(rest) = text.strip_prefix(BYTE_ORDER_MARK) else { return Ok(text) };
    match lines(rest).next() {
        Some((1, _)) => Err(TrustError::ByteOrderMark),
        _ => Ok(rest),
    }
}

struct Line<'a> {
    number: usize,
    /// Finds the local time zone. This takes hundreds of system calls, so it is called for local times only.
    zone: &'a dyn Fn() -> TimeZone,
}

impl Line<'_> {
    /// Reads a line. Returns `None` if it trusts no Ed25519 key.
    fn entry(&self, line: &[u8]) -> Result<Option<Named>, TrustError> {
        if line.starts_with(b"-----BEGIN ") {
            return Err(TrustError::Pem { line: self.number });
        }
        // Only what is used has to be text: neither the comment nor a line that is passed over.
        let text = String::from_utf8_lossy(line);
        let (principals, rest) = self.principals(&text)?;
        if is_key_type(&principals) && rest.starts_with("AAAA") {
            return Err(TrustError::NamesMissing { line: self.number });
        }
        let word = rest.split(FIELD_SPACE).next().unwrap_or_default();
        let (options, rest) = match is_key_type(word) {
            true => (LineOptions::default(), rest),
            false => self.options(rest)?,
        };
        if rest.is_empty() {
            return Err(self.malformed("no key"));
        }
        let Key::Plain(key) = Key::read(self.number, rest.as_bytes())? else { return Ok(None) };
        if matches!(text, Cow::Owned(_)) {
            self.require_text([&principals, options.namespaces.as_deref().unwrap_or_default()])?;
        }
        if !all_harmless(&principals) {
            return Err(TrustError::ControlCharacter { line: self.number, key: "principals" });
        }
        let namespaces = options.namespaces.map(PatternList::new);
        let entry = TrustEntry::new(Signer::new(principals.as_str(), key))
            .with_scope(namespaces.map_or(Scope::Any, Scope::Namespaces))
            .with_not_before(options.valid_after)
            .with_not_after(options.valid_before.and_then(after));
        let principals = PatternList::new(principals);
        // The key of an authority signs certificates, and speaks for nobody itself.
        Ok(Some(match options.cert_authority {
            true => Named::Authority(Authority::new(entry, principals)),
            false => Named::Signer(entry.with_principals(principals)),
        }))
    }

    /// Takes the first field. All of it may be quoted, or only its end.
    fn principals<'a>(&self, text: &'a str) -> Result<(String, &'a str), TrustError> {
        let end = text.find(|c| c == '"' || SPACE.contains(&c)).unwrap_or(text.len());
        let (mut principals, mut rest) = match text.split_at_checked(end) {
            Some((first, rest)) => (first.to_owned(), rest),
            None => (String::new(), text),
        };
        if let Some(quoted) = rest.strip_prefix('"') {
            let quoted = quoted.split_once('"');
            let (quoted, after) = quoted.ok_or_else(|| self.malformed("no closing quote"))?;
            // OpenSSH would end the field here, and the author of the file did not mean that.
            if !after.is_empty() && !after.starts_with(SPACE) {
                return Err(self.malformed("no space after the closing quote"));
            }
            principals.push_str(quoted);
            rest = after;
        }
        if principals.is_empty() {
            return Err(self.malformed("no principals"));
        }
        Ok((principals, rest.trim_start_matches(SPACE)))
    }

    /// Takes the options, which commas separate. They hold no space outside quotes.
    fn options<'a>(&self, text: &'a str) -> Result<(LineOptions, &'a str), TrustError> {
        let mut options = LineOptions::default();
        let mut rest = text;
        while !rest.is_empty() && !rest.starts_with(FIELD_SPACE) {
            rest = self.option(&mut options, rest)?;
            if rest.is_empty() || rest.starts_with(FIELD_SPACE) {
                break;
            }
            let unknown = || self.unknown_option(text);
            rest = rest.strip_prefix(',').ok_or_else(unknown)?;
            if rest.is_empty() || rest.starts_with(FIELD_SPACE) {
                return Err(self.malformed("options end in a comma"));
            }
        }
        let window = options.valid_after.zip(options.valid_before);
        if window.is_some_and(|(after, before)| before <= after) {
            return Err(TrustError::EmptyWindow { line: self.number });
        }
        Ok((options, rest.trim_start_matches(FIELD_SPACE)))
    }

    /// Takes one option.
    fn option<'a>(&self, options: &mut LineOptions, text: &'a str) -> Result<&'a str, TrustError> {
        if let Some(rest) = strip_keyword(text, "cert-authority") {
            options.cert_authority = true;
            return Ok(rest);
        }
        let names = ["namespaces", "valid-after", "valid-before"];
        let found = names
            .into_iter()
            .find_map(|name| Some((name, strip_keyword(text, name)?.strip_prefix('=')?)));
        let (name, rest) = found.ok_or_else(|| self.unknown_option(text))?;
        let (value, rest) = self.dequoted(rest)?;
        let is_repeated = match name {
            "namespaces" => options.namespaces.replace(value).is_some(),
            "valid-after" => {
                options.valid_after.replace(self.time(name, value, i64::max)?).is_some()
            }
            _ => options.valid_before.replace(self.time(name, value, i64::min)?).is_some(),
        };
        match is_repeated {
            true => Err(TrustError::DuplicateOption { line: self.number, option: name }),
            false => Ok(rest),
        }
    }

    /// Takes a quoted value. `\"` in it stands for a quote.
    fn dequoted<'a>(&self, text: &'a str) -> Result<(String, &'a str), TrustError> {
        let text = text.strip_prefix('"').ok_or_else(|| self.malformed("no opening quote"))?;
        let mut value = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => return Ok((value, characters.as_str())),
                '\\' if characters.as_str().starts_with('"') => value.extend(characters.next()),
                other => value.push(other),
            }
        }
        Err(self.malformed("no closing quote"))
    }

    fn time(
        &self,
        key: &'static str,
        text: String,
        choose: fn(i64, i64) -> i64,
    ) -> Result<Timestamp, TrustError> {
        let found = moment::read_time(&text, self.zone, choose);
        found.ok_or(TrustError::Time { line: self.number, key, found: text })
    }

    /// Refuses what is used and is not UTF-8, of which U+FFFD took the place.
    fn require_text(&self, used: [&str; 2]) -> Result<(), TrustError> {
        match used.iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) {
            true => Err(TrustError::NotText { line: self.number }),
            false => Ok(()),
        }
    }

    fn malformed(&self, what: &'static str) -> TrustError {
        TrustError::Malformed { line: self.number, what }
    }

    fn unknown_option(&self, text: &str) -> TrustError {
        let option = text.split([' ', '\t', ',', '=']).next().unwrap_or_default().to_owned();
        TrustError::UnknownOption { line: self.number, option }
    }
}

#[derive(Default)]
struct LineOptions {
    cert_authority: bool,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

fn is_key_type(word: &str) -> bool {
    word.as_bytes() == ED25519 || is_other_key_type(word.as_bytes())
}

/// Returns the first moment after `valid-before`, or `None` after the year 9999.
///
/// To OpenSSH the moment itself is within the window: it refuses a key if `verify_time > valid_before`. The end of
/// a [`TrustEntry`]'s window is outside it.
fn after(valid_before: Timestamp) -> Option<Timestamp> {
    Timestamp::from_unix(valid_before.unix() + 1)
}

/// Removes a keyword from the beginning, in upper or lower case.
fn strip_keyword<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(keyword.len())?;
    found.eq_ignore_ascii_case(keyword).then_some(rest)
}

#[cfg(test)]
mod tests;
