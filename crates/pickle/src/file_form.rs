//! Files that contain pickles, or that people take for pickles.

mod lzma_header;

/// What a file is, by its first bytes, if it is not a bare pickle.
///
/// Some of these begin with valid opcodes. No pickler writes any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileForm {
    /// An Arrow file.
    Arrow,
    /// Compressed by bzip2.
    Bzip2,
    /// A signed envelope.
    Envelope,
    /// Compressed by gzip (RFC 1952). It is looked into.
    Gzip,
    /// An HDF5 file.
    Hdf5,
    /// Compressed by LZ4.
    Lz4,
    /// Compressed by the older format of LZMA.
    Lzma,
    /// An array of NumPy. It is looked into.
    Npy,
    /// Compressed as joblib did it before its version 0.10, which later ones still read.
    OldJoblib,
    /// A file that torch wrote before its version 1.6, or with its old format: pickles, and raw bytes after them.
    OldTorch,
    /// A Parquet file.
    Parquet,
    /// A 7z archive.
    SevenZip,
    /// A tar archive.
    Tar,
    /// Compressed by xz.
    Xz,
    /// A ZIP archive, as torch and NumPy write them. It is looked into.
    Zip,
    /// Compressed by zlib (RFC 1950), as joblib does. It is looked into.
    Zlib,
    /// Compressed by Zstandard.
    Zstd,
}

impl FileForm {
    /// Recognises a file; `None` if it could be a pickle.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let found = FORMS.iter().find(|(start, _)| bytes.starts_with(start));
        found.map(|(_, form)| *form).or_else(|| {
            let tests = [
                (is_zlib(bytes), Self::Zlib),
                (is_zstd_or_lz4(bytes), Self::Zstd),
                (lzma_header::is_lzma(bytes), Self::Lzma),
                (is_old_torch(bytes), Self::OldTorch),
                (tar_header::is_tar(bytes), Self::Tar),
            ];
            tests.into_iter().find(|(found, _)| *found).map(|(_, form)| form)
        })
    }

    /// Says what it is.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arrow => "an Arrow file",
            Self::Bzip2 => "compressed by bzip2",
            Self::Envelope => "a signed envelope",
            Self::Gzip => "compressed by gzip",
            Self::Hdf5 => "an HDF5 file",
            Self::Lz4 => "compressed by LZ4",
            Self::Lzma => "compressed by LZMA",
            Self::Npy => "a NumPy array",
            Self::OldJoblib => "compressed by an old version of joblib",
            Self::OldTorch => "a file in torch's old format",
            Self::Parquet => "a Parquet file",
            Self::SevenZip => "a 7z archive",
            Self::Tar => "a tar archive",
            Self::Xz => "compressed by xz",
            Self::Zip => "a ZIP archive",
            Self::Zlib => "compressed by zlib",
            Self::Zstd => "compressed by Zstandard",
        }
    }

    /// Returns the short name that stands in JSON. It does not change from version to version.
    #[must_use]
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Bzip2 => "bzip2",
            Self::Envelope => "envelope",
            Self::Gzip => "gzip",
            Self::Hdf5 => "hdf5",
            Self::Lz4 => "lz4",
            Self::Lzma => "lzma",
            Self::Npy => "npy",
            Self::OldJoblib => "joblib-old",
            Self::OldTorch => "torch-old",
            Self::Parquet => "parquet",
            Self::SevenZip => "7z",
            Self::Tar => "tar",
            Self::Xz => "xz",
            Self::Zip => "zip",
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }

    /// Returns whether a pickle may be inside that brine does not look for.
    pub(super) const fn hides_pickles(self) -> bool {
        match self {
            Self::Bzip2
            | Self::Lz4
            | Self::Lzma
            | Self::OldJoblib
            | Self::OldTorch
            | Self::SevenZip
            | Self::Tar
            | Self::Xz
            | Self::Zstd => true,
            Self::Arrow | Self::Envelope | Self::Hdf5 | Self::Parquet => false,
            Self::Gzip | Self::Npy | Self::Zip | Self::Zlib => false,
        }
    }
}

const FORMS: &[(&[u8], FileForm)] = &[
    (b"PK\x03\x04", FileForm::Zip),
    // An archive without members.
    (b"PK\x05\x06", FileForm::Zip),
    (b"PK\x06\x06", FileForm::Zip),
    (b"\x1f\x8b", FileForm::Gzip),
    (b"BZh", FileForm::Bzip2),
    (b"\xfd7zXZ\0", FileForm::Xz),
    // What liblzma since 5.4 unpacks along with xz and LZMA.
    (b"LZIP\x00", FileForm::Lzma),
    (b"LZIP\x01", FileForm::Lzma),
    (b"\x28\xb5\x2f\xfd", FileForm::Zstd),
    (b"\x04\x22\x4d\x18", FileForm::Lz4),
    // The older format of LZ4.
    (b"\x02\x21\x4c\x18", FileForm::Lz4),
    // The length of what is inside follows, in hexadecimal.
    (b"ZF0x", FileForm::OldJoblib),
    (b"7z\xbc\xaf\x27\x1c", FileForm::SevenZip),
    (b"\x93NUMPY", FileForm::Npy),
    (b"\x89HDF\r\n", FileForm::Hdf5),
    (b"ARROW1", FileForm::Arrow),
    (b"PAR1", FileForm::Parquet),
    (b"\xd2\x84", FileForm::Envelope),
    (b"-----BEGIN BRINE", FileForm::Envelope),
];

/// The largest window of zlib, which everybody writes. 0x78 is not an opcode.
fn is_zlib(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x78]) && has_zlib_header(bytes)
}

/// Returns whether a file begins with a header of zlib that has a smaller window. Some pickles do: `(S`.
pub(super) fn may_be_zlib(bytes: &[u8]) -> bool {
    !bytes.starts_with(&[0x78]) && has_zlib_header(bytes)
}

/// RFC 1950, Section 2.2: method 8, a window of up to 32 KiB, no dictionary, and a check of both bytes.
fn has_zlib_header(bytes: &[u8]) -> bool {
    let [method, flags, ..] = bytes else { return false };
    method & 0x8f == 8
        && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        && flags & 0x20 == 0
}

/// RFC 8878, Section 3.1.2: a frame that is skipped, in Zstandard and in LZ4. Some of these are opcodes. The
/// versions of Zstandard before 0.8 had other numbers, which its library still reads.
const fn is_zstd_or_lz4(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
            | [0x22..=0x27, 0xb5, 0x2f, 0xfd, ..]
            | [0xfd, 0x2f, 0xb5, 0x1e, ..]
    )
}

/// A pickle of torch's magic number, with a frame or without one.
fn is_old_torch(bytes: &[u8]) -> bool {
    let ([0x80, _, 0x95, _, _, _, _, _, _, _, _, rest @ ..] | [0x80, _, rest @ ..]) = bytes else {
        return false;
    };
    rest.starts_with(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
}

/// Tar archives have nothing at their beginning but a name. A pickle can begin as one, and older loaders of torch
/// try tar first.
mod tar_header {
    /// Returns whether the first block has the checksum that Python's tarfile accepts.
    pub(super) fn is_tar(bytes: &[u8]) -> bool {
        let Some(block) = bytes.first_chunk::<512>() else { return false };
        let (before, rest) = block.split_at(CHECKSUM_AT);
        let (field, after) = rest.split_at(CHECKSUM_BYTES);
        let Some(stated) = number(field) else { return false };
        let bytes = || before.iter().chain(after);
        // The field itself counts as spaces. Some writers add signed bytes.
        let unsigned: i64 = bytes().map(|byte| i64::from(*byte)).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        [unsigned, signed].iter().any(|sum| sum.checked_add(FIELD_AS_SPACES) == Some(stated))
    }

    /// Reads a number in octal, or in base 256 where the first byte says so.
    fn number(field: &[u8]) -> Option<i64> {
        if let [first @ (0o200 | 0o377), digits @ ..] = field {
            let number = digits.iter().try_fold(0_i64, |number, byte| {
                number.checked_mul(256)?.checked_add(i64::from(*byte))
            })?;
            return if *first == 0o200 { Some(number) } else { number.checked_sub(1 << 56) };
        }
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
        let text = str::from_utf8(field.get(..end)?).ok()?.trim();
        // Python's int() takes underscores and a sign; an empty field is 0.
        let text = text.replace('_', "");
        if text.is_empty() {
            Some(0)
        } else {
            i64::from_str_radix(text.trim_start_matches("0o"), 8).ok()
        }
    }

    const CHECKSUM_AT: usize = 148;
    const CHECKSUM_BYTES: usize = 8;
    const FIELD_AS_SPACES: i64 = 8 * 0x20;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes_and_pickles_are_none() {
        for (bytes, form) in [
            (&b"PK\x03\x04rest"[..], FileForm::Zip),
            (b"x\x9c", FileForm::Zlib),
            (b"x\x01", FileForm::Zlib),
            (b"x^", FileForm::Zlib),
            (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", FileForm::Lzma),
            (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02", FileForm::OldTorch),
            (
                b"\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
                FileForm::OldTorch,
            ),
        ] {
            assert_eq!(FileForm::of(bytes), Some(form), "{}", bytes.escape_ascii());
        }
        for none in [&b"x\x9d"[..], b"x", b"", b"x\xbb", b"\x80\x04N.", b"]\0\0\x80\0\xff", b"\x80"]
        {
            assert_eq!(FileForm::of(none), None, "{}", none.escape_ascii());
        }
    }

    /// What liblzma and Zstandard unpack, though it does not begin as their programs write it.
    #[test]
    fn what_a_library_would_unpack_is_named_and_weights_are_not() {
        const CODE: &[u8] = b"\0\x40\x01\x08\x03\xbc\x30\xbd\x18\x39";
        const KNOWN: &[u8] = &[16, 0, 0, 0, 0, 0, 0, 0];
        let header = |start: &[u8], length: &[u8]| [start, length, CODE].concat();
        let empty =
            b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x83\xff\xfb\xff\xff\xc0\0\0\0";
        for bytes in [
            header(b"\x5d\0\0\x80\0", KNOWN),
            header(b"\x5d\0\x10\0\0", KNOWN),
            header(b"\x5d\0\x10\0\0", &[0xff; 8]),
            header(b"\x12\0\0\x01\0", KNOWN),
            header(b"\xb8\0\x80\x01\0", KNOWN),
            header(b"\xb8\0\0\0\0", KNOWN),
            [&[0; 18][..], b"\xfd7zXZ\0"].concat(),
            [&[0; 36][..], &header(b"\x5d\0\0\x80\0", KNOWN)].concat(),
            empty.to_vec(),
        ] {
            assert_eq!(FileForm::of(&bytes), Some(FileForm::Lzma), "{}", bytes.escape_ascii());
        }
        for bytes in [&b"U*M\x18\x24\0\0\0"[..], b"P*M\x18", b"_*M\x18", b"\x27\xb5\x2f\xfd"] {
            assert_eq!(FileForm::of(bytes), Some(FileForm::Zstd), "{}", bytes.escape_ascii());
        }
        assert_eq!(FileForm::of(b"\x02\x21\x4c\x18"), Some(FileForm::Lz4));
        assert_eq!(FileForm::of(b"ZF0x2a               x\x9c"), Some(FileForm::OldJoblib));
        let numbers =
            |all: &[u64]| all.iter().flat_map(|one| one.to_le_bytes()).collect::<Vec<_>>();
        let ones = [0.0_f32, 0.0, 0.0, 1.0, 0.0, 0.0].map(f32::to_le_bytes).concat();
        for bytes in [
            vec![0; 4096],
            numbers(&[0, 1, 2, 3, 4, 5, 6, 7]),
            numbers(&[1, 0, 0, 1, 0, 0, 1]),
            ones,
            b"]*M\x19".to_vec(),
        ] {
            assert_eq!(FileForm::of(&bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_pickle_whose_first_block_is_a_tar_header_is_a_tar_archive() {
        let mut block = [0_u8; 512];
        block[..4].copy_from_slice(b"\x80\x04B\xff");
        assert_eq!(FileForm::of(&block), None);
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 256;
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(FileForm::of(&block), Some(FileForm::Tar));
        block[148] = 0o200;
        block[149..156].copy_from_slice(&u64::from(sum).to_be_bytes()[1..]);
        assert_eq!(FileForm::of(&block), Some(FileForm::Tar));
        block[0] = 0;
        assert_eq!(FileForm::of(&block), None);
    }
}
