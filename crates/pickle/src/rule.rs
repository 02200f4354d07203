//! Why a pickle is refused.

use std::fmt;

use crate::error::Class;

/// A place in a file and what is wrong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: Reason,
    /// How many bytes stand before the opcode that it is about.
    pub offset: usize,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, at byte {}", self.reason, self.offset)
    }
}

/// A rule that a pickle breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Arguments of a call that are no tuple, or names of arguments that are no dict.
    ArgumentsForm,
    /// A call of what a call gave.
    CallsAResult,
    /// A call of what is neither imported nor a result.
    CallsNoCallable,
    /// State, items or members for what was imported.
    ChangesAGlobal,
    /// An import whose module or name is not a text that stands in the file.
    DynamicImport,
    /// An import from the registry of extensions.
    ExtensionRegistry,
    /// A frame in a frame.
    FrameNested,
    /// An opcode that reaches over the end of its frame, or a pickle that ends before its frame does.
    FrameStraddled,
    /// An import that is not on the list.
    ImportNotAllowed,
    /// A module or name that is not made of ASCII identifiers.
    ImportName,
    /// A length below zero.
    LengthNegative,
    /// No mark where one is taken.
    MarkMissing,
    /// An index in the memo that is beyond the number of bytes before it.
    MemoIndex,
    /// Nothing in the memo at an index.
    MemoMissing,
    /// Another meaning for an Unpickler that has read the pickles before.
    MemoShared,
    /// More in the memo than [`MAX_MEMO`](super::MAX_MEMO).
    MemoTooLarge,
    /// Nothing that begins as a pickle does.
    NotAPickle,
    /// A number in another form than the pickler's.
    NumberForm,
    /// More digits than [`MAX_DIGITS`](super::MAX_DIGITS).
    NumberTooLong,
    /// An odd number of keys and values.
    OddItems,
    /// A buffer that is not in the file.
    OutOfBandBuffer,
    /// A persistent id, which the loader gives to code of its own.
    PersistentId,
    /// PROTO in another place than the first.
    ProtocolLate,
    /// A protocol after 5.
    ProtocolUnknown,
    /// More values left than the one that is loaded.
    StackLeftover,
    /// More on the stack than [`MAX_STACK`](super::MAX_STACK).
    StackTooLarge,
    /// Nothing on the stack where something is taken.
    StackUnderflow,
    /// A string without quotes.
    StringForm,
    /// Text that is not UTF-8.
    TextNotUtf8,
    /// Values that lie in one another deeper than [`MAX_NESTING`](super::MAX_NESTING).
    TooDeep,
    /// More different imports than [`MAX_IMPORTS`](super::MAX_IMPORTS).
    TooManyImports,
    /// Something after the end of the pickle.
    TrailingBytes,
    /// An end before that of the pickle.
    Truncated,
    /// A byte that is no opcode.
    UnknownOpcode,
    /// Items, members or state for what takes none.
    WrongTarget,
}

impl Reason {
    /// Returns whose fault it is: [`Class::Untrusted`] where the rule is about what may be done,
    /// [`Class::Altered`] where the form is broken or unclear, [`Class::Unsupported`] where it is no
    /// pickle, or a newer one.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::CallsAResult
            | Self::ChangesAGlobal
            | Self::DynamicImport
            | Self::ExtensionRegistry
            | Self::ImportName
            | Self::ImportNotAllowed
            | Self::MemoShared
            | Self::OutOfBandBuffer
            | Self::PersistentId => Class::Untrusted,
            Self::NotAPickle | Self::ProtocolUnknown => Class::Unsupported,
            Self::ArgumentsForm
            | Self::CallsNoCallable
            | Self::FrameNested
            | Self::FrameStraddled
            | Self::LengthNegative
            | Self::MarkMissing
            | Self::MemoIndex
            | Self::MemoMissing
            | Self::MemoTooLarge
            | Self::NumberForm
            | Self::NumberTooLong
            | Self::OddItems
            | Self::ProtocolLate
            | Self::StackLeftover
            | Self::StackTooLarge
            | Self::StackUnderflow
            | Self::StringForm
            | Self::TextNotUtf8
            | Self::TooDeep
            | Self::TooManyImports
            | Self::TrailingBytes
            | Self::Truncated
            | Self::UnknownOpcode
            | Self::WrongTarget => Class::Altered,
        }
    }

    /// Returns its stable short name.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.texts().0
    }

    /// Says what is wrong with an import, after its name.
    pub(super) const fn of_import(self) -> &'static str {
        match self {
            Self::ImportName => "which is not made of ASCII identifiers",
            _ => "which is not on the list",
        }
    }

    /// Every reason, for documents to be complete.
    pub const ALL: [Self; 35] = [
        Self::ArgumentsForm,
        Self::CallsAResult,
        Self::CallsNoCallable,
        Self::ChangesAGlobal,
        Self::DynamicImport,
        Self::ExtensionRegistry,
        Self::FrameNested,
        Self::FrameStraddled,
        Self::ImportNotAllowed,
        Self::ImportName,
        Self::LengthNegative,
        Self::MarkMissing,
        Self::MemoIndex,
        Self::MemoMissing,
        Self::MemoShared,
        Self::MemoTooLarge,
        Self::NotAPickle,
        Self::NumberForm,
        Self::NumberTooLong,
        Self::OddItems,
        Self::OutOfBandBuffer,
        Self::PersistentId,
        Self::ProtocolLate,
        Self::ProtocolUnknown,
        Self::StackLeftover,
        Self::StackTooLarge,
        Self::StackUnderflow,
        Self::StringForm,
        Self::TextNotUtf8,
        Self::TooDeep,
        Self::TooManyImports,
        Self::TrailingBytes,
        Self::Truncated,
        Self::UnknownOpcode,
        Self::WrongTarget,
    ];

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::ArgumentsForm => ("arguments-form", "calls with arguments that are no tuple"),
            Self::CallsAResult => {
                ("calls-a-result", "calls what a call gave, which may be anything")
            }
            Self::CallsNoCallable => ("calls-no-callable", "calls what cannot be called"),
            Self::ChangesAGlobal => ("changes-a-global", "changes what it imported"),
            Self::DynamicImport => {
                ("dynamic-import", "imports a name that it makes while it is loaded")
            }
            Self::ExtensionRegistry => {
                ("extension-registry", "imports by a number that only the loader's registry knows")
            }
            Self::FrameNested => ("frame-nested", "has a frame in a frame"),
            Self::FrameStraddled => {
                ("frame-straddled", "has an opcode across the end of its frame")
            }
            Self::ImportNotAllowed => ("import-not-allowed", "imports what is not on the list"),
            Self::ImportName => ("import-name", "imports what is not made of ASCII identifiers"),
            Self::LengthNegative => ("length-negative", "has a length below zero"),
            Self::MarkMissing => ("mark-missing", "takes a mark that is not there"),
            Self::MemoIndex => {
                ("memo-index", "has an index in the memo that no pickler writes there")
            }
            Self::MemoMissing => ("memo-missing", "takes from the memo what is not there"),
            Self::MemoShared => {
                ("memo-shared", "means something else to an Unpickler that read the pickles before")
            }
            Self::MemoTooLarge => ("memo-too-large", "puts too much into the memo"),
            Self::NotAPickle => ("not-a-pickle", "does not begin as a pickle does"),
            Self::NumberForm => ("number-form", "has a number in a form that no pickler writes"),
            Self::NumberTooLong => ("number-too-long", "has a number of too many digits"),
            Self::OddItems => ("odd-items", "has a key without a value"),
            Self::OutOfBandBuffer => {
                ("out-of-band-buffer", "takes a buffer that is not in the file")
            }
            Self::PersistentId => {
                ("persistent-id", "has a persistent id, which the loader looks up")
            }
            Self::ProtocolLate => ("protocol-late", "states its protocol after its beginning"),
            Self::ProtocolUnknown => ("protocol-unknown", "has a protocol after 5"),
            Self::StackLeftover => ("stack-leftover", "leaves values that nothing takes"),
            Self::StackTooLarge => ("stack-too-large", "puts too much on the stack"),
            Self::StackUnderflow => ("stack-underflow", "takes a value that is not there"),
            Self::StringForm => ("string-form", "has a string without quotes"),
            Self::TextNotUtf8 => ("text-not-utf8", "has a text that is not UTF-8"),
            Self::TooDeep => ("too-deep", "has values too deep in one another"),
            Self::TooManyImports => ("too-many-imports", "imports too many different names"),
            Self::TrailingBytes => ("trailing-bytes", "goes on after its end"),
            Self::Truncated => ("truncated", "is cut short"),
            Self::UnknownOpcode => ("unknown-opcode", "has a byte that is no opcode"),
            Self::WrongTarget => ("wrong-target", "adds to a value that takes nothing"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.texts().1)
    }
}
