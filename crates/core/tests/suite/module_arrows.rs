//! Arrows between the modules of the crate go one way. Nothing is exempt, unit tests neither.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules, from the inside out. A module uses itself and those before it.
const ORDER: [&str; 27] = [
    "class",
    "text",
    "pool",
    "time",
    "cbor",
    "hash",
    "key",
    "claims",
    "context_glob",
    "cose",
    "kind",
    "position",
    "sequence",
    "certificates",
    "trust",
    "signing",
    "store",
    "armor",
    "expectations",
    "error",
    "observer",
    "statement",
    "batch",
    "unverified",
    "verify",
    "stream",
    "verified",
];

/// The modules that nothing in the crate uses: the doors.
const DOORS: [&str; 2] = ["open", "sign"];

#[test]
fn a_module_uses_only_those_before_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut arrows = 0;
    for path in files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        for used in used_modules(&fs::read_to_string(&path).unwrap()) {
            arrows += 1;
            assert!(may_use(module, &used), "{} uses crate::{used}", inside.display());
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were found");
}

fn may_use(module: &str, used: &str) -> bool {
    let place = |name: &str| ORDER.iter().position(|other| *other == name);
    match (place(module), place(used)) {
        _ if module == used => true,
        (Some(own), Some(other)) => other < own,
        (None, Some(_)) => DOORS.contains(&module),
        (_, None) => false,
    }
}

/// The names behind `crate::` in code. Comments, which link to anything, and doc examples are left out.
fn used_modules(text: &str) -> Vec<String> {
    let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let name = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    code.split("crate::").skip(1).map(name).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let nested = entries.map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    nested.flatten().collect()
}

#[test]
fn arrows_that_go_outwards_are_found() {
    assert!(may_use("verify", "batch") && may_use("open", "verified") && may_use("cbor", "cbor"));
    assert!(!may_use("cbor", "cose") && !may_use("verify", "open") && !may_use("cose", "unknown"));
    let text = "use crate::cbor::Decoder;\n// crate::open\n    crate::text::hex(b\"\")\nuse crate::{key, sign};";
    assert_eq!(used_modules(text), ["cbor", "text", ""]);
    // A grouped import has no name behind `crate::`, so it is refused as an unknown one.
    assert!(!may_use("sign", ""));
}
