//! What can be wrong with the place of a signature beside its file, and what to type then.

use std::path::{Path, PathBuf};

use brine_core::text::quoted;
use brine_core::{Classified as _, Error, FormError};

use super::console::typeable_path;
use super::exit::Status;

/// What can be wrong with the place of a signature beside its file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BesideFailure {
    #[error("{} is a detached signature, and its file {} is not there", quoted(.signature), quoted(.file))]
    FileMissing { file: PathBuf, signature: PathBuf },

    #[error("{name} is a detached signature, and the file that it signs was not given")]
    FileNotGiven { name: String, signature: PathBuf, file: Option<PathBuf> },

    #[error("{name} is an envelope with a payload of its own, and no signature of {}", quoted(.file))]
    HoldsItsOwn { name: String, signature: PathBuf, file: PathBuf, source: Box<Error> },

    #[error("neither {} nor {} is there", quoted(.file), quoted(.signature))]
    Neither { file: PathBuf, signature: PathBuf },

    #[error("{} is a detached signature, and has no payload to write", quoted(.signature))]
    NoPayload { signature: PathBuf },

    #[error("{}: {source}", quoted(.file))]
    NotAnEnvelope { file: PathBuf, signature: PathBuf, source: Box<Error> },

    #[error("{} exists already", quoted(.signature))]
    SignatureExists { file: PathBuf, signature: PathBuf },

    #[error("{} has no signature {} beside it", quoted(.file), quoted(.signature))]
    SignatureMissing { file: PathBuf, signature: PathBuf, envelope: Option<PathBuf> },

    #[error("{} is no detached signature, and {} is one: they are swapped", quoted(.signature), quoted(.file))]
    Swapped { file: PathBuf, signature: PathBuf },

    #[error("{} and {} cannot both be the envelope", quoted(.first), quoted(.second))]
    TwoFiles { first: PathBuf, second: PathBuf, signature: Option<(PathBuf, PathBuf)> },
}

impl BesideFailure {
    /// Says of something with a payload that its name promises a signature of a file.
    pub(crate) fn embedded(name: String, file: PathBuf, signature: PathBuf) -> Self {
        let source = Box::new(FormError::AttachedPayload.into());
        Self::HoldsItsOwn { name, signature, file, source }
    }

    pub(super) fn status(&self) -> Status {
        match self {
            Self::FileMissing { .. }
            | Self::FileNotGiven { .. }
            | Self::NoPayload { .. }
            | Self::Swapped { .. }
            | Self::TwoFiles { .. } => Status::Usage,
            Self::Neither { .. } | Self::SignatureExists { .. } | Self::SignatureMissing { .. } => {
                Status::Io
            }
            Self::HoldsItsOwn { source, .. } | Self::NotAnEnvelope { source, .. } => {
                source.class().into()
            }
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::FileMissing { .. } | Self::FileNotGiven { .. } => "file-missing",
            Self::Neither { .. } => "io",
            Self::HoldsItsOwn { source, .. } | Self::NotAnEnvelope { source, .. } => {
                source.reason()
            }
            Self::NoPayload { .. } | Self::TwoFiles { .. } => "usage",
            Self::SignatureExists { .. } => "exists",
            Self::SignatureMissing { .. } => "signature-missing",
            Self::Swapped { .. } => "swapped",
        }
    }

    pub(super) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::FileMissing { signature, .. } => {
                let signature = typeable_path(signature);
                format!("if it is elsewhere: brine verify --signature {signature} FILE")
            }
            Self::FileNotGiven { signature, file: Some(file), .. } => verify(signature, file),
            Self::FileNotGiven { signature, .. } => {
                format!("give it: brine verify --signature {} FILE", typeable_path(signature))
            }
            Self::HoldsItsOwn { signature, .. } => format!(
                "what holds its payload is called FILE.brine; see what it is: brine inspect {}",
                typeable_path(signature)
            ),
            Self::Neither { .. } => return None,
            Self::NoPayload { signature } => {
                format!("verify its file where it is: brine verify {}", typeable_path(signature))
            }
            Self::NotAnEnvelope { signature, .. } => {
                format!("its signature is beside it: brine verify {}", typeable_path(signature))
            }
            Self::SignatureExists { file, .. } => {
                format!("to replace it, give -f: brine sign -d -f {}", typeable_path(file))
            }
            Self::SignatureMissing { envelope: Some(envelope), .. } => {
                let envelope = typeable_path(envelope);
                format!("if it is in the envelope {envelope}: brine verify {envelope}")
            }
            Self::SignatureMissing { file, .. } => {
                let file = typeable_path(file);
                format!("if it is elsewhere: brine verify --signature SIG {file}")
            }
            Self::Swapped { file, signature } => verify(file, signature),
            Self::TwoFiles { signature: Some((signature, file)), .. } => verify(signature, file),
            Self::TwoFiles { .. } => {
                "several files are for -d, which verifies each FILE against FILE.sig; \
                 \"--signature SIG FILE\" takes a signature from elsewhere; a command stands after \"--\""
                    .to_owned()
            }
        })
    }
}

fn verify(signature: &Path, file: &Path) -> String {
    format!("brine verify --signature {} {}", typeable_path(signature), typeable_path(file))
}
