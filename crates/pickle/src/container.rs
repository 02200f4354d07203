//! Looks into files that hold pickles: archives, arrays and what is compressed.
//!
//! All that a container holds is judged, wherever it lies and whatever it is called, because loaders choose by
//! rules of their own. The container itself must have one reading only.

mod fields;
mod inflate;
mod npy;
mod npy_literal;
mod raw_data;
mod zip_end;
mod zip_member;

use std::borrow::Cow;

use self::inflate::{InflateBudget, Inflated, checksum_of};
use self::npy::NpyHeader;
use self::zip_member::{Packing, ZipMember, members};
use super::file_form;
use super::import::shown;
use super::rule::{PickleRefusal, PickleRule};
use super::scan::scan_pickle;
use super::{FileForm, MAX_CONTAINER_LEVELS, MAX_IMPORTS, ScanOptions, ScanReport};

/// Judges a file, and all that it holds.
pub(super) fn judge_file(bytes: &[u8], options: &ScanOptions<'_>) -> ScanReport {
    let mut judge = ContainerJudge {
        options: *options,
        budget: InflateBudget::new(options.max_inflated),
        imports: 0,
    };
    judge.part(bytes, PartRole::Pickle, 0)
}

/// What a part of a file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartRole {
    /// Anything. A pickle is judged, and so is what a loader of pickles would follow to an import. Other bytes
    /// are none of brine's business.
    Anything,
    /// A pickle, or something that holds pickles.
    Pickle,
}

struct ContainerJudge<'o> {
    options: ScanOptions<'o>,
    budget: InflateBudget,
    /// How many imports were found so far.
    imports: usize,
}

impl ContainerJudge<'_> {
    fn part(&mut self, bytes: &[u8], role: PartRole, level: u8) -> ScanReport {
        let mut form = FileForm::of(bytes);
        let mut report = match form {
            Some(FileForm::Gzip | FileForm::Npy | FileForm::Zip | FileForm::Zlib)
                if level >= MAX_CONTAINER_LEVELS =>
            {
                ScanReport::refused(PickleRule::ContainersNested, 0)
            }
            Some(FileForm::Gzip) => {
                let inflated = self.budget.gzip(bytes);
                self.inflated(&inflated, role, level)
            }
            Some(FileForm::Zlib) => {
                let inflated = self.budget.zlib(bytes);
                self.inflated(&inflated, role, level)
            }
            Some(FileForm::Npy) => self.npy(bytes),
            Some(FileForm::Zip) => self.zip(bytes, level),
            Some(FileForm::OldTorch) => self.old_torch(bytes),
            Some(form) if role == PartRole::Anything && !form.hides_pickles() => {
                ScanReport::of_data()
            }
            Some(_) => ScanReport::refused(PickleRule::NotAPickle, 0),
            None => match self.small_zlib(bytes, role, level) {
                Some(report) => {
                    form = Some(FileForm::Zlib);
                    report
                }
                None => self.pickle(bytes, role),
            },
        };
        report.form = form;
        if role == PartRole::Pickle && form != Some(FileForm::Zip) {
            self.second_archive(bytes, level, &mut report);
        }
        report
    }

    /// Refuses a pickle at whose end a reader of archives would find an archive that brine refuses.
    fn second_archive(&mut self, bytes: &[u8], level: u8, report: &mut ScanReport) {
        let Some(place) = zip_end::find_after_other_bytes(bytes) else { return };
        let start = place.start;
        let archive = bytes.get(place).unwrap_or_default();
        if level >= MAX_CONTAINER_LEVELS || self.zip(archive, level).verdict().is_err() {
            report.refuse(PickleRule::TwoReadings, start);
        }
    }

    /// Judges a file of zlib that has a small window, if something comes out of it. It can begin as a pickle does.
    fn small_zlib(&mut self, bytes: &[u8], role: PartRole, level: u8) -> Option<ScanReport> {
        if !file_form::may_be_zlib(bytes) {
            return None;
        }
        if level >= MAX_CONTAINER_LEVELS {
            return Some(ScanReport::refused(PickleRule::ContainersNested, 0));
        }
        let inflated = self.budget.zlib(bytes);
        let is_broken = inflated.fault == Some(PickleRule::InflateForm);
        // What came out of it before it broke counts if a loader would follow it.
        let has_none = |judge: &mut Self| {
            let level = level.saturating_add(1);
            judge.part(&inflated.bytes, PartRole::Anything, level).is_data()
        };
        if is_broken && has_none(self) {
            return None;
        }
        let mut report = self.inflated(&inflated, role, level);
        let as_pickle = scan_pickle(bytes, &self.options);
        if !raw_data::is_harmless(bytes, &as_pickle) {
            report.refuse(PickleRule::TwoReadings, 0);
        }
        Some(report)
    }

    fn pickle(&mut self, bytes: &[u8], role: PartRole) -> ScanReport {
        let report = scan_pickle(bytes, &self.options);
        if role == PartRole::Anything && raw_data::is_raw(bytes, &report) {
            return ScanReport::of_data();
        }
        self.imports = self.imports.saturating_add(report.imports.len());
        report
    }

    /// Judges what was compressed. Bytes that only begin like something compressed may be anything.
    fn inflated(&mut self, inflated: &Inflated, role: PartRole, level: u8) -> ScanReport {
        let inner = self.part(&inflated.bytes, role, level.saturating_add(1));
        let is_broken = inflated.fault == Some(PickleRule::InflateForm);
        if role == PartRole::Anything && is_broken && inner.is_data() {
            return ScanReport::of_data();
        }
        let mut report = ScanReport::of_container();
        if let Some(rule) = inflated.fault {
            report.refuse(rule, 0);
            report.complete = false;
        }
        report.add_member(None, inner);
        report
    }

    fn npy(&mut self, bytes: &[u8]) -> ScanReport {
        let header = match NpyHeader::read(bytes) {
            Ok(header) => header,
            Err(rule) => return ScanReport::refused(rule, 0),
        };
        let rest = bytes.get(header.bytes..).unwrap_or_default();
        let mut report = ScanReport::of_container();
        let Some(expected) = header.array_bytes else {
            report = self.pickle(rest, PartRole::Pickle);
            report.move_by(header.bytes);
            return report;
        };
        match usize::try_from(expected).map(|expected| rest.len().cmp(&expected)) {
            Ok(std::cmp::Ordering::Equal) => {}
            Ok(std::cmp::Ordering::Greater) => {
                let end = bytes
                    .len()
                    .saturating_sub(rest.len())
                    .saturating_add(usize::try_from(expected).unwrap_or(usize::MAX));
                report.refuse(PickleRule::TrailingBytes, end);
                report.complete = false;
            }
            _ => return ScanReport::refused(PickleRule::Truncated, bytes.len()),
        }
        report
    }

    fn zip(&mut self, bytes: &[u8], level: u8) -> ScanReport {
        let mut report = ScanReport::of_container();
        let members = match members(bytes) {
            Ok(members) => members,
            Err(PickleRefusal { rule, offset }) => {
                report.refuse(rule, offset);
                report.complete = false;
                return report;
            }
        };
        for member in &members {
            if self.imports > MAX_IMPORTS {
                report.refuse(PickleRule::TooManyImports, member.offset);
                report.complete = false;
                break;
            }
            self.member(member, &mut report, level);
        }
        // To an Unpickler that has a `persistent_load`, an archive is a pickle that begins with an id.
        let as_pickle = || scan_pickle(bytes, &self.options);
        if report.verdict().is_ok() && !raw_data::is_harmless(bytes, &as_pickle()) {
            report.refuse(PickleRule::TwoReadings, 0);
        }
        report
    }

    fn member(&mut self, member: &ZipMember<'_>, report: &mut ScanReport, level: u8) {
        let (contents, fault) = match member.packing {
            Err(rule) => (Cow::Borrowed(&[][..]), Some(rule)),
            Ok(Packing::Stored) => {
                let good = checksum_of(member.packed) == member.checksum;
                (Cow::Borrowed(member.packed), (!good).then_some(PickleRule::InflateForm))
            }
            Ok(Packing::Deflated) => {
                let inflated = self.budget.member(member.packed, member.length, member.checksum);
                (Cow::Owned(inflated.bytes), inflated.fault)
            }
        };
        let mut found = self.part(&contents, role_of(member.name), level.saturating_add(1));
        if let Some(rule) = fault {
            if contents.is_empty() {
                found = ScanReport::of_data();
            }
            report.refuse(rule, member.offset);
            report.complete = false;
        }
        report.add_member(Some(shown(member.name)), found);
    }

    /// Lists what the pickles of an old file of torch import. The bytes after them are no pickles.
    fn old_torch(&mut self, bytes: &[u8]) -> ScanReport {
        let mut report = ScanReport::refused(PickleRule::NotAPickle, 0);
        let pickles = scan_pickle(bytes, &ScanOptions { many: true, ..self.options });
        self.imports = self.imports.saturating_add(pickles.imports.len());
        report.pickles = pickles.pickles;
        report.imports = pickles.imports;
        report.refusals.extend(pickles.refusals);
        report
    }
}

/// Expects a pickle under a name that promises one. Other names promise nothing: a pickle may have any.
fn role_of(name: &[u8]) -> PartRole {
    let name = name.to_ascii_lowercase();
    let promises = PICKLE_NAMES.iter().any(|end| name.ends_with(end));
    if promises { PartRole::Pickle } else { PartRole::Anything }
}

const PICKLE_NAMES: &[&[u8]] = &[b".pkl", b".pickle", b".joblib", b".dill"];
