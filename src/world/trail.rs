//! The way to a file: what a path passes, and whose links it follows.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::descriptor::Descriptor;

/// Everything that the system passes when it opens a path, the file itself included.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// What is passed, by a path without links. What does not exist yet is here, too.
    pub(crate) steps: Vec<Step>,
    /// The links that are followed, with their owners; without one where the system leads to a descriptor that this
    /// process was given.
    links: Vec<(PathBuf, Option<u32>)>,
}

/// A place on the way.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) path: PathBuf,
    /// Which file or directory it is, whatever its name; `None` if it does not exist.
    pub(crate) place: Option<Place>,
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
        let mut trail = Self::default();
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut ahead: VecDeque<OsString> = parts(&absolute);
        let mut here = PathBuf::from("/");
        let mut given = false;
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
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
                trail.links.push((next, (!given).then(|| link.uid())));
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    ahead.push_front(part);
                }
                continue;
            }
            here.clone_from(&next);
            trail.steps.push(Step { path: next, place: found.as_ref().map(Place::of) });
        }
        trail
    }

    /// Returns the first link that belongs neither to this user nor to root. Its owner decides where it leads.
    pub(crate) fn foreign_link(&self) -> Option<&Path> {
        let user = rustix::process::geteuid().as_raw();
        let foreign = |owner: u32| owner != user && owner != 0;
        let mut links = self.links.iter();
        links.find(|(_, owner)| owner.is_some_and(foreign)).map(|(path, _)| path.as_path())
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

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::CurDir | Component::Prefix(_) | Component::RootDir => None,
    });
    named.collect()
}

/// As many as Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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
        assert!(trail.has_links() && trail.foreign_link().is_none());
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
        assert_eq!(Trail::of(&link.join("passwd")).foreign_link(), None);
        std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
        assert_eq!(Trail::of(&link.join("passwd")).foreign_link(), Some(link.as_path()));
    }
}
