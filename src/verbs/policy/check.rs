//! Whether jobs can run by a policy on this system, and whether they can change what it relies on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use brine_core::hash::{HashAlgorithm, Hasher};
use brine_core::text::{hex, in_words, quoted};
use brine_job::{ImportList, Policy, PolicyEntry, PolicyInterpreter};

use crate::report::Failure;
use crate::report::console::note;
use crate::verbs::{run, scan};
use crate::world::home::Home;
use crate::world::permissions::PermissionRule;
use crate::world::program_file::{self, ProgramForm};
use crate::world::trail::Trail;
use crate::world::writable_roots::WritableRoots;

/// A policy that is held against this system.
pub(super) struct PolicyCheck<'p> {
    path: &'p Path,
    policy: &'p Policy,
    roots: WritableRoots,
    system: BTreeSet<PathBuf>,
    warnings: Vec<String>,
    rule: PermissionRule,
}

impl<'p> PolicyCheck<'p> {
    pub(super) fn new(path: &'p Path, policy: &'p Policy, rule: PermissionRule) -> Self {
        let roots = WritableRoots::new(&policy.write_roots());
        let system = run::system_directories();
        Self { path, policy, roots, system, warnings: Vec::new(), rule }
    }

    /// Refuses a policy by which a job that it allows can never run, and one that lets jobs change what it relies
    /// on.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        self.roots.refuse_input(self.path)?;
        if let Ok(home) = Home::find() {
            self.roots.refuse_input(&home.trust_file())?;
        }
        self.policy.entries().iter().try_for_each(|entry| self.entry(entry))?;
        self.warnings.iter().for_each(|warning| note(warning));
        Ok(())
    }

    fn entry(&mut self, entry: &PolicyEntry) -> Result<(), Failure> {
        let system = &entry.system().unwrap_or(&self.system).clone();
        for root in entry.write_roots() {
            // Files in a system directory can be executed, and no job may execute what it wrote.
            let overlaps =
                |directory: &&PathBuf| root.starts_with(directory) || directory.starts_with(root);
            if let Some(directory) = system.iter().find(overlaps) {
                let what = format!(
                    "jobs may not write to {}, as it overlaps the system directory {}",
                    quoted(root),
                    quoted(&directory)
                );
                return Err(self.unusable(entry, what));
            }
        }
        // The roots of the other entries, too.
        self.roots.refuse_system(system)?;
        for root in entry.write_roots().chain(entry.read_roots()) {
            self.root(entry, root)?;
        }
        for interpreter in entry.interpreters() {
            self.interpreter(entry, &interpreter, system)?;
        }
        if let Some(path) = entry.json_schema() {
            self.roots.refuse_input(path)?;
            let read = run::schema::read(path, self.rule);
            read.map_err(|failure| self.unusable(entry, format!("json-schema: {failure}")))?;
        }
        self.lists(entry, entry.pickle_imports().unwrap_or_default())
    }

    fn root(&mut self, entry: &PolicyEntry, root: &Path) -> Result<(), Failure> {
        if Trail::of(root).has_links() {
            let what = format!(
                "{} has a symbolic link in it, and no link is followed to a granted path",
                quoted(root)
            );
            return Err(self.unusable(entry, what));
        }
        if fs::symlink_metadata(root).is_err() {
            self.warn(entry, &format!("there is no {} yet", quoted(root)));
        }
        Ok(())
    }

    fn interpreter(
        &mut self,
        entry: &PolicyEntry,
        interpreter: &PolicyInterpreter<'_>,
        system: &BTreeSet<PathBuf>,
    ) -> Result<(), Failure> {
        let PolicyInterpreter { alias, path, sha256, .. } = interpreter;
        self.roots.refuse_program(path)?;
        let unusable =
            |what: String| Err(self.unusable(entry, format!("interpreter {alias}: {what}")));
        match fs::metadata(path) {
            Err(error) => return unusable(format!("{}: {}", quoted(path), in_words(&error))),
            Ok(found) if !found.is_file() || found.permissions().mode() & 0o111 == 0 => {
                return unusable(format!("{} cannot be executed", quoted(path)));
            }
            Ok(_) => {}
        }
        if let Err(what) = can_start(path) {
            return unusable(what);
        }
        if let Some(stated) = sha256 {
            let found =
                sha256_of(path).map_err(|error| Failure::io(quoted(path).to_string(), error))?;
            if found != hex(*stated) {
                return unusable(format!(
                    "{} has the SHA-256 {found}, and not the one that is stated",
                    quoted(path)
                ));
            }
        }
        let interpreters = program_file::interpreters(path);
        let programs = std::iter::once(*path).chain(interpreters.iter().map(PathBuf::as_path));
        for directory in programs.flat_map(|program| program_file::outside(program, system)) {
            let what = format!(
                "interpreter {alias} may look for its libraries in {}, which is not in system",
                quoted(&directory)
            );
            self.warn(entry, &what);
        }
        Ok(())
    }

    fn lists(&self, entry: &PolicyEntry, lists: &[ImportList]) -> Result<(), Failure> {
        for list in lists {
            let ImportList::File(path) = list else { continue };
            self.roots.refuse_input(path)?;
            let read = scan::list_of_policy(std::slice::from_ref(list), self.rule);
            read.map_err(|failure| self.unusable(entry, format!("pickle-imports: {failure}")))?;
        }
        Ok(())
    }

    /// Keeps a warning. Warnings are given if nothing is refused.
    fn warn(&mut self, entry: &PolicyEntry, what: &str) {
        self.warnings.push(format!(
            "warning: {}: line {}: {what}",
            quoted(&self.path),
            entry.line()
        ));
    }

    fn unusable(&self, entry: &PolicyEntry, what: String) -> Failure {
        Failure::PolicyUnusable { path: self.path.to_owned(), line: entry.line(), what }
    }
}

/// Says why the system would not execute a program, if it would not.
fn can_start(program: &Path) -> Result<(), String> {
    let form = |path: &Path| {
        ProgramForm::of(path).map_err(|error| format!("{}: {}", quoted(path), in_words(&error)))
    };
    let mut path = program.to_owned();
    for _ in 0..MAX_SCRIPTS {
        let interpreter = match form(&path)? {
            ProgramForm::Elf => return Ok(()),
            ProgramForm::Unknown => {
                return Err(format!(
                    "{} is no ELF file, and does not begin with #! and a program",
                    quoted(&path)
                ));
            }
            ProgramForm::Script(interpreter) => interpreter,
        };
        let failed = |what: &str| {
            Err(format!("{} is read by {}: {what}", quoted(&path), quoted(&interpreter)))
        };
        if !interpreter.is_absolute() {
            return failed("not an absolute path");
        }
        match fs::metadata(&interpreter) {
            Err(error) => return failed(&error.to_string()),
            Ok(found) if found.permissions().mode() & 0o111 == 0 => {
                return failed("cannot be executed");
            }
            Ok(_) => path = interpreter,
        }
    }
    Err(format!("{} is read by scripts that are read by scripts", quoted(program)))
}

/// As many as Linux follows (execve(2)).
const MAX_SCRIPTS: usize = 5;

fn sha256_of(path: &Path) -> std::io::Result<String> {
    let mut hasher = Hasher::new(HashAlgorithm::Sha256);
    let mut file = program_file::open_regular(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut piece)? {
            0 => return Ok(hex(hasher.finish().as_ref())),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}
