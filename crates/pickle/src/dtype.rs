//! The types of NumPy's arrays, as NumPy pickles them.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::literal::Literal;
use super::machine::Value;
use super::scene::{Name, Scene};
use super::shape::Shape;

/// A type that was made with arguments and a state that NumPy writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    /// The letter of NumPy's `dtype.kind`.
    kind: u8,
    /// How many bytes an element has.
    pub(super) size: u32,
    /// NumPy's flags, of which those of fields must be part of those around them.
    flags: u8,
    /// Whether elements are or hold pointers to objects.
    pub(super) has_objects: bool,
    /// Whether it has something else beside the objects, or objects in several elements. NumPy then converts what
    /// it is given for these, which calls methods of any object.
    pub(super) converts: bool,
    /// Whether it stands for several elements, which only a field can have.
    pub(super) is_subarray: bool,
    /// Whether it is of `numpy.record`, whose size only the state tells.
    is_record: bool,
}

/// Judges a call: `dtype("f8", False, True)`. The last makes a copy, so that the state changes no shared type.
pub(super) fn called(scene: &Scene<'_, '_>, arguments: Value) -> Option<Facts> {
    let [word, align, copy] = scene.tuple_of(arguments)?;
    let plain = scene.number(align) == Some(0) && scene.number(copy) == Some(1);
    // Of another class, NumPy would take the attribute `dtype`, or make a type of objects.
    let record = scene.named(word).is_some_and(|entry| entry.is_one_of(&[("numpy", "record")]));
    let dtype = if record { Some(RECORD) } else { parse(&scene.word(word)?) };
    dtype.filter(|_| plain).map(Facts::Dtype)
}

/// Reads a letter and a size, as in `f8` or `U12`, where the size of `U` is in characters.
fn parse(word: &str) -> Option<Dtype> {
    let kind = *word.as_bytes().first()?;
    let digits = word.get(1..)?;
    let canonical = digits.bytes().all(|digit| digit.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    let number: u32 = digits.parse().ok().filter(|_| canonical)?;
    let (fits, flags) = match kind {
        b'b' => (number == 1, 0),
        b'i' | b'u' => (matches!(number, 1 | 2 | 4 | 8), 0),
        b'f' => (matches!(number, 2 | 4 | 8 | 12 | 16), 0),
        b'c' => (matches!(number, 8 | 16 | 24 | 32), 0),
        b'M' | b'm' => (number == 8, 0),
        b'O' => (matches!(number, 4 | 8), OBJECT_FLAGS),
        b'S' | b'V' => (true, 0),
        b'U' => (true, NEEDS_INIT),
        _ => return None,
    };
    let size = match kind {
        b'U' => number.checked_mul(BYTES_OF_A_CHARACTER)?,
        // Of either size, it is a pointer of the machine that loads it.
        b'O' => BYTES_OF_A_POINTER,
        _ => number,
    };
    let fits = fits && i32::try_from(size).is_ok();
    let has_objects = kind == b'O';
    let converts = !has_objects;
    fits.then_some(Dtype { kind, size, flags, has_objects, converts, ..RECORD })
        .map(|dtype| Dtype { is_record: false, ..dtype })
}

/// The type of a record array before its state.
const RECORD: Dtype = Dtype {
    kind: b'V',
    size: 0,
    flags: 0,
    has_objects: false,
    converts: true,
    is_subarray: false,
    is_record: true,
};

/// Judges a state. Only what NumPy writes for the type is taken, and only before anything holds the type: an array
/// would change with it.
pub(super) fn built(scene: &Scene<'_, '_>, object: Value, state: Value) -> Option<Facts> {
    let Facts::Dtype(dtype) = scene.facts(object) else { return None };
    if scene.is_held(object) {
        return None;
    }
    let state = DtypeState::read(scene, state)?;
    let endians: &[&str] = match (dtype.kind, dtype.size) {
        (b'b' | b'O' | b'S' | b'V', _) | (_, 1) => &["|"],
        _ => &["<", ">"],
    };
    let ordered = Shape::Word(endians).admits(scene, state.endian);
    let dtype = match dtype.kind {
        b'V' if dtype.is_record => {
            let size =
                u32::try_from(state.size).ok().filter(|size| i32::try_from(*size).is_ok())?;
            state.void(scene, Dtype { size, ..dtype })
        }
        b'V' => state.void(scene, dtype),
        _ => Some(dtype).filter(|dtype| state.fits(scene, *dtype)),
    };
    dtype.filter(|_| ordered).map(Facts::Dtype)
}

/// The items of a state: `(3, "|", None, None, None, -1, -1, 0)`. Version 4 has metadata behind them.
struct DtypeState {
    endian: Value,
    subarray: Value,
    names: Value,
    fields: Value,
    size: i64,
    alignment: i64,
    flags: u8,
    metadata: Option<Value>,
}

impl DtypeState {
    fn read(scene: &Scene<'_, '_>, state: Value) -> Option<Self> {
        let [version, endian, subarray, names, fields, size, alignment, flags, metadata @ ..] =
            scene.tuple(state)?
        else {
            return None;
        };
        let metadata = match (scene.number(*version)?, metadata) {
            (3, []) => None,
            (4, [metadata]) => Some(*metadata),
            _ => return None,
        };
        // NumPy 1 writes them as a signed byte.
        let flags = scene.number(*flags)?;
        let flags = u8::try_from(flags).or_else(|_| i8::try_from(flags).map(i8::cast_unsigned));
        Some(Self {
            endian: *endian,
            subarray: *subarray,
            names: *names,
            fields: *fields,
            size: scene.number(*size)?,
            alignment: scene.number(*alignment)?,
            flags: flags.ok()?,
            metadata,
        })
    }

    /// Returns whether it is that of a type without fields and subarray.
    fn fits(&self, scene: &Scene<'_, '_>, dtype: Dtype) -> bool {
        let (size, alignment) = match dtype.kind {
            b'S' | b'V' => (i64::from(dtype.size), 1),
            b'U' => (i64::from(dtype.size), i64::from(BYTES_OF_A_CHARACTER)),
            _ => (-1, -1),
        };
        let none = |value| scene.literal(value) == Some(Literal::None);
        let metadata = match (dtype.kind, self.metadata) {
            (b'M' | b'm', Some(metadata)) => DATETIME_METADATA.admits(scene, metadata),
            (b'M' | b'm', None) => false,
            (_, Some(metadata)) => METADATA.admits(scene, metadata),
            (_, None) => true,
        };
        none(self.subarray)
            && none(self.names)
            && none(self.fields)
            && (self.size, self.alignment, self.flags) == (size, alignment, dtype.flags)
            && metadata
    }

    /// Returns the type of raw bytes, of several elements, or of fields.
    fn void(&self, scene: &Scene<'_, '_>, dtype: Dtype) -> Option<Dtype> {
        let none = |value| scene.literal(value) == Some(Literal::None);
        if none(self.subarray) && none(self.names) {
            return Some(dtype).filter(|dtype| self.fits(scene, *dtype));
        }
        let sized = self.size == i64::from(dtype.size)
            && matches!(self.alignment, 1 | 2 | 4 | 8 | 16)
            && self.metadata.is_none_or(|metadata| METADATA.admits(scene, metadata));
        let fields = none(self.fields);
        match (none(self.subarray), none(self.names)) {
            _ if !sized => None,
            (false, true) if fields => self.several(scene, dtype),
            (true, false) if !fields => self.record(scene, dtype),
            _ => None,
        }
    }

    /// Returns the type of several elements of another: `(dtype, (2, 3))`.
    fn several(&self, scene: &Scene<'_, '_>, dtype: Dtype) -> Option<Dtype> {
        let [base, shape] = scene.tuple_of(self.subarray)?;
        let Facts::Dtype(base) = scene.facts(base) else { return None };
        let mut size = u64::from(base.size);
        for length in scene.tuple(shape)? {
            let length = u64::try_from(scene.number(*length).filter(|_| scene.spend())?).ok()?;
            size = size.checked_mul(length)?;
        }
        let fits = !base.is_subarray && size == u64::from(dtype.size) && self.flags == base.flags;
        let Dtype { flags, has_objects, .. } = base;
        fits.then_some(Dtype { flags, has_objects, is_subarray: true, converts: true, ..dtype })
    }

    /// Returns the type of fields.
    fn record(&self, scene: &Scene<'_, '_>, dtype: Dtype) -> Option<Dtype> {
        let names = scene
            .tuple(self.names)?
            .iter()
            .map(|name| if scene.spend() { scene.name(*name) } else { None });
        let names: Vec<_> = names.collect::<Option<_>>()?;
        let unique: BTreeSet<_> = names.iter().copied().collect();
        // NumPy looks the names up in the fields, where bytes of the same letters are another key. Loaders can
        // make texts of strings of Python 2, so of two sorts, other keys would be equal than are equal here.
        let sort = names.first().map(|name| name.sort);
        let alike = |name: &Name<'_>| Some(name.sort) == sort;
        if !names.iter().all(alike) {
            return None;
        }
        let mut fields = Vec::new();
        for (key, field) in scene.objects.pairs(self.fields)? {
            let field = Field::read(scene, field)?;
            let key = scene.name(key).filter(alike)?;
            if !field.title.as_ref().is_none_or(alike) {
                return None;
            }
            if unique.contains(&key) {
                fields.push((key, field));
            } else if field.title != Some(key) {
                return None;
            }
        }
        let titles = scene.objects.pairs(self.fields)?.filter_map(|(key, field)| {
            let key = scene.name(key)?;
            if unique.contains(&key) { None } else { Field::read(scene, field) }
        });
        // A title is another name for a field, and no other field.
        let same = |title: Field<'_>| {
            fields.iter().any(|(_, field)| scene.spend() && field.is_same(&title))
        };
        let good = { titles }.all(same);
        let found: BTreeSet<_> = fields.iter().map(|(key, _)| *key).collect();
        let whole = unique.len() == names.len() && found == unique && fields.len() == names.len();
        let fields: Vec<_> = fields.iter().map(|(_, field)| field).collect();
        let has_objects = fields.iter().any(|field| field.dtype.has_objects);
        let converts = !has_objects || fields.iter().any(|field| field.dtype.converts);
        let needed = fields.iter().fold(0, |flags, field| flags | field.dtype.flags) & FROM_FIELDS;
        let flags = self.flags & !ALIGNED_STRUCT;
        let fits = lie_apart(&fields, dtype.size, has_objects)
            && (flags == needed || flags == needed | NEEDS_PYAPI);
        (good && whole && fits).then_some(Dtype {
            flags: self.flags,
            has_objects,
            converts,
            ..dtype
        })
    }
}

/// A field: `(dtype, offset)`, with a title behind them if it has one.
#[derive(Clone, Debug)]
struct Field<'a> {
    object: Value,
    dtype: Dtype,
    offset: u32,
    title: Option<Name<'a>>,
}

impl<'a> Field<'a> {
    fn read(scene: &Scene<'_, 'a>, field: Value) -> Option<Self> {
        let [object, offset, title @ ..] = scene.tuple(field).filter(|_| scene.spend())? else {
            return None;
        };
        let Facts::Dtype(dtype) = scene.facts(*object) else { return None };
        let title = match title {
            [] => None,
            [title] => Some(scene.name(*title)?),
            _ => return None,
        };
        let offset = u32::try_from(scene.number(*offset)?).ok()?;
        Some(Self { object: *object, dtype, offset, title })
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.object, self.offset, self.title) == (other.object, other.offset, other.title)
    }

    fn end(&self) -> u64 {
        u64::from(self.offset).saturating_add(u64::from(self.dtype.size))
    }
}

/// Returns whether all fields lie inside the type, and apart from each other if there are pointers: a field over
/// a pointer would let bytes be taken for one.
fn lie_apart(fields: &[&Field<'_>], size: u32, has_objects: bool) -> bool {
    let mut spans: Vec<_> =
        fields.iter().map(|field| (u64::from(field.offset), field.end())).collect();
    spans.sort_unstable();
    let inside = spans.iter().all(|(_, end)| *end <= u64::from(size));
    let apart = spans.windows(2).all(|pair| match pair {
        [one, next] => one.1 <= next.0,
        _ => true,
    });
    inside && (apart || !has_objects)
}

/// What is kept beside a type, and never looked at.
const METADATA: Shape = Shape::OneOf(&[Shape::None, Shape::Dict]);

/// The metadata of a date: what is kept beside the type, and a unit of time with how many of it are a step.
const DATETIME_METADATA: Shape = Shape::Tuple(&[
    METADATA,
    Shape::Tuple(&[
        Shape::Word(&[
            "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic",
        ]),
        Shape::IntegerIn(1, MAX_STEP),
        Shape::IntegerIn(1, 1),
        Shape::IntegerIn(1, 1),
    ]),
]);

/// The most units of a step.
const MAX_STEP: i64 = 0x7fff_ffff;

/// The bytes of a character of `U`.
const BYTES_OF_A_CHARACTER: u32 = 4;

/// The most bytes of a pointer.
const BYTES_OF_A_POINTER: u32 = 8;

// NumPy's flags, from numpy/_core/include/numpy/ndarraytypes.h.
const NEEDS_INIT: u8 = 0x08;
const NEEDS_PYAPI: u8 = 0x10;
const OBJECT_FLAGS: u8 = 0x3f;
const ALIGNED_STRUCT: u8 = 0x80;
/// Those that a field gives to the type that it is in: REFCOUNT, LIST_PICKLE, NEEDS_INIT and NEEDS_PYAPI.
const FROM_FIELDS: u8 = 0x1b;
