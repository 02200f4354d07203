//! What a pickle would import, without loading it.
//!
//! A pickle is a program, and whoever loads it runs it: it imports what it names and calls what it
//! imported. [`scan`] follows that program on an abstract machine with CPython's stack, marks and memo,
//! without importing or calling anything, and says whether it keeps to an [`AllowList`] of exact
//! (module, name) pairs. What it is unsure of it refuses.
//!
//! What it can say is that a pickle **imports nothing else**, in the C loader of CPython 3 as in the one
//! written in Python. It never says that a pickle is harmless: what is on the list runs, with arguments
//! that the pickle chooses, and so do the methods of the classes on it.
//!
//! ```
//! use brine::pickle::{AllowList, Options, Reason, scan};
//!
//! let allow = AllowList::std();
//! let report = scan(b"\x80\x02cos\ngetpid\n)R.", &Options::new(&allow));
//! assert_eq!(report.verdict().unwrap_err().reason, Reason::ImportNotAllowed);
//! assert_eq!((&*report.imports[0].module, &*report.imports[0].name), ("os", "getpid"));
//! ```

mod allow;
mod compat;
mod findings;
mod gadget;
mod import;
mod lists;
mod machine;
mod number;
mod opcode;
mod other;
mod reader;
mod reason;
mod walk;

use std::collections::HashSet;

pub use self::allow::{AllowList, AllowListError};
pub use self::import::{How, Import, Mapped};
pub use self::other::other_format;
pub use self::reason::{Reason, Refusal};

/// How to judge.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What may be imported.
    pub allow: &'a AllowList,
    /// Whether several pickles may follow one another.
    ///
    /// Each is then judged twice: as one `pickle.load` after the other reads them, and as one `Unpickler`
    /// does, which keeps its memo.
    pub many: bool,
    /// Whether persistent ids are let through to the loader's `persistent_load`.
    pub persistent_ids: bool,
}

impl<'a> Options<'a> {
    /// Returns options for one pickle without persistent ids.
    #[must_use]
    pub const fn new(allow: &'a AllowList) -> Self {
        Self { allow, many: false, persistent_ids: false }
    }
}

/// What was found.
#[derive(Clone, Debug)]
#[must_use]
pub struct Report<'a> {
    /// Each name that is imported, once, in the order in which they are reached first.
    ///
    /// Of a file that is refused, there may be more than are listed, if it is not [`complete`](Self::complete).
    pub imports: Vec<Import<'a>>,
    /// Each reason to refuse it, once, with the first place that it holds for. The first is the verdict.
    pub refusals: Vec<Refusal>,
    /// How many whole pickles were read.
    pub pickles: usize,
    /// Whether it was read to its end.
    pub complete: bool,
}

impl<'a> Report<'a> {
    /// Returns whether it was allowed: all of it was understood, and it imports nothing that is not
    /// listed.
    ///
    /// # Errors
    ///
    /// The first [`Refusal`], if there is any.
    pub fn verdict(&self) -> Result<(), Refusal> {
        self.refusals.first().map_or(Ok(()), |refusal| Err(*refusal))
    }

    /// Adds what an Unpickler that keeps its memo makes of the same file.
    fn add(&mut self, kept: Self) {
        let other = kept.refusals.iter().find(|refusal| !self.refusals.contains(refusal));
        let other = other.map(|refusal| Refusal { reason: Reason::MemoShared, ..*refusal });
        self.refusals.extend(other);
        let known: HashSet<_> = self.imports.iter().map(Import::key).collect();
        let new: Vec<_> =
            kept.imports.into_iter().filter(|import| !known.contains(&import.key())).collect();
        self.imports.extend(new);
    }

    /// Says why it is refused at that place, and of an import, which.
    #[must_use]
    pub fn explain(&self, refusal: &Refusal) -> String {
        let of_import = |import: &&Import<'a>| {
            import.offset == refusal.offset && import.refusal == Some(refusal.reason)
        };
        match self.imports.iter().find(of_import) {
            Some(import) => format!("imports {import}, {}", refusal.reason.of_import()),
            None => refusal.reason.to_string(),
        }
    }
}

/// Judges a file that holds one pickle, or with [`Options::many`] one or several.
///
/// It takes time in proportion to the length of `bytes`, and memory in proportion to the lesser of that
/// and the limits here; no length that the file claims makes it allocate anything. It lists imports beyond the first refusal, as far as the pickle can be followed.
pub fn scan<'a>(bytes: &'a [u8], options: &Options<'_>) -> Report<'a> {
    if other_format(bytes).is_some() {
        let refusal = Refusal { reason: Reason::NotAPickle, offset: 0 };
        return Report {
            imports: Vec::new(),
            refusals: vec![refusal],
            pickles: 0,
            complete: false,
        };
    }
    let mut report = walk::walk(bytes, options, walk::MemoOf::OnePickle);
    let more_than_one = report.pickles > 1 || (report.pickles == 1 && !report.complete);
    if options.many && more_than_one {
        report.add(walk::walk(bytes, options, walk::MemoOf::AllPickles));
    }
    report
}

/// The most digits of a number in decimal, which is what CPython takes.
pub const MAX_DIGITS: usize = 4300;

/// The most different imports that are listed.
pub const MAX_IMPORTS: usize = 10_000;

/// The most values in the memo.
pub const MAX_MEMO: usize = 1 << 24;

/// The longest module or name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// How deep values may lie in one another, as they are built: what CPython's pickler does at most.
pub const MAX_NESTING: u16 = 1000;

/// The most values on the stack, and marks.
pub const MAX_STACK: usize = 1 << 24;
