//! Arrays, scalars and types of NumPy, which renamed `core` to `_core` in version 2.
//!
//! NumPy's constructors believe what they are told: a type over a buffer, a length, flags. With free arguments,
//! an array of objects over a buffer makes addresses readable and objects out of any bytes. So every type, shape
//! and buffer is one that NumPy itself would have written.

use crate::dtype::{self, Dtype};
use crate::entry::{Entry, Kind};
use crate::facts::Facts;
use crate::literal::Literal;
use crate::machine::Value;
use crate::scene::Scene;
use crate::shape::Shape;

/// The list `numpy`.
pub(crate) const NUMPY: &[Entry] = &[
    Entry::named(
        &[("numpy", "dtype")],
        "It is called with one literal word for a type, and its state must be what NumPy writes for that type. \
         Other flags, sizes or fields would make NumPy take bytes for pointers.",
    )
    .judged(dtype::called)
    .makes(Kind::Dtype)
    .judged_state(dtype::built)
    .drops_arguments()
    .native(),
    Entry::named(
        &[("numpy", "ndarray")],
        "_reconstruct names it. A call would make an array of any type over any buffer.",
    )
    .native(),
    Entry::named(
        &[
            ("numpy", "matrix"),
            ("numpy.matrixlib.defmatrix", "matrix"),
            ("numpy", "recarray"),
            ("numpy.rec", "recarray"),
        ],
        "_reconstruct names it, as a class of arrays. A call would make an array of any type over any buffer.",
    ),
    Entry::named(
        &[("numpy", "record"), ("numpy.rec", "record")],
        "The type of a record array names it. A call would make a value of any type.",
    ),
    Entry::named(
        &[("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct")],
        "It makes an empty array, which its state fills: literal bytes for a type without objects, a list for one \
         with objects. If the type has more than objects, NumPy asks the items for numbers and texts, so they must \
         be tuples of literals.",
    )
    .called(&[Shape::Tuple(&[
        Shape::OneOf(&[
            Shape::Named(&[("numpy", "ndarray"), ("numpy", "matrix")]),
            Shape::Passes(is_free_name),
        ]),
        Shape::Tuple(&[Shape::IntegerIn(0, 0)]),
        Shape::Word(&["b"]),
    ])])
    .makes(Kind::Array)
    .judged_state(filled)
    .drops_arguments()
    .native(),
    Entry::named(
        &[("numpy._core.multiarray", "scalar"), ("numpy.core.multiarray", "scalar")],
        "It copies literal bytes as a value of a type without objects. Of a type of objects it would give back \
         whatever it is given, a listed class too.",
    )
    .judged(scalar)
    .makes(Kind::Scalar)
    .drops_arguments()
    .native(),
    Entry::named(
        &[("numpy._core.numeric", "_frombuffer"), ("numpy.core.numeric", "_frombuffer")],
        "It makes an array of a type without objects over literal bytes, as many as its shape needs.",
    )
    .judged(over_buffer)
    .makes(Kind::Array)
    .drops_arguments(),
];

/// Whether a value is a listed name without a rule, such as a subclass of `ndarray`, which NumPy checks it to be.
fn is_free_name(scene: &Scene<'_, '_>, value: Value) -> bool {
    matches!(value, Value::Global { .. }) && scene.named(value).is_none()
}

fn filled(scene: &Scene<'_, '_>, _: Value, state: Value) -> Option<Facts> {
    let [version, shape, dtype, fortran, data] = scene.tuple_of(state)?;
    let dtype = whole_type(scene, dtype)?;
    let elements = elements(scene, shape)?;
    let good = Shape::IntegerIn(0, 1).admits(scene, version)
        && Shape::Boolean.admits(scene, fortran)
        && if dtype.has_objects {
            // Of a shorter list, NumPy would first allocate the whole array.
            scene.list_length(data).map(u64::from) == Some(elements)
                && is_in_proportion(scene, elements.checked_mul(u64::from(dtype.size))?)
                && (!dtype.converts || scene.has_rows_only(data))
        } else {
            scene.is_bytes(data) && has_length(scene, data, elements, dtype)
        };
    good.then_some(if dtype.has_objects { Facts::None } else { Facts::Numbers })
}

fn scalar(scene: &Scene<'_, '_>, arguments: Value) -> Option<Facts> {
    let [dtype, data] = scene.tuple_of(arguments)?;
    let dtype = whole_type(scene, dtype).filter(|dtype| !dtype.has_objects)?;
    (scene.is_bytes(data) && has_length(scene, data, 1, dtype)).then_some(Facts::None)
}

fn over_buffer(scene: &Scene<'_, '_>, arguments: Value) -> Option<Facts> {
    let [buffer, dtype, shape, order, axes @ ..] = scene.tuple(arguments)? else { return None };
    let dtype = whole_type(scene, *dtype).filter(|dtype| !dtype.has_objects)?;
    let literal = matches!(scene.literal(*buffer), Some(Literal::Bytes(_) | Literal::Bytearray(_)));
    let ordered = match axes {
        [] => Shape::Word(&["C", "F"]).admits(scene, *order),
        [axes] => {
            Shape::Word(&["K"]).admits(scene, *order)
                && Shape::TupleOf(&Shape::IntegerIn(0, MAX_DIMENSIONS)).admits(scene, *axes)
        }
        _ => false,
    };
    let fits = literal && has_length(scene, *buffer, elements(scene, *shape)?, dtype);
    (fits && ordered).then_some(Facts::Numbers)
}

/// Returns a type that an array can have: all but those that stand for several elements at once.
pub(super) fn whole_type(scene: &Scene<'_, '_>, value: Value) -> Option<Dtype> {
    match scene.facts(value) {
        Facts::Dtype(dtype) if !dtype.is_subarray => Some(dtype),
        _ => None,
    }
}

/// Returns how many elements an array of this shape has.
pub(super) fn elements(scene: &Scene<'_, '_>, shape: Value) -> Option<u64> {
    // NumPy raises a MemoryError for more.
    let sides = scene.tuple(shape).filter(|sides| sides.len() <= MAX_SIDES)?;
    let lengths = sides.iter().map(|length| {
        scene
            .spend()
            .then(|| scene.number(*length))
            .flatten()
            .and_then(|length| u64::try_from(length).ok())
    });
    let lengths: Option<Vec<u64>> = lengths.collect();
    // An array with a length of zero is empty, however large the other lengths are.
    let lengths = lengths.filter(|lengths| !lengths.contains(&0)).or_else(|| {
        sides
            .iter()
            .all(|length| Shape::IntegerIn(0, i64::MAX).admits(scene, *length))
            .then(|| vec![0])
    })?;
    lengths.into_iter().try_fold(1_u64, u64::checked_mul)
}

/// Returns whether bytes are as many as these elements need, if that is known. NumPy checks it, too.
fn has_length(scene: &Scene<'_, '_>, data: Value, elements: u64, dtype: Dtype) -> bool {
    // Without a size, bytes say nothing of the number.
    if dtype.size == 0 && !is_in_proportion(scene, elements) {
        return false;
    }
    let needed = elements.checked_mul(u64::from(dtype.size));
    scene.length(data).is_none_or(|length| u64::try_from(length).ok() == needed)
}

/// Returns whether a number of bytes or elements is in proportion to the pickle so far. The rows of a type with objects
/// are in the pickle, but a field of theirs can be of any size.
fn is_in_proportion(scene: &Scene<'_, '_>, number: u64) -> bool {
    let read = u64::try_from(scene.reader.offset()).unwrap_or(u64::MAX);
    number <= read.saturating_mul(MOST_FOR_A_BYTE)
}

/// The most dimensions of an array.
const MAX_DIMENSIONS: i64 = 64;
const MAX_SIDES: usize = 64;

/// How many bytes of an array with objects a byte of the pickle may stand for.
const MOST_FOR_A_BYTE: u64 = 1024;
