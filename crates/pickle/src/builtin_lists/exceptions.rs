//! The exceptions of Python.

use crate::entry::Entry;
use crate::shape::Shape;

macro_rules! exceptions {
    ($($name:literal)*) => {
        /// The exceptions of the list `std`, with the module that Python 2 has for them.
        pub(crate) const EXCEPTIONS: &[Entry] = &[$(
            Entry::named(
                &[("builtins", $name), ("exceptions", $name)],
                "It keeps literal arguments. Some look into theirs, and would iterate over an object or read its \
                 buffer. Of attributes it takes names that are literal texts: others are a traceback, an object, and \
                 other exceptions.",
            )
            .called(&[LITERALS])
            .state(NAMES)
            .native(),
        )*];
    };
}

/// Any number of literals.
const LITERALS: Shape = Shape::TupleOf(&Shape::OneOf(&[
    Shape::Text,
    Shape::Integer,
    Shape::Float,
    Shape::None,
    Shape::Bytes,
    Shape::Boolean,
]));

/// What AttributeError, NameError and ImportError keep besides their arguments, without the object.
const NAMES: Shape = Shape::DictOf(&[
    ("name", TEXT_OR_NONE),
    ("obj", Shape::None),
    ("path", TEXT_OR_NONE),
    ("args", LITERALS),
]);

const TEXT_OR_NONE: Shape = Shape::OneOf(&[Shape::Text, Shape::None]);

// Left out are SyntaxError, which takes its second argument apart, those that group others, and those about
// encodings, which index the bytes that they keep.
exceptions! {
    "ArithmeticError" "AssertionError" "AttributeError" "BaseException" "BlockingIOError" "BrokenPipeError"
    "BufferError" "BytesWarning" "ChildProcessError" "ConnectionAbortedError" "ConnectionError"
    "ConnectionRefusedError" "ConnectionResetError" "DeprecationWarning" "EOFError" "EncodingWarning" "Exception"
    "FileExistsError" "FileNotFoundError" "FloatingPointError" "FutureWarning" "GeneratorExit" "ImportError"
    "ImportWarning" "IndexError" "InterruptedError" "IsADirectoryError" "KeyError" "KeyboardInterrupt"
    "LookupError" "MemoryError" "ModuleNotFoundError" "NameError" "NotADirectoryError" "NotImplementedError"
    "OSError" "OverflowError" "PendingDeprecationWarning" "PermissionError" "ProcessLookupError"
    "RecursionError" "ReferenceError" "ResourceWarning" "RuntimeError" "RuntimeWarning" "StopAsyncIteration"
    "StopIteration" "SyntaxWarning" "SystemError" "SystemExit" "TimeoutError" "TypeError" "UnboundLocalError"
    "UnicodeWarning" "UserWarning" "ValueError" "Warning" "ZeroDivisionError"
}
