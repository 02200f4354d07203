//! Armored text is read without a panic, and in one form only: what is read is the text that would
//! be written, but for CRLF in the place of LF and white space at the end (SPEC.md, Armor).

#![no_main]

use brine_core::armor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(envelope) = armor::decode(input) else { return };
    assert!(armor::is_armored(input), "decoded, and not recognised as armor");
    let text = armor::encode(&envelope).expect("what was decoded fits in memory");
    assert_eq!(armor::decode(text.as_bytes()).expect("own armor is read"), envelope);
    let read = str::from_utf8(input).expect("armor is ASCII").replace("\r\n", "\n");
    assert_eq!(read.trim_ascii_end(), text.trim_ascii_end(), "another form is read");
});
