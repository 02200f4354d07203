//! The scan of a file.

use super::container::judge_file;
use super::walk::{MemoLifetime, walk};
use super::{AllowList, MAX_INFLATED_BYTES, ScanReport};

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
    /// The most bytes that may come out of all that is compressed in the file.
    pub max_inflated: u64,
}

impl<'a> ScanOptions<'a> {
    /// Returns options for one pickle without persistent ids, and up to [`MAX_INFLATED_BYTES`].
    #[must_use]
    pub const fn new(allow: &'a AllowList) -> Self {
        Self { allow, many: false, persistent_ids: false, max_inflated: MAX_INFLATED_BYTES }
    }
}

/// Judges a file that holds one pickle, or with [`ScanOptions::many`] one or several; or a container of pickles,
/// with all that is in it (see [`FileForm`](super::FileForm)).
///
/// It lists the imports after the first refusal, too, as far as the pickle can be followed.
///
/// Time is in proportion to the length of `bytes` and of what is inflated, and memory to that or to the limits of
/// this crate, whichever is less. A length that the file claims allocates nothing.
pub fn scan(bytes: &[u8], options: &ScanOptions<'_>) -> ScanReport {
    judge_file(bytes, options)
}

/// Judges a pickle, or several.
pub(super) fn scan_pickle(bytes: &[u8], options: &ScanOptions<'_>) -> ScanReport {
    let mut report = walk(bytes, options, MemoLifetime::OnePickle);
    let more_than_one = report.pickles > 1 || (report.pickles == 1 && !report.complete);
    if options.many && more_than_one {
        report.add(walk(bytes, options, MemoLifetime::AllPickles));
    }
    report
}
