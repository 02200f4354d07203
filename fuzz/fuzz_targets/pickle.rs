//! Any bytes are judged without a panic; what is allowed imports only what is listed; a longer list, and one that
//! lifts rules, never refuses what another one allows, nor changes what is found.

#![no_main]

use brine_pickle::{AllowList, ScanOptions, ScanReport, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let (many, persistent_ids) = (first & 1 != 0, first & 2 != 0);
    let (none, mut some) = (AllowList::new(), AllowList::std());
    some.extend(AllowList::numpy());
    let judge = |allow| {
        let options = ScanOptions::new(allow);
        scan(bytes, &ScanOptions { many, persistent_ids, max_inflated: 1 << 20, ..options })
    };
    let report = judge(&some);
    judge_itself(&report, bytes);
    for import in &report.imports {
        let listed = some.allows(&import.module, &import.name);
        assert!(import.refusal.is_some() || listed, "allowed, and not on the list");
    }
    let (mut all, mut lifted) = (some.clone(), some.clone());
    for import in &report.imports {
        all.insert(&import.module, &import.name);
        lifted.insert_any(&import.module, &import.name);
        if let Some(mapped) = &import.mapped {
            lifted.insert_any(mapped.module, &mapped.name);
        }
    }
    let (stricter, laxer, laxest) = (judge(&none), judge(&all), judge(&lifted));
    for other in [&stricter, &laxer, &laxest] {
        assert_eq!(
            other.imports.len(),
            report.imports.len(),
            "the list has a say in what is found"
        );
        assert_eq!((other.pickles, other.complete), (report.pickles, report.complete));
    }
    if report.verdict().is_ok() {
        assert!(laxer.verdict().is_ok(), "refused for a longer list");
        assert_eq!(stricter.verdict().is_ok(), report.imports.is_empty());
    }
    if laxer.verdict().is_ok() {
        assert!(laxest.verdict().is_ok(), "refused because a rule is lifted");
    }
});

fn judge_itself(report: &ScanReport, bytes: &[u8]) {
    assert_eq!(report.verdict().is_ok(), report.refusals.is_empty());
    assert!(report.complete || report.verdict().is_err(), "allowed, and not read to the end");
    assert!(report.imports.iter().all(|import| import.offset < bytes.len() && import.times > 0));
    assert!(report.refusals.iter().all(|refusal| refusal.offset <= bytes.len()));
}
