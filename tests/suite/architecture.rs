//! Module arrows go one way: `bin -> cli -> sign, verify -> trust, key, cose, claims -> cbor`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{project, project_text};

/// The layers, from the inside out. A module may use its own layer and those before it.
const LAYERS: [&[&str]; 9] = [
    &["cbor", "hash", "pool", "text"],
    &["claims", "cose", "key", "kind", "trust"],
    &["armor", "batch", "sign", "verify"],
    &["stream"],
    &["record"],
    &["job"],
    &["sandbox"],
    &["cli"],
    &["bin"],
];

/// Anyone may use it, and it may name what it reports.
const EVERYWHERE: &str = "error";

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    nested.flatten().collect()
}

#[test]
fn arrows_between_modules_go_inwards() {
    let source = project("src");
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if module == "lib" || module == EVERYWHERE {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} has no layer"));
        let text = project_text(path.to_str().unwrap());
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: String =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for found in code.split("crate::").skip(1) {
            let used: String =
                found.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let Some(used_layer) = layer(&used) else { continue };
            assert!(used_layer <= own, "{} uses crate::{used}", inside.display());
        }
    }
}

#[test]
fn source_files_stay_short() {
    for path in sources(&project("src")) {
        let text = project_text(path.to_str().unwrap());
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().count();
        assert!(lines <= 450, "{} has {lines} lines", path.display());
    }
}

/// ARCHITECTURE.md names every file at the top of the tree.
#[test]
fn the_map_shows_every_module() {
    let map = project_text("ARCHITECTURE.md");
    for path in sources(&project("src")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(map.contains(name), "ARCHITECTURE.md does not mention {}", path.display());
    }
}
