//! Tells bytes that no loader would follow to an import from pickles.
//!
//! Archives hold weights, texts and other bytes beside their pickles. Their names prove nothing: a loader can be
//! told to unpickle any of them. So each is followed as a pickle. Where both loaders of CPython stop with an
//! error before they import anything, nothing happens, and the bytes are taken for data.

use crate::opcode::Opcode;
use crate::opcode_reader::OpcodeReader;
use crate::rule::{PickleRefusal, PickleRule};
use crate::{PickleImport, ScanReport};

/// Returns whether a loader stops in these bytes before it imports anything that a list could name.
///
/// Weights are arbitrary bytes, and one in a hundred begins with an opcode that asks the loader for a persistent
/// id, or for a name that is not one. Only bytes that begin with a protocol are taken at their word there.
pub(super) fn is_raw(bytes: &[u8], report: &ScanReport) -> bool {
    let Some(stop) = report.stop else { return false };
    let states_protocol = bytes.starts_with(&[0x80]);
    let harmless =
        |rule: PickleRule| ends_a_loader(rule) || is_asked_of_loader(rule) || imports_nothing(rule);
    let names_nothing = |import: &PickleImport| import.refusal == Some(PickleRule::ImportName);
    let breaks =
        |test: fn(PickleRule) -> bool| report.refusals.iter().any(|found| test(found.rule));
    let asks_loader = breaks(is_asked_of_loader);
    // What is asked for after the end of the first pickle is not among the refusals.
    let asks_later = breaks(|rule| rule == PickleRule::TrailingBytes);
    if asks_loader && states_protocol || (asks_loader || asks_later) && calls(bytes, stop.offset) {
        return false;
    }
    ends_both_loaders(bytes, stop)
        && report.refusals.iter().all(|refusal| harmless(refusal.rule))
        && report.imports.iter().all(names_nothing)
}

/// Returns whether what a loader of pickles makes of an archive is harmless: it stops before it imports anything, or
/// all that it imports is listed.
pub(super) fn is_harmless(bytes: &[u8], report: &ScanReport) -> bool {
    let harmless = |rule: PickleRule| {
        let listed = [PickleRule::PersistentId, PickleRule::StackLeftover].contains(&rule);
        listed || ends_a_loader(rule) || imports_nothing(rule)
    };
    let ends = report.stop.is_none_or(|stop| ends_both_loaders(bytes, stop));
    is_raw(bytes, report)
        || ends
            && report.refusals.iter().all(|refusal| harmless(refusal.rule))
            && report.imports.iter().all(|import| import.refusal.is_none())
}

/// Returns whether both loaders stop with an error where the walk stopped.
fn ends_both_loaders(bytes: &[u8], stop: PickleRefusal) -> bool {
    let rest = bytes.get(stop.offset..);
    match stop.rule {
        PickleRule::NotAPickle | PickleRule::Truncated => !is_import(rest),
        PickleRule::NumberForm => is_no_index(rest),
        rule => ends_a_loader(rule),
    }
}

/// Returns whether both loaders stop with an error where this rule is broken.
///
/// It is broken by builtin values only, as long as nothing was imported.
const fn ends_a_loader(rule: PickleRule) -> bool {
    matches!(
        rule,
        PickleRule::CallsNoCallable
            | PickleRule::LengthNegative
            | PickleRule::MarkMissing
            | PickleRule::MemoMissing
            | PickleRule::NotAPickle
            | PickleRule::ProtocolUnknown
            | PickleRule::StackUnderflow
            | PickleRule::Truncated
            | PickleRule::UnknownOpcode
    )
}

/// Returns whether breaking this rule asks the loader for something that only it can have.
const fn is_asked_of_loader(rule: PickleRule) -> bool {
    matches!(
        rule,
        PickleRule::ExtensionRegistry | PickleRule::ImportName | PickleRule::PersistentId
    )
}

/// Returns whether breaking this rule changes nothing about what is imported.
const fn imports_nothing(rule: PickleRule) -> bool {
    matches!(
        rule,
        PickleRule::FrameNested
            | PickleRule::FrameStraddled
            | PickleRule::MemoIndex
            | PickleRule::NumberForm
            | PickleRule::NumberTooLong
            | PickleRule::OutOfBandBuffer
            | PickleRule::ProtocolLate
            | PickleRule::StringForm
            | PickleRule::TextNotUtf8
            // A whole pickle that imports nothing.
            | PickleRule::TrailingBytes
    )
}

/// Returns whether anything is called or given a state before `end`.
fn calls(bytes: &[u8], end: usize) -> bool {
    let mut reader = OpcodeReader::new(bytes);
    while reader.offset() < end {
        let Ok(step) = reader.step() else { return false };
        let calls = matches!(
            step.opcode,
            Opcode::Build
                | Opcode::Inst
                | Opcode::NewObj
                | Opcode::NewObjEx
                | Opcode::Obj
                | Opcode::Reduce
        );
        if calls {
            return true;
        }
    }
    false
}

/// Returns whether bytes begin with an index of the memo that is no number, so that both loaders stop there.
fn is_no_index(bytes: Option<&[u8]>) -> bool {
    let Some([_, lines @ ..]) = bytes else { return false };
    let line = lines.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.iter().any(|byte| byte.is_ascii_alphabetic())
}

/// Returns whether bytes begin with an import. The loader in Python imports a name that the end of the file cuts
/// short.
fn is_import(bytes: Option<&[u8]>) -> bool {
    let Some([opcode, lines @ ..]) = bytes else { return false };
    let imports = matches!(Opcode::from_byte(*opcode), Some(Opcode::Global | Opcode::Inst));
    let module = lines.split(|byte| *byte == b'\n').next().unwrap_or_default();
    imports && str::from_utf8(module).is_ok_and(crate::import::is_name)
}
