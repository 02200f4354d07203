//! What lets others change a file that decides, in words, and what takes that from them.

use std::fmt;
use std::path::PathBuf;

use brine_core::text::quoted;

use super::console::typeable_path;

/// Everything that lets others change a file that decides.
#[derive(Debug)]
pub(crate) struct Exposures {
    pub(crate) first: Exposure,
    pub(crate) more: Vec<Exposure>,
}

/// A file or a directory that others may write.
#[derive(Debug)]
pub(crate) struct Exposure {
    pub(crate) place: PathBuf,
    pub(crate) part: ExposedPart,
    pub(crate) flaw: ExposureFlaw,
}

/// What is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExposedPart {
    /// One on the way to the file, in which another file can take its place.
    Directory,
    /// The file itself.
    File,
}

/// How it is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExposureFlaw {
    /// Its mode lets others write. Whoever owns it can change that.
    Mode { mode: u32, is_own: bool },
    /// It belongs to another user than root. One who is not mapped into this user namespace has no number here.
    Owner { owner: u32, is_mapped: bool },
}

impl fmt::Display for Exposures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Exposure { place, part, flaw } = &self.first;
        match (part, flaw) {
            (ExposedPart::Directory, ExposureFlaw::Mode { mode, .. }) => {
                write!(
                    f,
                    "others may replace it: they may write to {} (mode {mode:04o})",
                    quoted(place)
                )
            }
            (ExposedPart::File, ExposureFlaw::Mode { mode, .. }) => {
                write!(f, "others may write it (mode {mode:04o})")
            }
            (ExposedPart::Directory, ExposureFlaw::Owner { owner, .. }) => {
                write!(f, "another user may replace it: {} belongs to user {owner}", quoted(place))
            }
            (ExposedPart::File, ExposureFlaw::Owner { owner, .. }) => {
                write!(f, "another user may write it: it belongs to user {owner}")
            }
        }
    }
}

impl Exposures {
    /// Returns what to type.
    pub(super) fn hint(&self) -> String {
        let all = || std::iter::once(&self.first).chain(&self.more);
        let foreign = all().find_map(|exposure| match exposure.flaw {
            ExposureFlaw::Owner { owner, is_mapped } => Some((exposure, owner, is_mapped)),
            ExposureFlaw::Mode { .. } => None,
        });
        let way_out = match foreign {
            None => self.chmod(),
            Some((_, _, false)) => {
                "start the container with a user namespace that has its owner (\"podman run --userns=keep-id\")"
                    .to_owned()
            }
            Some((Exposure { part: ExposedPart::File, .. }, owner, true)) => {
                format!("do this as user {owner}, or make a copy that is yours")
            }
            Some((Exposure { part: ExposedPart::Directory, .. }, owner, true)) => {
                format!("do this as user {owner}, or keep the file in a directory that is yours")
            }
        };
        format!("{way_out}; \"--insecure-permissions\" accepts it as it is")
    }

    fn chmod(&self) -> String {
        let all = || std::iter::once(&self.first).chain(&self.more);
        let is_own = all().all(|it| matches!(it.flaw, ExposureFlaw::Mode { is_own: true, .. }));
        let places: String =
            all().map(|exposure| format!(" {}", typeable_path(&exposure.place))).collect();
        let whose = if is_own { "" } else { "as root: " };
        format!("{whose}chmod go-w{places}")
    }
}
