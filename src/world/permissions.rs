//! Who else may write a file that decides, and read a private key.
//!
//! A file that decides, such as the trust file, is believed because only its user and root can have written it. It
//! is held to what OpenSSH holds its files to (`StrictModes`): it belongs to the user or to root, nobody else may
//! write it, and the same goes for every directory on the way to it, from the root on. OpenSSH looks no further up
//! than the home directory, and refuses `/tmp`. Here a sticky directory is fine, because what lies in it belongs to
//! the user or root, and nobody else can replace that.
//!
//! Of POSIX access control lists, the group bits of the mode are the mask, so one that lets somebody write is
//! refused. Other kinds of lists are not seen.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use rustix::process::geteuid;

use super::descriptor::{Descriptor, is_of_another_process};
use super::trail::{LinkRule, Ownership, Place, Trail, settled};
use crate::args::PermissionArgs;
use crate::report::exposure::{ExposedPart, Exposure, ExposureFlaw, Exposures};
use crate::report::{Failure, KeepingFailure};

/// Whether files are held to what only their user may do with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PermissionRule {
    #[default]
    Strict,
    /// A person accepts them as they are.
    Waived,
}

impl From<PermissionArgs> for PermissionRule {
    fn from(args: PermissionArgs) -> Self {
        if args.insecure_permissions { Self::Waived } else { Self::Strict }
    }
}

impl PermissionRule {
    /// Opens a file that decides with `open`, and refuses one that others may write or replace.
    ///
    /// The open file is judged, and the way to it as it is then. Where that leads to another file by now, this one may
    /// have been put there by anybody, and is opened again.
    pub(crate) fn open(
        self,
        path: &Path,
        open: impl Fn() -> Result<File, Failure>,
    ) -> Result<File, Failure> {
        for _ in 0..MOST_LOOKS {
            let file = open()?;
            if self == Self::Waived || leads_to(path, &file)? {
                return Ok(file);
            }
        }
        let source = io::Error::other("it is replaced again and again");
        Err(Failure::Unreadable { path: path.to_owned(), source })
    }

    /// Refuses a file that others may write or replace, and the place of one where others may make it.
    pub(crate) fn refuse_exposed(self, path: &Path) -> Result<(), Failure> {
        if self == Self::Waived {
            return Ok(());
        }
        let (trail, user) = (Trail::of(&settled(path)), own_user());
        let last = trail.steps.last().and_then(|step| step.ownership);
        let file = last.filter(|last| !last.is_directory());
        let file = file.and_then(|found| exposure(path, ExposedPart::File, found, user));
        refuse(path, file, &trail, user)
    }

    /// Says what is wrong with a private key that others may read. A group may read what belongs to somebody else: that
    /// is how it is given to this user.
    pub(crate) fn read_by_others(self, path: &Path, file: &File) -> Option<Failure> {
        let found = file.metadata().ok()?;
        let is_own = found.uid() == own_user();
        let forbidden = if is_own { 0o077 } else { 0o007 };
        if self == Self::Waived || !found.is_file() || found.mode() & forbidden == 0 {
            return None;
        }
        let is_fixed = rustix::fs::fstatvfs(file)
            .is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
        let can_change = (is_own || geteuid().is_root()) && !is_fixed;
        let mode = found.mode() & 0o7777;
        let path =
            if Descriptor::named_by(path).is_some() { behind(path) } else { path.to_owned() };
        Some(KeepingFailure::KeyExposed { path, mode, can_change }.into())
    }
}

/// Refuses a file that others may write or replace, and returns whether its path still leads to it.
fn leads_to(path: &Path, file: &File) -> Result<bool, Failure> {
    let found = file.metadata();
    let found = found.map_err(|source| Failure::Unreadable { path: path.to_owned(), source })?;
    let kind = found.file_type();
    // What has no name any more is written by nobody who was not given it.
    let is_written = kind.is_file() && found.nlink() > 0;
    let user = own_user();
    let judged = |place: &Path, is_written: bool| {
        let found = is_written.then(|| Ownership::of(&found));
        found.and_then(|found| exposure(place, ExposedPart::File, found, user))
    };
    // Whoever handed it over chose the way, and at the other end of a pipe is whom they chose.
    if Descriptor::named_by(path).is_some() {
        let file = judged(&behind(path), is_written);
        return refuse(path, file, &Trail::default(), user).map(|()| true);
    }
    let trail = Trail::of(&settled(path));
    let end = trail.steps.last().and_then(|step| step.place);
    let is_named = end == Some(Place::of(&found));
    // What is written to a device such as /dev/null is not what is read from it.
    refuse(path, judged(path, is_written || is_named && kind.is_fifo()), &trail, user)?;
    Ok(is_named || end.is_none() && is_of_another_process(path))
}

/// Returns the name of the file behind a descriptor: its number says nothing to whoever changes the mode.
fn behind(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Refuses what is exposed of a file and of the way to it.
fn refuse(path: &Path, file: Option<Exposure>, trail: &Trail, user: u32) -> Result<(), Failure> {
    trail.refuse_foreign_link(LinkRule::Own)?;
    // The directories that are nearest to it first.
    let directories = trail.steps.iter().rev().filter_map(|step| {
        let found = step.ownership.filter(|found| found.is_directory())?;
        exposure(&step.path, ExposedPart::Directory, found, user)
    });
    let mut exposures = file.into_iter().chain(directories);
    match exposures.next() {
        None => Ok(()),
        Some(first) => {
            let found = Exposures { first, more: exposures.collect() };
            Err(KeepingFailure::Exposed { path: path.to_owned(), found }.into())
        }
    }
}

/// Says how others may write to a place, if they may.
fn exposure(place: &Path, part: ExposedPart, found: Ownership, user: u32) -> Option<Exposure> {
    let Ownership { owner, mode } = found;
    let is_own = owner == user || user == 0;
    let flaw = if owner != user && owner != 0 {
        ExposureFlaw::Owner { owner, is_mapped: is_mapped(owner) }
    } else if mode & 0o022 != 0 && !(part == ExposedPart::Directory && mode & 0o1000 != 0) {
        ExposureFlaw::Mode { mode: mode & 0o7777, is_own }
    } else {
        return None;
    };
    Some(Exposure { place: place.to_owned(), part, flaw })
}

fn own_user() -> u32 {
    geteuid().as_raw()
}

/// Returns whether a user has this number everywhere. In a user namespace all who are not in it have that of nobody.
fn is_mapped(owner: u32) -> bool {
    if owner != OVERFLOW_USER {
        return true;
    }
    let map = File::open("/proc/self/uid_map").and_then(io::read_to_string).unwrap_or_default();
    map.is_empty() || map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// The number of users who are not mapped (user_namespaces(7)).
const OVERFLOW_USER: u32 = 65534;

/// How often a file is opened that others replace meanwhile.
const MOST_LOOKS: u32 = 16;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write as others do")]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const USER: u32 = 1000;
    const OTHER: u32 = 1001;

    #[test]
    fn a_place_is_exposed_by_its_owner_and_its_mode_as_openssh_has_it() {
        use ExposedPart::{Directory, File};
        for (part, owner, mode, is_exposed) in [
            (File, USER, 0o644, false),
            (File, 0, 0o644, false),
            (File, OTHER, 0o600, true),
            (File, USER, 0o664, true),
            (File, USER, 0o646, true),
            (File, 0, 0o620, true),
            // The sticky bit of a file means nothing.
            (File, USER, 0o1666, true),
            (Directory, USER, 0o755, false),
            (Directory, 0, 0o755, false),
            (Directory, OTHER, 0o700, true),
            (Directory, USER, 0o775, true),
            (Directory, 0, 0o777, true),
            (Directory, 0, 0o1777, false),
            (Directory, USER, 0o1770, false),
            // Its owner may replace what lies in it, whatever the sticky bit.
            (Directory, OTHER, 0o1777, true),
        ] {
            let found = exposure(Path::new("/x"), part, Ownership { owner, mode }, USER);
            assert_eq!(found.is_some(), is_exposed, "{part:?} {owner} {mode:o}: {found:?}");
        }
        let found = Ownership { owner: USER, mode: 0o600 };
        assert!(exposure(Path::new("/x"), File, found, 0).is_some(), "root believes nobody else");
    }

    fn open_strictly(path: &Path) -> Result<std::fs::File, Failure> {
        let open = || std::fs::File::open(path).map_err(|error| Failure::io("", error));
        PermissionRule::Strict.open(path, open)
    }

    /// Demands that something is refused for these places, in this order.
    #[track_caller]
    fn assert_exposed<T: std::fmt::Debug>(refused: Result<T, Failure>, places: &[&Path]) {
        let Err(Failure::Keeping(KeepingFailure::Exposed { found, .. })) = refused else {
            panic!("{refused:?}")
        };
        let found: Vec<_> = std::iter::once(&found.first).chain(&found.more).collect();
        let found: Vec<_> = found.into_iter().map(|exposure| exposure.place.as_path()).collect();
        assert_eq!(found, places);
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn every_directory_that_is_passed_counts_and_none_that_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("open/inner")).unwrap();
        fs::create_dir(at("links")).unwrap();
        fs::write(at("open/inner/file"), "x").unwrap();
        fs::hard_link(at("open/inner/file"), at("file")).unwrap();
        symlink("../open/inner/file", at("links/link")).unwrap();
        symlink("../file", at("links/other")).unwrap();
        set_mode(&at("file"), 0o644);
        set_mode(&at("open/inner"), 0o755);
        for (mode, refused) in [(0o755, false), (0o775, true), (0o757, true), (0o1777, false)] {
            set_mode(&at("open"), mode);
            for name in ["open/inner/file", "links/link", "open/../file"] {
                match refused {
                    true => assert_exposed(open_strictly(&at(name)), &[&at("open")]),
                    false => assert!(open_strictly(&at(name)).is_ok(), "{name} {mode:o}"),
                }
            }
            assert!(open_strictly(&at("links/other")).is_ok(), "{mode:o}");
        }
        // All that is wrong is said at once: the file, then its directories from the nearest on.
        set_mode(&at("open"), 0o777);
        set_mode(&at("open/inner"), 0o777);
        set_mode(&at("file"), 0o666);
        let file = at("links/link");
        let places = [file.as_path(), &at("open/inner"), &at("open")];
        assert_exposed(open_strictly(&file), &places);
        assert_exposed(PermissionRule::Strict.refuse_exposed(&file), &places);
        assert!(PermissionRule::Waived.refuse_exposed(&file).is_ok());
        // What is not there yet has a place where others could make it.
        let new = at("open/new");
        assert_exposed(PermissionRule::Strict.refuse_exposed(&new), &[&at("open")]);
    }

    /// Others change what a path leads to while it is opened.
    #[test]
    fn a_file_that_its_path_leads_to_no_more_is_opened_again_and_not_for_ever() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let put = |text: &str| {
            let new = path.with_extension("new");
            fs::write(&new, text).unwrap();
            set_mode(&new, 0o644);
            fs::rename(new, &path).unwrap();
        };
        let opened = Cell::new(0);
        let replaced_until = |last: u32| {
            opened.set(0);
            put("old");
            PermissionRule::Strict.open(&path, || {
                let file = std::fs::File::open(&path).map_err(|error| Failure::io("", error));
                opened.set(opened.get() + 1);
                if opened.get() < last {
                    put("new");
                }
                file
            })
        };
        let file = replaced_until(3).unwrap();
        assert_eq!((io::read_to_string(file).unwrap().as_str(), opened.get()), ("new", 3));
        let Err(Failure::Unreadable { source, .. }) = replaced_until(1000) else { panic!() };
        assert_eq!(source.to_string(), "it is replaced again and again");
        assert_eq!(opened.get(), MOST_LOOKS);
    }
}
