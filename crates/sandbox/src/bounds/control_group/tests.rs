use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::*;

/// A hierarchy of version 2 in memory, with the rules of the kernel's that matter here
/// (`admin-guide/cgroup-v2`): a group gives its groups only controllers that it has itself, and only if there is no
/// process in it; who may not write somewhere gets `EACCES`.
#[derive(Debug, Default)]
struct FakeTree {
    groups: RefCell<BTreeMap<PathBuf, FakeGroup>>,
    /// Groups that belong to somebody else.
    foreign: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug, Default)]
struct FakeGroup {
    has: BTreeSet<String>,
    gives: BTreeSet<String>,
    processes: BTreeSet<String>,
    set: BTreeMap<String, String>,
}

const OWN: &str = "/g/user/scope";

impl FakeTree {
    /// `/g/user/scope`, with these processes; its controllers are delegated to it.
    fn scope(processes: &[&str]) -> Self {
        let controllers: BTreeSet<String> = ["memory", "pids"].map(str::to_owned).into();
        let inner = FakeGroup {
            has: controllers.clone(),
            gives: controllers.clone(),
            ..FakeGroup::default()
        };
        let scope = FakeGroup {
            has: controllers,
            processes: processes.iter().map(|number| (*number).to_owned()).collect(),
            ..FakeGroup::default()
        };
        let groups = [("/g", inner.clone()), ("/g/user", inner), (OWN, scope)];
        let groups = groups.map(|(path, group)| (PathBuf::from(path), group)).into();
        Self { groups: RefCell::new(groups), foreign: ["/g", "/g/user"].map(PathBuf::from).into() }
    }

    fn names(&self) -> Vec<String> {
        self.groups.borrow().keys().map(|path| path.display().to_string()).collect()
    }

    fn group(&self, path: &Path) -> FakeGroup {
        self.groups.borrow()[path].clone()
    }
}

fn denied<T>() -> io::Result<T> {
    Err(io::ErrorKind::PermissionDenied.into())
}

impl GroupTree for &FakeTree {
    fn make(&self, group: &Path) -> io::Result<()> {
        let parent = group.parent().unwrap();
        if self.foreign.contains(parent) {
            return denied();
        }
        let has = self.group(parent).gives;
        self.groups
            .borrow_mut()
            .insert(group.to_owned(), FakeGroup { has, ..FakeGroup::default() });
        Ok(())
    }

    fn remove(&self, group: &Path) -> io::Result<()> {
        let mut groups = self.groups.borrow_mut();
        match groups.get(group) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(found) if !found.processes.is_empty() => Err(io::ErrorKind::ResourceBusy.into()),
            Some(_) => {
                groups.remove(group);
                Ok(())
            }
        }
    }

    fn groups_in(&self, group: &Path) -> Vec<PathBuf> {
        let groups = self.groups.borrow();
        groups.keys().filter(|path| path.parent() == Some(group)).cloned().collect()
    }

    fn write(&self, file: &Path, value: &str) -> io::Result<()> {
        let (path, name) = (file.parent().unwrap(), file.file_name().unwrap().to_str().unwrap());
        if self.foreign.contains(path) {
            return denied();
        }
        let mut groups = self.groups.borrow_mut();
        let group = groups.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        match name {
            "cgroup.subtree_control" => {
                for change in value.split(' ') {
                    let (sign, controller) = change.split_at(1);
                    let gives = sign == "+";
                    if gives && !group.processes.is_empty() {
                        return Err(io::ErrorKind::ResourceBusy.into());
                    }
                    if gives && !group.has.contains(controller) {
                        return Err(io::ErrorKind::NotFound.into());
                    }
                    if gives {
                        group.gives.insert(controller.to_owned());
                    } else {
                        group.gives.remove(controller);
                    }
                }
                Ok(())
            }
            "cgroup.procs" if !group.gives.is_empty() => Err(io::ErrorKind::ResourceBusy.into()),
            "cgroup.procs" => {
                let own = std::process::id().to_string();
                let number = if value == "0" { own } else { value.to_owned() };
                for group in groups.values_mut() {
                    group.processes.remove(&number);
                }
                groups.get_mut(path).unwrap().processes.insert(number);
                Ok(())
            }
            _ => {
                let controller = name.split('.').next().unwrap();
                if !group.has.contains(controller) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                group.set.insert(name.to_owned(), value.to_owned());
                Ok(())
            }
        }
    }

    fn read(&self, file: &Path) -> Option<String> {
        let name = file.file_name()?.to_str()?;
        let groups = self.groups.borrow();
        let group = groups.get(file.parent()?)?;
        let lines = |set: &BTreeSet<String>| set.iter().map(|one| format!("{one}\n")).collect();
        match name {
            "cgroup.subtree_control" => Some(lines(&group.gives)),
            "cgroup.procs" => Some(lines(&group.processes)),
            "cpu.stat" => Some("usage_usec 30\nuser_usec 10\nsystem_usec 20\n".to_owned()),
            "memory.events" => Some("low 0\noom 1\noom_kill 1\n".to_owned()),
            "memory.peak" => Some("4096\n".to_owned()),
            _ => group.set.get(name).cloned(),
        }
    }
}

fn limits() -> JobLimits {
    let policy = brine_job::Policy::none();
    let system = BTreeSet::new();
    let question = brine_job::PolicyQuestion {
        signer: "a",
        context: None,
        content_type: None,
        system: &system,
    };
    let command = brine_job::OperatorCommand { path: "/bin/true".into(), arguments: Vec::new() };
    let permit = policy.plan(&question, &brine_job::Grants::default(), Some(&command)).unwrap();
    permit.plan.parts().limits
}

fn made(tree: &FakeTree) -> ControlGroup<&FakeTree> {
    let hierarchy = Hierarchy {
        version: GroupVersion::V2,
        controllers: Vec::new(),
        own: OWN.into(),
        top: "/g".into(),
    };
    ControlGroup::make_in(tree, &[hierarchy], &limits())
}

const ALL: Held = Held {
    memory: Some(GroupVersion::V2),
    processor: Some(GroupVersion::V2),
    processes: Some(GroupVersion::V2),
};

/// Only the time that processors take, which the kernel counts for every group.
const TIME: Held = Held { memory: None, processor: Some(GroupVersion::V2), processes: None };

#[test]
fn brine_alone_in_a_scope_that_was_delegated_makes_room_for_a_job_and_goes_back() {
    let own = std::process::id().to_string();
    let tree = FakeTree::scope(&[&own]);
    let mut group = made(&tree);
    assert_eq!(group.held(), ALL);
    let job = Pid::from_raw(4711).unwrap();
    group.take(job, Membership::default());
    assert_eq!(group.held(), ALL);
    let directory = group.memory.as_ref().unwrap().directory.clone();
    let found = tree.group(&directory);
    assert_eq!(found.processes, BTreeSet::from(["4711".to_owned()]));
    assert_eq!(found.set["memory.max"], limits().memory.to_string());
    assert_eq!(found.set["memory.swap.max"], "0");
    assert_eq!(found.set["memory.oom.group"], "1");
    assert_eq!(found.set["pids.max"], (limits().processes + 1).to_string());
    assert_eq!(
        group.processor_time(),
        Some((Duration::from_micros(10), Duration::from_micros(20)))
    );
    assert_eq!(group.peak_memory(), Some(4096));
    assert!(group.ran_out_of_memory());
    tree.groups.borrow_mut().get_mut(&directory).unwrap().processes.clear();
    drop(group);
    assert_eq!(tree.names(), ["/g", "/g/user", OWN]);
    assert_eq!(tree.group(Path::new(OWN)).processes, BTreeSet::from([own]));
}

#[test]
fn brine_beside_others_leaves_them_where_they_are() {
    let own = std::process::id().to_string();
    let tree = FakeTree::scope(&[&own, "1"]);
    let group = made(&tree);
    assert_eq!(group.held(), TIME);
    drop(group);
    assert_eq!(tree.names(), ["/g", "/g/user", OWN]);
    assert_eq!(tree.group(Path::new(OWN)).processes, BTreeSet::from([own, "1".to_owned()]));
}

/// As root, in the scope of a login.
#[test]
fn a_group_above_does_that_may_be_written() {
    let own = std::process::id().to_string();
    let tree = FakeTree { foreign: BTreeSet::new(), ..FakeTree::scope(&[&own, "1"]) };
    let group = made(&tree);
    assert_eq!(group.held(), ALL);
    assert_eq!(group.memory.as_ref().unwrap().directory.parent(), Some(Path::new("/g/user")));
}

#[test]
fn where_nothing_may_be_made_nothing_is_held() {
    let own = std::process::id().to_string();
    let mut tree = FakeTree::scope(&[&own]);
    tree.foreign.insert(OWN.into());
    assert_eq!(made(&tree).held(), Held::default());
    assert_eq!(tree.names(), ["/g", "/g/user", OWN]);
}

#[test]
fn a_group_that_takes_no_process_holds_nothing() {
    let own = std::process::id().to_string();
    let tree = FakeTree::scope(&[&own]);
    let mut group = made(&tree);
    let directory = group.memory.as_ref().unwrap().directory.clone();
    tree.groups.borrow_mut().remove(&directory);
    group.take(Pid::from_raw(4711).unwrap(), Membership::default());
    assert_eq!(group.held(), Held::default());
}

#[test]
fn a_process_that_was_born_in_a_group_is_not_moved_there() {
    let own = std::process::id().to_string();
    let tree = FakeTree::scope(&[&own]);
    let mut group = made(&tree);
    let directory = group.memory.as_ref().unwrap().directory.clone();
    assert_eq!(group.directories(GroupVersion::V2).collect::<Vec<_>>(), [&*directory]);
    group
        .take(Pid::from_raw(4711).unwrap(), Membership { of_version_1: false, of_version_2: true });
    assert_eq!(group.held(), ALL);
    assert_eq!(tree.group(&directory).processes, BTreeSet::new());
}

#[test]
fn groups_of_programs_that_are_gone_are_removed() {
    let own = std::process::id().to_string();
    let tree = FakeTree::scope(&[&own, "1"]);
    let gone = Path::new(OWN).join("brine-4194305-0");
    let alive = Path::new(OWN).join("brine-1-0");
    for path in [&gone, &alive] {
        (&tree).make(path).unwrap();
    }
    let group = made(&tree);
    assert!(!tree.groups.borrow().contains_key(&gone));
    assert!(tree.groups.borrow().contains_key(&alive));
    drop(group);
}
