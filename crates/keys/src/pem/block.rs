//! The blocks of a PEM file, and the text around them.
//!
//! RFC 7468, Section 2: "data before the encapsulation boundaries are permitted, and parsers MUST NOT malfunction
//! when processing such data". Programs write attributes, certificates and explanations there, and people keep keys
//! in places that indent or join lines. None of this changes which bytes a block holds.

use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

use crate::KeyFileError;

/// A block: its label, and the text between its boundaries.
#[derive(Clone, Copy)]
pub(crate) struct PemBlock<'a> {
    pub(crate) label: &'a str,
    /// `None` where no END line has the label.
    body: Option<&'a [u8]>,
}

impl PemBlock<'_> {
    /// Returns the bytes that the block holds. Every copy of them is wiped.
    ///
    /// White space in the base64 does not count, nor do the line ends of a text that JSON or a shell has escaped:
    /// `\n` as two characters.
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let body = self.body.ok_or_else(|| malformed("no END line"))?;
        // The memory of both is as large as it can be needed: it never grows, and leaves no copy behind.
        let mut base64 = Zeroizing::new(Vec::with_capacity(body.len()));
        let mut rest = body;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match (byte, after) {
                (b'\\', [b'n' | b'r' | b't', after @ ..]) => after,
                // JSON may escape a slash.
                (b'\\', [b'/', ..]) => after,
                (byte, after) => {
                    base64.extend((!byte.is_ascii_whitespace()).then_some(byte));
                    after
                }
            };
        }
        let mut bytes = Zeroizing::new(vec![0; base64.len()]);
        let length = Base64::decode(base64.as_slice(), &mut bytes)
            .map_err(|_| malformed("the base64 is broken"))?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Returns the blocks of a text, in order.
///
/// # Errors
///
/// [`KeyFileError::Malformed`] for a BEGIN that has no end on its line, and for more than [`MAX_BLOCKS`].
pub(crate) fn blocks(text: &[u8]) -> Result<Vec<PemBlock<'_>>, KeyFileError> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(after) = after(rest, BEGIN) {
        let broken = || malformed("the BEGIN line is broken");
        let end = find(after, DASHES).ok_or_else(broken)?;
        let (label, after) = after.split_at_checked(end).ok_or_else(broken)?;
        let label = str::from_utf8(label).ok().filter(|label| !label.contains(char::is_control));
        let label = label.ok_or_else(broken)?;
        let after = after.strip_prefix(DASHES).unwrap_or(after);
        let boundary = format!("-----END {label}-----");
        let end = find(after, boundary.as_bytes());
        let body = end.and_then(|end| after.get(..end));
        rest = body.and_then(|body| after.get(body.len() + boundary.len()..)).unwrap_or(after);
        blocks.push(PemBlock { label, body });
        // The search for an END line passes the rest of the file each time.
        if blocks.len() > MAX_BLOCKS {
            return Err(malformed("it has over 64 blocks"));
        }
    }
    Ok(blocks)
}

/// Returns whether there is a block in a text.
pub(crate) fn is_pem(text: &[u8]) -> bool {
    find(text, BEGIN).is_some()
}

fn after<'a>(text: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    text.get(find(text, wanted)? + wanted.len()..)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|found| found == wanted)
}

fn malformed(why: &str) -> KeyFileError {
    KeyFileError::malformed(PEM, why)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
pub(crate) const PEM: &str = "PEM";

/// The most blocks that a file may have.
const MAX_BLOCKS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN X-----\nAAECAw==\n-----END X-----\n";

    fn decoded(text: &str) -> Result<Vec<(String, Vec<u8>)>, KeyFileError> {
        blocks(text.as_bytes())?
            .into_iter()
            .map(|block| Ok((block.label.to_owned(), block.decode()?.to_vec())))
            .collect()
    }

    #[test]
    fn what_stands_around_a_block_changes_nothing() {
        for text in [
            BLOCK.to_owned(),
            format!("Bag Attributes\n    localKeyID: 3D \n{BLOCK}"),
            format!("{BLOCK}priv:\n    25:92\n"),
            BLOCK.replace('\n', "\r\n"),
            BLOCK.replace('\n', " \t\n"),
            format!("  {}", BLOCK.replace('\n', "\n  ")),
            BLOCK.replace('\n', "\n\n"),
            BLOCK.replace('\n', " "),
            BLOCK.replace('\n', ""),
            BLOCK.replace('\n', "\\n"),
            BLOCK.replace('\n', "\\r\\n"),
            format!("{{\"key\": \"{}\"}}", BLOCK.replace('\n', "\\n")),
            format!("KEY='{BLOCK}'"),
            BLOCK.replace("AAEC", "AA\nEC"),
        ] {
            assert_eq!(decoded(&text), Ok(vec![("X".to_owned(), vec![0, 1, 2, 3])]), "{text}");
        }
        let slashes = BLOCK.replace("AAECAw==", "\\/\\/8=");
        assert_eq!(decoded(&slashes), Ok(vec![("X".to_owned(), vec![0xff, 0xff])]));
    }

    #[test]
    fn all_blocks_are_found_in_order() {
        let other = BLOCK.replace('X', "Y Z").replace("AAECAw==", "");
        let found = decoded(&format!("one\n{BLOCK}two\n{other}three\n{BLOCK}")).unwrap();
        let labels: Vec<_> = found.iter().map(|(label, _)| label.as_str()).collect();
        assert_eq!(labels, ["X", "Y Z", "X"]);
        assert_eq!(found[1].1, b"");
        assert_eq!(decoded("no block, -----BEGI"), Ok(Vec::new()));
    }

    #[test]
    fn the_number_of_blocks_is_bounded() {
        assert_eq!(decoded(&BLOCK.repeat(64)).map(|found| found.len()), Ok(64));
        for text in [BLOCK, "-----BEGIN X-----"] {
            assert_eq!(decoded(&text.repeat(65)), Err(malformed("it has over 64 blocks")));
        }
    }

    #[test]
    fn broken_blocks_are_refused_by_their_reason() {
        for (text, why) in [
            (BLOCK.replacen("-----\n", "----\n", 1), "the BEGIN line is broken"),
            ("-----BEGIN X".to_owned(), "the BEGIN line is broken"),
            ("-----BEGIN X\n-----\n".to_owned(), "the BEGIN line is broken"),
            (BLOCK.replace("END X", "END Y"), "no END line"),
            (BLOCK[..30].to_owned(), "no END line"),
            (BLOCK.replace("AAEC", "AA!C"), "the base64 is broken"),
            (BLOCK.replace("Aw==", "Ax=="), "the base64 is broken"),
            (BLOCK.replace("Aw==", "Aw="), "the base64 is broken"),
            (BLOCK.replace("Aw==", "Aw==\nAw=="), "the base64 is broken"),
            (BLOCK.replace("AAEC", "> AAEC"), "the base64 is broken"),
            (BLOCK.replace("AAEC", "AA\u{a0}EC"), "the base64 is broken"),
            (BLOCK.replace("AAEC", "AA\\xEC"), "the base64 is broken"),
            (format!("-----BEGIN X-----\n{BLOCK}"), "the base64 is broken"),
        ] {
            assert_eq!(decoded(&text), Err(malformed(why)), "{text}");
        }
    }
}
