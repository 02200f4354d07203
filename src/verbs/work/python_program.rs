//! The Python that runs functions, and what it reads.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use brine_core::text::quoted;

use super::job_process::SELF;
use crate::report::Failure;
use crate::verbs::run::{find_program, system_directories};

/// A Python, and where its libraries are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PythonProgram {
    /// Runs the function that is given on standard input.
    pub(super) command: Vec<OsString>,
    /// What it reads beside the system directories.
    pub(super) system: BTreeSet<PathBuf>,
}

impl PythonProgram {
    /// What its output must be.
    pub(super) const FORMAT: &str = "--format=cbor";

    /// Finds the program, and asks it where its libraries are. What it answers is the operator's word, as the program is.
    pub(super) fn find(typed: Option<&Path>) -> Result<Self, Failure> {
        let program = path(typed)?;
        let mut asked = Command::new(&program);
        asked.args([OsStr::new("-I"), OsStr::new("-c"), OsStr::new(SURVEY)]).stdin(Stdio::null());
        let answer = asked.output();
        let Output { status, stdout, stderr } =
            answer.map_err(|source| Failure::NotExecutable { program: program.clone(), source })?;
        if !status.success() {
            return Err(cannot_run(&program, &stderr));
        }
        Self::of_answer(&stdout, &system_directories())
            .ok_or_else(|| cannot_run(&program, b"it does not say where its libraries are"))
    }

    /// Reads the answer: the program, and what it reads.
    fn of_answer(answer: &[u8], system: &BTreeSet<PathBuf>) -> Option<Self> {
        let mut paths =
            answer.split(|byte| *byte == 0).map(|path| Path::new(OsStr::from_bytes(path)));
        let program = paths.next()?;
        // Its last name is often a link, by which it finds its virtual environment. None is on the way there.
        let program = program.parent()?.canonicalize().ok()?.join(program.file_name()?);
        let real = paths.filter_map(|path| path.canonicalize().ok());
        let real = real.chain([program.parent()?.to_owned()]);
        let is_shown = |path: &PathBuf| system.iter().any(|directory| path.starts_with(directory));
        let system = real.filter(|path| path.parent().is_some() && !is_shown(path)).collect();
        let arguments = ["-I", "-c", LOADER].map(OsString::from);
        let command = [program.into_os_string()].into_iter().chain(arguments).collect();
        Some(Self { command, system })
    }
}

/// Finds the program that was typed, or else the one beside this program, or else `python3`.
pub(super) fn path(typed: Option<&Path>) -> Result<PathBuf, Failure> {
    let typed = typed.map(Path::to_owned).or_else(beside_this_program);
    let name = typed.unwrap_or_else(|| PathBuf::from("python3")).into_os_string();
    let found = find_program(&[name])?.map(|found| found.path);
    found.ok_or_else(|| Failure::NotFound { program: PathBuf::new() })
}

/// Returns the Python of the virtual environment that this program was installed to, if there is one.
fn beside_this_program() -> Option<PathBuf> {
    let directory = std::fs::read_link(SELF).ok()?.parent()?.to_owned();
    ["python", "python3"].map(|name| directory.join(name)).into_iter().find(|path| path.exists())
}

/// Says why a Python cannot run functions: the last line that it writes names what is missing.
fn cannot_run(program: &Path, errors: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(errors);
    let why = text.lines().last().unwrap_or("it fails");
    let program = quoted(program);
    let hint =
        "\"pip install 'brine-sign[code]'\" installs what it needs, with the pip of that Python";
    Failure::mistyped(format!("{program} cannot run functions: {why}"), hint)
}

/// Runs the function on standard input.
const LOADER: &str = "from brine._job_loader import main; main()";

/// Writes where the program and its libraries are, and fails if something is missing.
const SURVEY: &str = "\
import os, sys
import cloudpickle, brine._job_loader
program = sys.executable
real = os.path.dirname(os.path.realpath(program))
prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
paths = [program, real, *prefixes, *filter(None, sys.path)]
sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, paths)))";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_python_is_run_by_its_name_and_reads_where_its_libraries_really_are() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().canonicalize().unwrap();
        for directory in ["real/bin", "real/lib", "venv/bin"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
        }
        symlink(root.join("real/bin/python3"), root.join("venv/bin/python")).unwrap();
        symlink(root.join("venv"), root.join("link")).unwrap();
        let paths =
            ["link/bin/python", "real/lib", "real/none", "link"].map(|path| root.join(path));
        let answer = paths.map(|path| path.into_os_string().into_encoded_bytes()).join(&0);
        let answer = [answer, b"/usr/lib".to_vec()].join(&0);
        let found = PythonProgram::of_answer(&answer, &BTreeSet::from(["/usr".into()])).unwrap();
        assert_eq!(found.command[0], root.join("venv/bin/python"));
        let expected = ["real/lib", "venv", "venv/bin"].map(|path| root.join(path));
        assert_eq!(found.system, BTreeSet::from(expected));
        assert_eq!(PythonProgram::of_answer(b"", &BTreeSet::new()), None);
    }

    #[test]
    fn what_a_python_lacks_is_said() {
        let failure = cannot_run(Path::new("/x/python"), b"Traceback\nNo module named 'brine'\n");
        assert_eq!(
            failure.to_string(),
            "\"/x/python\" cannot run functions: No module named 'brine'"
        );
    }
}
