//! The arrays of joblib, which puts the bytes of an array behind an object that describes it.

use super::numpy::{elements, whole_type};
use crate::entry::{Entry, Kind};
use crate::facts::Facts;
use crate::machine::Value;
use crate::scene::Scene;
use crate::shape::Shape;

/// More of the list `numpy`.
pub(crate) const JOBLIB: &[Entry] = &[Entry::named(
    &[
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("joblib", "numpy_pickle.NumpyArrayWrapper"),
    ],
    "It keeps its state, by which joblib copies bytes into an array of a type without objects. The walk passes \
     over as many bytes, and over the padding before them, at which other loaders stop.",
)
.called(&[Shape::Tuple(&[])])
.makes(Kind::Array)
.judged_state(described)
.drops_arguments()
.needed()];

/// The description of an array: what joblib writes since its version 1.2, each attribute once.
fn described(scene: &Scene<'_, '_>, _: Value, state: Value) -> Option<Facts> {
    let mut found = [None; ATTRIBUTES.len()];
    for (key, value) in scene.objects.pairs(state)? {
        let key = scene.spend().then(|| scene.name(key)).flatten()?;
        let place = ATTRIBUTES.iter().position(|(name, _)| *name == key.text)?;
        let (_, form) = ATTRIBUTES.get(place)?;
        let again = found.get_mut(place)?.replace(value).is_some();
        if again || !form.admits(scene, value) {
            return None;
        }
    }
    let [Some(dtype), Some(shape), Some(_), Some(_), Some(_), Some(_)] = found else { return None };
    let dtype = whole_type(scene, dtype).filter(|dtype| !dtype.has_objects)?;
    let bytes = elements(scene, shape)?.checked_mul(u64::from(dtype.size))?;
    Some(Facts::RawArray { bytes })
}

const ATTRIBUTES: [(&str, Shape); 6] = [
    ("dtype", Shape::Made(Kind::Dtype)),
    ("shape", Shape::TupleOf(&Shape::Integer)),
    ("subclass", Shape::Named(&[("numpy", "ndarray")])),
    ("order", Shape::Word(&["C", "F"])),
    ("allow_mmap", Shape::Boolean),
    ("numpy_array_alignment_bytes", Shape::IntegerIn(16, 16)),
];
