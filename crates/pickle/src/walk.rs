//! Follows a pickle opcode by opcode, as CPython's loaders do.

mod calls;
mod imports;
mod raw_array;
mod values;

use std::cell::Cell;

use self::calls::Making;
use self::values::{ItemSort, check_quotes, index};
use super::findings::Findings;
use super::machine::{Machine, Value};
use super::objects::Body;
use super::opcode::Opcode;
use super::opcode_reader::{OpcodeReader, OpcodeStep, little_endian};
use super::rule::{PickleRefusal, PickleRule};
use super::scene::Scene;
use super::{ScanOptions, ScanReport, number_text};

/// How long the memo is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoLifetime {
    /// For all pickles of a file, as one Unpickler keeps it.
    AllPickles,
    /// For one pickle, as `pickle.load` keeps it.
    OnePickle,
}

/// Follows all pickles of a file.
pub(super) fn walk(bytes: &[u8], options: &ScanOptions<'_>, memo: MemoLifetime) -> ScanReport {
    let mut walk = PickleWalk {
        findings: Findings::new(options.allow),
        frame_end: None,
        machine: Machine::default(),
        old_reader_stopped_after: None,
        old_reader_work: bytes.len().saturating_mul(OLD_READER_WORK),
        options: *options,
        protocol: 0,
        reader: OpcodeReader::new(bytes),
        start: 0,
        work: Cell::new(0),
        work_until: Cell::new(0),
    };
    let (pickles, stop) = walk.all(memo);
    let Findings { imports, refusals, subjects, .. } = walk.findings;
    let complete = stop.is_none();
    ScanReport {
        imports,
        refusals,
        pickles,
        complete,
        subjects,
        stop,
        ..ScanReport::of_container()
    }
}

struct PickleWalk<'a, 'o> {
    findings: Findings<'a, 'o>,
    /// The end of the frame that the next opcode is in.
    frame_end: Option<usize>,
    machine: Machine,
    /// The opcode before the first array of joblib in the pickle. joblib before 1.2 does not get behind that array.
    old_reader_stopped_after: Option<usize>,
    /// How many bytes may still be read again as joblib before 1.2 reads them.
    old_reader_work: usize,
    options: ScanOptions<'o>,
    protocol: u8,
    reader: OpcodeReader<'a>,
    /// The beginning of the pickle.
    start: usize,
    /// How many values rules may still look at, and up to which byte that was reckoned.
    work: Cell<usize>,
    work_until: Cell<usize>,
}

/// Whether a pickle has more opcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    More,
    Stopped,
}

impl<'a> PickleWalk<'a, '_> {
    /// Follows all pickles, and returns how many there are and where it stopped before the end.
    fn all(&mut self, memo: MemoLifetime) -> (usize, Option<PickleRefusal>) {
        let mut pickles = 0_usize;
        loop {
            if let Err((rule, offset)) = self.pickle() {
                self.findings.refuse(rule, offset);
                return (pickles, Some(PickleRefusal { rule, offset }));
            }
            pickles = pickles.saturating_add(1);
            if self.reader.is_at_end() {
                return (pickles, None);
            }
            if !self.options.many {
                self.findings.go_beyond_the_end(self.reader.offset());
            }
            match memo {
                MemoLifetime::AllPickles => self.machine.restart(),
                MemoLifetime::OnePickle => self.machine = Machine::default(),
            }
        }
    }

    /// Follows one pickle to its STOP. Fails where it cannot be followed any further.
    fn pickle(&mut self) -> Result<(), (PickleRule, usize)> {
        self.start = self.reader.offset();
        (self.protocol, self.frame_end) = (0, None);
        self.old_reader_stopped_after = None;
        loop {
            let offset = self.reader.offset();
            let next = self.next().map_err(|rule| (self.at_first(rule, offset), offset))?;
            if next == Next::Stopped {
                return Ok(());
            }
        }
    }

    /// Takes a file for something other than a pickle if its very first opcode fails.
    const fn at_first(&self, rule: PickleRule, offset: usize) -> PickleRule {
        match rule {
            PickleRule::MarkMissing
            | PickleRule::MemoMissing
            | PickleRule::StackUnderflow
            | PickleRule::Truncated
            | PickleRule::UnknownOpcode
                if offset == 0 =>
            {
                PickleRule::NotAPickle
            }
            rule => rule,
        }
    }

    fn next(&mut self) -> Result<Next, PickleRule> {
        let step = self.reader.step()?;
        self.leave_frame(&step);
        let next = self.execute(&step);
        if let Some(import) = self.machine.objects.take_kept_wrongly() {
            self.findings.refuse_about(import, PickleRule::AttributeTakerKept, step.offset);
        }
        next
    }

    /// Refuses an opcode across the end of its frame. The C loader ignores where frames end, and the one in
    /// Python does not, so they would read different things.
    fn leave_frame(&mut self, step: &OpcodeStep<'_>) {
        let Some(end) = self.frame_end else { return };
        if step.offset >= end {
            self.frame_end = None;
        } else if self.reader.offset() > end {
            self.refuse(PickleRule::FrameStraddled, step);
            self.frame_end = None;
        }
    }

    fn refuse(&mut self, rule: PickleRule, step: &OpcodeStep<'_>) {
        self.findings.refuse(rule, step.offset);
    }

    /// Lets a rule look at values.
    fn scene<T>(&self, step: &OpcodeStep<'_>, look: impl FnOnce(&Scene<'_, 'a>) -> T) -> T {
        let passed = step.offset.saturating_sub(self.work_until.replace(step.offset));
        let more = passed.saturating_mul(WORK_PER_BYTE);
        self.work.set(self.work.get().saturating_add(more));
        look(&Scene {
            objects: &self.machine.objects,
            reader: &self.reader,
            rules: &self.findings.rules,
            work: &self.work,
        })
    }

    fn execute(&mut self, step: &OpcodeStep<'a>) -> Result<Next, PickleRule> {
        use Opcode as Op;
        match step.opcode {
            Op::Stop => return self.stop(step).map(|()| Next::Stopped),
            Op::Proto => self.proto(step),
            Op::Frame => self.frame(step),

            Op::None | Op::NewTrue | Op::NewFalse => self.literal(step),
            Op::BinInt | Op::BinInt1 | Op::BinInt2 | Op::BinFloat => self.literal(step),
            Op::Long1 | Op::Long4 | Op::BinBytes | Op::BinBytes8 => self.literal(step),
            Op::ShortBinBytes | Op::ByteArray8 => self.literal(step),
            Op::BinString | Op::ShortBinString | Op::Unicode => self.literal(step),
            Op::Int => self.written(number_text::check_integer(step.operand), step),
            Op::Long => self.written(number_text::check_long(step.operand), step),
            Op::Float => self.written(number_text::check_float(step.operand), step),
            Op::String => self.written(check_quotes(step.operand), step),
            Op::BinUnicode | Op::BinUnicode8 | Op::ShortBinUnicode => self.unicode(step),

            Op::EmptyDict => self.empty_dict(),
            Op::EmptyList => self.machine.push_empty(Body::List(0)),
            Op::EmptySet => self.machine.push_empty(Body::Set),
            Op::EmptyTuple => self.machine.push(Value::EmptyTuple),
            Op::Tuple1 => self.tuple(1, step),
            Op::Tuple2 => self.tuple(2, step),
            Op::Tuple3 => self.tuple(3, step),
            Op::Dict => self.marked_dict(step),
            Op::FrozenSet => self.marked(|_| Body::Frozenset, step),
            Op::List => self.marked(Body::List, step),
            Op::Tuple => self.marked_tuple(step),
            Op::AddItems => self.add_marked(ItemSort::Members, step),
            Op::Append => self.add(1, ItemSort::Any, step),
            Op::Appends => self.add_marked(ItemSort::Any, step),
            Op::SetItem => self.add(2, ItemSort::Pairs, step),
            Op::SetItems => self.add_marked(ItemSort::Pairs, step),

            Op::Dup => self.machine.duplicate(),
            Op::Mark => self.machine.mark(),
            Op::Pop => self.machine.pop_value_or_mark(),
            Op::PopMark => {
                let above = self.machine.above_mark()?;
                self.machine.drop(above);
                Ok(())
            }
            Op::Get => self.written_index(step).and_then(|index| self.machine.get(index)),
            Op::BinGet | Op::LongBinGet => self.machine.get(index(step)),
            Op::Put => self.written_index(step).and_then(|index| self.put(index, step)),
            Op::BinPut | Op::LongBinPut => self.put(index(step), step),
            Op::Memoize => {
                let put = self.machine.memoize(step.offset);
                self.check_put(put, step)
            }

            Op::Global => self.global(step),
            Op::StackGlobal => self.stack_global(step),
            Op::Inst => self.inst(step),
            Op::Ext1 | Op::Ext2 | Op::Ext4 => {
                self.refuse(PickleRule::ExtensionRegistry, step);
                self.machine.push(Value::Unknown)
            }
            Op::Build => self.build(step),
            Op::NewObj => self.call(Making::New, step),
            Op::Reduce => self.call(Making::Call, step),
            Op::NewObjEx => self.call_with_names(step),
            Op::Obj => self.obj(step),
            Op::BinPersId => {
                let id = self.machine.topmost(1)?;
                self.machine.hand_out(id);
                self.persistent_id(step)
            }
            Op::PersId => self.persistent_id(step),
            Op::NextBuffer => {
                self.refuse(PickleRule::OutOfBandBuffer, step);
                self.machine.push(Value::Unknown)
            }
            Op::ReadonlyBuffer => {
                self.refuse(PickleRule::OutOfBandBuffer, step);
                self.machine.top().map(|_| ())
            }
        }?;
        Ok(Next::More)
    }

    fn stop(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let result = self.machine.topmost(1)?;
        self.machine.hand_out(result);
        if !self.machine.is_empty() {
            self.refuse(PickleRule::StackLeftover, step);
        }
        // After the pickle, the loader in Python continues behind the frame, and the one in C behind STOP.
        if self.frame_end.is_some_and(|end| end != self.reader.offset()) {
            self.refuse(PickleRule::FrameStraddled, step);
        }
        Ok(())
    }

    fn proto(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        let protocol = step.operand.first().copied().unwrap_or_default();
        // The protocol decides which names are mapped, so everything after it depends on it.
        if step.offset != self.start {
            self.refuse(PickleRule::ProtocolLate, step);
        }
        if protocol > LAST_PROTOCOL {
            return Err(PickleRule::ProtocolUnknown);
        }
        self.protocol = protocol;
        Ok(())
    }

    fn frame(&mut self, step: &OpcodeStep<'_>) -> Result<(), PickleRule> {
        if self.frame_end.is_some() {
            self.refuse(PickleRule::FrameNested, step);
        }
        let length = little_endian(step.operand).filter(|length| *length <= self.reader.rest());
        let length = length.ok_or(PickleRule::Truncated)?;
        self.frame_end = Some(self.reader.offset().saturating_add(length));
        Ok(())
    }
}

const LAST_PROTOCOL: u8 = 5;

/// How many values rules may look at for each byte of the file. Rules look at each value that a pickler writes a
/// few times; more often, only at values that are used again and again.
const WORK_PER_BYTE: usize = 64;

/// How many times the file may be read again as joblib before 1.2 reads it.
const OLD_READER_WORK: usize = 4;
