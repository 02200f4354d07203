//! The result of a scan.

use std::collections::HashSet;

use super::rule::{PickleRefusal, PickleRule};
use super::{FileForm, PickleImport, builtin_lists, gadgets};

/// The result of a scan, of a file or of a part of one.
#[derive(Clone, Debug)]
#[must_use]
pub struct ScanReport {
    /// What the file is, if it is not a bare pickle.
    pub form: Option<FileForm>,
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
    /// What the file holds, if it is a container: the members that have pickles, or that break a rule.
    pub members: Vec<MemberReport>,
    /// How many members hold nothing that a loader of pickles would follow to an import.
    pub data_members: usize,
    /// Where the walk through a pickle stopped before its end.
    pub(super) stop: Option<PickleRefusal>,
}

/// The result of a scan of a member of a container.
#[derive(Clone, Debug)]
#[must_use]
pub struct MemberReport {
    /// The name of the member, as much of it as can be shown; `None` for what was inflated, which has none.
    pub name: Option<String>,
    /// What was found.
    pub report: ScanReport,
}

/// A part of a file with where it is.
#[derive(Clone, Debug)]
pub struct ScannedPart<'a> {
    /// The names of the members in one another, from the outside in; empty for the file itself.
    pub inside: Vec<&'a str>,
    /// What was found in the part itself.
    pub report: &'a ScanReport,
}

impl ScanReport {
    /// Returns whether the file is allowed: every byte was understood, and every import is on the list.
    ///
    /// # Errors
    ///
    /// The first [`PickleRefusal`]: of the file itself, or else of what it holds.
    pub fn verdict(&self) -> Result<(), PickleRefusal> {
        self.first_refusal().map_or(Ok(()), |(_, refusal)| Err(refusal))
    }

    /// Returns the first refusal, and the part that it is in.
    #[must_use]
    pub fn first_refusal(&self) -> Option<(ScannedPart<'_>, PickleRefusal)> {
        let mut parts = self.parts().into_iter();
        parts.find_map(|part| part.report.refusals.first().copied().map(|first| (part, first)))
    }

    /// Returns the file and all that it holds, each before what is in it.
    #[must_use]
    pub fn parts(&self) -> Vec<ScannedPart<'_>> {
        let mut parts = Vec::new();
        let mut waiting = vec![ScannedPart { inside: Vec::new(), report: self }];
        while let Some(part) = waiting.pop() {
            waiting.extend(part.report.members.iter().rev().map(|member| {
                let name = member.name.as_deref();
                let inside = part.inside.iter().copied().chain(name).collect();
                ScannedPart { inside, report: &member.report }
            }));
            parts.push(part);
        }
        parts
    }

    /// Says which rule a refusal is about, and names the import if it is about one.
    #[must_use]
    pub fn explain(&self, refusal: &PickleRefusal) -> String {
        match self.subject(refusal) {
            Some(import) => refusal.rule.of_import(import),
            None => refusal.rule.to_string(),
        }
    }

    /// Returns the import that a refusal is about.
    fn subject(&self, refusal: &PickleRefusal) -> Option<&PickleImport> {
        let refused = |import: &&PickleImport| {
            import.offset == refusal.offset && import.refusal == Some(refusal.rule)
        };
        let subject = self.subjects.iter().find(|(about, _)| about == refusal);
        let subject = subject.and_then(|(_, index)| self.imports.get(*index));
        subject.or_else(|| self.imports.iter().find(refused))
    }

    /// Returns the lines of a list that would allow what a refusal is about: an import, or what a rule does not
    /// allow. There are none if it is about something else, or about a name through which a pickle reaches any other.
    #[must_use]
    pub fn lines_that_allow(&self, refusal: &PickleRefusal) -> Vec<String> {
        let end = match refusal.rule {
            PickleRule::ImportNotAllowed => "",
            PickleRule::CallNotAllowed
            | PickleRule::ItemsNotAllowed
            | PickleRule::StateNotAllowed => " any",
            _ => return Vec::new(),
        };
        let pairs = self.subject(refusal).map_or_else(Vec::new, PickleImport::pairs);
        let lifts = !end.is_empty();
        let useless = |(module, name): &(&str, &str)| match builtin_lists::find(module, name) {
            Some(entry) => lifts && !entry.can_be_lifted,
            None => gadgets::is_known(module, name),
        };
        if pairs.iter().any(useless) {
            return Vec::new();
        }
        pairs.iter().map(|(module, name)| format!("{module}:{name}{end}")).collect()
    }

    /// Returns a report of something that was not looked into, because it breaks a rule.
    pub(super) fn refused(rule: PickleRule, offset: usize) -> Self {
        let mut report = Self::of_container();
        report.refuse(rule, offset);
        report.complete = false;
        report
    }

    /// Returns a report of a container in which nothing was found so far.
    pub(super) const fn of_container() -> Self {
        Self {
            form: None,
            imports: Vec::new(),
            refusals: Vec::new(),
            pickles: 0,
            complete: true,
            members: Vec::new(),
            data_members: 0,
            subjects: Vec::new(),
            stop: None,
        }
    }

    /// Returns a report of bytes that are no pickle, and hold none.
    pub(super) const fn of_data() -> Self {
        Self::of_container()
    }

    /// Returns whether nothing was found, neither pickles nor what breaks a rule.
    pub(super) const fn is_data(&self) -> bool {
        self.pickles == 0
            && self.complete
            && self.imports.is_empty()
            && self.refusals.is_empty()
            && self.members.is_empty()
    }

    /// Notes that a rule is broken.
    pub(super) fn refuse(&mut self, rule: PickleRule, offset: usize) {
        if self.refusals.iter().all(|refusal| refusal.rule != rule) {
            self.refusals.push(PickleRefusal { rule, offset });
        }
    }

    /// Adds what a member has. Members without pickles are only counted.
    pub(super) fn add_member(&mut self, name: Option<String>, report: Self) {
        self.complete &= report.complete;
        if report.is_data() {
            self.data_members =
                self.data_members.saturating_add(1).saturating_add(report.data_members);
            return;
        }
        self.members.push(MemberReport { name, report });
    }

    /// Counts offsets from an earlier place.
    pub(super) fn move_by(&mut self, bytes: usize) {
        for import in &mut self.imports {
            import.offset = import.offset.saturating_add(bytes);
        }
        let subjects = self.subjects.iter_mut().map(|(refusal, _)| refusal);
        for refusal in self.refusals.iter_mut().chain(subjects) {
            refusal.offset = refusal.offset.saturating_add(bytes);
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
