//! Bytes and foreign text as people may see them.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::io;

/// Writes bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Shows text from outside in a message: in quotes, without the middle where it is long, and with escapes for what a
/// terminal would act on. Names and contexts are shown like this, and paths, which need not be UTF-8.
///
/// ```
/// use brine_core::text::quoted;
///
/// assert_eq!(quoted("reports/2026").to_string(), r#""reports/2026""#);
/// assert_eq!(quoted("\u{1b}[2J").to_string(), r#""\u{1b}[2J""#);
/// assert!(quoted(&"x".repeat(1000)).to_string().chars().count() < 170);
/// ```
pub fn quoted<T: AsRef<OsStr> + ?Sized>(text: &T) -> Quoted<'_> {
    Quoted(Shown(text.as_ref()))
}

/// Shows text from outside as [`quoted`] does, without the quotes.
pub fn shown<T: AsRef<OsStr> + ?Sized>(text: &T) -> Shown<'_> {
    Shown(text.as_ref())
}

/// Text from outside in quotes. [`quoted`] makes it.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Quoted<'a>(Shown<'a>);

/// Text from outside. [`shown`] makes it.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Shown<'a>(&'a OsStr);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces: Vec<_> = pieces(self.0.as_encoded_bytes()).collect();
        let is_cut = pieces.len() > MAX_SHOWN_CHARACTERS;
        let end = pieces.len().saturating_sub(SHOWN_AT_THE_END);
        for (at, piece) in pieces.iter().enumerate() {
            if is_cut && at == SHOWN_AT_THE_START {
                f.write_char('\u{2026}')?;
            }
            if !is_cut || at < SHOWN_AT_THE_START || at >= end {
                piece.fmt(f)?;
            }
        }
        Ok(())
    }
}

/// Says in words what the system reports, without its number, and without the name of a temporary file.
#[must_use]
pub fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let Some((cause, number)) = system_error(error) else { return without_number(&text) };
    let mark = format!(" (os error {number})");
    let cause = cause.to_string();
    match text.starts_with(&cause) {
        true => cause.replace(&mark, ""),
        false => text.replace(&mark, ""),
    }
}

/// Takes the number off a text that somebody else made of an error of the system, and the temporary name that
/// tempfile adds.
fn without_number(text: &str) -> String {
    let Some((words, rest)) = text.split_once(" (os error ") else { return text.to_owned() };
    match rest.split_once(')') {
        Some((_, place)) if place.starts_with(" at path ") => words.to_owned(),
        Some((_, more)) => format!("{words}{more}"),
        None => text.to_owned(),
    }
}

/// Returns the error of the system that an error is, or holds, and its number.
fn system_error(error: &io::Error) -> Option<(&io::Error, i32)> {
    if let Some(number) = error.raw_os_error() {
        return Some((error, number));
    }
    let mut inner: &(dyn Error + 'static) = error.get_ref()?;
    loop {
        if let Some(found) = inner.downcast_ref() {
            return system_error(found);
        }
        inner = inner.source()?;
    }
}

/// A character of a text, or a byte that belongs to none.
#[derive(Clone, Copy)]
enum Piece {
    Byte(u8),
    Character(char),
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "\\x{byte:02x}"),
            Self::Character(c) if matches!(c, '"' | '\\') || c.is_ascii_control() => {
                write!(f, "{}", c.escape_default())
            }
            Self::Character(c) if is_harmless(*c) => f.write_char(*c),
            Self::Character(c) => write!(f, "{}", c.escape_unicode()),
        }
    }
}

fn pieces(text: &[u8]) -> impl Iterator<Item = Piece> {
    text.utf8_chunks().flat_map(|chunk| {
        let bytes = chunk.invalid().iter().copied().map(Piece::Byte);
        chunk.valid().chars().map(Piece::Character).chain(bytes)
    })
}

/// Says a number of bytes, as in `256 MiB` where that is exact, and `1 byte`.
#[must_use]
pub fn size(bytes: impl TryInto<u64>) -> String {
    let bytes = bytes.try_into().unwrap_or(u64::MAX);
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.iter().find(|(shift, _)| bytes != 0 && bytes.trailing_zeros() >= *shift) {
        Some((shift, unit)) => format!("{} {unit}", bytes >> shift),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

/// Says a length of time in the largest unit that is exact, as in `7 days` and `90 seconds`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.iter().find(|(unit, _)| seconds != 0 && seconds.is_multiple_of(*unit));
    let (unit, name) = unit.copied().unwrap_or((1, "second"));
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Returns whether a character only shows, and does nothing else to a terminal or a reader.
///
/// Controls act on a terminal, C1 ones too; format characters reorder and join what a person reads; and the rest
/// cannot be seen: two names that differ in it look the same. They are told by what Unicode 16 says of them: the
/// categories Cc, Cf, Zl and Zp, the property Default_Ignorable_Code_Point, and the fillers without a shape.
#[must_use]
pub fn is_harmless(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let after = HARMFUL.partition_point(|(first, _)| *first <= character);
    let found = after.checked_sub(1).and_then(|place| HARMFUL.get(place));
    found.is_none_or(|(_, last)| character > *last)
}

/// Returns whether all characters of a text are [harmless](is_harmless). Names and paths are held to this.
#[must_use]
pub fn all_harmless(text: &str) -> bool {
    text.chars().all(is_harmless)
}

/// Writes a character as JSON and CBOR's notation escape it (RFC 8259, Section 7).
pub fn push_escaped(text: &mut String, character: char) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        // Writing to a String does not fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
}

/// The most characters of a text that a message shows.
const MAX_SHOWN_CHARACTERS: usize = 160;

/// Of a longer text, so many of the first and of the last ones: the end of a path says most.
const SHOWN_AT_THE_START: usize = 100;
const SHOWN_AT_THE_END: usize = 59;

/// The first and last of each run of characters that are not harmless, in order. A test compares it with the tables of
/// Unicode.
const HARMFUL: [(char, char); 30] = [
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    /// U+2800, U+16FE4 and U+1D159 have no shape, and Unicode gives them no property that says so.
    const KIND: &str =
        r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\x{2800}\x{16fe4}\x{1d159}]";

    #[test]
    fn what_is_harmful_is_told_by_unicode_and_not_by_a_list() {
        let parsed = regex_syntax::parse(KIND).unwrap();
        let HirKind::Class(Class::Unicode(class)) = parsed.kind() else { panic!("{parsed:?}") };
        let ranges: Vec<_> = class.iter().map(|range| (range.start(), range.end())).collect();
        assert_eq!(ranges, HARMFUL);
        let inside = |c| ranges.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let mut all = '\0'..=char::MAX;
        assert_eq!(all.clone().count(), 0x11_0000 - 0x800);
        assert_eq!(all.find(|c| is_harmless(*c) == inside(*c)), None);
    }

    #[test]
    fn text_from_outside_is_shown_in_quotes_cut_and_harmless() {
        use std::os::unix::ffi::OsStrExt as _;

        for (text, expected) in [
            (&b""[..], r#""""#),
            (b"reports/2026 \xc3\xa9", "\"reports/2026 \u{e9}\""),
            (b"a\"b\\c'd", r#""a\"b\\c'd""#),
            (b"a\nb\x1b[2J", r#""a\nb\u{1b}[2J""#),
            (b"a\xe2\x80\xaeb", r#""a\u{202e}b""#),
            (b"a\xff\xc3", r#""a\xff\xc3""#),
        ] {
            assert_eq!(quoted(OsStr::from_bytes(text)).to_string(), expected);
        }
        for (length, most) in [(159, 159), (160, 160), (161, 160), (100_000, 160)] {
            let (start, text) = ("a".repeat(100), "z".repeat(length - 100));
            let found = shown(&format!("{start}{text}")).to_string();
            assert_eq!(found.chars().count(), most);
            assert_eq!(found.contains('\u{2026}'), length > 160, "{found}");
            assert!(found.starts_with(&start) && found.ends_with(&"z".repeat(59)), "{found}");
        }
        assert_eq!(shown(&"\u{202e}".repeat(200)).to_string().matches("202e").count(), 159);
    }

    #[test]
    fn sizes_and_lengths_of_time_are_said_in_the_largest_unit_that_is_exact() {
        for (bytes, said) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (65_536, "64 KiB"),
            (65_537, "65537 bytes"),
            (268_435_456, "256 MiB"),
            (64 << 30, "64 GiB"),
            (u64::MAX, "18446744073709551615 bytes"),
        ] {
            assert_eq!(size(bytes), said);
        }
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (3600, "1 hour"),
            (90_000, "25 hours"),
            (604_800, "7 days"),
        ] {
            assert_eq!(duration(seconds), said);
        }
    }

    #[test]
    fn errors_of_the_system_have_words_and_no_number() {
        let missing = || io::Error::from_raw_os_error(2);
        assert_eq!(in_words(&missing()), "No such file or directory");
        assert_eq!(in_words(&io::Error::other(missing())), "No such file or directory");
        assert_eq!(in_words(&io::Error::other("none")), "none");
        // As tempfile does.
        #[derive(Debug, thiserror::Error)]
        #[error("{0} at path \"/var/.tmpR4nD0m\"")]
        struct AtPath(#[source] io::Error);
        #[derive(Debug, thiserror::Error)]
        #[error("while seeking: {0}")]
        struct Around(#[source] io::Error);
        assert_eq!(in_words(&io::Error::other(AtPath(missing()))), "No such file or directory");
        let found = in_words(&io::Error::other(Around(missing())));
        assert_eq!(found, "while seeking: No such file or directory");
        // tempfile does not say which error it holds.
        for (text, words) in [
            ("Permission denied (os error 13) at path \"/var/.tmpR4nD0m\"", "Permission denied"),
            ("Permission denied (os error 13), twice", "Permission denied, twice"),
            ("an (os error", "an (os error"),
        ] {
            assert_eq!(in_words(&io::Error::other(text)), words);
        }
    }

    #[test]
    fn texts_are_harmless_if_all_their_characters_are() {
        for text in ["", "reports/2026 \u{e9}\u{4e2d}", "\u{1f511}", "\u{a0}"] {
            assert!(all_harmless(text), "{text:?}");
        }
        for text in ["a\n", "a\u{202e}b", "a\u{3164}", "\u{2800}", "a\u{e0041}", "a\u{fe0f}"] {
            assert!(!all_harmless(text), "{text:?}");
        }
    }
}
