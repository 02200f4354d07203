use brine_core::cbor::Flaw;
use proptest::prelude::*;

use super::*;

/// Gives a few bytes at a time, and is interrupted now and then.
struct Slowly<'a>(&'a [u8], usize, bool);

impl Read for Slowly<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.2 = !self.2;
        if self.2 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.1.min(room.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        room[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// The verdict, which must not depend on how much comes at once.
fn check(format: OutputFormat, output: &[u8]) -> Result<(), String> {
    let verdict =
        |size| format.check(&mut Slowly(output, size, false)).map_err(|error| error.to_string());
    let whole = verdict(usize::MAX);
    for size in [1, 2, 3, 7] {
        assert_eq!(verdict(size), whole, "{format:?} {size} at once");
    }
    whole
}

fn refused(format: OutputFormat, output: &[u8], said: &str) {
    let error = check(format, output).expect_err(&format!("{format:?} {output:?}"));
    assert!(error.contains(said), "{format:?} {output:?}: {error}");
}

#[test]
fn names_come_back() {
    for format in OutputFormat::ALL {
        assert_eq!(OutputFormat::from_name(format.name()), Some(format));
        assert!(OutputFormat::NAMES.contains(format.name()));
    }
}

#[test]
fn anything_is_bytes() {
    check(OutputFormat::Bytes, b"\xff\0").unwrap();
    check(OutputFormat::Bytes, b"").unwrap();
}

#[test]
fn text_is_utf8_without_controls() {
    for good in ["", "a\tb\r\n", "naïve €\u{1d11e}"] {
        check(OutputFormat::Utf8, good.as_bytes()).unwrap();
    }
    refused(OutputFormat::Utf8, b"ab\xff", "not UTF-8 at byte 2");
    refused(OutputFormat::Utf8, b"ab\xe2\x82", "not UTF-8 at byte 2");
    refused(OutputFormat::Utf8, b"a\xe2\x82b", "not UTF-8 at byte 1");
    refused(OutputFormat::Utf8, b"\xed\xa0\x80", "not UTF-8 at byte 0");
    refused(OutputFormat::Utf8, b"a\x1b[2J", "control character at byte 1");
    refused(OutputFormat::Utf8, "a\u{9b}".as_bytes(), "control character at byte 1");
    refused(OutputFormat::Utf8, b"\x7f\xff", "control character at byte 0");
    refused(OutputFormat::Utf8, b"\0", "control character at byte 0");
}

/// What nobody sees can say something else to a program, or change the order of what people see.
#[test]
fn text_has_nothing_hidden() {
    for (hidden, number) in [
        ('\u{202e}', "U+202E"),
        ('\u{2066}', "U+2066"),
        ('\u{61c}', "U+061C"),
        ('\u{200b}', "U+200B"),
        ('\u{ad}', "U+00AD"),
        ('\u{feff}', "U+FEFF"),
        ('\u{e0041}', "U+E0041"),
    ] {
        let said = format!("hidden character {number} at byte 3");
        refused(OutputFormat::Utf8, format!("abc{hidden}d").as_bytes(), &said);
        let error = OutputFormat::Utf8.check(&mut hidden.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.reason(), "output-hidden-character");
    }
}

/// A joiner and a variation selector are taken where they change what is seen, and nowhere else.
#[test]
fn text_has_the_joiners_that_scripts_and_emoji_need() {
    let rainbow_flag = "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}";
    for good in [
        "\u{645}\u{200c}\u{62e}",
        "\u{915}\u{94d}\u{200d}",
        "\u{2764}\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        rainbow_flag,
    ] {
        check(OutputFormat::Utf8, good.as_bytes()).unwrap();
    }
    for (hidden, offset) in [
        ("\u{200d}a", 0),
        ("ab\u{200c}c", 2),
        ("a\u{fe0f}", 1),
        ("\n\u{200d}", 1),
        ("\u{645}\u{200c}\u{200c}", 5),
        ("\u{2764}\u{fe0f}\u{fe0f}", 6),
        ("\u{645}\u{200c}\u{fe0f}", 5),
    ] {
        refused(OutputFormat::Utf8, hidden.as_bytes(), &format!("at byte {offset}"));
        let error = OutputFormat::Utf8.check(&mut hidden.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), "output-hidden-character", "{hidden:?}");
    }
}

const GOOD: [&str; 13] = [
    "{}",
    " [ ] ",
    "null",
    "\r\n\ttrue",
    "false ",
    "-0",
    "10.5e+3",
    "0.1E-2",
    "\"\"",
    r#""a\"\\\/\b\f\n\r\té\ud834\udd1e""#,
    r#"{"a":1,"b":[1,{"a":null}],"":{}}"#,
    "[[[]],{}]",
    "\"\u{7f}\u{2028}é\"",
];

/// With what is said of each, as one text.
const BAD: [(&str, &str); 37] = [
    ("", "ends too early at byte 0"),
    (" ", "ends too early at byte 1"),
    ("nul", "ends too early"),
    ("nulll", "follows the end"),
    ("True", "a value is missing at byte 0"),
    ("1 2", "follows the end at byte 2"),
    ("{}{}", "follows the end at byte 2"),
    ("01", "follows the end"),
    ("-", "ends too early"),
    ("-a", "a number is malformed"),
    ("+1", "a value is missing"),
    (".5", "a value is missing"),
    ("1.", "ends too early"),
    ("1.e5", "a number is malformed"),
    ("1e", "ends too early"),
    ("1e+ ", "a number is malformed"),
    ("0x10", "follows the end"),
    ("NaN", "a value is missing"),
    ("[1,]", "a value is missing"),
    ("[,1]", "a value is missing"),
    ("[1 2]", "a comma or the end is missing"),
    ("[1}", "a comma or the end is missing"),
    ("[", "ends too early"),
    ("]", "a value is missing"),
    ("{\"a\" 1}", "a colon is missing"),
    ("{\"a\":1,}", "a name is missing"),
    ("{a:1}", "a name is missing"),
    ("{1:1}", "a name is missing"),
    ("\"", "ends too early"),
    ("\"\n\"", "a control character is not escaped"),
    (r#""\x""#, "an escape is malformed"),
    (r#""\u12g4""#, "an escape is malformed"),
    ("'a'", "a value is missing"),
    ("/**/1", "a value is missing"),
    ("\u{feff}1", "byte order mark"),
    ("\u{a0}1", "a value is missing"),
    ("1\u{b}", "follows the end"),
];

#[test]
fn json_is_that_of_rfc_8259() {
    for good in GOOD {
        check(OutputFormat::Json, good.as_bytes())
            .unwrap_or_else(|error| panic!("{good}: {error}"));
        assert!(serde_json::from_str::<serde_json::Value>(good).is_ok(), "{good}");
    }
    for (bad, said) in BAD {
        refused(OutputFormat::Json, bad.as_bytes(), said);
        assert!(serde_json::from_str::<serde_json::Value>(bad).is_err(), "{bad}");
    }
    refused(OutputFormat::Json, b"\"\xff\"", "not UTF-8 at byte 1");
    refused(OutputFormat::Json, b"\"\xe2\x82", "not UTF-8 at byte 1");
}

/// Grammar alone would let these pass, and readers take them for different things.
#[test]
fn json_that_readers_disagree_about_is_refused() {
    for (bad, said) in [
        (r#"{"a":1,"a":2}"#, "a name is there twice at byte 9"),
        (r#"{"a":1,"\u0061":2}"#, "a name is there twice at byte 14"),
        (r#"{"é":1,"\u00e9":2}"#, "a name is there twice"),
        (r#"{"a":{"b":1,"c":2,"b":3}}"#, "a name is there twice"),
        (r#"{"a":{},"a":1}"#, "a name is there twice"),
        (r#""\ud834""#, "half a character"),
        (r#""\ud834x""#, "half a character"),
        (r#""\ud834\n""#, "half a character"),
        (r#""\ud834\u0041""#, "half a character"),
        (r#""\udd1e""#, "half a character"),
        (r#""\ud834\ud834""#, "half a character"),
    ] {
        refused(OutputFormat::Json, bad.as_bytes(), said);
    }
    let long = "x".repeat(5000);
    refused(OutputFormat::Json, format!("{{\"{long}\":1,\"{long}\":2}}").as_bytes(), "twice");
    for good in [r#"{"a":{"a":1},"b":{"a":1}}"#, r#"[{"a":1},{"a":1}]"#, r#"{"a":"a","b":"a"}"#] {
        check(OutputFormat::Json, good.as_bytes()).unwrap();
    }
    check(OutputFormat::Json, format!("{{\"{long}\":1,\"{long}y\":2}}").as_bytes()).unwrap();
}

/// RFC 8259, Section 6.
#[test]
fn json_numbers_are_those_that_readers_agree_on() {
    for good in [
        "9007199254740991",
        "-9007199254740991",
        "-0",
        "0.0",
        "-0.0e-999999999999999999999",
        "1e20",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014E-308",
        "0.1",
        "0.30000000000000004",
        "123456789012345.67",
        "1.50000000000000000000000000000",
        "0.00000000000000000000000000000000000000015",
        "100000000000000000000000000000000.0",
        "1000000000000000000000000000000e-30",
        "[1,20,300]",
    ] {
        check(OutputFormat::Json, good.as_bytes())
            .unwrap_or_else(|error| panic!("{good}: {error}"));
        check(OutputFormat::Ndjson, good.as_bytes()).unwrap();
    }
    let zeros = "0".repeat(100_000);
    check(OutputFormat::Json, format!("0.{zeros}").as_bytes()).unwrap();
    for (bad, said) in [
        ("9007199254740992", "beyond 2^53"),
        ("-9007199254740992", "beyond 2^53"),
        ("[9007199254740993]", "beyond 2^53, where readers disagree at byte 17"),
        ("10000000000000000", "beyond 2^53"),
        ("12345678901234567890123", "beyond 2^53"),
        ("1e309", "out of range"),
        ("1e400", "out of range"),
        ("-1.7976931348623159e308", "out of range"),
        ("1e99999999999999999999999", "out of range"),
        ("1e-400", "out of range"),
        ("2e-324", "out of range"),
        ("3.141592653589793238462643383279", "more digits"),
        ("0.100000000000000005", "more digits"),
        ("123456789012345678.5", "more digits"),
        ("{\"a\":1e400}", "out of range for readers at byte 10"),
    ] {
        refused(OutputFormat::Json, bad.as_bytes(), said);
        refused(OutputFormat::Ndjson, format!("{bad}\n").as_bytes(), said);
    }
    refused(OutputFormat::Json, format!("1{zeros}").as_bytes(), "beyond 2^53");
    refused(OutputFormat::Json, format!("0.{zeros}1").as_bytes(), "out of range");
}

#[test]
fn json_has_its_bounds() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    check(OutputFormat::Json, nested(MAX_JSON_DEPTH).as_bytes()).unwrap();
    refused(
        OutputFormat::Json,
        nested(MAX_JSON_DEPTH + 1).as_bytes(),
        "nests too deep at byte 128",
    );
    let names = |count: usize| {
        let pairs: Vec<_> = (0..count).map(|number| format!("\"{number}\":0")).collect();
        format!("{{{}}}", pairs.join(","))
    };
    let mut most = names(MAX_JSON_NAMES);
    assert!(OutputFormat::Json.check(&mut most.as_bytes()).is_ok());
    // What was closed is forgotten.
    most = format!("[{most},{most}]");
    assert!(OutputFormat::Json.check(&mut most.as_bytes()).is_ok());
    let error = OutputFormat::Json.check(&mut names(MAX_JSON_NAMES + 1).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("too many names"), "{error}");
}

#[test]
fn lines_are_one_json_text_each() {
    for good in ["", "1", "1\n", "{}\r\n[]\n", " 1 \n\t2\n\"a\"", "{\"a\":1}\n{\"a\":1}\n"] {
        check(OutputFormat::Ndjson, good.as_bytes())
            .unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for (bad, said) in [
        ("\n", "ends too early at byte 0"),
        ("1\n\n2\n", "ends too early at byte 2"),
        ("1\n \n", "ends too early at byte 3"),
        ("1\n ", "ends too early at byte 3"),
        ("[1,\n2]\n", "ends too early at byte 3"),
        ("1 2\n", "follows the end"),
        ("1\n{", "ends too early"),
        ("\"a\n\"", "ends too early at byte 2"),
        ("{\"a\":1,\"a\":1}\n", "twice"),
    ] {
        refused(OutputFormat::Ndjson, bad.as_bytes(), said);
    }
    refused(OutputFormat::Ndjson, b"1\n\xff", "not UTF-8 at byte 2");
}

#[test]
fn cbor_is_one_item() {
    for good in [
        &b"\x00"[..],
        b"\x83\x01\x61a\x41\xff",
        b"\x9f\x01\xff",
        b"\x5f\x41a\x41b\xff",
        b"\x18\x01",
        b"\xd8\x20\x61a",
        b"\xfb\0\0\0\0\0\0\0\0",
    ] {
        check(OutputFormat::Cbor, good).unwrap();
    }
    let long = [&b"\x82\x5a\x00\x03\x0d\x40"[..], &vec![7; 200_000], b"\x01"].concat();
    check(OutputFormat::Cbor, &long).unwrap();
    refused(OutputFormat::Cbor, &long[..long.len() - 1], "cut short at byte 200006");
    refused(
        OutputFormat::Cbor,
        &[&long[..], b"\0"].concat(),
        "for 1 byte after its end at byte 200007",
    );
    refused(OutputFormat::Cbor, b"", "cut short at byte 0");
    refused(OutputFormat::Cbor, b"\x82\x01", "cut short");
    refused(OutputFormat::Cbor, b"\x5b\xff\xff\xff\xff\xff\xff\xff\xffabc", "cut short");
    refused(OutputFormat::Cbor, b"\x82\x01\x1c", "a code that means nothing at byte 2");
    refused(OutputFormat::Cbor, b"\xff", "a length is left open at byte 0");
    refused(OutputFormat::Cbor, &[0x81; 66], "nested too deep");
}

/// RFC 8949, Section 5.3.1. The offset is that of the second key.
#[test]
fn cbor_has_each_key_once() {
    for good in [
        &b"\xa2\x01\x00\x02\x00"[..],
        // In the generic data model all of these differ.
        b"\xa7\x01\x00\xf9\x3c\x00\x00\x61a\x00\x41a\x00\xc1\x01\x00\xc2\x41\x01\x00\x20\x00",
        b"\xa2\x61a\xa1\x61a\x00\x61b\xa1\x61a\x00",
        b"\xa2\x82\x01\x02\x00\x82\x02\x01\x00",
        b"\xa2\xa1\x01\x02\x00\xa1\x02\x01\x00",
        b"\xa2\x80\x00\xa0\x00",
        b"\xa3\xf4\x00\xf5\x00\xf6\x00",
        b"\x82\xa1\x01\x01\xa1\x01\x01",
        b"\xbf\x01\x01\x02\x01\xff",
        b"\xa0",
    ] {
        check(OutputFormat::Cbor, good).unwrap_or_else(|error| panic!("{good:02x?}: {error}"));
    }
    for (bad, at) in [
        (&b"\xa2\x01\x00\x01\x00"[..], 3),
        (b"\xa2\x01\x00\x18\x01\x00", 3),
        (b"\xa2\x01\x00\x1b\0\0\0\0\0\0\0\x01\x00", 3),
        (b"\xbf\x61a\x00\x61b\x00\x78\x01a\x00\xff", 7),
        (b"\xa2\x62ab\x00\x7f\x61a\x60\x61b\xff\x00", 5),
        (b"\xa2\x42ab\x00\x5f\x42ab\xff\x00", 5),
        (b"\xa2\xf9\x3c\x00\x00\xfb\x3f\xf0\0\0\0\0\0\0\x00", 5),
        (b"\xa2\xfa\x3f\x80\0\0\x00\xf9\x3c\x00\x00", 7),
        (b"\xa2\xf9\x00\x01\x00\xfb\x3e\x70\0\0\0\0\0\0\x00", 5),
        (b"\xa2\x82\x01\x02\x00\x9f\x01\x18\x02\xff\x00", 5),
        (b"\xa2\xa2\x01\x05\x02\x06\x00\xbf\x02\x06\x01\x05\xff\x00", 7),
        (b"\xa2\xc1\x01\x00\xd8\x01\x18\x01\x00", 4),
        (b"\xa2\xf4\x00\xf4\x00", 3),
        (b"\x81\xa1\x00\xa2\x01\x00\x01\x00", 6),
        // The key of a key.
        (b"\xa1\xa2\x01\x00\x01\x00\x00", 4),
    ] {
        refused(OutputFormat::Cbor, bad, &format!("a key stands in it twice at byte {at}"));
    }
    // What was closed is forgotten.
    let pairs =
        |count: u32| (0..count).flat_map(|key| [&b"\x1a"[..], &key.to_be_bytes(), b"\0"].concat());
    let map =
        |count: u32| [&b"\xba"[..], &count.to_be_bytes()].concat().into_iter().chain(pairs(count));
    let most = u32::try_from(MAX_CBOR_KEYS).unwrap();
    let two: Vec<u8> = [0x82].into_iter().chain(map(most)).chain(map(most)).collect();
    assert!(OutputFormat::Cbor.check(&mut two.as_slice()).is_ok());
    let more: Vec<u8> = map(most + 1).collect();
    let error = OutputFormat::Cbor.check(&mut more.as_slice()).unwrap_err();
    assert_eq!(error.reason(), "output-too-many-keys", "{error}");
}

#[test]
fn cbor_text_is_utf8() {
    check(OutputFormat::Cbor, "\u{62}é".as_bytes()).unwrap();
    check(OutputFormat::Cbor, b"\x7f\x62\xc3\xa9\x60\xff").unwrap();
    check(OutputFormat::Cbor, b"\x42\xc3\x28").unwrap();
    refused(OutputFormat::Cbor, b"\x62\xc3\x28", "text is not UTF-8 at byte 1");
    refused(OutputFormat::Cbor, b"\x61\xc3", "text is not UTF-8 at byte 1");
    refused(OutputFormat::Cbor, b"\x82\x62\xc3\x28\x1c", "text is not UTF-8 at byte 2");
    // A character may not be cut by the end of a chunk (RFC 8949, Section 3.2.3).
    refused(OutputFormat::Cbor, b"\x7f\x61\xc3\x61\xa9\xff", "text is not UTF-8 at byte 2");
    refused(OutputFormat::Cbor, b"\xa1\x61\xff\x00", "text is not UTF-8 at byte 2");
}

proptest! {
    /// What is well-formed and what is not, and where it is not, is what the library that judges envelopes says.
    #[test]
    fn cbor_is_well_formed_where_the_core_says_so(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x80..0xa4_u8, Just(0xff), Just(0x7f)], 0..24)
    ) {
        use brine_core::cbor::{Extent, extent};
        let found = OutputFormat::Cbor.check(&mut bytes.as_slice());
        let invalid = matches!(
            &found,
            Err(FormatError::Cbor(Malformed { flaw: Flaw::DuplicateKey | Flaw::Utf8, .. }))
        );
        match extent(&bytes) {
            _ if invalid => {}
            Extent::Complete(length) if length == bytes.len() => prop_assert!(found.is_ok(), "{found:?}"),
            Extent::Complete(_) => prop_assert!(found.unwrap_err().to_string().contains("its end at byte")),
            Extent::NeedMore(_) => prop_assert!(found.unwrap_err().to_string().contains("cut short")),
            Extent::Malformed(malformed) => {
                prop_assert_eq!(found.unwrap_err().to_string(), FormatError::Cbor(malformed).to_string());
            }
        }
    }

    /// What another library writes is valid, and is no longer if a key is written again.
    #[test]
    fn cbor_that_another_writes_passes(names in proptest::collection::btree_set(".{0,4}", 1..8)) {
        let value = |name: &String| (ciborium::Value::from(name.as_str()), ciborium::Value::from(1.5));
        let mut pairs: Vec<_> = names.iter().map(value).collect();
        let encoded = |pairs: &[(ciborium::Value, ciborium::Value)]| {
            let mut bytes = Vec::new();
            ciborium::into_writer(&ciborium::Value::Map(pairs.to_vec()), &mut bytes).unwrap();
            bytes
        };
        check(OutputFormat::Cbor, &encoded(&pairs)).unwrap();
        pairs.push(pairs[0].clone());
        refused(OutputFormat::Cbor, &encoded(&pairs), "a key stands in it twice");
    }
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    for format in [OutputFormat::Utf8, OutputFormat::Json, OutputFormat::Ndjson, OutputFormat::Cbor]
    {
        assert_eq!(format.check(&mut Broken).unwrap_err().reason(), "io");
    }
}

/// JSON, more or less.
fn scrap() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"b\""),
        Just("1"),
        Just("-0.5e1"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\""),
        Just("\\"),
        Just("u00"),
        Just("0"),
        Just("."),
        Just("é"),
    ];
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

proptest! {
    /// Whatever passes is JSON to another reader, and what that reader writes passes.
    #[test]
    fn json_agrees_with_another_reader(text in scrap()) {
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        match check(OutputFormat::Json, text.as_bytes()) {
            Ok(()) => prop_assert!(theirs.is_ok(), "{text}"),
            // Names that are there twice, and numbers that they round, are no error to them.
            Err(error) => prop_assert!(
                theirs.is_err()
                    || ["twice", "beyond 2^53", "out of range", "more digits"]
                        .iter()
                        .any(|known| error.contains(known)),
                "{text}: {error}"
            ),
        }
    }

    #[test]
    fn json_that_another_writes_passes(texts in proptest::collection::vec(".{0,12}", 0..6)) {
        let value = serde_json::json!({ "list": texts, "of": { "x": [1.5, -7, null, true] } });
        check(OutputFormat::Json, value.to_string().as_bytes()).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        check(OutputFormat::Json, pretty.as_bytes()).unwrap();
    }
}

#[test]
fn what_follows_an_item_is_counted_however_it_comes() {
    let output = b"\x82\x01\x02behind";
    let whole = OutputFormat::Cbor.check(&mut &output[..]).unwrap_err().to_string();
    assert_eq!(whole, "output is not CBOR: it goes on for 6 bytes after its end at byte 3");
    for first in 1..output.len() {
        let (one, other) = output.split_at(first);
        let found = OutputFormat::Cbor.check(&mut std::io::Read::chain(one, other)).unwrap_err();
        assert_eq!(found.to_string(), whole, "{first}");
    }
}
