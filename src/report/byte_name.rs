//! Names of files and arguments, which need not be UTF-8 (`path_resolution(7)`).

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use brine_core::text::{hex, is_harmless};

use super::console::printable;

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

/// Shows the name of a file in a line about it. One with characters that would act on a terminal or end the line is in
/// quotes, and so is one that begins with a quote: no two of them look alike. `-` is standard input.
pub(crate) fn in_a_line(name: impl AsRef<OsStr>) -> String {
    let name = name.as_ref();
    let text = shown(name);
    if name == "-" {
        return "standard input".to_owned();
    }
    match text.starts_with('"') || !text.chars().all(is_harmless) {
        true => printable(&format!("{name:?}")),
        false => text,
    }
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
    fn a_name_stays_on_its_line() {
        for (name, line) in [
            (&b"a b"[..], "a b"),
            (b"-", "standard input"),
            (b"./-", "./-"),
            (b"a\xff", r"a\xff"),
            (b"new\nline", r#""new\nline""#),
            (br"new\nline", r"new\nline"),
            (br#""new\nline""#, r#""\"new\\nline\"""#),
            (b"\x1b[2J", r#""\u{1b}[2J""#),
        ] {
            assert_eq!(in_a_line(OsStr::from_bytes(name)), line);
        }
    }

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
