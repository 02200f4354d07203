//! The bytes of an array that joblib writes into a pickle.

use super::PickleWalk;
use crate::machine::Value;
use crate::objects::Body;
use crate::opcode::Opcode;
use crate::opcode_reader::{OpcodeReader, OpcodeStep};
use crate::rule::PickleRule;

impl PickleWalk<'_, '_> {
    /// Passes over the bytes of an array that joblib writes into the pickle, and the padding before them.
    ///
    /// The padding begins with its length, from 1 to 16, at which loaders without joblib stop, because no opcode has
    /// these numbers. joblib reads behind the frame, so the frame must end here.
    ///
    /// joblib before 1.2 knows no padding. It takes the padding for the first bytes of the array, and the last
    /// bytes of the array for opcodes. It has to stop there, at the first array of the pickle: then it does
    /// not get to the others.
    pub(super) fn raw_array(
        &mut self,
        bytes: u64,
        step: &OpcodeStep<'_>,
    ) -> Result<(), PickleRule> {
        if self.frame_end.is_some_and(|end| end != self.reader.offset()) {
            self.refuse(PickleRule::FrameStraddled, step);
        }
        let mut old_reader = self.reader;
        let padding = match self.reader.take(1)? {
            [length @ 1..=MAX_PADDING] => usize::from(*length),
            _ => return Err(PickleRule::RawArrayForm),
        };
        self.reader.take(padding)?;
        let bytes = usize::try_from(bytes).map_err(|_| PickleRule::Truncated)?;
        self.reader.take(bytes)?;
        old_reader.take(bytes)?;
        if self.old_reader_stopped_after.replace(step.offset).is_none()
            && !stops_at_once(old_reader, self.is_plain_below_top(), &mut self.old_reader_work)
        {
            self.refuse(PickleRule::RawArrayReadings, step);
        }
        Ok(())
    }

    /// Returns whether below the topmost value lies one that is neither called nor has methods of its own.
    fn is_plain_below_top(&self) -> bool {
        let below = self.machine.topmost(1).and_then(|top| self.machine.below(top));
        match below {
            Ok(Value::EmptyTuple | Value::Literal(_)) => true,
            Ok(Value::Object(id)) => self.machine.objects.get(id).is_some_and(|object| {
                matches!(object.body, Body::Dict(_) | Body::List(_) | Body::Set | Body::Tuple(_))
            }),
            _ => false,
        }
    }
}

/// Returns whether joblib before 1.2 stops with an error here, before it imports, calls or changes anything.
///
/// Its loader is the one in Python, without `persistent_load` and buffers. The array is the topmost value.
///
/// Of many pickles in one file, each may read to the end, so `work` bounds how many bytes are read again.
fn stops_at_once(mut reader: OpcodeReader<'_>, is_plain_below: bool, work: &mut usize) -> bool {
    // How many of the topmost values are known to be plain: literals, tuples, containers and the array.
    let mut plain = if is_plain_below { 2_usize } else { 1 };
    let mut is_first = true;
    while *work > 0 {
        let mut before = reader;
        let Ok(step) = reader.step() else {
            *work = work.saturating_sub(before.rest());
            // The loader in Python imports a name that the end of the file cuts short.
            return !matches!(before.take(1), Ok(b"c" | b"i"));
        };
        *work = work.saturating_sub(before.rest().saturating_sub(reader.rest()));
        match effect(step.opcode) {
            Effect::Stops => return true,
            Effect::StopsOnPlain(needed) if plain >= needed => return true,
            Effect::Names => return str::from_utf8(step.operand).is_err(),
            // The name would have to be a text, and is the array.
            Effect::NamesOnStack if is_first => return true,
            Effect::Pushes => plain = plain.saturating_add(1),
            Effect::Pops if plain > 1 => plain = plain.saturating_sub(1),
            Effect::Keeps => {}
            Effect::Replaces(taken) => plain = plain.saturating_sub(taken).saturating_add(1),
            _ => return false,
        }
        is_first = false;
    }
    false
}

/// What an opcode does in a reader of which only the topmost values are known.
#[derive(Clone, Copy, Debug)]
enum Effect {
    /// It could do anything.
    Anything,
    /// It changes no value.
    Keeps,
    /// It imports what its two lines say, if they are texts.
    Names,
    /// It imports what the two topmost values say, if they are texts.
    NamesOnStack,
    /// It takes a value away, or adds it to the list below.
    Pops,
    /// It adds a plain value.
    Pushes,
    /// It makes a plain value of this many.
    Replaces(usize),
    /// The loader stops with an error.
    Stops,
    /// The loader stops with an error if as many values are plain, because it calls one of them.
    StopsOnPlain(usize),
}

const fn effect(opcode: Opcode) -> Effect {
    use Opcode as Op;
    match opcode {
        Op::PersId | Op::BinPersId | Op::NextBuffer => Effect::Stops,
        Op::Reduce | Op::NewObj => Effect::StopsOnPlain(2),
        Op::NewObjEx => Effect::StopsOnPlain(3),
        Op::Global | Op::Inst => Effect::Names,
        Op::StackGlobal => Effect::NamesOnStack,
        Op::Append | Op::Pop => Effect::Pops,
        Op::Tuple1 => Effect::Replaces(1),
        Op::Tuple2 => Effect::Replaces(2),
        Op::Tuple3 => Effect::Replaces(3),
        Op::Put | Op::BinPut | Op::LongBinPut | Op::Memoize => Effect::Keeps,
        Op::None | Op::NewTrue | Op::NewFalse => Effect::Pushes,
        Op::Int | Op::BinInt | Op::BinInt1 | Op::BinInt2 => Effect::Pushes,
        Op::Long | Op::Long1 | Op::Long4 | Op::Float | Op::BinFloat => Effect::Pushes,
        Op::String | Op::BinString | Op::ShortBinString => Effect::Pushes,
        Op::BinBytes | Op::ShortBinBytes | Op::BinBytes8 | Op::ByteArray8 => Effect::Pushes,
        Op::Unicode | Op::ShortBinUnicode | Op::BinUnicode | Op::BinUnicode8 => Effect::Pushes,
        Op::EmptyDict | Op::EmptyList | Op::EmptySet | Op::EmptyTuple | Op::Dup => Effect::Pushes,
        Op::AddItems | Op::Appends | Op::SetItem | Op::SetItems => Effect::Anything,
        Op::Build | Op::Dict | Op::FrozenSet | Op::List | Op::Obj | Op::Tuple => Effect::Anything,
        Op::BinGet | Op::Get | Op::LongBinGet | Op::Mark | Op::PopMark => Effect::Anything,
        Op::Ext1 | Op::Ext2 | Op::Ext4 | Op::Frame | Op::Proto => Effect::Anything,
        Op::ReadonlyBuffer | Op::Stop => Effect::Anything,
    }
}

/// joblib aligns arrays to as many bytes.
const MAX_PADDING: u8 = 16;
