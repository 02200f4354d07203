//! Judges archives, arrays and what is compressed: good ones, and those that break one rule.
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its lengths are small"
)]

use std::io::Write as _;

use brine_pickle::{
    AllowList, FileForm, MAX_CONTAINER_LEVELS, MAX_MEMBERS, PickleRule, ScanOptions, ScanReport,
    scan,
};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

const GOOD: &[u8] = b"\x80\x04cbuiltins\nset\n)R.";
const BAD: &[u8] = b"\x80\x04cos\ngetpid\n)R.";

fn judge(bytes: &[u8]) -> ScanReport {
    scan(bytes, &ScanOptions::new(&AllowList::std()))
}

/// The first refusal: in which member, the rule, and where.
fn refusal(bytes: &[u8]) -> Option<(String, PickleRule, usize)> {
    let report = judge(bytes);
    let first = report.first_refusal();
    first.map(|(part, refusal)| (part.inside.join("/"), refusal.rule, refusal.offset))
}

#[track_caller]
fn assert_refused(bytes: &[u8], rule: PickleRule) {
    assert_eq!(refusal(bytes).map(|found| found.1), Some(rule), "{}", bytes.escape_ascii());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A member, as the header before it and as the directory describe it.
#[derive(Clone)]
struct Member {
    local: Described,
    central: Described,
    packed: Vec<u8>,
    descriptor: Vec<u8>,
}

#[derive(Clone)]
struct Described {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: u32,
    length: u32,
    extra: Vec<u8>,
}

fn stored(name: &str, bytes: &[u8]) -> Member {
    member(name, bytes, bytes.to_vec(), 0)
}

fn deflated(name: &str, bytes: &[u8]) -> Member {
    member(name, bytes, deflate(bytes), 8)
}

fn member(name: &str, bytes: &[u8], packed: Vec<u8>, method: u16) -> Member {
    let described = Described {
        name: name.as_bytes().to_vec(),
        flags: 0x800,
        method,
        checksum: checksum(bytes),
        packed: packed.len() as u32,
        length: bytes.len() as u32,
        extra: Vec::new(),
    };
    Member { local: described.clone(), central: described, packed, descriptor: Vec::new() }
}

impl Member {
    /// As a writer that cannot go back writes it.
    fn with_descriptor(mut self, signature: &[u8], long: bool) -> Self {
        let Described { checksum, packed, length, .. } = self.central;
        let lengths = [packed, length].map(|length| match long {
            true => u64::from(length).to_le_bytes().to_vec(),
            false => length.to_le_bytes().to_vec(),
        });
        self.descriptor = [signature, &checksum.to_le_bytes(), &lengths.concat()].concat();
        for described in [&mut self.local, &mut self.central] {
            described.flags |= 8;
        }
        (self.local.checksum, self.local.packed, self.local.length) = (0, 0, 0);
        self
    }

    fn header(&self) -> Vec<u8> {
        let Described { name, extra, .. } = &self.local;
        let lengths = [name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
        [b"PK\x03\x04\x14\0", &*self.local.middle(), &lengths, name, extra].concat()
    }

    fn entry(&self, offset: u32) -> Vec<u8> {
        let Described { name, extra, .. } = &self.central;
        let lengths = [name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
        let rest = [&lengths[..], &[0; 10], &offset.to_le_bytes(), name, extra].concat();
        [b"PK\x01\x02\x14\0\x14\0", &*self.central.middle(), &rest].concat()
    }
}

impl Described {
    fn middle(&self) -> Vec<u8> {
        let Self { flags, method, checksum, packed, length, .. } = self;
        let form = [*flags, *method, 0, 0x21].map(u16::to_le_bytes).concat();
        [form, [*checksum, *packed, *length].map(u32::to_le_bytes).concat()].concat()
    }
}

/// The members, the directory, and the records after it.
struct Archive {
    members: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Archive {
    fn of(members: &[Member]) -> Self {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for member in members {
            directory.extend(member.entry(bytes.len() as u32));
            bytes.extend(
                [member.header(), member.packed.clone(), member.descriptor.clone()].concat(),
            );
        }
        Self { members: bytes, directory, count: members.len() as u16 }
    }

    fn end(&self, start: u32, size: u32, comment: &[u8]) -> Vec<u8> {
        let count = [0, 0, self.count, self.count].map(u16::to_le_bytes).concat();
        let place = [size, start].map(u32::to_le_bytes).concat();
        let length = (comment.len() as u16).to_le_bytes();
        [b"PK\x05\x06", &*count, &place, &length, comment].concat()
    }

    fn place(&self) -> (u32, u32) {
        (self.members.len() as u32, self.directory.len() as u32)
    }

    fn bytes(&self) -> Vec<u8> {
        let (start, size) = self.place();
        [&*self.members, &self.directory, &self.end(start, size, b"")].concat()
    }

    /// With the longer records, as torch writes them.
    fn long(&self, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let (start, size) = self.place();
        let numbers = [u64::from(self.count), self.count.into(), size.into(), start.into()];
        let numbers = numbers.map(u64::to_le_bytes).concat();
        let mut record =
            [b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x1e\x03\x2d\0\0\0\0\0\0\0\0\0", &*numbers].concat();
        change(&mut record);
        let place = u64::from(start + size).to_le_bytes();
        let locator = [b"PK\x06\x07\0\0\0\0", &place[..], &1_u32.to_le_bytes()].concat();
        let end = self.end(start, size, b"");
        [&*self.members, &self.directory, &record, &locator, &end].concat()
    }
}

fn archive(members: &[Member]) -> Vec<u8> {
    Archive::of(members).bytes()
}

fn npy(kind: &str, shape: &str, rest: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], text.as_bytes(), rest].concat()
}

/// A tensor's bytes: no pickle, and different from text.
const WEIGHTS: &[u8] = b"\x00\x00\x80\x3f\x9a\x99\x99\x3e\xcd\xcc\x4c\xbe";

#[test]
fn every_pickle_in_an_archive_is_judged_wherever_it_is_and_whatever_its_name() {
    let model = |name: &str, pickle: &[u8]| {
        archive(&[
            stored("archive/data.pkl", GOOD),
            stored("archive/data/0", WEIGHTS),
            deflated(name, pickle),
            stored("archive/version", b"3\n"),
        ])
    };
    let names = [
        "archive/data/1",
        "a.txt",
        "README.md",
        "data.pkl",
        "other/data.pkl",
        "archive/constants.pkl",
        "../archive/data.PKL",
        "archive\\data.pkl",
        "archive/data.pkl\0.txt",
        "code/__init__.py",
        "a.json",
        "archive/",
        "",
    ];
    for name in names {
        let report = judge(&model(name, GOOD));
        assert_eq!(report.verdict(), Ok(()), "{name:?}");
        assert_eq!((report.form, report.data_members), (Some(FileForm::Zip), 2), "{name:?}");
        let found = refusal(&model(name, BAD));
        assert_eq!(found, Some((name.to_owned(), PickleRule::ImportNotAllowed, 2)), "{name:?}");
    }
}

#[test]
fn pickles_are_found_in_containers_inside_containers() {
    let object = |pickle: &[u8]| npy("'|O'", "(1,)", pickle);
    let header = object(b"").len();
    type Wrap<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let cases: [(Wrap<'_>, &str, usize); 9] = [
        (&|pickle| gzip(pickle), "", 2),
        (&|pickle| zlib(pickle), "", 2),
        (&|pickle| gzip(&zlib(pickle)), "", 2),
        (&|pickle| object(pickle), "", header + 2),
        (&|pickle| archive(&[deflated("a.npy", &object(pickle))]), "a.npy", header + 2),
        (&|pickle| archive(&[stored("a", &gzip(pickle))]), "a", 2),
        (&|pickle| archive(&[stored("a", &zlib(pickle))]), "a", 2),
        (&|pickle| archive(&[stored("b", &archive(&[stored("a", pickle)]))]), "b/a", 2),
        (&|pickle| gzip(&archive(&[deflated("a", pickle)])), "a", 2),
    ];
    for (wrap, inside, offset) in cases {
        let good = wrap(GOOD);
        assert_eq!(judge(&good).verdict(), Ok(()), "{}", good.escape_ascii());
        let found = refusal(&wrap(BAD));
        assert_eq!(found, Some((inside.to_owned(), PickleRule::ImportNotAllowed, offset)));
    }
}

#[test]
fn containers_nest_up_to_a_limit() {
    let nested = |levels: u8| (0..levels).fold(GOOD.to_vec(), |inner, _| gzip(&inner));
    assert_eq!(judge(&nested(MAX_CONTAINER_LEVELS)).verdict(), Ok(()));
    assert_refused(&nested(MAX_CONTAINER_LEVELS + 1), PickleRule::ContainersNested);
}

/// Members that are no pickles are let through; whatever imports something is not.
#[test]
fn a_member_is_data_only_if_loaders_stop_before_they_import_anything() {
    let good: [&[u8]; 16] = [
        b"",
        WEIGHTS,
        b"3\n",
        b"little",
        b"{\"a\": 1}",
        b"class A:\n    pass\n",
        b"import torch\nimport os\n",
        // An import of what is no name, an id and a number in the registry, and then no opcode.
        b"c\xff\x01\n\x02\n\xff",
        b"P\x01\xff\n\xff",
        b"\x82\x01\xff",
        b"\x80\x07\x01",
        b"\x80\x02\xff",
        b"x\x9cbroken",
        b"N)R\xff",
        b"\x89HDF\r\n\x1a\n",
        b"K\x01.\xff",
    ];
    for bytes in good {
        let report = judge(&archive(&[stored("a", bytes)]));
        assert_eq!(report.verdict(), Ok(()), "{}", bytes.escape_ascii());
        assert_eq!(report.data_members, 1, "{}", bytes.escape_ascii());
    }
    for (bytes, rule) in [
        (&b"cos\ngetpid\n\xff"[..], PickleRule::ImportNotAllowed),
        (b"P1\ncos\ngetpid\n\xff", PickleRule::PersistentId),
        (b"N.cos\ngetpid\n\xff", PickleRule::TrailingBytes),
        (b"(ios\ngetpid\n\xff", PickleRule::ImportNotAllowed),
        (b"cos\ngetpid", PickleRule::NotAPickle),
        (b"Ncos\ngetpid", PickleRule::Truncated),
        (b"NN\x93\xff", PickleRule::DynamicImport),
        (b"\x80\x02\x82\x01\xff", PickleRule::ExtensionRegistry),
        (b"\x80\x02P1\n\xff", PickleRule::PersistentId),
        (b"P1\n.", PickleRule::PersistentId),
        // A number of the registry is called before the error.
        (b"\x82\x01)R\xff", PickleRule::ExtensionRegistry),
        // An index that only the loader in Python takes.
        (b"Np+99999999999999999999\ncos\ngetpid\n", PickleRule::NumberForm),
        (b"P1\n)R\xff", PickleRule::PersistentId),
        (b"cbuiltins\nset\n)R\xff", PickleRule::UnknownOpcode),
        (b"]NNs\xff", PickleRule::WrongTarget),
        (b"BZh91AY&SY", PickleRule::NotAPickle),
        (b"\xfd7zXZ\0", PickleRule::NotAPickle),
        (b"ZF0x2a               x\x9c", PickleRule::NotAPickle),
    ] {
        assert_refused(&archive(&[deflated("a", bytes)]), rule);
    }
    // A name that promises a pickle is held to it.
    for name in ["a.pkl", "A.PICKLE", "a.joblib"] {
        assert_refused(&archive(&[stored(name, WEIGHTS)]), PickleRule::NotAPickle);
    }
    // What was inflated before it broke was loaded before it broke.
    let cut = |bytes: &[u8]| zlib(bytes)[..zlib(bytes).len() - 4].to_vec();
    assert_refused(&archive(&[stored("a", &cut(BAD))]), PickleRule::InflateForm);
}

/// zlib unpacks each of these, and `(S` and `(\x15` are also how a pickle can begin.
#[test]
fn what_zlib_wrote_with_a_small_window_is_looked_into() {
    for header in [b"\x18\x95", b"\x28\x91", b"\x38\x8d", b"\x48\x89", b"\x58\x85", b"\x68\x81"] {
        let with_header = |bytes: &[u8]| [header, &zlib(bytes)[2..]].concat();
        let member = |bytes: &[u8]| archive(&[stored("a", &with_header(bytes))]);
        assert_refused(&member(BAD), PickleRule::ImportNotAllowed);
        assert_refused(&with_header(BAD), PickleRule::ImportNotAllowed);
        assert_eq!(judge(&member(GOOD)).verdict(), Ok(()));
        let cut = with_header(BAD);
        assert_refused(&archive(&[stored("a", &cut[..cut.len() - 4])]), PickleRule::InflateForm);
    }
    assert_eq!(judge(b"(S'a'\nt.").verdict(), Ok(()));
    assert_eq!(judge(&archive(&[stored("a", b"(S'a'\nt.")])).verdict(), Ok(()));
}

#[test]
fn archives_are_taken_in_each_form_that_writers_have() {
    let members = [
        stored("archive/data.pkl", GOOD),
        deflated("b", GOOD),
        stored("c", GOOD).with_descriptor(b"PK\x07\x08", false),
        deflated("d", GOOD).with_descriptor(b"", false),
        deflated("e", GOOD).with_descriptor(b"PK\x07\x08", true),
        stored("f", GOOD).with_descriptor(b"", true),
        // NumPy states lengths of 64 bits in the header, torch pads it.
        {
            let mut member = stored("g", GOOD);
            let length = (GOOD.len() as u64).to_le_bytes();
            member.local.extra = [b"\x01\0\x10\0", &length[..], &length].concat();
            (member.local.packed, member.local.length) = (u32::MAX, u32::MAX);
            member
        },
        {
            let mut member = stored("h", GOOD);
            member.local.extra = b"FB\x04\0ZZZZ".to_vec();
            member
        },
        stored("empty/", b""),
    ];
    let archive = Archive::of(&members);
    let (start, size) = archive.place();
    let commented =
        [&*archive.members, &archive.directory, &archive.end(start, size, b"by hand")].concat();
    for bytes in [archive.bytes(), archive.long(|_| ()), commented, Archive::of(&[]).bytes()] {
        assert_eq!(judge(&bytes).verdict(), Ok(()), "{}", bytes.escape_ascii());
    }
    assert_eq!(judge(&archive.long(|_| ())).parts().len(), 9);
}

/// An archive with a change to the description of its only member.
fn changed(change: impl Fn(&mut Member)) -> Vec<u8> {
    let mut member = stored("a", GOOD);
    change(&mut member);
    archive(&[member])
}

#[test]
fn a_member_that_its_header_and_the_directory_describe_differently_is_refused() {
    for bytes in [
        changed(|member| member.local.name = b"b".to_vec()),
        changed(|member| member.local.name = b"aa".to_vec()),
        changed(|member| member.central.name = b"A".to_vec()),
        changed(|member| member.local.flags = 0),
        changed(|member| member.local.method = 8),
        changed(|member| member.local.checksum ^= 1),
        changed(|member| member.local.packed -= 1),
        changed(|member| member.central.packed -= 1),
        changed(|member| member.local.length -= 1),
        changed(|member| {
            (member.local.checksum, member.local.length, member.local.packed) = (0, 0, 0)
        }),
        // Stored, but of another length.
        changed(|member| {
            member.local.length -= 1;
            member.central.length -= 1;
        }),
        // An extra field with lengths that are not asked for, and one that lacks them.
        changed(|member| member.local.extra = [b"\x01\0\x08\0", &[0; 8][..]].concat()),
        changed(|member| member.local.packed = u32::MAX),
        changed(|member| member.local.extra = b"FB\xff\xff".to_vec()),
    ] {
        assert_refused(&bytes, PickleRule::ZipHeaders);
    }
    let duplicate = archive(&[stored("a", GOOD), stored("b", GOOD), stored("a", GOOD)]);
    assert_refused(&duplicate, PickleRule::ZipDuplicate);
}

#[test]
fn an_archive_whose_directory_does_not_describe_all_of_it_is_refused() {
    let good = Archive::of(&[stored("a", GOOD), stored("b", WEIGHTS)]);
    let hidden = stored("c", BAD);
    let hidden = [hidden.header(), hidden.packed].concat();
    let (start, size) = good.place();
    let wide = hidden.len() as u32;
    let Archive { members, directory, .. } = &good;
    let end = good.end(start, size, b"");
    let second = Archive::of(&[stored("a", BAD)]);
    let entry_only = |bytes: &[u8]| bytes[..bytes.len() - 22].to_vec();
    let mut third = Archive::of(&[stored("a", GOOD), stored("b", WEIGHTS)]);
    third.count = 1;
    let mut more = Archive::of(&[stored("a", GOOD)]);
    more.count = 2;
    for bytes in [
        // Bytes between the members and the directory, and between it and the end.
        [members, &hidden, directory, &*good.end(start + wide, size, b"")].concat(),
        [members, directory, &*hidden, &end].concat(),
        [members, directory, &*hidden, &good.end(start, size + wide, b"")].concat(),
        // A directory that is found from the end, and another where it is said to be.
        [members, directory, &*second.directory, &end].concat(),
        [entry_only(&good.bytes()), second.bytes()].concat(),
        [good.bytes(), second.bytes()].concat(),
        // After the end, in the comment, and cut.
        [good.bytes(), b"\0".to_vec()].concat(),
        [members, directory, &*good.end(start, size, &[hidden.as_slice(), &end].concat())].concat(),
        entry_only(&good.bytes()),
        good.bytes()[..good.bytes().len() - 1].to_vec(),
        // Fewer members than there are, and more.
        third.bytes(),
        more.bytes(),
        // Longer records that say something else.
        good.long(|record| record[4] = 45),
        good.long(|record| record[32] = 1),
        good.long(|record| record[40] ^= 1),
        good.long(|record| record[48] ^= 1),
        good.long(|record| record[0] = 0),
        // A header before all members, or between two of them.
        [&*hidden, &good.bytes()].concat(),
    ] {
        assert_refused(&bytes, PickleRule::ZipDirectory);
    }
    // A descriptor that says something else, or is longer.
    for change in [0, 4, 8, 12] {
        let mut member = stored("a", GOOD).with_descriptor(b"PK\x07\x08", false);
        member.descriptor[change] ^= 1;
        assert_refused(&archive(&[member]), PickleRule::ZipDirectory);
    }
}

#[test]
fn an_archive_has_a_limit_of_members() {
    let mut long = Archive::of(&[]).long(|record| {
        record[24..32].copy_from_slice(&(MAX_MEMBERS as u64 + 1).to_le_bytes());
        record[32..40].copy_from_slice(&(MAX_MEMBERS as u64 + 1).to_le_bytes());
    });
    let end = long.len() - 14;
    long[end..end + 4].copy_from_slice(&[0xff; 4]);
    assert_refused(&long, PickleRule::TooManyMembers);
}

#[test]
fn what_cannot_be_read_is_refused_and_the_rest_is_judged() {
    for (rule, flags, method) in [
        (PickleRule::ZipEncrypted, 0x801, 0),
        (PickleRule::ZipEncrypted, 0x840, 0),
        (PickleRule::ZipEncrypted, 0x2800, 0),
        (PickleRule::ZipMethod, 0x820, 0),
        (PickleRule::ZipMethod, 0x810, 0),
        (PickleRule::ZipMethod, 0x800, 12),
        (PickleRule::ZipMethod, 0x800, 99),
    ] {
        let mut member = stored("a", GOOD);
        for described in [&mut member.local, &mut member.central] {
            (described.flags, described.method) = (flags, method);
        }
        let report = judge(&archive(&[member, stored("b", BAD)]));
        assert_eq!(report.verdict().unwrap_err().rule, rule);
        assert_eq!(report.members[0].report.imports[0].to_string(), "os:getpid");
        assert!(!report.complete);
    }
}

#[test]
fn data_that_is_not_what_its_checksum_says_is_refused_and_listed() {
    let wrong = |mut member: Member| {
        for described in [&mut member.local, &mut member.central] {
            described.checksum ^= 1;
        }
        archive(&[member])
    };
    let longer = |by: u32| {
        let mut member = deflated("a", BAD);
        for described in [&mut member.local, &mut member.central] {
            described.length = described.length.wrapping_add(by);
        }
        archive(&[member])
    };
    let mut rest = deflated("a", BAD);
    rest.packed.push(0);
    for described in [&mut rest.local, &mut rest.central] {
        described.packed += 1;
    }
    let mut cut = gzip(BAD);
    let length = cut.len();
    cut[length - 5] ^= 1;
    for bytes in [
        wrong(stored("a", BAD)),
        wrong(deflated("a", BAD)),
        longer(1),
        archive(&[rest]),
        cut,
        gzip(BAD)[..length - 1].to_vec(),
        [gzip(BAD), b"\0".to_vec()].concat(),
        [zlib(BAD), b"cos\n".to_vec()].concat(),
    ] {
        let report = judge(&bytes);
        assert_eq!(report.verdict().unwrap_err().rule, PickleRule::InflateForm);
        let listed = report.parts().iter().any(|part| !part.report.imports.is_empty());
        assert!(listed, "{}", bytes.escape_ascii());
    }
    assert_refused(&longer(u32::MAX), PickleRule::InflateForm);
}

#[test]
fn several_streams_are_one_file_as_python_reads_them() {
    let (first, second) = BAD.split_at(5);
    for bytes in [[gzip(first), gzip(second)].concat(), [zlib(first), zlib(second)].concat()] {
        assert_eq!(refusal(&bytes), Some((String::new(), PickleRule::ImportNotAllowed, 2)));
    }
}

#[test]
fn inflating_ends_at_the_limit_for_all_that_is_in_a_file() {
    let allow = AllowList::std();
    let judge = |bytes: &[u8], max_inflated: usize| {
        let options = ScanOptions { max_inflated: max_inflated as u64, ..ScanOptions::new(&allow) };
        scan(bytes, &options).verdict().map_err(|refusal| refusal.rule)
    };
    let long = [b"\x80\x04B\0\0\x10\0", &vec![0; 1 << 20][..], b"."].concat();
    let two = archive(&[deflated("a", &long), deflated("b", &long)]);
    for (bytes, needed) in [
        (gzip(&long), long.len()),
        (zlib(&long), long.len()),
        ([gzip(&long[..9]), gzip(&long[9..])].concat(), long.len()),
        (gzip(&zlib(&long)), long.len() + zlib(&long).len()),
        (two, 2 * long.len()),
    ] {
        assert!(bytes.len() < 10_000);
        assert_eq!(judge(&bytes, needed), Ok(()));
        for less in [needed - 1, needed / 3, 0] {
            assert_eq!(judge(&bytes, less), Err(PickleRule::InflatedTooLarge), "{less}");
        }
    }
    // What is only stored is not inflated.
    assert_eq!(judge(&archive(&[stored("a", &long)]), 0), Ok(()));
    // A claim of four gigabytes allocates nothing.
    let mut claims = deflated("a", GOOD);
    for described in [&mut claims.local, &mut claims.central] {
        described.length = u32::MAX - 1;
    }
    assert_eq!(judge(&archive(&[claims]), 1 << 20), Err(PickleRule::InflatedTooLarge));
}

#[test]
fn arrays_are_as_long_as_they_say_and_objects_are_pickles() {
    let numbers = |length: usize| npy("'<f8'", "(2,)", &vec![b'c'; length]);
    assert_eq!(judge(&numbers(16)).verdict(), Ok(()));
    assert_refused(&numbers(15), PickleRule::Truncated);
    assert_refused(&numbers(17), PickleRule::TrailingBytes);
    // A second array, which a second call of numpy.load reads.
    let second = [npy("'<f8'", "()", &[0; 8]), npy("'|O'", "()", BAD)].concat();
    assert_refused(&second, PickleRule::TrailingBytes);
    assert_refused(&npy("'|O'", "()", WEIGHTS), PickleRule::NotAPickle);
    assert_refused(&npy("'|O'", "()", &GOOD[..5]), PickleRule::Truncated);
    assert_refused(&npy("'|O'", "()", &[GOOD, GOOD].concat()), PickleRule::TrailingBytes);
    assert_refused(&npy("'float64'", "()", &[0; 8]), PickleRule::NpyForm);
    let object = npy("'|O'", "(1,)", GOOD);
    for length in 0..object.len() {
        assert!(judge(&object[..length]).verdict().is_err(), "{length}");
    }
}

/// The same bytes are a pickle to one loader, and an archive to another.
#[test]
fn what_has_two_readings_is_refused_unless_both_are_allowed() {
    let with_archive = |inner: &[u8]| {
        let length = (inner.len() as u32).to_le_bytes();
        [b"\x80\x04B", &length[..], inner, b"0N."].concat()
    };
    let good = Archive::of(&[stored("a", GOOD), deflated("b", b"text")]);
    let bad = Archive::of(&[stored("a", BAD)]);
    for bytes in [good.bytes(), good.long(|_| ())] {
        assert_eq!(judge(&with_archive(&bytes)).verdict(), Ok(()));
        assert_eq!(judge(&gzip(&with_archive(&bytes))).verdict(), Ok(()));
    }
    for bytes in [bad.bytes(), bad.long(|_| ())] {
        let pickle = with_archive(&bytes);
        assert_eq!(refusal(&pickle), Some((String::new(), PickleRule::TwoReadings, 7)));
        assert_refused(&gzip(&pickle), PickleRule::TwoReadings);
        assert_refused(&archive(&[stored("a.pkl", &pickle)]), PickleRule::TwoReadings);
        let array = npy("'|V1'", &format!("({},)", bytes.len()), &bytes);
        assert_refused(&array, PickleRule::TwoReadings);
    }
    // To an Unpickler with a persistent_load, this begins with an id, up to the first line feed.
    let bytes = archive(&[stored("a\ncos\ngetpid\n)R.", WEIGHTS)]);
    assert_refused(&bytes, PickleRule::TwoReadings);
    // A pickle whose first block is the header of a tar archive, which older loaders of torch try first.
    let mut tar = [b"\x80\x04B\xf8\x01\0\0", &[0; 504][..], b"0N."].concat();
    assert_eq!(judge(&tar).verdict(), Ok(()));
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 256;
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_refused(&tar, PickleRule::NotAPickle);
    assert_eq!(judge(&tar).form, Some(FileForm::Tar));
}

/// An old file of torch has raw bytes after its pickles. It is refused, and what it imports is listed.
#[test]
fn an_old_file_of_torch_is_named_and_its_imports_are_listed() {
    let bytes =
        [b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", &b"\x80\x02M\xe9\x03."[..], BAD].concat();
    let report = judge(&[&bytes[..], b"\xff"].concat());
    assert_eq!(report.verdict().unwrap_err().rule, PickleRule::NotAPickle);
    assert_eq!(report.form, Some(FileForm::OldTorch));
    assert_eq!(report.imports[0].to_string(), "os:getpid");
}

/// No change of one bit, and no byte more or less, turns a refused container into an allowed one.
#[test]
fn a_container_with_a_bad_pickle_is_refused_however_it_is_damaged() {
    let members = [
        stored("a", GOOD),
        deflated("b.pkl", BAD),
        stored("c", BAD).with_descriptor(b"PK\x07\x08", false),
        stored("d", WEIGHTS),
    ];
    let archive = Archive::of(&members);
    for bytes in
        [archive.bytes(), archive.long(|_| ()), gzip(BAD), zlib(BAD), npy("'|O'", "()", BAD)]
    {
        assert!(judge(&bytes).verdict().is_err());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(judge(&damaged).verdict().is_err(), "bit {bit} of byte {at}");
            }
            let mut shorter = bytes.clone();
            shorter.remove(at);
            assert!(judge(&shorter).verdict().is_err(), "without byte {at}");
            let mut longer = bytes.clone();
            longer.insert(at, b'.');
            assert!(judge(&longer).verdict().is_err(), "one more at {at}");
        }
    }
}

fn project(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn what_numpy_joblib_and_python_write_is_judged_as_the_manifest_says() {
    let directory = project("fixtures/pickle/containers");
    let manifest = std::fs::read_to_string(directory.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let mut allow = AllowList::std();
    allow.extend(AllowList::numpy());
    let mut listed = std::collections::BTreeSet::from(["manifest.json".to_owned()]);
    for case in manifest["cases"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        listed.insert(file.to_owned());
        let report = scan(&std::fs::read(directory.join(file)).unwrap(), &ScanOptions::new(&allow));
        let form = report.form.map_or("pickle", FileForm::short_name);
        assert_eq!(case["form"], form, "{file}");
        let reason = report.verdict().err().map(|refusal| refusal.rule.reason());
        assert_eq!(case["reason"].as_str(), reason, "{file}: {report:?}");
    }
    let files = std::fs::read_dir(directory).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, files);
}

/// A model that torch saved. Its pickle has persistent ids, by which torch finds the weights.
#[test]
fn a_model_of_torch_is_looked_into() {
    let model =
        std::fs::read(project("fixtures/foreign/picklescan/new_pytorch_model.bin")).unwrap();
    let report = judge(&model);
    assert_eq!((report.form, report.complete, report.data_members), (Some(FileForm::Zip), true, 2));
    let (part, refusal) = report.first_refusal().unwrap();
    assert_eq!(part.inside, ["archive/data.pkl"]);
    assert_eq!(refusal.rule, PickleRule::ImportNotAllowed);
    let imports: Vec<_> = part.report.imports.iter().map(ToString::to_string).collect();
    let mut allow = AllowList::std();
    for import in &imports {
        let (module, name) = import.split_once(':').unwrap();
        allow.insert(module, name);
    }
    let options = ScanOptions { persistent_ids: true, ..ScanOptions::new(&allow) };
    assert_eq!(scan(&model, &options).verdict(), Ok(()), "{imports:?}");
    let options = ScanOptions::new(&allow);
    assert_eq!(scan(&model, &options).verdict().unwrap_err().rule, PickleRule::PersistentId);
}
