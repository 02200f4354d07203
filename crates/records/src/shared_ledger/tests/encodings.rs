//! The bytes of values.

use data_encoding::HEXLOWER_PERMISSIVE;

use super::*;
use crate::ledger::tests::{DAY, LedgerSteps as _, named, numbered};
use crate::shared_ledger::channel_numbers::ChannelNumbers;
use crate::shared_ledger::meta::LedgerClock;
use crate::shared_ledger::name_record::NameRecord;

/// Returns the bytes of hex with comments.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.lines().map(|line| line.split('#').next().unwrap());
    let digits: String = digits.flat_map(str::split_whitespace).collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

#[test]
fn a_meta_value_is_as_it_is_specified() {
    let value = bytes(
        "88                                # array of 8
         01                                # version
         50 07070707070707070707070707070707 # ledger
         1a 6ab13b80                       # born
         1a 6ab13bf9                       # floor: 121 seconds later
         1a 6ab13cac                       # latest
         1a 00278d00                       # max-age: 30 days
         1a 6ab13d25                       # wide-from
         1a 00015180                       # narrow-age: a day",
    );
    let mut meta = LedgerMeta::new(at(BIRTH), at(BIRTH + 121), Duration::from_secs(DAY)).unwrap();
    meta.ledger = [7; 16];
    meta.latest = at(BIRTH + 300);
    meta.widen(Duration::from_secs(30 * DAY), at(BIRTH));
    assert_eq!(meta.encode(), value);
    assert_eq!(LedgerMeta::decode(&value).unwrap(), meta);
}

#[test]
fn a_clock_is_as_it_is_specified() {
    let value = bytes(
        "83          # array of 3
         01          # version
         1a 6ab13b80 # latest
         1a 6ab28f58 # until: a day and 600 seconds later",
    );
    let clock = LedgerClock { latest: at(BIRTH), until: at(BIRTH + DAY + 600) };
    assert_eq!(clock.encode(), value);
    assert_eq!(LedgerClock::decode(&value).unwrap(), clock);
}

#[test]
fn a_name_is_as_it_is_specified() {
    let head = "85 01 1a 6ab13b80 1a 6ab13b8a 50 09090909090909090909090909090909";
    for (end, held) in [
        ("f6 # handled", None),
        ("82 1a 6ab13b80 1a 6ab13be4 # from when until when", Some((at(BIRTH), at(BIRTH + 100)))),
    ] {
        let value = bytes(&format!("{head} {end}"));
        let (issued, expires) = (at(BIRTH), at(BIRTH + 10));
        let record = NameRecord { issued, expires, token: [9; 16], held };
        assert_eq!(record.encode(), value);
        assert_eq!(NameRecord::decode(&value).unwrap(), record);
    }
}

#[test]
fn a_channel_is_as_it_is_specified() {
    let store = new_store();
    let mut ledger = open(&store, BIRTH);
    for (seq, issued) in [(0, BIRTH), (1, BIRTH - 5), (7, BIRTH - 9)] {
        ledger.handle_one(&numbered(1, seq, issued), BIRTH);
    }
    let held = [numbered(1, 2, BIRTH - 1), numbered(1, 3, BIRTH - 2), numbered(1, 300, BIRTH)];
    let _leases = ledger.take_all(&held, BIRTH);
    let names = store.keys();
    let [key] = names.iter().filter(|key| key.starts_with("c.")).collect::<Vec<_>>()[..] else {
        panic!("{names:?}")
    };
    assert_eq!(*key, format!("c.{}.{}", "01".repeat(32), "01".repeat(16)));
    let value = store.value(key);
    let before = bytes(
        "89             # array of 9
         01             # version
         1a 6ab13b80    # issued
         07             # highest
         03             # seen
         00             # known-from
         86             # done: array of 6
         00 01 00       #   0 to 1, issued when the youngest was
         05 00 09       #   7, nine seconds before
         83             # holds: array of 3
         50             #   token",
    );
    let after = bytes(
        "1a 6ab13b80    #   taken
         1a 6ab13be4    #   until
         88             # held: array of 8
         02 01 01 00    #   2 to 3, a second before
         190128 00 00 00 #   300",
    );
    assert_eq!(value[..before.len()], before);
    assert_eq!(value[before.len() + 16..][..after.len()], after);
    let commits = &value[before.len() + 16 + after.len()..];
    assert_eq!((commits[0], commits.len()), (0x83, 1 + 3 * 17), "three commits");
    assert!(ChannelNumbers::decode(&value).is_ok());

    ledger.handle_one(&named(1, BIRTH, BIRTH + DAY), BIRTH);
    assert!(store.keys().contains(&format!("n.{}", "01".repeat(32))));
}
