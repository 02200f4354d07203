//! What is known of the result of a call that kept its rule.

use super::dtype::Dtype;

/// What is known of a result, besides which listed name made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Facts {
    /// Bytes that a text stands for, character by character: where the text is in the file.
    Bytes(u32),
    /// A type of NumPy's arrays.
    Dtype(Dtype),
    /// It is an array of a type without objects.
    Numbers,
    /// It describes an array of joblib, whose bytes follow: how many there are.
    RawArray { bytes: u64 },
    /// Nothing else.
    #[default]
    None,
}
