use std::io::Write as _;
use std::path::Path;

use super::arrow_framing::messages;
use super::*;

/// Returns a file of `fixtures/`.
#[allow(clippy::disallowed_methods, reason = "a fixture is as large as it is")]
fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table(name: &str) -> Vec<u8> {
    fixture(&format!("columnar/{name}"))
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn check(format: OutputFormat, bytes: &[u8]) -> Result<(), ColumnarError> {
    check_columnar(format, file(bytes))
}

/// Checks output that must be refused, and returns why it is.
#[track_caller]
fn refused(format: OutputFormat, bytes: &[u8]) -> String {
    check(format, bytes).unwrap_err().to_string()
}

/// Replaces what must be there once by as many bytes.
#[track_caller]
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut places = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old));
    let (Some(at), None) = (places.next(), places.next()) else { panic!("not once: {old:?}") };
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

use OutputFormat::{Arrow, Parquet};

#[test]
fn what_another_program_wrote_is_believed() {
    for form in ["stream", "file"] {
        for compression in ["plain", "lz4", "zstd"] {
            let name = format!("{form}-{compression}.arrow");
            check(Arrow, &table(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    for name in ["none", "snappy", "gzip", "lz4", "zstd", "text"] {
        let name = format!("{name}.parquet");
        check(Parquet, &table(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    check(Arrow, &fixture("payloads/table.arrow")).unwrap();
    check(Parquet, &fixture("payloads/table.parquet")).unwrap();
}

#[test]
fn a_format_is_not_another() {
    let said = "it does not begin as its format does";
    for bytes in [&b""[..], b"text", &table("none.parquet")] {
        assert_eq!(refused(Arrow, bytes), said);
    }
    for bytes in [&b""[..], b"PAR", b"text", &table("file-plain.arrow")] {
        assert_eq!(refused(Parquet, bytes), said);
    }
    assert!(refused(Parquet, &table("brotli.parquet")).contains("brotli"));
}

#[test]
fn what_is_cut_is_refused_wherever_it_is() {
    let stream = table("stream-plain.arrow");
    for length in 4..stream.len() {
        let error = check(Arrow, &stream[..length]).unwrap_err();
        assert!(matches!(error, ColumnarError::Cut { .. }), "{length}: {error}");
    }
    let file = table("file-plain.arrow");
    for length in 8..file.len() {
        let error = check(Arrow, &file[..length]).unwrap_err();
        assert!(matches!(error, ColumnarError::End), "{length}: {error}");
    }
    let parquet = table("none.parquet");
    for length in 4..parquet.len() {
        let error = check(Parquet, &parquet[..length]).unwrap_err();
        assert!(matches!(error, ColumnarError::End), "{length}: {error}");
    }
}

#[test]
fn nothing_follows_the_end() {
    let stream = table("stream-plain.arrow");
    for more in [&b"\0"[..], &[0xff; 4], &[0; 8], &stream] {
        let error = check(Arrow, &[&stream, more].concat()).unwrap_err();
        let end = u64::try_from(stream.len()).unwrap();
        assert!(matches!(error, ColumnarError::Trailing { offset } if offset == end), "{error}");
        for (format, name) in [(Arrow, "file-plain.arrow"), (Parquet, "none.parquet")] {
            let error = check(format, &[&table(name), more].concat()).unwrap_err();
            assert!(matches!(error, ColumnarError::End), "{name}: {error}");
        }
    }
}

/// What a reader of the footer does not see, and a reader of the stream does.
#[test]
fn a_footer_names_all_messages_and_where_they_are() {
    let file = table("file-plain.arrow");
    let error = |bytes: &[u8]| check(Arrow, bytes).unwrap_err();
    for (content, what) in [
        (arrow_framing::MessageContent::Batch, "where batches lie"),
        (arrow_framing::MessageContent::Dictionary, "where dictionaries lie"),
    ] {
        let found = extents(&file, 8, file.len());
        let one = found.iter().find(|one| one.content == content).unwrap();
        let block = one.offset.to_le_bytes();
        let moved = replaced(&file, &block, &(one.offset + 8).to_le_bytes());
        let found = error(&moved);
        assert!(matches!(found, ColumnarError::Footer { what: w } if w == what), "{found}");
    }
    let renamed = |at: usize| {
        let mut bytes = file.clone();
        bytes[at..at + 5].copy_from_slice(b"plaza");
        bytes
    };
    let names: Vec<_> = (0..file.len()).filter(|at| file[*at..].starts_with(b"place")).collect();
    let [_, in_footer] = names[..] else { panic!("{names:?}") };
    let found = error(&renamed(in_footer));
    assert!(matches!(found, ColumnarError::Footer { what: "their schemas" }), "{found}");
}

/// Returns the messages of a part of some bytes, which must be a whole stream.
fn extents(bytes: &[u8], start: u64, end: usize) -> Vec<arrow_framing::MessageExtent> {
    let region = FileRegion::whole(Arc::new(file(bytes))).unwrap();
    let mut end = u64::try_from(end).unwrap();
    loop {
        // The footer follows at once, and where it begins is not looked up here.
        match messages(region.part(start, end)) {
            Ok(found) => return found,
            Err(ColumnarError::Trailing { offset }) => end = offset,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn text_is_utf8() {
    for (format, name) in
        [(Arrow, "stream-plain.arrow"), (Arrow, "file-plain.arrow"), (Parquet, "text.parquet")]
    {
        let said = refused(format, &replaced(&table(name), b"pepper", b"pe\xffper"));
        assert!(said.to_lowercase().contains("utf"), "{name}: {said}");
    }
}

#[test]
fn offsets_go_forward() {
    let offsets = |values: [i32; 5]| values.map(i32::to_le_bytes).concat();
    let (good, bad) = (offsets([0, 4, 10, 10, 15]), offsets([0, 10, 4, 10, 15]));
    for name in ["stream-plain.arrow", "file-plain.arrow"] {
        let said = refused(Arrow, &replaced(&table(name), &good, &bad));
        assert!(said.to_lowercase().contains("offset"), "{said}");
    }
}

#[test]
fn keys_of_a_dictionary_are_in_it() {
    let (good, bad) = ([1, 0, 1, 0, 0, 0, 0, 0], [1, 0, 9, 0, 0, 0, 0, 0]);
    let stream = table("stream-plain.arrow");
    let at = stream.windows(8).position(|window| window == good).unwrap();
    let bad = [&stream[..at], &bad[..], &stream[at + 8..]].concat();
    let said = refused(Arrow, &bad);
    assert!(said.contains("9 (should be in [0, 1])"), "{said}");
}

#[test]
fn a_length_is_believed_only_where_its_bytes_are() {
    let stream = table("stream-plain.arrow");
    let huge = (1_i64 << 40).to_le_bytes();
    for one in extents(&stream, 0, stream.len()) {
        let start = usize::try_from(one.offset).unwrap();
        let metadata = i32::from_le_bytes(stream[start + 4..start + 8].try_into().unwrap());
        let body = i64::try_from(one.length).unwrap() - 8 - i64::from(metadata);
        let metadata = start + 8..start + 8 + usize::try_from(metadata).unwrap();
        let (before, after) = (&stream[..metadata.start], &stream[metadata.end..]);
        for (length, said) in [(huge, "cut"), ((-1_i64).to_le_bytes(), "of negative length")] {
            let changed = replaced(&stream[metadata.clone()], &body.to_le_bytes(), &length);
            let found = refused(Arrow, &[before, &changed, after].concat());
            assert!(found.contains(said), "{found}");
        }
    }
    let mut long = stream.clone();
    long[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(refused(Arrow, &long).contains("cut"));
    long[4..8].copy_from_slice(&(-1_i32).to_le_bytes());
    assert_eq!(refused(Arrow, &long), "the message at byte 0 has metadata of negative length");
}

#[test]
fn a_stream_begins_with_its_schema_and_has_one() {
    let stream = table("stream-plain.arrow");
    let found = extents(&stream, 0, stream.len());
    let schema = usize::try_from(found[0].offset).unwrap();
    let said = refused(Arrow, &stream[schema..]);
    assert_eq!(said, "the message at byte 0 is no schema");
    assert_eq!(refused(Arrow, &stream[stream.len() - 8..]), said);
    let twice = [&stream[..schema], &stream].concat();
    assert_eq!(refused(Arrow, &twice), format!("the message at byte {schema} is a second schema"));
    let mut unmarked = stream.clone();
    unmarked[schema] = 0;
    let what = "does not begin with the continuation marker";
    assert_eq!(refused(Arrow, &unmarked), format!("the message at byte {schema} {what}"));
}

#[test]
fn columns_of_parquet_are_in_the_file() {
    let said = refused(Parquet, &table("elsewhere.parquet"));
    assert_eq!(said, "column 0 of row group 0 is in another file");
    let file = table("zeros-page.parquet");
    // The offset of the page, 4, as a varint of twice that (field 9 of `ColumnMetaData`): 63, and -4.
    for offset in [0x7e, 0x07] {
        let said = refused(Parquet, &replaced(&file, &[0x26, 0x08, 0x49], &[0x26, offset, 0x49]));
        assert_eq!(said, "column 0 of row group 0 does not lie before the footer");
    }
}

#[test]
fn there_are_as_many_rows_as_the_footer_says() {
    // As a varint of twice that, field 3 of `FileMetaData`, and the beginning of field 4.
    let (good, bad) = ([0x16, 0x80, 0x80, 0x80, 0x20, 0x19], [0x16, 0x80, 0x80, 0x80, 0x22, 0x19]);
    let said = refused(Parquet, &replaced(&table("zeros-page.parquet"), &good, &bad));
    assert_eq!(said, "it declares 35651584 rows and has 33554432");
}

#[test]
fn checksums_of_pages_match() {
    let said = refused(Parquet, &replaced(&table("none.parquet"), b"pepper", b"pebber"));
    assert!(said.contains("CRC"), "{said}");
}

#[test]
fn content_is_bounded() {
    for (format, name) in [(Arrow, "zeros-batch.arrow"), (Parquet, "zeros-page.parquet")] {
        let bytes = table(name);
        check(format, &bytes).unwrap();
        let error = check_within(format, file(&bytes), ContentBudget::new(1 << 20)).unwrap_err();
        let is_too_much = matches!(error, ColumnarError::TooMuchContent { limit: 1_048_576 });
        assert!(is_too_much, "{name}: {error}");
    }
    let error = check(Arrow, &table("zeros-batches.arrow")).unwrap_err();
    assert!(matches!(error, ColumnarError::TooMuchContent { .. }), "{error}");
}

/// Whatever part of the readers says that it could not get memory.
#[test]
fn a_want_of_memory_is_told_from_what_is_wrong_with_output() {
    let io = |kind: io::ErrorKind| io::Error::new(kind, "of any words");
    for (kind, expected) in [(io::ErrorKind::OutOfMemory, true), (io::ErrorKind::Other, false)] {
        for error in [
            ColumnarError::Io(io(kind)),
            ColumnarError::Arrow(io(kind).into()),
            ColumnarError::Parquet(io(kind).into()),
            ColumnarError::Parquet(ParquetError::External(Box::new(ArrowError::from(io(kind))))),
        ] {
            assert_eq!(error.is_for_want_of_memory(), expected, "{error:?}");
        }
    }
    let arrow = ArrowError::MemoryError("of any words".into());
    assert!(ColumnarError::Arrow(arrow).is_for_want_of_memory());
    let arrow = ArrowError::IpcError("of any words".into());
    assert!(!ColumnarError::Arrow(arrow).is_for_want_of_memory());
}
