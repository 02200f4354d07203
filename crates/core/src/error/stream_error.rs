//! What can be wrong with a stream.

use super::Error;
use crate::class::{Class, Classified};

/// Why a stream was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Bytes follow the last segment.
    #[error("something follows the end of the stream")]
    AfterLast,
    /// The input ends before the last segment.
    #[error("stream was cut after {segments} segments: its end is missing")]
    Cut {
        /// How many whole segments there were.
        segments: u64,
    },
    /// A segment breaks a rule of streams.
    #[error("segment is out of place: {what}")]
    Form {
        /// The rule that it breaks.
        what: &'static str,
    },
    /// The stream was refused before, and more of it was asked for.
    #[error("stream was refused already")]
    Refused,
    /// A segment was refused.
    #[error("segment {index}: {source}")]
    Segment {
        /// Which one, from 0.
        index: u64,
        /// Why.
        source: Box<Error>,
    },
    /// The stream has more segments than can be numbered.
    #[error("stream has too many segments")]
    TooLong,
}

impl StreamError {
    /// Says in which segment something went wrong.
    pub(crate) fn in_segment(index: u64, source: Error) -> Error {
        Self::Segment { index, source: Box::new(source) }.into()
    }
}

impl Classified for StreamError {
    fn class(&self) -> Class {
        match self {
            Self::AfterLast | Self::Cut { .. } | Self::Form { .. } | Self::Refused => {
                Class::Altered
            }
            // Once a stream has begun, a form that it cannot contain was put there.
            Self::Segment { index, source } => match (*index, source.class()) {
                (1.., Class::Unsupported) => Class::Altered,
                (_, class) => class,
            },
            Self::TooLong => Class::System,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AfterLast => "trailing-bytes",
            Self::Cut { .. } => "stream-cut",
            Self::Form { .. } => "segment-form",
            Self::Refused => "stream-refused",
            Self::Segment { source, .. } => source.reason(),
            Self::TooLong => "stream-too-long",
        }
    }
}
