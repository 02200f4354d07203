//! The lists that brine has.

/// Values of Python's own library, with the names that Python 2 and protocols 0 to 2 have for them.
///
/// The plain types are here because they are what `defaultdict` is made with, and how protocols 0 to 2
/// write empty bytes.
pub(super) const STD: &[(&str, &[&str])] = &[
    (
        "__builtin__",
        &[
            "bool",
            "bytearray",
            "bytes",
            "complex",
            "dict",
            "float",
            "frozenset",
            "int",
            "list",
            "long",
            "object",
            "set",
            "slice",
            "str",
            "tuple",
            "unicode",
            "xrange",
        ],
    ),
    ("_codecs", &["encode"]),
    (
        "builtins",
        &[
            "bool",
            "bytearray",
            "bytes",
            "complex",
            "dict",
            "float",
            "frozenset",
            "int",
            "list",
            "object",
            "range",
            "set",
            "slice",
            "str",
            "tuple",
        ],
    ),
    ("collections", &["Counter", "OrderedDict", "defaultdict", "deque"]),
    ("copy_reg", &["_reconstructor"]),
    ("copyreg", &["_reconstructor"]),
    ("datetime", &["date", "datetime", "time", "timedelta", "timezone"]),
    ("decimal", &["Decimal"]),
    ("fractions", &["Fraction"]),
    ("pathlib", &["PurePosixPath"]),
    // Where CPython 3.13 has it.
    ("pathlib._local", &["PurePosixPath"]),
    ("uuid", &["UUID"]),
];

/// NumPy moved `core` to `_core` in version 2.
pub(super) const NUMPY: &[(&str, &[&str])] = &[
    ("numpy", &["dtype", "ndarray"]),
    ("numpy._core.multiarray", &["_reconstruct", "scalar"]),
    ("numpy._core.numeric", &["_frombuffer"]),
    ("numpy.core.multiarray", &["_reconstruct", "scalar"]),
    ("numpy.core.numeric", &["_frombuffer"]),
];
