//! The types of NumPy's scalars, which models keep as settings.

use crate::entry::Entry;

macro_rules! scalar_types {
    ($($name:literal)*) => {
        /// More of the list `numpy`: names that are not called.
        pub(crate) const SCALAR_TYPES: &[Entry] = &[$(
            Entry::named(
                &[("numpy", $name)],
                "Models keep it as a setting. A call would ask any object for its value.",
            )
            .native(),
        )*];
    };
}

scalar_types! {
    "bool" "bool_" "bytes_" "complex128" "complex64" "datetime64" "float16" "float32" "float64" "int16" "int32"
    "int64" "int8" "longlong" "object_" "str_" "timedelta64" "uint16" "uint32" "uint64" "uint8" "ulonglong"
}
