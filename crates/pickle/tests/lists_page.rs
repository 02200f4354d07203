//! docs/pickle-lists.md says what each name of the built-in lists may do. It comes from the rules themselves, and
//! must be current: `./scripts/generate` writes it anew.
#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads small files"
)]

use std::fmt::Write as _;
use std::path::Path;

use brine_pickle::AllowList;

#[test]
fn the_page_of_the_lists_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pickle-lists.md");
    let page = page();
    if std::env::var_os("BRINE_GENERATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, page, "run ./scripts/generate");
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (name, list) in [("std", AllowList::std()), ("numpy", AllowList::numpy())] {
        write!(
            page,
            "\n## {name}\n\n| names | what they may do, and why that is harmless |\n| --- | --- |\n"
        )
        .unwrap();
        for (reason, names) in rows(&list) {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            writeln!(page, "| {} | {reason} |", names.join(", ")).unwrap();
        }
    }
    page
}

/// The names that share a reason, in the order of the first of them.
fn rows(list: &AllowList) -> Vec<(&'static str, Vec<String>)> {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for (module, name) in list.iter() {
        let reason = AllowList::reason(module, name).unwrap();
        let name = format!("{module}:{name}");
        match rows.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, names)) => names.push(name),
            None => rows.push((reason, vec![name])),
        }
    }
    rows
}

const HEAD: &str = "\
# What the names of the built-in lists may do

`brine scan` lets a pickle call a name of its own lists only with the values that are meant here, and lets the
results take only the state and items that are meant here. A name is under every module that picklers have
written for it. [scan.md](scan.md) says what this promises and what it does not.
";
