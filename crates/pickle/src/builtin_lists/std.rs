//! Values of Python's standard library, with the names that Python 2 and protocols 0 to 2 use for them.

use crate::entry::{Entry, ItemRule, Kind};
use crate::facts::Facts;
use crate::literal::Literal;
use crate::machine::Value;
use crate::objects::{Body, Object};
use crate::scene::Scene;
use crate::shape::Shape;

const NOTHING: Shape = Shape::Tuple(&[]);

/// A list or a tuple, which holds its items and gives them one by one.
const ITEMS_THEMSELVES: Shape = Shape::OneOf(&[Shape::List, Shape::Passes(is_tuple)]);

/// What is copied from a list or tuple: sets, a `deque`, and in Python 2 an `OrderedDict`.
const ITEMS: Shape = Shape::Tuple(&[ITEMS_THEMSELVES]);

/// A date's time zone. The classes of `datetime` check that it is one, and call none of its methods.
const ZONE: Shape = Shape::OneOf(&[Shape::Made(Kind::Timezone), Shape::Result, Shape::None]);

/// The list `std`.
pub(crate) const STD: &[Entry] = &[
    Entry::named(
        &[("builtins", "bool"), ("__builtin__", "bool")],
        "A defaultdict names it. A call would ask any object for its truth or length.",
    )
    .native(),
    Entry::named(
        &[("builtins", "bytearray"), ("__builtin__", "bytearray")],
        "It copies bytes, or encodes a text in Latin-1. A number would allocate that much, and an object with \
         a buffer would be read.",
    )
    .called(&[
        NOTHING,
        Shape::Tuple(&[Shape::Bytes]),
        Shape::Tuple(&[Shape::Text, Shape::Word(&["latin-1", "latin1"])]),
    ])
    .native(),
    Entry::named(
        &[("builtins", "bytes"), ("__builtin__", "bytes")],
        "Protocols 0 to 2 write empty bytes as a call without arguments. With an argument it would allocate, or \
         call the object's methods.",
    )
    .called(&[NOTHING])
    .makes(Kind::Bytes)
    .native(),
    Entry::named(
        &[("builtins", "complex"), ("__builtin__", "complex")],
        "It keeps two floats. Another object would be asked for its value.",
    )
    .called(&[Shape::Tuple(&[Shape::Float, Shape::Float])])
    .makes(Kind::Complex)
    .native(),
    Entry::named(
        &[("builtins", "dict"), ("__builtin__", "dict")],
        "A defaultdict or a subclass names it. A call would iterate over any object.",
    )
    .native(),
    Entry::named(
        &[("builtins", "float"), ("__builtin__", "float")],
        "A defaultdict or a subclass names it. A call would ask any object for its value.",
    )
    .native(),
    Entry::named(
        &[("builtins", "frozenset"), ("__builtin__", "frozenset")],
        "It copies a list, and compares its items as a set literal would.",
    )
    .called(&[NOTHING, ITEMS])
    .makes(Kind::Container)
    .native(),
    Entry::named(
        &[("builtins", "int"), ("__builtin__", "int"), ("__builtin__", "long")],
        "A defaultdict or a subclass names it. A call would ask any object for its value, which turns an \
         array into an address.",
    )
    .native(),
    Entry::named(
        &[("builtins", "list"), ("__builtin__", "list")],
        "A defaultdict or a subclass names it. A call would iterate over any object.",
    )
    .native(),
    Entry::named(
        &[("builtins", "object"), ("__builtin__", "object")],
        "It makes an object without attributes, which takes no state.",
    )
    .called(&[NOTHING])
    .native(),
    Entry::named(
        &[("builtins", "range"), ("__builtin__", "xrange")],
        "It keeps three literal integers, and divides by one of them.",
    )
    .called(&[Shape::Tuple(&[Shape::ShortInteger, Shape::ShortInteger, Shape::ShortInteger])])
    .native(),
    Entry::named(
        &[("builtins", "set"), ("__builtin__", "set")],
        "It copies a list, and compares its items as a set literal would.",
    )
    .called(&[NOTHING, ITEMS])
    .items(ItemRule::Members)
    .makes(Kind::Container)
    .native(),
    Entry::named(
        &[("builtins", "slice"), ("__builtin__", "slice")],
        "It keeps three values and calls none. No value that a rule allows takes it as an index.",
    )
    .called(&[Shape::Tuple(&[Shape::Any, Shape::Any, Shape::Any])])
    .native(),
    Entry::named(
        &[("builtins", "str"), ("__builtin__", "str"), ("__builtin__", "unicode")],
        "A defaultdict or a subclass names it. A call would ask any object for its text.",
    )
    .native(),
    Entry::named(
        &[("builtins", "tuple"), ("__builtin__", "tuple")],
        "A defaultdict or a subclass names it. A call would iterate over any object.",
    )
    .native(),
    Entry::named(
        &[("_codecs", "encode")],
        "Protocols 0 to 2 write bytes as a literal text in Latin-1. Another encoding would import a module and \
         run what is registered for it.",
    )
    .judged(encode)
    .makes(Kind::Bytes)
    .native(),
    Entry::named(
        &[("collections", "Counter")],
        "It copies a dict. It takes no attributes: NumPy reads memory through some, and the loader calls others.",
    )
    .called(&[NOTHING, Shape::Tuple(&[Shape::Dict])])
    .makes(Kind::Container),
    Entry::named(
        &[("collections", "OrderedDict")],
        "It copies a list of pairs, as Python 2 writes it, or takes pairs. Of attributes it takes the one that \
         torch adds; another could hide a method.",
    )
    .called(&[NOTHING, ITEMS])
    .items(ItemRule::Pairs)
    .state(Shape::DictOf(&[("_metadata", Shape::Any)]))
    .makes(Kind::Container)
    .native(),
    Entry::named(
        &[("collections", "defaultdict")],
        "It keeps a listed name, which whoever asks for a missing key calls without arguments. The result of a \
         call could be anything.",
    )
    .called(&[NOTHING, Shape::Tuple(&[Shape::OneOf(&[Shape::None, Shape::Global])])])
    .items(ItemRule::Pairs)
    .makes(Kind::Container)
    .native(),
    Entry::named(
        &[("collections", "deque")],
        "It copies a list, or takes items, and keeps a literal length.",
    )
    .called(&[
        NOTHING,
        ITEMS,
        Shape::Tuple(&[ITEMS_THEMSELVES, Shape::OneOf(&[Shape::None, Shape::Integer])]),
    ])
    .items(ItemRule::List)
    .makes(Kind::Container)
    .native(),
    Entry::named(
        &[("copyreg", "_reconstructor"), ("copy_reg", "_reconstructor")],
        "It makes an instance of a class that has no rule of its own or one of the few that are made so, from \
         object or from a plain type and a literal of that type.",
    )
    .instantiates(reconstructed)
    .drops_arguments(),
    Entry::named(
        &[("datetime", "date")],
        "It keeps four bytes that are a date. Of others it makes dates that read outside of tables.",
    )
    .called(&[Shape::Tuple(&[Shape::Passes(is_date)])])
    .native(),
    Entry::named(
        &[("datetime", "datetime")],
        "It keeps ten bytes that are a date and a time, and a time zone, which it checks to be one.",
    )
    .called(&[
        Shape::Tuple(&[Shape::Passes(is_moment)]),
        Shape::Tuple(&[Shape::Passes(is_moment), ZONE]),
    ])
    .native(),
    Entry::named(
        &[("datetime", "time")],
        "It keeps six bytes that are a time, and a time zone, which it checks to be one.",
    )
    .called(&[
        Shape::Tuple(&[Shape::Passes(is_time)]),
        Shape::Tuple(&[Shape::Passes(is_time), ZONE]),
    ])
    .native(),
    Entry::named(
        &[("datetime", "timedelta")],
        "It keeps three literal integers, and checks that they are in range.",
    )
    .called(&[Shape::Tuple(&[Shape::Integer, Shape::Integer, Shape::Integer])])
    .makes(Kind::Timedelta)
    .native(),
    Entry::named(
        &[("datetime", "timezone")],
        "It keeps a timedelta, and a literal name.",
    )
    .called(&[
        Shape::Tuple(&[Shape::Made(Kind::Timedelta)]),
        Shape::Tuple(&[Shape::Made(Kind::Timedelta), Shape::Text]),
    ])
    .makes(Kind::Timezone)
    .native(),
    Entry::named(
        &[("decimal", "Decimal")],
        "It reads a literal text in time that is in proportion to it. A tuple or a float would be taken apart.",
    )
    .called(&[Shape::Tuple(&[Shape::Text])])
    .native(),
    Entry::named(
        &[("fractions", "Fraction")],
        "It reads two literal integers, or a literal text of digits and one stroke. An exponent would allocate a \
         number of that length.",
    )
    .called(&[
        Shape::Tuple(&[Shape::Passes(is_fraction)]),
        Shape::Tuple(&[Shape::ShortInteger, Shape::ShortInteger]),
    ]),
    Entry::named(
        // The second is the module of CPython 3.13.
        &[("pathlib", "PurePosixPath"), ("pathlib._local", "PurePosixPath")],
        "It joins literal texts, and looks at no file.",
    )
    .called(&[Shape::TupleOf(&Shape::Text)]),
    Entry::named(
        &[("uuid", "UUID")],
        "It is made without arguments, and keeps literal integers.",
    )
    .called(&[NOTHING])
    .state(Shape::DictOf(&[
        ("int", Shape::Integer),
        ("is_safe", Shape::OneOf(&[Shape::None, Shape::IntegerIn(-1, 0)])),
    ]))
    .makes(Kind::Instance),
];

/// A literal text and Latin-1: what it gives are bytes.
fn encode(scene: &Scene<'_, '_>, arguments: Value) -> Option<Facts> {
    let [text, encoding] = scene.tuple_of(arguments)?;
    let latin1 = Shape::Word(&["latin1", "latin-1"]).admits(scene, encoding);
    match (scene.literal(text)?, text) {
        (Literal::Text(_), Value::Literal(offset)) if latin1 => Some(Facts::Bytes(offset)),
        _ => None,
    }
}

/// A class, the type that it extends, and a literal of that type.
fn reconstructed(scene: &Scene<'_, '_>, arguments: Value) -> Option<Value> {
    let [class, base, state] = scene.tuple_of(arguments)?;
    // What has a rule of its own is made by its rule, save what has no other.
    let may_be = match scene.named(class) {
        Some(entry) => entry.is_one_of(&[("builtins", "object"), ("uuid", "UUID")]),
        None => matches!(class, Value::Global { .. }),
    };
    let base = scene.named(base)?;
    let fits = BASES.iter().find(|(name, _)| base.is_one_of(&[("builtins", name)]));
    let fits = fits.is_some_and(|(_, form)| form.admits(scene, state));
    (may_be && fits).then_some(class)
}

/// The types that classes extend, and what an object of each is made of.
const BASES: &[(&str, Shape)] = &[
    ("bytearray", Shape::Bytes),
    ("bytes", Shape::Bytes),
    ("complex", Shape::Made(Kind::Complex)),
    ("dict", Shape::Dict),
    ("float", Shape::Float),
    ("frozenset", Shape::List),
    ("int", Shape::Integer),
    ("list", Shape::List),
    ("object", Shape::None),
    ("set", Shape::List),
    ("str", Shape::Text),
    ("tuple", Shape::Passes(is_tuple)),
];

fn is_tuple(scene: &Scene<'_, '_>, value: Value) -> bool {
    let is_tuple = |object: &Object| matches!(object.body, Body::Tuple(_));
    value == Value::EmptyTuple || scene.objects.of(value).is_some_and(is_tuple)
}

fn is_date(scene: &Scene<'_, '_>, value: Value) -> bool {
    scene.short_bytes(value).is_some_and(|bytes| match *bytes {
        [high, low, month, day] => is_day(u16::from_be_bytes([high, low]), month, day),
        _ => false,
    })
}

fn is_moment(scene: &Scene<'_, '_>, value: Value) -> bool {
    scene.short_bytes(value).is_some_and(|bytes| match *bytes {
        [high, low, month, day, hour, minute, second, micro, _, _] => {
            // From protocol 4 on, the highest bit of the month says which of two equal times is meant.
            is_day(u16::from_be_bytes([high, low]), month & 0x7f, day)
                && is_clock(hour, minute, second, micro)
        }
        _ => false,
    })
}

fn is_time(scene: &Scene<'_, '_>, value: Value) -> bool {
    scene.short_bytes(value).is_some_and(|bytes| match *bytes {
        // Here it is that of the hour.
        [hour, minute, second, micro, _, _] => is_clock(hour & 0x7f, minute, second, micro),
        _ => false,
    })
}

const fn is_day(year: u16, month: u8, day: u8) -> bool {
    matches!(year, 1..=9999) && matches!(month, 1..=12) && matches!(day, 1..=31)
}

/// The microseconds are three bytes, the highest first; 999,999 begins with 15.
const fn is_clock(hour: u8, minute: u8, second: u8, micro: u8) -> bool {
    hour < 24 && minute < 60 && second < 60 && micro <= 15
}

fn is_fraction(scene: &Scene<'_, '_>, value: Value) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    scene.name(value).is_some_and(|name| {
        let text = name.text.strip_prefix('-').unwrap_or(name.text);
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        digits(above) && digits(below)
    })
}
