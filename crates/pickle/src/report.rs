//! The result of a scan.

use std::collections::HashSet;

use super::PickleImport;
use super::rule::{PickleRefusal, PickleRule};

/// The result of a scan.
#[derive(Clone, Debug)]
#[must_use]
pub struct ScanReport {
    /// The imports, each once, in the order in which they are reached.
    ///
    /// A refused file can have more of them if the report is not [`complete`](Self::complete).
    pub imports: Vec<PickleImport>,
    /// The rules that the file breaks, each once, with the first place. The first of them is the verdict.
    pub refusals: Vec<PickleRefusal>,
    /// How many whole pickles were read.
    pub pickles: usize,
    /// Whether the file was read to its end.
    pub complete: bool,
    /// The imports that refusals of calls, states and items are about.
    pub(super) subjects: Vec<(PickleRefusal, usize)>,
}

impl ScanReport {
    /// Returns whether the file is allowed: every byte was understood, and every import is on the list.
    ///
    /// # Errors
    ///
    /// The first [`PickleRefusal`].
    pub fn verdict(&self) -> Result<(), PickleRefusal> {
        self.refusals.first().map_or(Ok(()), |refusal| Err(*refusal))
    }

    /// Says which rule a refusal is about, and names the import if it is about one.
    #[must_use]
    pub fn explain(&self, refusal: &PickleRefusal) -> String {
        let refused = |import: &&PickleImport| {
            import.offset == refusal.offset && import.refusal == Some(refusal.rule)
        };
        let subject = self.subjects.iter().find(|(about, _)| about == refusal);
        let subject = subject.and_then(|(_, index)| self.imports.get(*index));
        match subject.or_else(|| self.imports.iter().find(refused)) {
            Some(import) => refusal.rule.of_import(import),
            None => refusal.rule.to_string(),
        }
    }

    /// Adds the report of an Unpickler that read the same file and kept its memo.
    pub(super) fn add(&mut self, kept: Self) {
        let other = kept.refusals.iter().find(|refusal| !self.refusals.contains(refusal));
        let other = other.map(|refusal| PickleRefusal { rule: PickleRule::MemoShared, ..*refusal });
        self.refusals.extend(other);
        let known: HashSet<_> = self.imports.iter().map(PickleImport::key).collect();
        let new: Vec<_> =
            kept.imports.into_iter().filter(|import| !known.contains(&import.key())).collect();
        self.imports.extend(new);
    }
}
