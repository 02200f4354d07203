use brine_core::KeyError;
use proptest::prelude::*;

use super::*;
use crate::ssh_fingerprint;

/// RFC 8032, Section 7.1, test 1.
pub(super) const POINT: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
const LINE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

#[test]
fn the_line_is_that_of_ssh_keygen() {
    let (key, comment) = read_openssh_line(LINE).unwrap();
    assert_eq!((key.to_bytes(), comment.as_str()), (POINT, ""));
    assert_eq!(openssh_line(&key, ""), LINE);
    assert_eq!(ssh_fingerprint(&key), "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8");
    let line = str::from_utf8(fixture!("ssh.pub")).unwrap();
    let (key, comment) = read_openssh_line(line).unwrap();
    assert_eq!(comment, "brine test");
    assert_eq!(openssh_line(&key, &comment), line.trim_end());
    assert_eq!(ssh_fingerprint(&key), "SHA256:wmvnlN20Ont1dDICNif5AX+02bW9/C9OBBvTiKlmDYs");
}

#[test]
fn comments_keep_to_their_line() {
    let point = VerifyingKey::from_bytes(&POINT).unwrap();
    for (comment, found) in [
        ("alice@example.org", "alice@example.org"),
        ("  two  words ", "two  words"),
        ("a\nssh-ed25519 AAAA", "a ssh-ed25519 AAAA"),
        ("\u{1b}[2Jred\u{9b}", "[2Jred"),
        ("\r\n\t", ""),
        ("\u{3a9}", "\u{3a9}"),
    ] {
        let line = openssh_line(&point, comment);
        assert_eq!(read_openssh_line(&line).unwrap().1, found);
    }
    let gbk = read_openssh_line(fixture!("ssh.gbk.pub")).unwrap();
    assert_eq!(gbk, (read_openssh_line(fixture!("ssh.pub")).unwrap().0, "\u{fffd}".repeat(4)));
    let spaced = LINE.replace(' ', " \t ");
    assert_eq!(read_openssh_line(format!("{spaced}\t a  b\n")).unwrap().1, "a  b");
}

#[test]
fn broken_lines_are_refused() {
    let encode = |bytes: &[u8]| format!("{ED25519} {}", Base64::encode_string(bytes));
    let small = [&blob(&POINT)[..19], &[0; 32]].concat();
    let weak = [&blob(&POINT)[..19], &[1], &[0; 31]].concat();
    for (line, why) in [
        ("ssh-ed25519".to_owned(), "the data ends too early"),
        ("ssh-ed25519 AAAA".to_owned(), "the data ends too early"),
        (LINE[..60].to_owned(), "the data ends too early"),
        (LINE[..61].to_owned(), "the base64 is broken"),
        (format!("{LINE}="), "the base64 is broken"),
        (format!("{LINE}\n{LINE}"), "more than one line"),
        (encode(&[&blob(&POINT), [0].as_slice()].concat()), "data after the key"),
        (encode(&[string(ED25519.as_bytes()), string(&[1; 31])].concat()), KEY_LENGTH),
        (encode(&string(b"\x1b[2J")), "the type of key is not a name"),
    ] {
        assert_eq!(read_openssh_line(&line), Err(KeyFileError::malformed(PUBLIC, why)), "{line}");
    }
    assert_eq!(read_openssh_line(encode(&small)), Err(KeyError::Weak.into()));
    assert_eq!(read_openssh_line(encode(&weak)), Err(KeyError::Weak.into()));
    // The name on the line is right, and the name in the data is another.
    let other = encode(&[string(b"ssh-rsa"), string(&[1; 32])].concat());
    assert_eq!(read_openssh_line(&other), Err(KeyFileError::not_ed25519("ssh-rsa")));
    for line in ["", "alice", "ssh", "restrict ssh-ed25519 AAAA", "ssh-\u{1b}[2J AAAA"] {
        assert_eq!(read_openssh_line(line), Err(KeyFileError::Unrecognised), "{line}");
    }
}

const KEY_LENGTH: &str = "the key is not 32 bytes long";

proptest! {
    #[test]
    fn lines_do_not_panic(line in ".*", tail in ".*") {
        let _ = read_openssh_line(&line);
        let _ = read_openssh_line(format!("{ED25519} {tail}"));
    }
}
