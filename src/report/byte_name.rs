//! Names of files and arguments, which need not be UTF-8 (`path_resolution(7)`).

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use brine_core::text::hex;

/// Shows a name as text, and two different names as two different texts as far as they are not UTF-8: then a byte
/// that is no part of a character is `\xNN`, and a backslash is two.
pub(crate) fn shown(name: impl AsRef<OsStr>) -> String {
    let name = name.as_ref();
    if let Some(text) = name.to_str() {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', r"\\"));
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns the bytes of a name in hex, if it is not UTF-8.
pub(crate) fn exact(name: impl AsRef<OsStr>) -> Option<String> {
    let name = name.as_ref();
    name.to_str().is_none().then(|| hex(name.as_bytes()))
}

/// Returns the bytes of all names in hex, if one of them is not UTF-8.
pub(crate) fn all_exact<N: AsRef<OsStr>>(names: &[N]) -> Option<Vec<String>> {
    let is_text = names.iter().all(|name| name.as_ref().to_str().is_some());
    (!is_text).then(|| names.iter().map(|name| hex(name.as_ref().as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_bytes() {
        for (name, text, bytes) in [
            (&b"a\\xff"[..], r"a\xff", None),
            ("é\u{fffd}".as_bytes(), "é\u{fffd}", None),
            (b"a\xff", r"a\xff", Some("61ff")),
            (b"a\xfe", r"a\xfe", Some("61fe")),
            (b"a\\xff\xff", r"a\\xff\xff", Some("615c786666ff")),
            (b"\xe2\x82-\xc3\xa9", r"\xe2\x82-é", Some("e2822dc3a9")),
        ] {
            let name = OsStr::from_bytes(name);
            assert_eq!((shown(name).as_str(), exact(name).as_deref()), (text, bytes));
        }
        assert_eq!(all_exact(&["a", "b"]), None);
        let mixed = [OsStr::new("a"), OsStr::from_bytes(b"\xff")];
        assert_eq!(all_exact(&mixed), Some(vec!["61".to_owned(), "ff".to_owned()]));
    }
}
