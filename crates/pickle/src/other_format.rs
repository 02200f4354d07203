//! Files that people take for pickles.

/// Returns which other format a file has, by its first bytes: one that often contains pickles, or is taken for
/// one.
///
/// Some of these begin with valid opcodes. No pickler writes any of them.
#[must_use]
pub fn other_format(bytes: &[u8]) -> Option<&'static str> {
    let found = FORMATS.iter().find(|(start, _)| bytes.starts_with(start));
    found.map(|(_, name)| *name)
}

const FORMATS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF\r\n", "an HDF5 file"),
    (b"ARROW1", "an Arrow file"),
    (b"PAR1", "a Parquet file"),
    (b"\xd2\x84", "a signed envelope"),
    (b"-----BEGIN BRINE", "a signed envelope"),
];
