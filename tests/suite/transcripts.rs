//! Sessions as people type them: tests/transcripts/*.console.
//!
//! In such a file a line that begins with `$ ` is typed, and those that begin with `> ` go on with it. What stands
//! below is what the person sees: standard output and standard error, in the order in which they are written. `? 5` is
//! the exit status, where it is not 0. Lines that begin with `#` say what is shown. All lines of a file are typed by one
//! person, one after the other, in a directory that is empty in the beginning, with `sh`, and with no terminal.
//!
//! What differs from day to day is left out: `[..]` stands for any text within a line, and `...` alone for any number of
//! lines. The directory of keys is shown as `$BRINE_HOME`. `TRANSCRIPTS=write` in the environment writes the files anew,
//! with `[..]` for keys, digests and times; what has marks and still fits stays.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Person, project};

#[test]
fn transcripts_show_what_is_typed_and_what_comes() {
    let mut files: Vec<PathBuf> = fs::read_dir(project("tests/transcripts"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are transcripts");
    let writes = std::env::var_os("TRANSCRIPTS").is_some_and(|found| found == "write");
    let mut differ = Vec::new();
    for file in files {
        let expected = fs::read_to_string(&file).unwrap();
        let found = play(&expected);
        if found == expected {
            continue;
        }
        if writes {
            fs::write(&file, found).unwrap();
        } else {
            differ.push(difference(&file, &expected, &found));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// What is typed at once, and what comes of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    /// Comments and blank lines before it.
    before: Vec<String>,
    typed: Vec<String>,
    seen: Vec<String>,
    status: i32,
}

impl Step {
    fn read(text: &str) -> Vec<Self> {
        let mut steps = vec![Self::default()];
        // Blank lines and comments belong to the next step if one follows, and else to what was seen.
        let mut between = Vec::new();
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                between.push(line.to_owned());
                continue;
            }
            if line.starts_with("$ ") && !steps.last().unwrap().typed.is_empty() {
                steps.push(Self::default());
            }
            let step = steps.last_mut().unwrap();
            let place = if step.typed.is_empty() { &mut step.before } else { &mut step.seen };
            place.append(&mut between);
            if line.starts_with("$ ") || line.starts_with("> ") {
                step.typed.push(line[2..].to_owned());
            } else if let Some(status) = line.strip_prefix("? ") {
                step.status = status.parse().unwrap();
            } else {
                step.seen.push(line.to_owned());
            }
        }
        steps.push(Self { before: between, ..Self::default() });
        steps
    }

    fn write(&self, text: &mut String) {
        for line in &self.before {
            writeln!(text, "{line}").unwrap();
        }
        for (index, line) in self.typed.iter().enumerate() {
            writeln!(text, "{} {line}", if index == 0 { '$' } else { '>' }).unwrap();
        }
        for line in &self.seen {
            writeln!(text, "{line}").unwrap();
        }
        if self.status != 0 {
            writeln!(text, "? {}", self.status).unwrap();
        }
    }
}

/// Types a transcript again, and returns it as it is now.
fn play(transcript: &str) -> String {
    let person = Person::new();
    let mut text = String::new();
    for step in Step::read(transcript) {
        if step.typed.is_empty() {
            step.write(&mut text);
            continue;
        }
        let line = format!("exec 2>&1\n{}", step.typed.join("\n"));
        let output = person.shell(&line).output().unwrap();
        let home = person.home_path("").display().to_string();
        let seen = String::from_utf8_lossy(&output.stdout)
            .replace(home.trim_end_matches('/'), "$BRINE_HOME");
        let seen: Vec<_> = seen.lines().map(str::to_owned).collect();
        let seen = if fits(&step.seen, &seen) {
            step.seen
        } else {
            seen.iter().map(|line| marked(line)).collect()
        };
        Step { seen, status: output.status.code().unwrap(), ..step }.write(&mut text);
    }
    text
}

/// Returns whether these lines are as the pattern has them.
fn fits(pattern: &[String], lines: &[String]) -> bool {
    match pattern {
        [] => lines.is_empty(),
        [any, rest @ ..] if any == "..." => {
            (0..=lines.len()).any(|skipped| fits(rest, &lines[skipped..]))
        }
        [first, rest @ ..] => match lines {
            [line, others @ ..] => line_fits(first, line) && fits(rest, others),
            [] => false,
        },
    }
}

fn line_fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            line.char_indices()
                .map(|(at, _)| at)
                .chain([line.len()])
                .any(|at| line_fits(rest, &line[at..]))
        }),
    }
}

/// Puts a mark in the place of every word that is a key, a digest or a time.
fn marked(line: &str) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "+/=:-._".contains(letter);
    let mut text = String::new();
    for word in line.split_inclusive(|letter: char| !is_part(letter)) {
        let part = word.trim_end_matches(|letter: char| !is_part(letter));
        let is_hex = part.len() >= 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_time =
            part.len() >= 17 && part.starts_with("20") && part.contains('T') && part.contains(':');
        let start = if part.starts_with("AAAA") && part.len() > 40 {
            Some("AAAA")
        } else if part.starts_with("SHA256:") && part.len() > 40 {
            Some("SHA256:")
        } else {
            (is_hex || is_time).then_some("")
        };
        match start {
            Some(start) => write!(text, "{start}[..]{}", &word[part.len()..]).unwrap(),
            None => text.push_str(word),
        }
    }
    text
}

fn difference(file: &Path, expected: &str, found: &str) -> String {
    let name = file.file_name().unwrap().display();
    let at = expected.lines().zip(found.lines()).take_while(|(one, other)| one == other).count();
    let from = |text: &str| {
        text.lines()
            .skip(at.saturating_sub(2))
            .take(12)
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    format!("{name}, line {}, is\n{}and should be\n{}", at + 1, from(found), from(expected))
}

#[test]
fn marks_stand_for_what_differs() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (pattern, found, fit) in [
        ("one\ntwo", "one\ntwo", true),
        ("one\ntwo", "one", false),
        ("one", "one\ntwo", false),
        ("key [..] made", "key abc made", true),
        ("key [..] made", "key abc lost", false),
        ("[..]a[..]", "banana", true),
        ("...\nlast", "one\ntwo\nlast", true),
        ("...\nlast", "last", true),
        ("...\nlast", "last\none", false),
        ("...", "", true),
    ] {
        assert_eq!(fits(&lines(pattern), &lines(found)), fit, "{pattern:?} {found:?}");
    }
}

/// A transcript that is wrong anywhere is written otherwise than it is.
#[test]
fn what_differs_is_found() {
    let right = "# A file.\n$ printf 'a\\n\\nb\\n'\na\n\nb\n\n# More.\n$ echo one; echo two >&2\none\ntwo\n\n$ printf '%s\\n' \\\n>   three; exit 4\nthree\n? 4\n";
    assert_eq!(play(right), right);
    for wrong in [
        right.replace("\none\n", "\nfour\n"),
        right.replace("? 4\n", ""),
        right.replace("\ntwo\n", "\n"),
    ] {
        assert_ne!(play(&wrong), wrong);
        assert_eq!(play(&wrong), right);
    }
}

#[test]
fn keys_digests_and_times_are_marked() {
    let key = format!("AAAA{}", "x".repeat(60));
    for (line, expected) in [
        (format!("ssh-ed25519 {key} default"), "ssh-ed25519 AAAA[..] default"),
        (format!("id {}, SHA256:{}.", "0a".repeat(32), "b".repeat(43)), "id [..], SHA256:[..]"),
        ("(2026-11-21T08:30:00Z)".to_owned(), "([..])"),
        ("AAAA 2026 SHA256:x".to_owned(), "AAAA 2026 SHA256:x"),
    ] {
        assert_eq!(marked(&line), expected);
    }
}
