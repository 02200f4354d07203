//! Diagnostic notation (RFC 8949, Section 8) of anything that can be read as CBOR.
//!
//! This reader is lenient where the strict one refuses: it shows indefinite lengths, long heads and
//! repeated keys as they are, and goes as far into a broken item as it can. What it returns is for
//! people to read. It is printable whatever the input, and bounded.

use std::fmt::Write as _;

use super::{Flaw, Head, Major, Malformed};
use crate::text::{is_harmless, push_escaped};

/// What could be shown of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The notation, as far as it goes.
    pub text: String,
    /// How many bytes were read.
    pub read: usize,
    /// Why it goes no further.
    pub broken: Option<Malformed>,
}

/// Shows the first item of `input`.
///
/// Byte strings that hold a map are shown as `<<{…}>>`, others as hex. Strings over `longest` bytes
/// are cut, with a comment that says how long they are.
#[must_use]
pub fn diagnose(input: &[u8], longest: usize) -> Diagnostic {
    let mut printer = Printer { input, position: 0, longest, text: String::new() };
    let broken = printer.item(MAX_SHOWN_DEPTH).err();
    let mut text = printer.text;
    if text.len() > MAX_TEXT_BYTES {
        text.push_str(" ... / more than can be shown /");
    }
    Diagnostic { text, read: printer.position, broken }
}

struct Printer<'a> {
    input: &'a [u8],
    position: usize,
    longest: usize,
    text: String,
}

impl<'a> Printer<'a> {
    fn item(&mut self, depth_left: usize) -> Result<(), Malformed> {
        let offset = self.position;
        let head = self.head()?;
        let deeper = depth_left.checked_sub(1).ok_or(Malformed::new(offset, Flaw::TooDeep));
        match head.major {
            Major::Unsigned => self.push(&format!("{}{}", head.argument, indicator(&head))),
            Major::Negative => {
                let value = -1 - i128::from(head.argument);
                self.push(&format!("{value}{}", indicator(&head)));
            }
            Major::Bytes | Major::Text if head.is_indefinite() => self.chunks(deeper?)?,
            Major::Bytes => {
                let bytes = self.take(offset, head.argument)?;
                self.bytes(bytes, depth_left);
                self.push(indicator(&head));
            }
            Major::Text => {
                let bytes = self.take(offset, head.argument)?;
                self.quoted(bytes);
                self.push(indicator(&head));
            }
            Major::Array => self.sequence(&head, ["[", "]"], 1, deeper?)?,
            Major::Map => self.sequence(&head, ["{", "}"], 2, deeper?)?,
            Major::Tag => {
                self.push(&format!("{}{}(", head.argument, indicator(&head)));
                self.item(deeper?)?;
                self.push(")");
            }
            Major::Simple => self.simple(offset, &head)?,
        }
        Ok(())
    }

    /// The items of an array, or the keys and values of a map.
    fn sequence(
        &mut self,
        head: &Head,
        [open, close]: [&str; 2],
        items_per_entry: u64,
        depth_left: usize,
    ) -> Result<(), Malformed> {
        self.push(open);
        self.push(indicator(head));
        if !indicator(head).is_empty() {
            self.push(" ");
        }
        let mut entry = 0;
        while !self.ends(head, entry) {
            self.push(if entry == 0 { "" } else { ", " });
            self.item(depth_left)?;
            if items_per_entry == 2 {
                self.push(": ");
                self.item(depth_left)?;
            }
            entry += 1;
            if self.text.len() > MAX_TEXT_BYTES {
                return Ok(());
            }
        }
        self.push(close);
        Ok(())
    }

    /// Whether `entry` is past the last one; takes the break that says so.
    fn ends(&mut self, head: &Head, entry: u64) -> bool {
        if !head.is_indefinite() {
            return entry >= head.argument;
        }
        let at_break = self.rest().first() == Some(&BREAK);
        self.position += usize::from(at_break);
        at_break
    }

    fn chunks(&mut self, depth_left: usize) -> Result<(), Malformed> {
        self.push("(_ ");
        let mut first = true;
        while self.rest().first() != Some(&BREAK) {
            self.push(if first { "" } else { ", " });
            first = false;
            self.item(depth_left)?;
        }
        self.position += 1;
        self.push(")");
        Ok(())
    }

    fn simple(&mut self, offset: usize, head: &Head) -> Result<(), Malformed> {
        let text = match (head.info, head.float()) {
            (20, _) => "false".to_owned(),
            (21, _) => "true".to_owned(),
            (22, _) => "null".to_owned(),
            (23, _) => "undefined".to_owned(),
            (31, _) => return Err(Malformed::new(offset, Flaw::IndefiniteLength)),
            (info, Some(value)) => format!("{}_{}", float(value), info.saturating_sub(24)),
            (_, None) => format!("simple({})", head.argument),
        };
        self.push(&text);
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8], depth_left: usize) {
        if let Some(map) = self.embedded_map(bytes, depth_left) {
            return self.push(&format!("<<{map}>>"));
        }
        let shown = bytes.get(..self.longest).unwrap_or(bytes);
        let mut hex = String::from("h'");
        for byte in shown {
            // Writing to a String does not fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex.push('\'');
        self.push(&hex);
        self.note_cut(shown.len(), bytes.len());
    }

    /// The notation of `bytes` if they are one whole map.
    ///
    /// They are tried once, and count as one level: strings within strings cost no more than arrays.
    fn embedded_map(&self, bytes: &[u8], depth_left: usize) -> Option<String> {
        let short = bytes.len() <= self.longest.max(MAX_EMBEDDED_BYTES);
        Head::read(bytes).ok().filter(|head| short && head.major == Major::Map)?;
        let longest = self.longest;
        let mut inner = Printer { input: bytes, position: 0, longest, text: String::new() };
        inner.item(depth_left.checked_sub(1)?).ok()?;
        (inner.position == bytes.len()).then_some(inner.text)
    }

    fn quoted(&mut self, bytes: &[u8]) {
        let shown = bytes.get(..self.longest).unwrap_or(bytes);
        let text = String::from_utf8_lossy(shown);
        self.push(&quote(&text));
        self.note_cut(shown.len(), bytes.len());
    }

    fn note_cut(&mut self, shown: usize, length: usize) {
        if shown < length {
            self.push(&format!(" / first {shown} of {length} bytes /"));
        }
    }

    fn take(&mut self, offset: usize, length: u64) -> Result<&'a [u8], Malformed> {
        let bytes = usize::try_from(length).ok().and_then(|length| self.rest().get(..length));
        let bytes = bytes.ok_or(Malformed::new(offset, Flaw::UnexpectedEnd))?;
        self.position += bytes.len();
        Ok(bytes)
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        let head = Head::read(self.rest()).map_err(|broken| broken.within(self.position))?;
        self.position += head.size;
        Ok(head)
    }

    fn rest(&self) -> &'a [u8] {
        self.input.get(self.position..).unwrap_or_default()
    }

    fn push(&mut self, text: &str) {
        if self.text.len() <= MAX_TEXT_BYTES {
            self.text.push_str(text);
        }
    }
}

/// Writes text in double quotes, with everything escaped that a terminal could act on.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_harmless(character) => quoted.push(character),
            _ => push_escaped(&mut quoted, character),
        }
    }
    quoted.push('"');
    quoted
}

/// Encoding indicators of RFC 8949, Section 8.1: how long the head is, where that is not shortest.
fn indicator(head: &Head) -> &'static str {
    let longer = |least: u64| head.argument < least;
    match head.info {
        31 => "_",
        24 if longer(24) => "_0",
        25 if longer(1 << 8) => "_1",
        26 if longer(1 << 16) => "_2",
        27 if longer(1 << 32) => "_3",
        _ => "",
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        format!("{value:?}")
    }
}

const BREAK: u8 = 0xff;

/// Deeper than the strict reader goes, so that what it refuses can be seen.
const MAX_SHOWN_DEPTH: usize = 64;

/// Byte strings up to this length are tried as maps whatever the caller's cut.
const MAX_EMBEDDED_BYTES: usize = 4096;

/// The longest notation that is made, in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn show(bytes: &[u8]) -> String {
        let shown = diagnose(bytes, 32);
        assert_eq!(shown.broken, None, "{}", shown.text);
        assert_eq!(shown.read, bytes.len());
        shown.text
    }

    /// RFC 8949, Appendix A, and Section 8.1 for the indicators.
    #[test]
    fn shows_every_type() {
        let cases: &[(&[u8], &str)] = &[
            (b"\x00", "0"),
            (b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "-18446744073709551616"),
            (b"\xf9\x3c\x00", "1.0_1"),
            (b"\xf9\x04\x00", "6.103515625e-5_1"),
            (b"\xf9\x00\x01", "5.960464477539063e-8_1"),
            (b"\xf9\xc4\x00", "-4.0_1"),
            (b"\xf9\x7c\x00", "Infinity_1"),
            (b"\xf9\x7e\x00", "NaN_1"),
            (b"\xfa\x47\xc3\x50\x00", "100000.0_2"),
            (b"\xfb\xc0\x10\x66\x66\x66\x66\x66\x66", "-4.1_3"),
            (b"\xf4", "false"),
            (b"\xf7", "undefined"),
            (b"\xf0", "simple(16)"),
            (b"\xf8\xff", "simple(255)"),
            (b"\xd8\x20\x63abc", "32(\"abc\")"),
            (b"\x44\x01\x02\x03\x04", "h'01020304'"),
            (b"\x64\"\\\x1b\x07", r#""\"\\\u001b\u0007""#),
            (b"\x64\xf0\x90\x85\x91", "\"\u{10151}\""),
            (b"\x63\xe2\x80\xae", r#""\u202e""#),
            (b"\x83\x01\x82\x02\x03\x80", "[1, [2, 3], []]"),
            (b"\xa2\x01\x02\x03\x04", "{1: 2, 3: 4}"),
            (b"\x5f\x42\x01\x02\x41\x03\xff", "(_ h'0102', h'03')"),
            (b"\x9f\x01\xff", "[_ 1]"),
            (b"\xbf\x61a\x01\xff", "{_ \"a\": 1}"),
            (b"\x18\x01", "1_0"),
            (b"\x99\x00\x01\x00", "[_1 0]"),
            (b"\x43\xa1\x01\x27", "<<{1: -8}>>"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(show(bytes), *expected);
        }
    }

    #[test]
    fn shows_a_broken_item_as_far_as_it_goes() {
        let shown = diagnose(b"\x83\x01\x42\x00", 32);
        assert_eq!(shown.text, "[1, ");
        assert_eq!(shown.broken, Some(Malformed::new(2, Flaw::UnexpectedEnd)));
    }

    #[test]
    fn long_strings_are_cut_and_bombs_do_not_go_off() {
        assert_eq!(diagnose(b"\x43\x01\x02\x03", 2).text, "h'0102' / first 2 of 3 bytes /");
        let deep = [vec![0x81; 1000], vec![0x00]].concat();
        assert_eq!(diagnose(&deep, 32).broken.unwrap().flaw, Flaw::TooDeep);
        let bomb = [b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), vec![0x1b; 1 << 20]].concat();
        assert!(diagnose(&bomb, 32).text.len() < 2 * MAX_TEXT_BYTES);
        let mut strings = vec![0xa0];
        for _ in 0..1000 {
            let mut outer = super::super::Encoder::new();
            outer.map(1).int(0).bytes(&strings);
            strings = outer.into_bytes();
        }
        assert_eq!(diagnose(&strings, 32).broken, None);
    }
}
