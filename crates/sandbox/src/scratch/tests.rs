use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;

use brine_job::{Grants, Limit, LimitValues, OperatorCommand, Policy, PolicyQuestion};
use tempfile::TempDir;

use super::*;

fn put(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    File::create(path).unwrap().write_all(content.as_ref()).unwrap();
}

/// A directory as a job might leave it.
struct Left(TempDir);

impl Left {
    fn new() -> Self {
        let left = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(left.at("tree/below")).unwrap();
        put(left.at("out"), "out");
        put(left.at("tree/one"), "1");
        put(left.at("tree/below/two"), "22");
        left
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("work").join(name)
    }

    /// Collects these, and returns what is visited: `name/`, `name=content` or `name->first`.
    fn collect_within(
        &self,
        limits: &JobLimits,
        paths: &[&str],
    ) -> Result<Vec<String>, ScratchError> {
        let paths: Vec<_> = paths.iter().map(|path| LogicalPath::parse(path).unwrap()).collect();
        let whole = rustix::fs::open(self.0.path(), OFlags::PATH, Mode::empty()).unwrap();
        let mut visited = Vec::new();
        JobScratch::within(&whole).unwrap().walk(&paths, limits, |item| {
            visited.push(match item {
                ScratchItem::Directory { path } => format!("{path}/"),
                ScratchItem::File { path, mut content } => {
                    let mut text = String::new();
                    content.read_to_string(&mut text).unwrap();
                    format!("{path}={text}")
                }
                ScratchItem::Name { path, first } => format!("{path}->{first}"),
            });
            Ok::<(), ScratchError>(())
        })?;
        Ok(visited)
    }

    fn collect(&self, paths: &[&str]) -> Result<Vec<String>, ScratchError> {
        self.collect_within(&limits(), paths)
    }

    /// Demands that `out` is collected, and `path` refused for this reason and in these words.
    #[track_caller]
    fn refuses(&self, path: &str, reason: &str, said: &str) {
        assert_eq!(self.collect(&["out"]).unwrap(), ["out=out"]);
        let error = self.collect(&["out", path]).unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

fn limits() -> JobLimits {
    let system = BTreeSet::new();
    let question =
        PolicyQuestion { signer: "a", context: None, content_type: None, system: &system };
    let command = OperatorCommand { path: "/bin/sh".into(), arguments: Vec::new() };
    let mut plan = Policy::none().plan(&question, &Grants::default(), Some(&command)).unwrap().plan;
    plan.lower(&LimitValues::from([(Limit::FileSize, 100), (Limit::Scratch, 200)]));
    plan.parts().limits
}

#[test]
fn files_are_visited_and_directories_with_all_that_is_in_them() {
    let left = Left::new();
    assert_eq!(
        left.collect(&["tree", "out"]).unwrap(),
        ["tree/", "tree/below/", "tree/below/two=22", "tree/one=1", "out=out"]
    );
    assert_eq!(left.collect(&["tree/below/two"]).unwrap(), ["tree/below/two=22"]);
}

#[test]
fn what_is_no_regular_file_is_refused_wherever_it_lies() {
    let left = Left::new();
    left.refuses("none", "collected-missing", "is not there");
    left.refuses("out/below", "collected-missing", "is not there");

    for (name, target) in [("link", "out"), ("outside", "/etc/passwd"), ("away", "/")] {
        symlink(target, left.at(name)).unwrap();
        left.refuses(name, "collected-not-plain", "a symbolic link");
    }
    left.refuses("away/etc/passwd", "collected-not-plain", "behind a symbolic link");
    symlink("/etc", left.at("tree/below/link")).unwrap();
    left.refuses(
        "tree",
        "collected-not-plain",
        "\"tree/below/link\" is not collected: it is a symbolic",
    );

    let left = Left::new();
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, left.at("tree/fifo"), FileType::Fifo, mode, 0).unwrap();
    left.refuses("tree", "collected-not-plain", "it is a FIFO");

    let left = Left::new();
    let _socket = UnixListener::bind(left.at("tree/socket")).unwrap();
    left.refuses("tree", "collected-not-plain", "it is a socket");

    let left = Left::new();
    let device = rustix::fs::makedev(1, 3);
    let path = left.at("tree/null");
    // Only root can make one.
    if rustix::fs::mknodat(rustix::fs::CWD, path, FileType::CharacterDevice, mode, device).is_ok() {
        left.refuses("tree", "collected-not-plain", "it is a device");
    }
}

#[test]
fn names_that_people_cannot_read_are_refused() {
    for (name, said) in [
        (&b"\xff"[..], "not UTF-8"),
        (b"a\nb", "cannot be seen"),
        (b"a\x1b[2Jb", "cannot be seen"),
        ("a\u{202e}b".as_bytes(), "cannot be seen"),
        ("a\u{200b}b".as_bytes(), "cannot be seen"),
    ] {
        let left = Left::new();
        put(left.at("tree").join(OsStr::from_bytes(name)), "");
        left.refuses("tree", "collected-name", said);
    }
    let left = Left::new();
    let deep = ["d"; 515].join("/");
    fs::create_dir_all(left.at("tree").join(&deep)).unwrap();
    left.refuses("tree", "collected-name", "too long");
}

/// A sparse file takes no room in the scratch directory, and would take it outside.
#[test]
fn files_are_as_large_as_their_limits_and_no_larger() {
    let left = Left::new();
    let sparse =
        |name: &str, bytes| fs::File::create(left.at(name)).unwrap().set_len(bytes).unwrap();
    sparse("file", 100);
    left.collect(&["file"]).unwrap();
    sparse("file", 101);
    left.refuses("file", "collected-too-large", "it is 101 bytes, limit is 100");
    sparse("file", 100);
    sparse("other", 100);
    left.collect(&["file", "other"]).unwrap();
    let error = left.collect(&["file", "other", "tree"]).unwrap_err();
    assert_eq!(error.reason(), "collected-too-large");
    assert!(error.to_string().contains("over 200 bytes together"), "{error}");
}

#[test]
fn a_file_with_several_names_is_counted_once() {
    let left = Left::new();
    put(left.at("many"), [b'x'; 100]);
    for number in 0..9 {
        fs::hard_link(left.at("many"), left.at(&format!("tree/{number}"))).unwrap();
    }
    let visited = left.collect(&["tree", "many"]).unwrap();
    assert!(visited.contains(&"tree/8->tree/0".to_owned()), "{visited:?}");
    assert!(visited.contains(&"many->tree/0".to_owned()), "{visited:?}");
}

#[test]
fn files_are_collected_up_to_their_number_and_no_more() {
    let left = Left::new();
    fs::create_dir(left.at("many")).unwrap();
    for number in 1..MAX_COLLECTED {
        fs::hard_link(left.at("out"), left.at(&format!("many/{number}"))).unwrap();
    }
    // The directory counts, too.
    assert_eq!(left.collect(&["many"]).unwrap().len(), MAX_COLLECTED);
    let error = left.collect(&["out", "many"]).unwrap_err();
    assert_eq!(error.reason(), "collected-too-many");
    fs::hard_link(left.at("out"), left.at("many/one more")).unwrap();
    left.refuses("many", "collected-too-many", "over 10000 files");
}

/// Root reads what nobody may read.
#[test]
fn what_cannot_be_read_is_refused() {
    if rustix::process::geteuid().is_root() {
        return;
    }
    let left = Left::new();
    for name in ["tree/one", "tree/below"] {
        let mode = fs::metadata(left.at(name)).unwrap().permissions();
        fs::set_permissions(left.at(name), fs::Permissions::from_mode(0o000)).unwrap();
        left.refuses("tree", "collected-unreadable", "it cannot be read");
        fs::set_permissions(left.at(name), mode).unwrap();
    }
}
