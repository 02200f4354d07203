//! The shape of the source: arrows that go one way, short files, and a map that shows every module.
//!
//! Cargo holds the arrows between the crates. `brine-core` has a test for those inside it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{project, project_text};

/// The modules of the programs, from the inside out. A module uses itself and those before it.
const ORDER: [&str; 7] = ["args", "report", "world", "reporter", "verbs", "embed", "program"];

/// The most lines of code in a file, its tests left out.
const MOST_LINES: usize = 400;

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.flatten().collect()
}

/// All source files: those of the programs, and those of the crates.
fn sources() -> Vec<PathBuf> {
    let crates = fs::read_dir(project("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path().join("src"));
    let found = crates.chain([project("src")]).flat_map(|source| files(&source));
    let found: Vec<_> = found.filter(|path| !is_of_tests(path)).collect();
    assert!(found.len() > 150, "only {} files were found", found.len());
    found
}

/// Returns whether a file is `foo/tests.rs`, or lies in `foo/tests/`.
fn is_of_tests(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

#[test]
fn a_module_of_the_programs_uses_only_those_before_it() {
    let source = project("src");
    let place = |name: &str| ORDER.iter().position(|other| *other == name);
    let mut arrows = 0;
    for path in files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if ["bin", "lib"].contains(&module) {
            continue;
        }
        let own = place(module).unwrap_or_else(|| panic!("{module} has no place"));
        let text = project_text(path.to_str().unwrap());
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for used in code.flat_map(|line| line.split("crate::").skip(1)) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase()).collect();
            arrows += 1;
            assert!(place(&used) <= Some(own), "{} uses crate::{used}", inside.display());
            assert!(place(&used).is_some(), "{} uses crate::{used}", inside.display());
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were found");
}

#[test]
fn source_files_stay_short() {
    for path in sources() {
        let text = project_text(path.to_str().unwrap());
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
    }
}

/// ARCHITECTURE.md names every file.
#[test]
fn the_map_shows_every_module() {
    let map = project_text("ARCHITECTURE.md");
    for path in sources() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(map.contains(name), "ARCHITECTURE.md does not mention {}", path.display());
    }
}
