//! The scan of a file.

use super::rule::{PickleRefusal, PickleRule};
use super::walk::{MemoLifetime, walk};
use super::{AllowList, ScanReport, other_format};

/// How to judge a file.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// What may be imported.
    pub allow: &'a AllowList,
    /// Whether several pickles may follow one another.
    ///
    /// Each is then judged twice: with an empty memo, as `pickle.load` reads it, and with the memo of those
    /// before it, as one `Unpickler` reads them all.
    pub many: bool,
    /// Whether persistent ids are allowed, which the loader gives to its `persistent_load`.
    pub persistent_ids: bool,
}

impl<'a> ScanOptions<'a> {
    /// Returns options for one pickle without persistent ids.
    #[must_use]
    pub const fn new(allow: &'a AllowList) -> Self {
        Self { allow, many: false, persistent_ids: false }
    }
}

/// Judges a file that holds one pickle, or with [`ScanOptions::many`] one or several.
///
/// It lists the imports after the first refusal, too, as far as the pickle can be followed.
///
/// Time is in proportion to the length of `bytes`, and memory to that or to the limits of this crate,
/// whichever is less. A length that the file claims allocates nothing.
pub fn scan(bytes: &[u8], options: &ScanOptions<'_>) -> ScanReport {
    if other_format(bytes).is_some() {
        return ScanReport {
            imports: Vec::new(),
            refusals: vec![PickleRefusal { rule: PickleRule::NotAPickle, offset: 0 }],
            pickles: 0,
            complete: false,
            subjects: Vec::new(),
        };
    }
    let mut report = walk(bytes, options, MemoLifetime::OnePickle);
    let more_than_one = report.pickles > 1 || (report.pickles == 1 && !report.complete);
    if options.many && more_than_one {
        report.add(walk(bytes, options, MemoLifetime::AllPickles));
    }
    report
}
