//! The examples of SPEC.md, whose bytes are those that brine writes.

use std::env;
use std::fs;

use crate::{hex, project, project_text, unhex};

/// Returns hex in rows of one field each, with its meaning. `fields` are lengths and meanings.
#[must_use]
pub fn annotated(bytes: &[u8], fields: &[(usize, &str)]) -> String {
    let mut rest = bytes;
    let mut text = String::new();
    for (length, meaning) in fields {
        let (field, after) = rest.split_at(*length);
        rest = after;
        let rows: Vec<_> = field.chunks(24).map(hex).collect();
        for (index, row) in rows.iter().enumerate() {
            let meaning = if index == 0 { format!("# {meaning}") } else { String::new() };
            text.push_str(format!("{row:<48}  {meaning}").trim_end());
            text.push('\n');
        }
    }
    assert!(rest.is_empty(), "{} bytes without a meaning", rest.len());
    text
}

/// Demands that these examples, by their names, stand in SPEC.md as they are. With `BRINE_GENERATE` in the
/// environment they are written there.
pub fn assert_spec_examples(examples: &[(&str, String)]) {
    let mut spec = project_text("SPEC.md");
    for (name, example) in examples {
        let start = format!("<!-- example: {name} -->\n```\n");
        let (before, rest) = spec.split_once(&start).unwrap_or_else(|| panic!("no {name}"));
        let (found, after) = rest.split_once("```\n<!-- end -->").unwrap();
        if env::var_os("BRINE_GENERATE").is_some() {
            spec = format!("{before}{start}{example}```\n<!-- end -->{after}");
            fs::write(project("SPEC.md"), &spec).unwrap();
        } else {
            assert_eq!(found, example, "{name}: run ./scripts/generate");
        }
    }
}

/// Returns the bytes of an example, read from the page as a person would, not from the code that wrote it.
#[must_use]
pub fn spec_example(name: &str) -> Vec<u8> {
    let spec = project_text("SPEC.md");
    let (_, rest) = spec.split_once(&format!("<!-- example: {name} -->\n```\n")).unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let digits: String = block.lines().map(|line| line.split('#').next().unwrap()).collect();
    unhex(&digits)
}
