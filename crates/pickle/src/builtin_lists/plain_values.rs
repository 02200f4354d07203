//! More values of Python's standard library: paths, addresses, arrays, time zones.

use crate::entry::{Entry, Kind};
use crate::machine::Value;
use crate::scene::{NameSort, Scene};
use crate::shape::Shape;

/// More of the list `std`.
pub(crate) const PLAIN_VALUES: &[Entry] = &[
    Entry::named(
        &[("array", "_array_reconstructor")],
        "It copies literal bytes into an array of machine numbers. It checks the letter, the format and the \
         length. Of another class it would make an instance.",
    )
    .called(&[Shape::Tuple(&[
        Shape::Named(&[("array", "array")]),
        Shape::Word(ARRAY_LETTERS),
        Shape::IntegerIn(0, LAST_MACHINE_FORMAT),
        Shape::Bytes,
    ])])
    .drops_arguments()
    .native(),
    Entry::named(
        &[("array", "array")],
        "_array_reconstructor names it. A call, as protocols 0 to 2 write it, would ask any object in a list for \
         its value.",
    )
    .native(),
    Entry::named(
        &[("builtins", "Ellipsis"), ("__builtin__", "Ellipsis")],
        "It is a value without attributes, and no class.",
    )
    .native(),
    Entry::named(
        &[("builtins", "NotImplemented"), ("__builtin__", "NotImplemented")],
        "It is a value without attributes, and no class.",
    )
    .native(),
    Entry::named(
        &[("builtins", "getattr"), ("__builtin__", "getattr")],
        "It takes an attribute of a listed name by a literal name. That is an import of the attribute, which must \
         be on the list itself, as Enum and ZoneInfo are pickled. Of another object it would give anything.",
    )
    .takes_attributes()
    .native(),
    Entry::named(
        &[("ipaddress", "IPv4Address")],
        "It keeps a literal integer, which it checks to have 32 bits.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortInteger])]),
    Entry::named(
        &[("ipaddress", "IPv6Address")],
        "It keeps a literal integer of 128 bits, or reads a short literal text.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortInteger]), Shape::Tuple(&[Shape::ShortText])]),
    Entry::named(
        &[("ipaddress", "IPv4Network")],
        "It reads a short literal text, in which it looks for numbers.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortText])]),
    Entry::named(
        &[("ipaddress", "IPv6Network")],
        "It reads a short literal text, in which it looks for numbers.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortText])]),
    Entry::named(
        &[("ipaddress", "IPv4Interface")],
        "It reads a short literal text, in which it looks for numbers.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortText])]),
    Entry::named(
        &[("ipaddress", "IPv6Interface")],
        "It reads a short literal text, in which it looks for numbers.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortText])]),
    Entry::named(
        &[("pathlib", "PosixPath"), ("pathlib._local", "PosixPath")],
        "It joins literal texts. It looks at files only when a method is called, and the loader calls none.",
    )
    .called(&[Shape::TupleOf(&Shape::Text)]),
    Entry::named(
        &[("pathlib", "PureWindowsPath"), ("pathlib._local", "PureWindowsPath")],
        "It joins literal texts, and looks at no file.",
    )
    .called(&[Shape::TupleOf(&Shape::Text)]),
    Entry::named(
        &[("pathlib", "WindowsPath"), ("pathlib._local", "WindowsPath")],
        "It joins literal texts. It looks at files only when a method is called, and the loader calls none. \
         Elsewhere than on Windows it refuses to be made.",
    )
    .called(&[Shape::TupleOf(&Shape::Text)]),
    Entry::named(
        &[("zoneinfo", "ZoneInfo")],
        "getattr takes its _unpickle. A call would do the same with other arguments.",
    ),
    Entry::named(
        &[("zoneinfo", "ZoneInfo._unpickle")],
        "It reads the time zone of a literal name, of letters and digits with strokes between, from the system's \
         files or from the package tzdata. A dot in the name could make other modules of that package.",
    )
    .called(&[Shape::Tuple(&[Shape::Passes(is_zone_name), Shape::Boolean])])
    .makes(Kind::Timezone)
    .drops_arguments(),
];

/// The letters of arrays whose items are numbers or characters.
const ARRAY_LETTERS: &[&str] =
    &["b", "B", "u", "w", "h", "H", "i", "I", "l", "L", "q", "Q", "f", "d"];

/// The formats are numbered from 0, unsigned bytes, to 21, UTF-32 with the highest byte first.
const LAST_MACHINE_FORMAT: i64 = 21;

/// A name like `America/Argentina/Buenos_Aires` or `Etc/GMT+1`.
fn is_zone_name(scene: &Scene<'_, '_>, value: Value) -> bool {
    let is_part = |part: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        !part.is_empty() && part.bytes().all(is_letter)
    };
    // ZoneInfo would take bytes, as a string of Python 2 can be loaded, for a path of another sort.
    let name = scene.name(value).filter(|name| name.sort == NameSort::Text);
    let text = name.map(|name| name.text).filter(|text| text.len() <= LONGEST_ZONE_NAME);
    text.is_some_and(|text| text.split('/').all(is_part))
}

/// The longest name that IANA has is 32 bytes long.
const LONGEST_ZONE_NAME: usize = 64;
