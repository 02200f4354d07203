//! Follows a pickle opcode by opcode, as CPython's loaders do.

mod calls;
mod values;

use self::values::{Items, check_quotes, index};
use super::findings::Findings;
use super::machine::{Depth, Machine, Value};
use super::opcode::Opcode;
use super::reader::{Reader, Step, little_endian};
use super::reason::Reason;
use super::{Options, Report, number};

/// How long the memo is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MemoOf {
    /// By one Unpickler for all pickles of a file.
    AllPickles,
    /// By `pickle.load`, which makes an Unpickler for each.
    OnePickle,
}

/// Follows all pickles of a file.
pub(super) fn walk<'a>(bytes: &'a [u8], options: &Options<'_>, memo: MemoOf) -> Report<'a> {
    let mut walk = Walk {
        findings: Findings::new(options.allow),
        frame_end: None,
        machine: Machine::default(),
        options: *options,
        protocol: 0,
        reader: Reader::new(bytes),
        start: 0,
    };
    let (pickles, complete) = walk.all(memo);
    let Findings { imports, refusals, .. } = walk.findings;
    Report { imports, refusals, pickles, complete }
}

struct Walk<'a, 'o> {
    findings: Findings<'a, 'o>,
    /// Where the frame ends that the next opcode is in.
    frame_end: Option<usize>,
    machine: Machine,
    options: Options<'o>,
    protocol: u8,
    reader: Reader<'a>,
    /// Where the pickle begins.
    start: usize,
}

/// Whether there is more of a pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    More,
    Stopped,
}

impl<'a> Walk<'a, '_> {
    /// Returns how many pickles there are, and whether everything was read.
    fn all(&mut self, memo: MemoOf) -> (usize, bool) {
        let mut pickles = 0_usize;
        loop {
            if let Err((reason, offset)) = self.pickle() {
                self.findings.refuse(reason, offset);
                return (pickles, false);
            }
            pickles = pickles.saturating_add(1);
            if self.reader.is_at_end() {
                return (pickles, true);
            }
            if !self.options.many {
                self.findings.go_beyond_the_end(self.reader.offset());
            }
            match memo {
                MemoOf::AllPickles => self.machine.restart(),
                MemoOf::OnePickle => self.machine = Machine::default(),
            }
        }
    }

    /// Follows one pickle to its STOP. Where it cannot be followed any further, says why.
    fn pickle(&mut self) -> Result<(), (Reason, usize)> {
        self.start = self.reader.offset();
        (self.protocol, self.frame_end) = (0, None);
        loop {
            let offset = self.reader.offset();
            let next = self.next().map_err(|reason| (self.at_first(reason, offset), offset))?;
            if next == Next::Stopped {
                return Ok(());
            }
        }
    }

    /// What breaks at its very first opcode is something else than a pickle.
    const fn at_first(&self, reason: Reason, offset: usize) -> Reason {
        match reason {
            Reason::MarkMissing
            | Reason::MemoMissing
            | Reason::StackUnderflow
            | Reason::Truncated
            | Reason::UnknownOpcode
                if offset == 0 =>
            {
                Reason::NotAPickle
            }
            reason => reason,
        }
    }

    fn next(&mut self) -> Result<Next, Reason> {
        let step = self.reader.step()?;
        self.leave_frame(&step);
        self.obey(&step)
    }

    /// The C loader takes no notice of where frames end; the one in Python does. An opcode lies on one
    /// side of the end, or they read different things.
    fn leave_frame(&mut self, step: &Step<'_>) {
        let Some(end) = self.frame_end else { return };
        if step.offset >= end {
            self.frame_end = None;
        } else if self.reader.offset() > end {
            self.refuse(Reason::FrameStraddled, step);
            self.frame_end = None;
        }
    }

    fn refuse(&mut self, reason: Reason, step: &Step<'_>) {
        self.findings.refuse(reason, step.offset);
    }

    fn obey(&mut self, step: &Step<'a>) -> Result<Next, Reason> {
        use Opcode as Op;
        match step.opcode {
            Op::Stop => return self.stop(step).map(|()| Next::Stopped),
            Op::Proto => self.proto(step),
            Op::Frame => self.frame(step),

            Op::None | Op::NewTrue | Op::NewFalse => self.plain(),
            Op::BinInt | Op::BinInt1 | Op::BinInt2 | Op::BinFloat => self.plain(),
            Op::Long1 | Op::Long4 | Op::BinBytes | Op::BinBytes8 => self.plain(),
            Op::ShortBinBytes | Op::ByteArray8 | Op::BinString | Op::ShortBinString => self.plain(),
            Op::Int => self.written(number::check_integer(step.operand), step),
            Op::Long => self.written(number::check_long(step.operand), step),
            Op::Float => self.written(number::check_float(step.operand), step),
            Op::String => self.written(check_quotes(step.operand), step),
            Op::Unicode => self.unicode_line(step),
            Op::BinUnicode | Op::BinUnicode8 | Op::ShortBinUnicode => self.unicode(step),

            Op::EmptyDict => self.machine.push(Value::Dict(Depth::EMPTY)),
            Op::EmptyList => self.machine.push(Value::List(Depth::EMPTY)),
            Op::EmptySet => self.machine.push(Value::Set(Depth::EMPTY)),
            Op::EmptyTuple => self.machine.push(Value::Tuple(Depth::EMPTY)),
            Op::Tuple1 => self.tuple(1, step),
            Op::Tuple2 => self.tuple(2, step),
            Op::Tuple3 => self.tuple(3, step),
            Op::Dict => self.gather(Value::Dict, Items::Pairs, step),
            Op::FrozenSet => self.gather(Value::Frozenset, Items::Any, step),
            Op::List => self.gather(Value::List, Items::Any, step),
            Op::Tuple => self.gather(Value::Tuple, Items::Any, step),
            Op::AddItems => self.add_marked(Items::Members, step),
            Op::Append => self.add(1, Items::Any, step),
            Op::Appends => self.add_marked(Items::Any, step),
            Op::SetItem => self.add(2, Items::Pairs, step),
            Op::SetItems => self.add_marked(Items::Pairs, step),

            Op::Dup => self.machine.top().and_then(|value| self.machine.push(value)),
            Op::Mark => self.machine.mark(),
            Op::Pop => self.machine.pop_value_or_mark(),
            Op::PopMark => self.machine.pop_mark().map(|_| ()),
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
                self.refuse(Reason::ExtensionRegistry, step);
                self.machine.push(Value::Global)
            }
            Op::Build => self.build(step),
            Op::NewObj | Op::Reduce => self.call(step),
            Op::NewObjEx => self.call_with_names(step),
            Op::Obj => self.obj(step),
            Op::BinPersId => self.machine.pop().and_then(|_| self.persistent_id(step)),
            Op::PersId => self.persistent_id(step),
            Op::NextBuffer => {
                self.refuse(Reason::OutOfBandBuffer, step);
                self.plain()
            }
            Op::ReadonlyBuffer => {
                self.refuse(Reason::OutOfBandBuffer, step);
                self.machine.top().map(|_| ())
            }
        }?;
        Ok(Next::More)
    }

    fn stop(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        self.machine.pop()?;
        if !self.machine.is_empty() {
            self.refuse(Reason::StackLeftover, step);
        }
        // The loader in Python reads the next pickle after the frame, the one in C after this.
        if self.frame_end.is_some_and(|end| end != self.reader.offset()) {
            self.refuse(Reason::FrameStraddled, step);
        }
        Ok(())
    }

    fn proto(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        let protocol = step.operand.first().copied().unwrap_or_default();
        // It decides which names are mapped, so all that follows depends on it.
        if step.offset != self.start {
            self.refuse(Reason::ProtocolLate, step);
        }
        if protocol > LAST_PROTOCOL {
            return Err(Reason::ProtocolUnknown);
        }
        self.protocol = protocol;
        Ok(())
    }

    fn frame(&mut self, step: &Step<'_>) -> Result<(), Reason> {
        if self.frame_end.is_some() {
            self.refuse(Reason::FrameNested, step);
        }
        let length = little_endian(step.operand).filter(|length| *length <= self.reader.rest());
        let length = length.ok_or(Reason::Truncated)?;
        self.frame_end = Some(self.reader.offset().saturating_add(length));
        Ok(())
    }
}

const LAST_PROTOCOL: u8 = 5;
