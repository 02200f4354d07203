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
/// Controls act on a terminal, C1 ones too; bidirectional marks reorder what a person reads, and the
/// rest cannot be seen.
#[must_use]
pub fn is_harmless(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Writes a character as JSON and CBOR's notation escape it (RFC 8259, Section 7).
pub fn push_escaped(text: &mut String, character: char) {
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        // Writing to a String does not fail.
        let _ = write!(text, "\\u{unit:04x}");
    }
}
