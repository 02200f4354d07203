//! Whose fault an error is, and its short name.

/// An error that says whose fault it is and has a short name.
///
/// The errors of all crates implement it. Nothing else is needed to choose an exit status and to write a
/// verdict.
pub trait Classified: std::error::Error {
    /// Returns whose fault it is.
    fn class(&self) -> Class;

    /// Returns the short name that stands in JSON verdicts. It does not change from version to version.
    fn reason(&self) -> &'static str;
}

/// Whose fault an error is. Each class has an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Recognised as an envelope, then altered, cut, malformed or wrongly signed.
    Altered,
    /// A key, trust file or policy file cannot be used.
    Key,
    /// The system around the library failed.
    System,
    /// Not an envelope, or of a kind, algorithm or form that is not taken.
    Unsupported,
    /// The signature is good, but trust or policy refuses it.
    Untrusted,
}

/// The error of an end that cannot fail.
impl Classified for std::convert::Infallible {
    fn class(&self) -> Class {
        match *self {}
    }

    fn reason(&self) -> &'static str {
        match *self {}
    }
}
