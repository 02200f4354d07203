//! The way to a file: what a path passes, and whose links it follows.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use brine_core::text::quoted;
use rustix::io::Errno;

use super::descriptor::Descriptor;
use crate::report::Failure;

/// Everything that the system passes when it opens a path, the file itself included.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// What is passed, by a path without links. What does not exist yet is here, too.
    pub(crate) steps: Vec<Step>,
    links: Vec<FollowedLink>,
    end: PathBuf,
    /// It is not known where it ends: it leaves what is no directory, or begins in one that was removed.
    is_broken: bool,
    names_directory: bool,
}

/// A link on the way.
#[derive(Debug)]
struct FollowedLink {
    path: PathBuf,
    /// None where the system leads to a descriptor that this process was given.
    owner: Option<u32>,
    /// The owner of the directory that it lies in, if everybody may make links there.
    common_ground: Option<u32>,
}

/// Whose links are followed to an output. Those of this user and of root always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkRule {
    /// Nobody else's.
    Own,
    /// Where everybody may make links, as in `/tmp`, only those of the directory's owner, as by Linux with
    /// `protected_symlinks`; elsewhere, anybody's.
    Protected,
}

/// A place on the way.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) path: PathBuf,
    /// Which file or directory it is, whatever its name; `None` if it does not exist.
    pub(crate) place: Option<Place>,
    /// Whose it is; `None` if it does not exist.
    pub(crate) ownership: Option<Ownership>,
}

/// Whose a file or directory is, and what its mode lets others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) owner: u32,
    pub(crate) mode: u32,
}

impl Step {
    fn of(path: PathBuf, found: Option<&Metadata>) -> Self {
        Self { path, place: found.map(Place::of), ownership: found.map(Ownership::of) }
    }
}

impl Ownership {
    pub(crate) fn of(found: &Metadata) -> Self {
        Self { owner: found.uid(), mode: found.mode() }
    }

    pub(crate) const fn is_directory(self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// Which file or directory something is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    device: u64,
    inode: u64,
}

impl Place {
    pub(crate) fn of(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }
}

impl Trail {
    /// Follows a path to its end, or to where it ends for now.
    pub(crate) fn of(path: &Path) -> Self {
        let mut trail = Self { names_directory: names_directory(path), ..Self::default() };
        let absolute = std::path::absolute(path).unwrap_or_else(|_| {
            trail.is_broken = true;
            path.to_owned()
        });
        let mut ahead: VecDeque<OsString> = parts(&absolute);
        let mut here = PathBuf::from("/");
        trail.steps.push(Step::of(here.clone(), fs::symlink_metadata(&here).ok().as_ref()));
        let mut given = false;
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
                trail.is_broken |= !here.is_dir();
                here.pop();
                continue;
            }
            let next = here.join(&part);
            let found = fs::symlink_metadata(&next).ok();
            let link = found.as_ref().filter(|found| found.is_symlink());
            if let (Some(link), true) = (link, trail.links.len() < MAX_LINKS)
                && let Ok(target) = fs::read_link(&next)
            {
                // Such a descriptor is taken as it is, whoever the links to it seem to belong to: in a user
                // namespace, those of the system are nobody's. What is behind it counts all the same.
                given = given || Descriptor::is_name(&next.join(ahead.iter().collect::<PathBuf>()));
                let owner = (!given).then(|| link.uid());
                let common_ground = common_ground(&here);
                trail.links.push(FollowedLink { path: next, owner, common_ground });
                trail.names_directory |= ahead.is_empty() && names_directory(&target);
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    ahead.push_front(part);
                }
                continue;
            }
            here.clone_from(&next);
            trail.steps.push(Step::of(next, found.as_ref()));
        }
        trail.end = here;
        trail
    }

    /// Refuses a link of another user that a rule does not let be followed. Its owner decides where it leads.
    pub(crate) fn refuse_foreign_link(&self, rule: LinkRule) -> Result<(), Failure> {
        let user = rustix::process::geteuid().as_raw();
        let foreign = |link: &&FollowedLink| {
            let others = link.owner.filter(|owner| *owner != user && *owner != 0);
            others.is_some_and(|maker| match rule {
                LinkRule::Own => true,
                LinkRule::Protected => link.common_ground.is_some_and(|owner| owner != maker),
            })
        };
        match self.links.iter().find(foreign) {
            Some(link) => Err(Failure::ForeignLink { link: link.path.clone() }),
            None => Ok(()),
        }
    }

    /// Returns where it ends: a path without links, of what is there or will be.
    pub(crate) fn into_end(self) -> PathBuf {
        self.end
    }

    /// Returns whether it follows a link at all.
    pub(crate) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }
}

/// Returns where a path leads that begins with `..`, without passing what that leaves.
///
/// Whoever works in a directory that jobs may write can leave it by `..`, and relies on nothing in it: the system
/// knows the working directory by itself, and not by its name, so no link there can turn the way. A job could still
/// move the directory. So its name is asked for once, and what is checked is also what is opened. A `..` after a name
/// is left as it is: a job could put a link in the place of that name.
pub(crate) fn settled(path: &Path) -> PathBuf {
    let is_dot = |part: &Component<'_>| matches!(part, Component::CurDir | Component::ParentDir);
    let mut parts = path.components().peekable();
    if !parts.peek().is_some_and(is_dot) {
        return path.to_owned();
    }
    let Ok(mut here) = std::env::current_dir() else { return path.to_owned() };
    let mut leaves = false;
    while let Some(part) = parts.next_if(is_dot) {
        if part == Component::ParentDir {
            leaves = true;
            here.pop();
        }
    }
    if !leaves {
        return path.to_owned();
    }
    here.extend(parts);
    // What must be a directory stays one.
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        here.push("");
    }
    here
}

/// Returns where a file is, or will be: a path without links. Links are followed to their end, also where that is not
/// there yet. Refuses the links that `rule` does not let be followed, and a name that only a directory can have.
pub(crate) fn followed(name: &Path, rule: LinkRule) -> Result<PathBuf, Failure> {
    let trail = Trail::of(name);
    trail.refuse_foreign_link(rule)?;
    if trail.names_directory {
        return Err(Failure::unwritten(quoted(name).to_string(), Errno::ISDIR.into()));
    }
    if trail.is_broken {
        return Err(no_place(name, Errno::NOENT.into()));
    }
    Ok(trail.end)
}

/// Says why a file cannot be made: most often the directory that was typed is not there.
pub(crate) fn no_place(name: &Path, source: io::Error) -> Failure {
    let path = name.to_owned();
    match name.parent() {
        Some(directory) if !directory.as_os_str().is_empty() && is_missing(directory) => {
            Failure::NoDirectory { path, directory: directory.to_owned() }
        }
        _ => Failure::NoPlace { path, source },
    }
}

fn is_missing(path: &Path) -> bool {
    fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns whether only a directory can have such a name (POSIX, Pathname Resolution): it ends in a slash or in dots.
fn names_directory(path: &Path) -> bool {
    let last = path.as_os_str().as_bytes().rsplit(|byte| *byte == b'/').next();
    !path.as_os_str().is_empty() && matches!(last, Some(b"" | b"." | b".."))
}

/// Returns the owner of a directory in which everybody may make links.
fn common_ground(directory: &Path) -> Option<u32> {
    let found = fs::metadata(directory).ok()?;
    (found.mode() & 0o002 != 0).then_some(found.uid())
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    });
    named.collect()
}

/// As many as Linux follows (`path_resolution(7)`).
pub(super) const MAX_LINKS: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn paths(trail: &Trail) -> Vec<&Path> {
        trail.steps.iter().map(|step| step.path.as_path()).collect()
    }

    #[test]
    fn a_trail_passes_what_the_links_lead_through() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("a/b", root.join("one")).unwrap();
        symlink(root.join("one"), root.join("two")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let trail = Trail::of(&root.join("two/../new/file"));
        let passed = paths(&trail);
        for place in ["a", "a/b", "a/new", "a/new/file"] {
            assert!(passed.contains(&root.join(place).as_path()), "{place}: {passed:?}");
        }
        assert_eq!(passed.last(), Some(&root.join("a/new/file").as_path()));
        assert!(trail.has_links() && trail.refuse_foreign_link(LinkRule::Own).is_ok());
        assert!(trail.steps.last().is_some_and(|step| step.place.is_none()));
        assert_eq!(Trail::of(&root.join("loop")).links.len(), MAX_LINKS);
        assert!(!Trail::of(&root.join("a/b")).has_links());
    }

    #[test]
    fn a_path_leaves_the_working_directory_only_by_dots_that_it_begins_with() {
        let above = std::env::current_dir().unwrap().parent().unwrap().to_owned();
        for (path, left) in [("..", ""), ("../a", "a"), ("./.././a/../b", "a/../b")] {
            assert_eq!(settled(Path::new(path)), above.join(left), "{path:?}");
        }
        assert!(settled(Path::new("../a/")).as_os_str().as_encoded_bytes().ends_with(b"/a/"));
        assert_eq!(settled(Path::new("../../../../../../../../../../../../../a")), Path::new("/a"));
        for path in ["", ".", "a", "./a", "a/../../b", "/a/../b", "..a"] {
            assert_eq!(settled(Path::new(path)).as_os_str(), path, "{path:?}");
        }
    }

    /// Only root can give a link to somebody else.
    #[test]
    fn a_link_of_somebody_else_is_foreign_and_one_of_roots_is_not() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("/etc", &link).unwrap();
        let refused = |rule| match followed(&link.join("passwd"), rule) {
            Err(Failure::ForeignLink { link: found }) => found == link,
            Err(other) => panic!("{other}"),
            Ok(found) => found != Path::new("/etc/passwd"),
        };
        let open = |owner, mode| {
            std::os::unix::fs::chown(directory.path(), Some(owner), None).unwrap();
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        open(0, 0o1777);
        assert!(!refused(LinkRule::Own) && !refused(LinkRule::Protected));
        std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
        assert!(refused(LinkRule::Own) && refused(LinkRule::Protected));
        // Nobody else may make links there, or its owner made it.
        for (owner, mode) in [(0, 0o755), (65_534, 0o1777)] {
            open(owner, mode);
            assert!(refused(LinkRule::Own) && !refused(LinkRule::Protected), "{owner} {mode:o}");
        }
        // Whoever may write there may make it, with the sticky bit or without it.
        open(65_533, 0o777);
        assert!(refused(LinkRule::Protected));
    }

    #[test]
    fn a_name_that_only_a_directory_can_have_is_not_one_of_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().canonicalize().unwrap().join(name);
        symlink("new/", path("slash")).unwrap();
        symlink("new", path("plain")).unwrap();
        for name in ["new/", "new/.", "new/..", "slash", "plain/", "."] {
            let refused = followed(&path(name), LinkRule::Protected);
            let Err(Failure::Unwritten { source, .. }) = refused else {
                panic!("{name}: {refused:?}")
            };
            assert_eq!(source.raw_os_error(), Some(Errno::ISDIR.raw_os_error()), "{name}");
        }
        for name in ["new", "plain", "./new", ".//new"] {
            assert_eq!(followed(&path(name), LinkRule::Own).unwrap(), path("new"), "{name}");
        }
        // The system passes no ".." of what is not there.
        let lost = followed(&path("none/../new"), LinkRule::Own);
        assert!(matches!(lost, Err(Failure::NoDirectory { .. })), "{lost:?}");
    }
}
