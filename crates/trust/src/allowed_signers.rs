//! OpenSSH's text files: allowed_signers (ssh-keygen(1), ALLOWED SIGNERS) and lists of public keys.
//!
//! A line of the former is `principals [options] keytype base64 [comment]`. Where the manual and the
//! program differ, the program is followed (`sshsig.c`), since its users rely on what it does.

use base64ct::{Base64, Encoding as _};
use brine_keys::read_openssh_line;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use brine_core::{Signer, Timestamp, VerifyingKey};

use crate::entry::{Scope, TrustEntry};
use crate::error::TrustError;
use crate::pattern::PatternList;

/// Reads an allowed_signers file. Returns also how many lines speak for no Ed25519 key.
pub(crate) fn read(
    text: &str,
    zone: &dyn Fn() -> TimeZone,
) -> Result<(Vec<TrustEntry>, usize), TrustError> {
    let mut entries = Vec::new();
    let mut skipped = 0;
    for (number, text) in lines(text) {
        match (Line { number, zone }).entry(text)? {
            Some(entry) => entries.push(entry),
            None => skipped += 1,
        }
    }
    Ok((entries, skipped))
}

/// Reads a list of public keys, and leaves out those that are not Ed25519.
pub(crate) fn read_keys(text: &str) -> Result<Vec<VerifyingKey>, TrustError> {
    lines(text).filter_map(|(number, text)| key(number, text).transpose()).collect()
}

/// Returns the lines that are neither blank nor comments, numbered from 1, without the space around
/// them.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.split('\n').map(|line| line.trim_matches(SPACE)));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Reads `keytype base64 [comment]`; `None` for a type that cannot sign here.
fn key(line: usize, text: &str) -> Result<Option<VerifyingKey>, TrustError> {
    let mut fields = text.split(SPACE).filter(|field| !field.is_empty());
    let (kind, base64) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    if is_other_key_type(kind) && !holds_ed25519(base64) {
        return Ok(None);
    }
    if kind != ED25519 {
        return Err(TrustError::UnknownKeyType { line, found: kind.to_owned() });
    }
    match read_openssh_line(&format!("{kind} {base64}")) {
        Ok((key, _comment)) => Ok(Some(key)),
        Err(source) => Err(TrustError::Key { line, source }),
    }
}

/// Returns whether this is a type of key other than `ssh-ed25519`: one that OpenSSH had before it
/// gave them domains, or any with one (RFC 4251, Section 6). A misspelt `ssh-ed25519` is neither: in
/// a list of revoked keys it must not pass for a key that need not be looked at.
fn is_other_key_type(word: &str) -> bool {
    let prefixes = ["ssh-", "ecdsa-sha2-", "sk-", "webauthn-sk-"];
    OTHER_KEY_TYPES.contains(&word)
        || (word.contains('@') && prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

/// Returns whether the blob of a key, whatever its word says, holds an Ed25519 key or a certificate
/// over one: what a list of revoked keys names must not be passed over.
fn holds_ed25519(base64: &str) -> bool {
    // The type comes first in the blob, behind its length: 4 bytes and "ssh-ed25519".
    let start = Base64::decode_vec(base64.get(..20).unwrap_or_default());
    start.is_ok_and(|start| start.get(4..) == Some(b"ssh-ed25519"))
}

struct Line<'a> {
    number: usize,
    /// The local zone, which costs hundreds of system calls to find: asked only for a local time.
    zone: &'a dyn Fn() -> TimeZone,
}

impl Line<'_> {
    /// Reads a line; `None` if it speaks for no Ed25519 key.
    fn entry(&self, text: &str) -> Result<Option<TrustEntry>, TrustError> {
        let (principals, rest) = self.principals(text)?;
        let word = rest.split(SPACE).next().unwrap_or_default();
        let (options, rest) = match word == ED25519 || is_other_key_type(word) {
            true => (LineOptions::default(), rest),
            false => self.options(rest)?,
        };
        if rest.is_empty() {
            return Err(self.malformed("no key"));
        }
        let Some(key) = key(self.number, rest)? else { return Ok(None) };
        // An authority speaks for the certificates that it signed, never for itself.
        if options.cert_authority {
            return Ok(None);
        }
        let namespaces = options.namespaces.map(PatternList::new);
        let entry = TrustEntry::new(Signer::new(principals.as_str(), key))
            .with_principals(PatternList::new(principals))
            .with_scope(namespaces.map_or(Scope::Any, Scope::Namespaces))
            .with_not_before(options.valid_after)
            .with_not_after(options.valid_before.and_then(after));
        Ok(Some(entry))
    }

    /// Takes the first field, which may be quoted, whole or in part.
    fn principals<'a>(&self, text: &'a str) -> Result<(String, &'a str), TrustError> {
        let end = text.find(|c| c == '"' || SPACE.contains(&c)).unwrap_or(text.len());
        let (mut principals, mut rest) = match text.split_at_checked(end) {
            Some((first, rest)) => (first.to_owned(), rest),
            None => (String::new(), text),
        };
        if let Some(quoted) = rest.strip_prefix('"') {
            let quoted = quoted.split_once('"');
            let (quoted, after) = quoted.ok_or_else(|| self.malformed("no closing quote"))?;
            // OpenSSH ends the field here; whoever goes on writing means something else.
            if !after.is_empty() && !after.starts_with(SPACE) {
                return Err(self.malformed("no space after the closing quote"));
            }
            principals.push_str(quoted);
            rest = after;
        }
        if principals.is_empty() {
            return Err(self.malformed("no principals"));
        }
        if principals.contains(char::is_control) {
            return Err(TrustError::ControlCharacter { line: self.number, key: "principals" });
        }
        Ok((principals, rest.trim_start_matches(SPACE)))
    }

    /// Takes comma-separated options, which hold no space outside quotes.
    fn options<'a>(&self, text: &'a str) -> Result<(LineOptions, &'a str), TrustError> {
        let mut options = LineOptions::default();
        let mut rest = text;
        while !rest.is_empty() && !rest.starts_with(SPACE) {
            rest = self.option(&mut options, rest)?;
            if rest.is_empty() || rest.starts_with(SPACE) {
                break;
            }
            let unknown = || self.unknown_option(text);
            rest = rest.strip_prefix(',').ok_or_else(unknown)?;
            if rest.is_empty() || rest.starts_with(SPACE) {
                return Err(self.malformed("options end in a comma"));
            }
        }
        let window = options.valid_after.zip(options.valid_before);
        if window.is_some_and(|(after, before)| before <= after) {
            return Err(TrustError::EmptyWindow { line: self.number });
        }
        Ok((options, rest.trim_start_matches(SPACE)))
    }

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
        let twice = match name {
            "namespaces" => options.namespaces.replace(value).is_some(),
            "valid-after" => {
                options.valid_after.replace(self.time(name, value, i64::max)?).is_some()
            }
            _ => options.valid_before.replace(self.time(name, value, i64::min)?).is_some(),
        };
        match twice {
            true => Err(TrustError::DuplicateOption { line: self.number, option: name }),
            false => Ok(rest),
        }
    }

    /// Takes a quoted value, in which `\"` stands for a quote.
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

    /// Reads `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, with `Z` or `UTC` in any case after it
    /// or else in the local zone.
    ///
    /// Where the clocks are changed, a local time may be two moments or none. `choose` takes the one
    /// that makes the window shorter.
    fn time(
        &self,
        key: &'static str,
        text: String,
        choose: fn(i64, i64) -> i64,
    ) -> Result<Timestamp, TrustError> {
        let suffix = ["Z", "UTC"].into_iter().find_map(|suffix| {
            let (digits, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
            end.eq_ignore_ascii_case(suffix).then_some(digits)
        });
        let zone = if suffix.is_some() { TimeZone::UTC } else { (self.zone)() };
        let moment = civil(suffix.unwrap_or(&text)).and_then(|time| moment(time, &zone, choose));
        moment.ok_or(TrustError::Time { line: self.number, key, found: text })
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

/// Returns the first moment after `valid-before`. OpenSSH refuses a key where `verify_time >
/// valid_before`, so that the moment itself is still within the window ("at or before" in the
/// manual), while the windows here end before their end. Nothing is after the year 9999.
fn after(valid_before: Timestamp) -> Option<Timestamp> {
    Timestamp::from_unix(valid_before.unix() + 1)
}

fn civil(digits: &str) -> Option<DateTime> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len()) {
        return None;
    }
    let pair = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i8>).ok();
    let year = digits.get(..4)?.parse().ok()?;
    DateTime::new(year, pair(4)?, pair(6)?, pair(8)?, pair(10)?, pair(12)?, 0).ok()
}

/// Returns the moment of a local time. Counted by hand, because "99991231", as good as for ever, is
/// beyond the last moment of [`jiff::Timestamp`].
fn moment(time: DateTime, zone: &TimeZone, choose: fn(i64, i64) -> i64) -> Option<Timestamp> {
    let (one, other) = match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } => (offset, offset),
        AmbiguousOffset::Fold { before, after } | AmbiguousOffset::Gap { before, after } => {
            (before, after)
        }
    };
    let local = time.duration_since(EPOCH).as_secs();
    let since = |offset: Offset| local - i64::from(offset.seconds());
    Timestamp::from_unix(u64::try_from(choose(since(one), since(other))).ok()?)
}

/// Takes a keyword in any case off the beginning.
fn strip_keyword<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(keyword.len())?;
    found.eq_ignore_ascii_case(keyword).then_some(rest)
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

const ED25519: &str = "ssh-ed25519";

const OTHER_KEY_TYPES: [&str; 5] =
    ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-dss", "ssh-rsa"];

const SPACE: [char; 3] = [' ', '\t', '\r'];

#[cfg(test)]
mod tests {
    use crate::tests::{ALICE, BOB, CAROL, at, key};

    use super::*;

    /// Reads one line, as the third of a file, at UTC+01:00.
    fn line(text: &str) -> Result<Option<TrustEntry>, TrustError> {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let (mut signers, skipped) = read(&format!("# top\n \t\r\n{text}\n"), &|| zone.clone())?;
        assert_eq!(signers.len() + skipped, 1, "{text}");
        Ok(signers.pop())
    }

    fn alice(principals: &str) -> TrustEntry {
        TrustEntry::new(Signer::new(principals, self::key(ALICE)))
            .with_principals(PatternList::new(principals))
    }

    fn malformed(what: &'static str) -> TrustError {
        TrustError::Malformed { line: 3, what }
    }

    #[test]
    fn principals_are_one_field() {
        for (text, principals) in [
            (format!("alice {ALICE}"), "alice"),
            (format!("\t alice,*@b,!c \t{ALICE} comment # more\r"), "alice,*@b,!c"),
            (format!("\"a b,c\" {ALICE}"), "a b,c"),
            (format!("x,\"a b\"\t{ALICE}"), "x,a b"),
            (format!("alice {}", ALICE.replace(' ', "  \t")), "alice"),
            (format!("a\\b {ALICE}"), "a\\b"),
        ] {
            assert_eq!(line(&text), Ok(Some(alice(principals))), "{text}");
        }
    }

    #[test]
    fn options_are_read() {
        let found = line(&format!(
            "a NameSpaces=\"file,!x y,\\\"\",valid-after=\"20260102Z\",VALID-BEFORE=\"202701020304\" {ALICE}"
        ));
        let expected = alice("a")
            .with_scope(Scope::Namespaces(PatternList::new("file,!x y,\"")))
            .with_not_before(at("2026-01-02T00:00:00Z"))
            .with_not_after(at("2027-01-02T02:04:01Z"));
        assert_eq!(found, Ok(Some(expected)));
    }

    #[test]
    fn times_are_local_unless_they_say_otherwise() {
        for (text, expected) in [
            ("20260102", "2026-01-01T23:00:00Z"),
            ("202601020304", "2026-01-02T02:04:00Z"),
            ("20260102030405", "2026-01-02T02:04:05Z"),
            ("20260102Z", "2026-01-02T00:00:00Z"),
            ("20260102z", "2026-01-02T00:00:00Z"),
            ("202601020304UTC", "2026-01-02T03:04:00Z"),
            ("20260102030405Z", "2026-01-02T03:04:05Z"),
        ] {
            let found = line(&format!("a valid-after=\"{text}\" {ALICE}")).unwrap().unwrap();
            assert_eq!(found.not_before(), Some(at(expected)), "{text}");
        }
    }

    #[test]
    fn impossible_times_are_refused() {
        for found in [
            "",
            "Z",
            "2026",
            "2026010",
            "202601020",
            "20261301",
            "20260230",
            "202601022400",
            "20260102030460",
            "2026-1-2",
            "+2026010",
            "20260102ZZ",
            "20260102 Z",
            "19691231",
            "2026010203040506",
            "2026010é",
        ] {
            for key in ["valid-after", "valid-before"] {
                let error = TrustError::Time { line: 3, key, found: found.to_owned() };
                let text = format!("a {key}=\"{found}\" {ALICE}");
                assert_eq!(line(&text), Err(error), "{text}");
            }
        }
    }

    #[test]
    fn ambiguous_times_make_the_window_shorter() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // 02:30 is twice on 2026-10-25, and never on 2026-03-29.
        for (option, after, before) in [
            ("202610250230", "2026-10-25T01:30:00Z", "2026-10-25T00:30:01Z"),
            ("202603290230", "2026-03-29T01:30:00Z", "2026-03-29T00:30:01Z"),
        ] {
            let text =
                format!("a valid-after=\"{option}\" {ALICE}\na valid-before=\"{option}\" {ALICE}");
            let (found, _) = read(&text, &|| zone.clone()).unwrap();
            assert_eq!(found[0].not_before(), Some(at(after)));
            assert_eq!(found[1].not_after(), Some(at(before)));
        }
    }

    #[test]
    fn the_last_second_of_all_times_does_not_end() {
        let text = format!("a valid-before=\"99991231235959Z\" {ALICE}");
        assert_eq!(line(&text), Ok(Some(alice("a"))));
        let found = line(&format!("a valid-before=\"99991231\" {ALICE}")).unwrap().unwrap();
        assert_eq!(found.not_after(), Timestamp::from_unix(253_402_210_801));
    }

    #[test]
    fn windows_that_are_never_open_are_refused() {
        for before in ["20260101Z", "20251231Z"] {
            let text = format!("a valid-after=\"20260101Z\",valid-before=\"{before}\" {ALICE}");
            assert_eq!(line(&text), Err(TrustError::EmptyWindow { line: 3 }));
        }
    }

    #[test]
    fn authorities_and_other_types_are_skipped() {
        for text in [
            &format!("* cert-authority {ALICE}"),
            &format!("* Cert-Authority,namespaces=\"file\" {ALICE}"),
            "* cert-authority ssh-rsa AAAA",
            "a ssh-rsa AAAA comment",
            "a namespaces=\"x y\" ecdsa-sha2-nistp256 AAAA",
            "a ssh-dss AAAA",
            "a sk-ssh-ed25519@openssh.com AAAA",
            "a ssh-ed25519-cert-v01@openssh.com AAAA",
            "a ssh-mldsa65@example.com",
        ] {
            assert_eq!(line(text), Ok(None), "{text}");
        }
        let text = format!("a ssh-rsa AA\n\nb {ALICE}\nc cert-authority {BOB}");
        let (signers, skipped) = read(&text, &|| TimeZone::UTC).unwrap();
        assert_eq!((signers.len(), skipped), (1, 2));
    }

    #[test]
    fn unknown_options_and_types_are_refused() {
        let option =
            |option: &str| Err(TrustError::UnknownOption { line: 3, option: option.to_owned() });
        assert_eq!(line(&format!("a restrict {ALICE}")), option("restrict"));
        assert_eq!(line(&format!("a cert-authorityx {ALICE}")), option("cert-authorityx"));
        assert_eq!(line(&format!("a namespace=\"x\" {ALICE}")), option("namespace"));
        assert_eq!(line(&format!("a namespaces {ALICE}")), option("namespaces"));
        assert_eq!(
            line(&format!("a verify-required,namespaces=\"x\" {ALICE}")),
            option("verify-required")
        );
        assert_eq!(line("a ssh-ed25591 AAAA"), option("ssh-ed25591"));
        assert_eq!(line(ALICE), option(&ALICE[12..]));
        for kind in ["ssh-ed25591", "AAAA", "SSH-ED25519"] {
            let error = TrustError::UnknownKeyType { line: 3, found: kind.to_owned() };
            assert_eq!(line(&format!("a namespaces=\"x\" {kind} AAAA")), Err(error));
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for (text, what) in [
            ("alice", "no key"),
            ("alice cert-authority", "no key"),
            ("\"\" ssh-ed25519 AAAA", "no principals"),
            ("\"alice ssh-ed25519 AAAA", "no closing quote"),
            ("\"a\"b ssh-ed25519 AAAA", "no space after the closing quote"),
            ("a namespaces=x ssh-ed25519 AAAA", "no opening quote"),
            ("a namespaces=\"x ssh-ed25519 AAAA", "no closing quote"),
            ("a namespaces=\"x\\\" ssh-ed25519 AAAA", "no closing quote"),
            ("a namespaces=\"x\", ssh-ed25519 AAAA", "options end in a comma"),
            ("a cert-authority,", "options end in a comma"),
        ] {
            assert_eq!(line(text), Err(malformed(what)), "{text}");
        }
        let twice = |option| Err(TrustError::DuplicateOption { line: 3, option });
        for option in ["namespaces", "valid-after", "valid-before"] {
            let value = "=\"20260101\"";
            let text = format!("a {option}{value},{option}{value} {ALICE}");
            assert_eq!(line(&text), twice(option));
        }
        let control = TrustError::ControlCharacter { line: 3, key: "principals" };
        assert_eq!(line(&format!("a\u{1b}[2J {ALICE}")), Err(control));
    }

    #[test]
    fn malformed_keys_are_refused() {
        for key in ["ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 ?", &ALICE[..60]] {
            let found = line(&format!("a {key}")).unwrap_err();
            assert!(matches!(found, TrustError::Key { line: 3, .. }), "{key}: {found:?}");
        }
    }

    #[test]
    fn lists_of_keys_are_read() {
        let text = format!("# gone\n\n{ALICE} alice\r\n  ssh-rsa AAAA\n{CAROL}");
        assert_eq!(read_keys(&text), Ok(vec![self::key(ALICE), self::key(CAROL)]));
        assert_eq!(read_keys("# none"), Ok(Vec::new()));
    }

    #[test]
    fn lists_of_keys_are_read_whole_or_not_at_all() {
        for text in ["ssh-ed25591 AAAA", "serial: 1", "SHA256:abc", "alice ssh-ed25519 AAAA"] {
            let found = text.split(' ').next().unwrap().to_owned();
            let error = TrustError::UnknownKeyType { line: 2, found };
            assert_eq!(read_keys(&format!("{ALICE}\n{text}\n{BOB}")), Err(error));
        }
        let found = read_keys("\nssh-ed25519 AAAA").unwrap_err();
        assert!(matches!(found, TrustError::Key { line: 2, .. }), "{found:?}");
    }
}
