//! Binary forms, told by their first bytes.

use super::{LOOKED_AT_BYTES, Lookalike};

/// Recognises what is not text.
pub(super) fn recognise(start: &[u8]) -> Option<Lookalike> {
    let known = || BEGINNINGS.iter().find(|(beginning, _)| start.starts_with(beginning));
    of_fields(start).or_else(|| known().map(|(_, found)| *found))
}

/// Recognises forms of which more than one beginning is looked at.
fn of_fields(start: &[u8]) -> Option<Lookalike> {
    Some(match start {
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..] => Lookalike::Compressed("bzip2"),
        _ if is_open_pgp(start) => Lookalike::OpenPgp,
        // A public or private key packet of version 4 (RFC 9580, Section 5.5).
        [0x94 | 0x98, _, 4, ..] | [0x95 | 0x99, _, _, 4, ..] => Lookalike::Key,
        // A ContentInfo with signed data (RFC 5652, Section 5.1).
        [0x30, 0x80, contents @ ..] | [0x30, 0x82, _, _, contents @ ..]
            if contents.starts_with(SIGNED_DATA) =>
        {
            Lookalike::Cms
        }
        // A record is shorter than 2^24 bytes.
        [0, _, _, _, 0xd2, 0x84, ..] => Lookalike::Records("len32"),
        // The protocols of Python's pickle that have a number.
        [0x80, 2..=5, _, ..] => Lookalike::File("a pickle"),
        _ if start.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) => {
            Lookalike::File("a tar archive")
        }
        // As many as no form begins with.
        _ if start.len() >= 16 && start.iter().all(|&byte| byte == 0) => Lookalike::Zeros,
        _ => return None,
    })
}

/// Recognises packets of signatures and of messages (RFC 9580, Section 4.2): as `gpg --detach-sign` writes them, with
/// a length of one or two bytes, and `gpg --sign` and `gpg --encrypt`.
const fn is_open_pgp(start: &[u8]) -> bool {
    matches!(
        start,
        [0x88, _, 4, 0 | 1, ..]
            | [0x89, _, _, 4, 0 | 1, ..]
            | [0xc2, _, 4 | 6, 0 | 1, ..]
            | [0x90, 0x0d, 3, ..]
            | [0x84, _, 3, ..]
            | [0x85, _, _, 3, ..]
            | [0x8c, 0x0d, 4, ..]
            | [0xa3, 1, 0x20..=0xff, ..]
            | [0xa3, 2, 0x78, ..]
            | [0xa3, 3, b'B', b'Z', ..]
    )
}

/// How files begin.
const BEGINNINGS: &[(&[u8], Lookalike)] = &[
    (b"\x1f\x8b\x08", Lookalike::Compressed("gzip")),
    (b"\x28\xb5\x2f\xfd", Lookalike::Compressed("zstd")),
    (b"\xfd7zXZ\0", Lookalike::Compressed("xz")),
    (b"\x04\x22\x4d\x18", Lookalike::Compressed("lz4")),
    (b"PK\x03\x04", Lookalike::Compressed("zip")),
    (b"PK\x05\x06", Lookalike::Compressed("zip")),
    (b"7z\xbc\xaf\x27\x1c", Lookalike::Compressed("7-Zip")),
    (b"SSHSIG", Lookalike::SshSignature),
    (b"age-encryption.org/v1", Lookalike::Age),
    (b"\x7fELF", Lookalike::File("a program")),
    (b"MZ\x90\0", Lookalike::File("a program for Windows")),
    (b"\0asm", Lookalike::File("a WebAssembly module")),
    (b"!<arch>\n", Lookalike::File("a Debian package or other archive")),
    (b"\xed\xab\xee\xdb", Lookalike::File("an RPM package")),
    (b"070701", Lookalike::File("a cpio archive")),
    (b"%PDF-", Lookalike::File("a PDF document")),
    (b"\x89PNG\r\n", Lookalike::File("a PNG image")),
    (b"\xff\xd8\xff", Lookalike::File("a JPEG image")),
    (b"GIF8", Lookalike::File("a GIF image")),
    (b"SQLite format 3\0", Lookalike::File("an SQLite database")),
    (b"\x93NUMPY", Lookalike::File("a NumPy array")),
    (b"\x89HDF\r\n", Lookalike::File("an HDF5 file")),
    (b"GGUF", Lookalike::File("a GGUF model")),
    (b"\0OpenTimestamps", Lookalike::File("an OpenTimestamps proof")),
];

/// The object identifier `id-signedData`.
const SIGNED_DATA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// Where a tar archive says what it is (POSIX.1, ustar).
const TAR_MAGIC_AT: usize = 257;

const _: () = assert!(TAR_MAGIC_AT < LOOKED_AT_BYTES, "it is looked at");
