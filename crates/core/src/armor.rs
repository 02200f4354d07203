//! Envelopes as text (RFC 7468), for places that take nothing else.

use pem_rfc7468::LineEnding;

use crate::cose::{ArmorFlaw, FormError, Lookalike};

/// The label of the text: `-----BEGIN BRINE ENVELOPE-----`.
pub const LABEL: &str = "BRINE ENVELOPE";

/// Returns whether `input` begins as armored text does.
///
/// No envelope begins with a hyphen, so nothing can be both.
#[must_use]
pub fn is_armored(input: &[u8]) -> bool {
    input.starts_with(MARK)
}

/// What it begins with.
pub(crate) const MARK: &[u8] = b"-----BEGIN ";

/// Returns how long the text of an envelope of so many bytes can be, with room for two full headers: 4
/// characters and a newline's share for every 3 bytes.
pub(crate) const fn longest(payload_bytes: u64) -> u64 {
    (payload_bytes + 256 * 1024) / 3 * 4 / 64 * 66 + 4096
}

/// Wraps an envelope in lines of 64 characters.
///
/// # Errors
///
/// [`FormError::Armor`] if the text would not fit in memory.
pub fn encode(envelope: &[u8]) -> Result<String, FormError> {
    pem_rfc7468::encode_string(LABEL, LineEnding::LF, envelope)
        .map_err(|_| FormError::Armor(ArmorFlaw::TooLarge))
}

/// Unwraps armored text, which may be followed by white space and by nothing else.
///
/// There is one text for each envelope, but for the line ends, LF or CRLF.
///
/// # Errors
///
/// [`FormError::Armor`] if it is not strict RFC 7468 text; [`FormError::NotAnEnvelope`] if it is armor of
/// something else, such as a key.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, FormError> {
    let text = text.trim_ascii_end();
    let begin = || FormError::Armor(ArmorFlaw::Begin);
    let label = text.strip_prefix(MARK).ok_or_else(begin)?;
    let label = label.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    let label = label.trim_ascii_end().strip_suffix(b"-----").ok_or_else(begin)?;
    if label != LABEL.as_bytes() {
        return Err(FormError::NotAnEnvelope { found: Lookalike::of_label(label) });
    }
    let flaw = || FormError::Armor(ArmorFlaw::of(text, END));
    let (_, envelope) = pem_rfc7468::decode_vec(text).map_err(|_| flaw())?;
    // The decoder takes lone carriage returns and blank lines, too.
    let written = encode(&envelope)?;
    let lines =
        text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if lines.eq(written.trim_ascii_end().as_bytes().split(|&byte| byte == b'\n')) {
        Ok(envelope)
    } else {
        Err(flaw())
    }
}

const END: &[u8] = b"-----END BRINE ENVELOPE-----";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Classified as _;

    #[test]
    fn lengths_around_a_line_come_back() {
        for length in [1, 2, 3, 47, 48, 49, 95, 96, 97, 1000] {
            let envelope = vec![0xd2; length];
            let text = encode(&envelope).unwrap();
            assert!(is_armored(text.as_bytes()));
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            assert_eq!(decode(text.as_bytes()).unwrap(), envelope);
            let windows = text.replace('\n', "\r\n");
            assert_eq!(decode(windows.as_bytes()).unwrap(), envelope, "{length}");
            assert_eq!(decode(text.trim_end().as_bytes()).unwrap(), envelope);
        }
    }

    #[test]
    fn altered_armor_is_refused_by_its_reason() {
        let text = encode(&[0xd2; 100]).unwrap();
        let cases = [
            (text.replace("END BRINE", "END WRINE"), "armor-malformed"),
            (text.replace("0tLS", "0t*S"), "armor-malformed"),
            (text.replace("0tLS", ""), "armor-malformed"),
            (format!("{text}x"), "armor-malformed"),
            (format!("\n{text}"), "armor-malformed"),
            (text.replacen("-----\n", "----\n", 1), "armor-malformed"),
            (text.replace('\n', "\r"), "armor-malformed"),
            (text.replace("\n-----END", "\n\n-----END"), "armor-malformed"),
            (text.replace("-----\n", "-----\n\n"), "armor-malformed"),
            (format!("{text}{text}"), "armor-malformed"),
            (text.chars().take(100).collect(), "armor-malformed"),
            (text.replace("BRINE ENVELOPE", "PRIVATE KEY"), "not-an-envelope"),
        ];
        for (altered, reason) in cases {
            assert_eq!(decode(altered.as_bytes()).unwrap_err().reason(), reason, "{altered}");
        }
    }

    /// What mail programs, editors and shells do to text.
    #[test]
    fn altered_armor_is_refused_with_what_happened_to_it() {
        let text = encode(&[0xd2; 100]).unwrap();
        for (altered, flaw) in [
            (format!("\n{text}"), ArmorFlaw::Begin),
            (text.replacen("-----\n", "----\n", 1), ArmorFlaw::Begin),
            (text.replace('\n', " \n"), ArmorFlaw::Space),
            (text.replace('\n', "\n\t"), ArmorFlaw::Space),
            (text.replacen("0tLS", "0tLS ", 2), ArmorFlaw::Space),
            (text.replace('\n', "\r\r\n"), ArmorFlaw::Space),
            (text.replace('\n', "\n\n"), ArmorFlaw::BlankLine),
            (text.replace("-----\n", "-----\nComment: x\n\n"), ArmorFlaw::BlankLine),
            (text.replace("==", "=3D=3D"), ArmorFlaw::QuotedPrintable),
            (text.replacen("0tLS0tLS", "0tLS=\n0tLS", 1), ArmorFlaw::QuotedPrintable),
            (text.replace("\n0tLS", "\n> 0tLS"), ArmorFlaw::Space),
            (text.replacen("0tLS", "0t*S", 1), ArmorFlaw::Base64),
            (text.replacen("0tLS", "0tLS0tLS", 1), ArmorFlaw::LineLength),
            (text.replacen("0tLS", "0tLS\n", 1), ArmorFlaw::LineLength),
            (text.replace("0g==", "0h=="), ArmorFlaw::Base64),
            (text.replace("END BRINE", "END WRINE"), ArmorFlaw::Cut),
            (text.chars().take(100).collect(), ArmorFlaw::Cut),
            (format!("{text}x"), ArmorFlaw::TextAfter),
            (format!("{text}{text}"), ArmorFlaw::TextAfter),
        ] {
            assert_eq!(decode(altered.as_bytes()), Err(FormError::Armor(flaw)), "{altered}");
        }
    }
}
