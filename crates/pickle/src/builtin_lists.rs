//! The lists that brine comes with, and the rule of each of their entries.

mod exceptions;
mod joblib;
mod numpy;
mod plain_values;
mod random;
mod scalar_types;
mod std;

use super::entry::Entry;

/// Values of Python's standard library.
pub(super) const STD: &[&[Entry]] =
    &[self::std::STD, plain_values::PLAIN_VALUES, exceptions::EXCEPTIONS];

/// Arrays, scalars, types and random numbers of NumPy, and the arrays of joblib.
pub(super) const NUMPY: &[&[Entry]] =
    &[numpy::NUMPY, scalar_types::SCALAR_TYPES, random::RANDOM, joblib::JOBLIB];

/// Returns the entry of a name that brine knows, whether or not its list is asked for.
pub(super) fn find(module: &str, name: &str) -> Option<&'static Entry> {
    let known = [STD, NUMPY].into_iter().flatten().copied().flatten();
    { known }.find(|entry| entry.names.contains(&(module, name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::CallRule;
    use crate::shape::Shape;

    #[test]
    fn every_entry_has_its_reason_and_names_of_its_own() {
        let mut names = ::std::collections::BTreeSet::new();
        for entry in [STD, NUMPY].into_iter().flatten().copied().flatten() {
            assert!(entry.why.len() > 20 && entry.why.ends_with('.'), "{entry:?}");
            for name in entry.names {
                assert!(names.insert(name), "{name:?} is there twice");
            }
        }
    }

    fn is_of_tuples(form: &Shape) -> bool {
        match form {
            Shape::Tuple(_) | Shape::TupleOf(_) => true,
            Shape::OneOf(forms) => forms.iter().all(is_of_tuples),
            _ => false,
        }
    }

    /// A form that admits anything says nothing. Only what keeps values in a row takes them all.
    #[test]
    fn no_call_takes_just_anything() {
        for entry in [STD, NUMPY].into_iter().flatten().copied().flatten() {
            if let CallRule::With(forms) = entry.call {
                assert!(forms.iter().all(is_of_tuples), "{entry:?}");
            }
        }
    }
}
