//! The text of a key file, whatever an editor or a shell did to its encoding.

use zeroize::{Zeroize as _, Zeroizing};

use crate::KeyFileError;

/// Returns the bytes of a key file without a byte order mark, and text in UTF-16 as UTF-8.
///
/// Every copy is wiped: the text may be a private key.
///
/// # Errors
///
/// [`KeyFileError::Unrecognised`] for UTF-16 that is broken.
pub(crate) fn decode(bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => Ok(Zeroizing::new(text.to_vec())),
        // PowerShell 5 and Notepad write this order. The second byte of any ASCII character is 0 in it.
        [0xff, 0xfe, text @ ..] | text @ [1..=0x7f, 0, ..] => from_utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] | text @ [0, 1..=0x7f, ..] => from_utf16(text, u16::from_be_bytes),
        text => Ok(Zeroizing::new(text.to_vec())),
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(KeyFileError::Unrecognised);
    }
    // Two bytes become three at most, so the memory never grows and leaves no copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(units.len().saturating_mul(3)));
    let mut room = [0; 4];
    for character in char::decode_utf16(units.iter().copied().map(unit)) {
        let character = character.map_err(|_| KeyFileError::Unrecognised)?;
        text.extend_from_slice(character.encode_utf8(&mut room).as_bytes());
    }
    room.zeroize();
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn text_in_other_encodings_is_the_same_text() {
        for text in ["", "ssh-ed25519 AAAA Ω\u{1f511}\r\n", "-----BEGIN PRIVATE KEY-----\n"] {
            let marked = format!("\u{feff}{text}");
            for bytes in [
                text.as_bytes().to_vec(),
                marked.clone().into_bytes(),
                utf16(&marked, u16::to_le_bytes),
                utf16(&marked, u16::to_be_bytes),
                utf16(text, u16::to_le_bytes),
                utf16(text, u16::to_be_bytes),
            ] {
                assert_eq!(decode(&bytes).unwrap().as_slice(), text.as_bytes(), "{bytes:?}");
            }
        }
    }

    #[test]
    fn broken_utf16_is_no_key() {
        for bytes in [b"\xff\xfea\0b".as_slice(), b"\xff\xfe\0\xd8a\0", b"\xfe\xff\xd8\0", b"a\0b"]
        {
            assert_eq!(decode(bytes), Err(KeyFileError::Unrecognised), "{bytes:?}");
        }
    }

    #[test]
    fn other_bytes_stay_as_they_are() {
        for bytes in [b"".as_slice(), b"\0", b"\0\0", b"\xb2\xdc", b"a", b"\xef\xbb"] {
            assert_eq!(decode(bytes).unwrap().as_slice(), bytes);
        }
    }
}
