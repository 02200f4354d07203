//! Bytes and foreign text as people may see them.

use std::fmt::Write as _;

/// Writes bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
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
    fn texts_are_harmless_if_all_their_characters_are() {
        for text in ["", "reports/2026 \u{e9}\u{4e2d}", "\u{1f511}", "\u{a0}"] {
            assert!(all_harmless(text), "{text:?}");
        }
        for text in ["a\n", "a\u{202e}b", "a\u{3164}", "\u{2800}", "a\u{e0041}", "a\u{fe0f}"] {
            assert!(!all_harmless(text), "{text:?}");
        }
    }
}
