//! The lists that brine comes with.

/// Values of Python's standard library, with the names that Python 2 and protocols 0 to 2 use for them.
///
/// The plain types are here because a `defaultdict` is made with them, and because protocols 0 to 2 write empty
/// bytes as a call of `bytes`.
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
    // The module of CPython 3.13.
    ("pathlib._local", &["PurePosixPath"]),
    ("uuid", &["UUID"]),
];

/// Arrays, scalars and types of NumPy, which renamed `core` to `_core` in version 2.
pub(super) const NUMPY: &[(&str, &[&str])] = &[
    ("numpy", &["dtype", "ndarray"]),
    ("numpy._core.multiarray", &["_reconstruct", "scalar"]),
    ("numpy._core.numeric", &["_frombuffer"]),
    ("numpy.core.multiarray", &["_reconstruct", "scalar"]),
    ("numpy.core.numeric", &["_frombuffer"]),
];
