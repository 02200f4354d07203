//! Any bytes are judged without a panic; what is allowed imports only what is listed; and a longer list
//! never refuses what a shorter one allows, nor changes what is found.

#![no_main]

use brine_pickle::{AllowList, PickleImport, ScanOptions, ScanReport, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let (many, persistent_ids) = (first & 1 != 0, first & 2 != 0);
    let (none, some) = (AllowList::new(), AllowList::std());
    let judge = |allow| {
        let options = ScanOptions::new(allow);
        scan(bytes, &ScanOptions { many, persistent_ids, max_inflated: 1 << 20, ..options })
    };
    let report = judge(&some);
    judge_itself(&report, bytes);
    let mut all = some.clone();
    for import in imports(&report) {
        let listed = some.allows(&import.module, &import.name);
        assert!(import.refusal.is_some() || listed, "allowed, and not on the list");
        all.insert(&import.module, &import.name);
    }
    let (stricter, laxer) = (judge(&none), judge(&all));
    let found = imports(&report).len();
    for other in [&stricter, &laxer] {
        assert_eq!(imports(other).len(), found, "the list has a say in what is found");
        assert_eq!((other.pickles, other.complete), (report.pickles, report.complete));
    }
    if report.verdict().is_ok() {
        assert!(laxer.verdict().is_ok(), "refused for a longer list");
        assert!(!stricter.verdict().is_ok() || found == 0);
    }
});

fn imports(report: &ScanReport) -> Vec<&PickleImport> {
    report.parts().iter().flat_map(|part| &part.report.imports).collect()
}

fn judge_itself(report: &ScanReport, bytes: &[u8]) {
    let parts = report.parts();
    let refused = parts.iter().any(|part| !part.report.refusals.is_empty());
    assert_eq!(report.verdict().is_err(), refused);
    assert!(report.complete || refused, "allowed, and not read to the end");
    assert!(report.imports.iter().all(|import| import.offset < bytes.len() && import.times > 0));
    assert!(report.refusals.iter().all(|refusal| refusal.offset <= bytes.len()));
}
