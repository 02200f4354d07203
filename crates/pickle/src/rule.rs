//! The rules that a pickle can break.

use std::fmt;

use super::import::PickleImport;

/// A rule that a pickle breaks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PickleRefusal {
    /// The rule.
    pub rule: PickleRule,
    /// How many bytes come before the opcode that breaks it.
    pub offset: usize,
}

impl fmt::Display for PickleRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, at byte {}", self.rule, self.offset)
    }
}

/// The sort of fault that breaking a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PickleFault {
    /// The pickle does something that is not allowed.
    Forbidden,
    /// The pickle is broken, or written as no pickler writes it, so that loaders could disagree about it.
    Malformed,
    /// The file is not a pickle, or is one of an unknown protocol.
    Unsupported,
}

/// Declares each rule once: its variant, its fault, its stable name, and its text for people.
macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident: $fault:ident, $name:literal, $text:literal;)*) => {
        /// A rule that a pickle can break.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum PickleRule { $($(#[$doc])* $rule),* }

        impl PickleRule {
            /// All rules, by name.
            pub const ALL: &[Self] = &[$(Self::$rule),*];

            /// Returns the sort of fault that breaking it is.
            #[must_use]
            pub const fn fault(self) -> PickleFault {
                match self { $(Self::$rule => PickleFault::$fault),* }
            }

            /// Returns the short name that stands in JSON. It does not change from version to version.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$rule => $name),* }
            }

            const fn text(self) -> &'static str {
                match self { $(Self::$rule => $text),* }
            }
        }
    };
}

rules! {
    /// Items, members or state for an object that has its state, which picklers write last.
    AfterBuild: Forbidden, "after-build", "changes an object that already has its state";
    /// A call whose arguments are not a tuple, or whose argument names are not a dict.
    ArgumentsForm: Malformed, "arguments-form", "calls with arguments that are not a tuple";
    /// `getattr` as a value, and not to import an attribute.
    AttributeTakerKept: Forbidden, "getattr-kept",
        "keeps getattr, which may only be called to import an attribute";
    /// A call of a name that brine knows, with arguments that its rule does not allow.
    CallNotAllowed: Forbidden, "call-not-allowed",
        "calls a listed name with arguments that its rule does not allow";
    /// A call of something that a call or `persistent_load` returned.
    CallsAResult: Forbidden, "calls-a-result", "calls the result of a call, which can be anything";
    /// A call of something that is neither imported nor a result.
    CallsNoCallable: Malformed, "calls-no-callable", "calls a value that cannot be called";
    /// State, items or members for something that was imported, or that a function gave back and may have been.
    ChangesAGlobal: Forbidden, "changes-a-global", "changes something that it imported, or may have";
    /// A container in a container, deeper than [`MAX_CONTAINER_LEVELS`](crate::MAX_CONTAINER_LEVELS).
    ContainersNested: Malformed, "containers-nested", "nests archives too deep";
    /// An import by a module or name that is not in the file as it is.
    DynamicImport: Forbidden, "dynamic-import", "imports a name that it computes while it is loaded";
    /// An import by number, from the registry of extensions.
    ExtensionRegistry: Forbidden, "extension-registry",
        "imports by a number that only the loader's registry knows";
    /// A frame inside a frame.
    FrameNested: Malformed, "frame-nested", "has a frame inside a frame";
    /// An opcode across the end of its frame, or a frame that continues after the pickle.
    FrameStraddled: Malformed, "frame-straddled", "has an opcode across the end of its frame";
    /// A module or name that does not consist of ASCII identifiers.
    ImportName: Forbidden, "import-name", "imports a name that is not made of ASCII identifiers";
    /// An import that is not on the list.
    ImportNotAllowed: Forbidden, "import-not-allowed", "imports a name that is not on the list";
    /// Compressed data that is broken, or has another length or checksum than it should.
    InflateForm: Malformed, "inflate-form", "has data that is broken, or not what its checksum says";
    /// More comes out of what is compressed than [`ScanOptions::max_inflated`](crate::ScanOptions::max_inflated).
    InflatedTooLarge: Unsupported, "inflated-too-large", "inflates to more than the limit";
    /// Items or members for a result that takes none by its rule.
    ItemsNotAllowed: Forbidden, "items-not-allowed",
        "adds items to an object that takes none by its rule";
    /// A length below zero.
    LengthNegative: Malformed, "length-negative", "has a length below zero";
    /// An opcode needs a mark, and there is none.
    MarkMissing: Malformed, "mark-missing", "needs a mark, and there is none";
    /// A memo index that is larger than the number of bytes before it.
    MemoIndex: Malformed, "memo-index", "has a memo index that no pickler writes there";
    /// The memo has nothing at the index that is read.
    MemoMissing: Malformed, "memo-missing", "reads a memo entry that does not exist";
    /// A pickle that means something else with the memo of those before it.
    MemoShared: Forbidden, "memo-shared",
        "means something else to an Unpickler that has read the pickles before it";
    /// More than [`MAX_MEMO`](crate::MAX_MEMO) values in the memo.
    MemoTooLarge: Malformed, "memo-too-large", "puts too much into the memo";
    /// The file does not begin as a pickle does.
    NotAPickle: Unsupported, "not-a-pickle", "does not begin as a pickle does";
    /// The header of an array in a form that NumPy does not write.
    NpyForm: Malformed, "npy-form", "has the header of an array in a form that NumPy does not write";
    /// A number in a form that no pickler writes.
    NumberForm: Malformed, "number-form", "has a number in a form that no pickler writes";
    /// A number of more than [`MAX_DIGITS`](crate::MAX_DIGITS) digits.
    NumberTooLong: Malformed, "number-too-long", "has a number with too many digits";
    /// A key without a value.
    OddItems: Malformed, "odd-items", "has a key without a value";
    /// A buffer that is not in the file.
    OutOfBandBuffer: Forbidden, "out-of-band-buffer", "takes a buffer that is not in the file";
    /// A persistent id, which the loader gives to code of its own.
    PersistentId: Forbidden, "persistent-id", "has a persistent id, which the loader looks up";
    /// `PROTO` anywhere but first.
    ProtocolLate: Malformed, "protocol-late", "states its protocol after its beginning";
    /// A protocol after 5.
    ProtocolUnknown: Unsupported, "protocol-unknown", "has a protocol after 5";
    /// The bytes of an array in the pickle, in a form that joblib does not write.
    RawArrayForm: Malformed, "raw-array-form",
        "has the bytes of an array in a form that joblib does not write";
    /// An array of joblib whose last bytes are opcodes to joblib before 1.2.
    RawArrayReadings: Malformed, "raw-array-readings",
        "has an array that means something else to joblib before 1.2";
    /// A state by which an object would get a method that the loader calls.
    SetsAMethod: Forbidden, "sets-a-method", "gives an object a method that the loader calls";
    /// Values or marks are left at the end, besides the value that is loaded.
    StackLeftover: Malformed, "stack-leftover", "leaves values on the stack";
    /// More than [`MAX_STACK`](crate::MAX_STACK) values or marks on the stack, or as many tuples, containers and
    /// results in the file.
    StackTooLarge: Malformed, "stack-too-large", "puts too much on the stack";
    /// An opcode needs a value, and there is none, or it lies below a mark.
    StackUnderflow: Malformed, "stack-underflow", "needs a value, and there is none";
    /// A state that the rule of an object's class does not allow.
    StateNotAllowed: Forbidden, "state-not-allowed",
        "gives an object a state that its rule does not allow";
    /// A string of protocol 0 without quotes.
    StringForm: Malformed, "string-form", "has a string without quotes";
    /// A text that is not UTF-8.
    TextNotUtf8: Malformed, "text-not-utf8", "has a text that is not UTF-8";
    /// Values that nest deeper than [`MAX_NESTING`](crate::MAX_NESTING).
    TooDeep: Malformed, "too-deep", "nests values too deep";
    /// More than [`MAX_IMPORTS`](crate::MAX_IMPORTS) different imports.
    TooManyImports: Malformed, "too-many-imports", "imports too many different names";
    /// An archive of more than [`MAX_MEMBERS`](crate::MAX_MEMBERS) members.
    TooManyMembers: Malformed, "too-many-members", "has too many members";
    /// Bytes after the pickle.
    TrailingBytes: Malformed, "trailing-bytes", "goes on after its end";
    /// The file ends before the pickle does.
    Truncated: Malformed, "truncated", "is cut short";
    /// A file that some loaders take for an archive, and others for a pickle.
    TwoReadings: Malformed, "two-readings", "is an archive to some loaders, and a pickle to others";
    /// A byte that is not an opcode.
    UnknownOpcode: Malformed, "unknown-opcode", "has a byte that is not an opcode";
    /// Items, members or state for a value that takes none.
    WrongTarget: Malformed, "wrong-target", "adds items or state to a value that takes none";
    /// The directory of a ZIP archive is missing, or does not describe all of the file.
    ZipDirectory: Malformed, "zip-directory", "is an archive whose directory does not describe all of it";
    /// Two members of a ZIP archive with one name.
    ZipDuplicate: Malformed, "zip-duplicate", "has two members with one name";
    /// A member of a ZIP archive that is encrypted.
    ZipEncrypted: Unsupported, "zip-encrypted", "has an encrypted member";
    /// A member of a ZIP archive that the directory describes in another way than the header before it.
    ZipHeaders: Malformed, "zip-headers", "describes a member in two ways";
    /// A member of a ZIP archive that is neither stored nor deflated.
    ZipMethod: Unsupported, "zip-method", "has a member that is neither stored nor deflated";
}

impl PickleRule {
    /// Says how an import breaks the rule.
    pub(super) fn of_import(self, import: &PickleImport) -> String {
        match self {
            Self::AttributeTakerKept => {
                format!("keeps {import}, which may only be called to import an attribute")
            }
            Self::CallNotAllowed => {
                format!("calls {import} with arguments that its rule does not allow")
            }
            Self::ImportName => format!("imports {import}, which is not made of ASCII identifiers"),
            Self::ItemsNotAllowed => {
                format!("adds items to a result of {import}, which takes none by its rule")
            }
            Self::StateNotAllowed => {
                format!("gives a result of {import} a state that its rule does not allow")
            }
            _ => format!("imports {import}, which is not on the list"),
        }
    }
}

impl fmt::Display for PickleRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}
