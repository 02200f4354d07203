//! Man pages come from the clap declaration and from docs/, and completions from the program. They are checked in, and must be current.
//!
//! `./scripts/generate` writes them anew.

mod manual;
mod surroundings;

use std::collections::BTreeMap;
use std::fs;

use brine_cli::args::brine::Brine;
use brine_cli::args::brinekey::BrineKey;
use brine_cli::report::exit::Status;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::common::{Person, project, project_text};

/// Everything that is generated, by path.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for program in [Brine::command(), BrineKey::command()] {
        let name = program.get_name().to_owned();
        for (shell, path) in [
            ("bash", format!("completions/{name}.bash")),
            ("zsh", format!("completions/_{name}")),
            ("fish", format!("completions/{name}.fish")),
        ] {
            let output = Person::new().brine(["completions", shell, &name]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            files.insert(path, output.stdout);
        }
        pages(&program, &name, &mut files);
    }
    for (name, about, document) in [
        ("policy.toml", "what signed jobs may have", "docs/policy.md"),
        ("trust.toml", "who is believed", "docs/trust.md"),
    ] {
        files.insert(format!("man/{name}.5"), manual::page(name, about, &project_text(document)));
    }
    files
}

/// One page for a command and each of its verbs.
fn pages(command: &Command, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let mut command = command.clone().disable_help_subcommand(true);
    command.build();
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        pages(verb, &format!("{name}-{}", verb.get_name()), files);
    }
    files.insert(format!("man/{name}.1"), page(&command, name));
}

fn page(command: &Command, name: &str) -> Vec<u8> {
    let spaced = name.replace('-', " ");
    let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let shown = command.clone().bin_name(spaced).display_name(name).after_long_help("");
    // The page has every option, also those that the short help leaves out.
    let shown = shown.mut_args(|argument| argument.hide_short_help(false));
    let man = Man::new(shown)
        .title(name.to_uppercase())
        .date("2026-11-21")
        .source("brine")
        .manual("brine");
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    synopsis(command, name).to_writer(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut page).unwrap();
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page).unwrap();
    }
    exit_status(name).to_writer(&mut page).unwrap();
    surroundings::sections(name).to_writer(&mut page).unwrap();
    example_section(&examples).to_writer(&mut page).unwrap();
    see_also(name).to_writer(&mut page).unwrap();
    page
}

/// The usage line, as `--help` has it.
fn synopsis(command: &Command, name: &str) -> Roff {
    let usage = command.clone().bin_name(name.replace('-', " ")).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text([roman(usage)]);
    roff
}

fn exit_status(name: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    let of_run: &[_] = match name {
        "brine-run" => &Status::OF_RUN,
        "brine-verify" => &Status::OF_COMMAND,
        _ => &[],
    };
    let in_full: &[_] = if name == "brine" { &Status::TABLE } else { &[] };
    if in_full.is_empty() {
        let mut text = Vec::new();
        for (status, meaning) in IN_SHORT {
            let end = if status == 6 { "." } else { ", " };
            text.extend([bold(status.to_string()), roman(format!(" {meaning}{end}"))]);
        }
        text.extend([roman(" "), bold("brine"), roman("(1) has the table in full.")]);
        roff.text(text);
    }
    for (status, meaning) in in_full.iter().chain(of_run) {
        roff.control("TP", ["4"]);
        roff.text([bold(status.code().to_string())]).text([roman(*meaning)]);
    }
    if !of_run.is_empty() {
        let text = "Any other status, and any of these, is that of the command where it ran. The verdict \
                    tells them apart.";
        roff.control("PP", []).text([roman(text)]);
    }
    roff
}

/// The statuses in a word or two, where they do not stand in full.
const IN_SHORT: [(u8, &str); 7] = [
    (0, "done"),
    (1, "altered or malformed"),
    (2, "wrong usage"),
    (3, "not an envelope, or of another kind"),
    (4, "input or output failed"),
    (5, "refused by trust or policy"),
    (6, "key trouble"),
];

fn example_section(examples: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    let mut code = false;
    for line in examples.lines().skip(1).filter(|line| !line.is_empty()) {
        if line.starts_with("    ") {
            if !code {
                roff.control("RS", ["4"]).control("EX", []);
            }
            roff.text([roman(line.trim_start())]);
        } else {
            if code {
                roff.control("EE", []).control("RE", []);
            }
            roff.control("PP", []).text([roman(line.trim_start())]);
        }
        code = line.starts_with("    ");
    }
    if code {
        roff.control("EE", []).control("RE", []);
    }
    roff
}

fn see_also(name: &str) -> Roff {
    let others: Vec<Inline> = match name {
        "brine" => vec![bold("brinekey"), roman("(1)")],
        "brinekey" => vec![bold("brine"), roman("(1)")],
        _ => vec![bold("brine"), roman("(1), "), bold("brinekey"), roman("(1)")],
    };
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]).text(others);
    roff
}

#[test]
fn man_pages_and_completions_are_current() {
    let update = std::env::var_os("BRINE_GENERATE").is_some();
    let mut expected: Vec<String> = Vec::new();
    for (path, content) in files() {
        if update {
            fs::create_dir_all(project(&path).parent().unwrap()).unwrap();
            fs::write(project(&path), &content).unwrap();
        }
        let found = project_text(&path);
        assert!(found.as_bytes() == content, "{path} is stale: run ./scripts/generate");
        expected.push(path);
    }
    for directory in ["man", "completions"] {
        for entry in fs::read_dir(project(directory)).unwrap() {
            let path = format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap());
            assert!(expected.contains(&path), "{path} is not generated any more");
        }
    }
}

/// Each verb has a page, and each page says how it ends and how it is used.
#[test]
fn every_page_has_exit_status_and_examples() {
    let pages = files().into_iter().filter(|(path, _)| path.ends_with(".1"));
    let mut count = 0;
    for (path, page) in pages {
        let text = String::from_utf8(page).unwrap();
        let is_full = path == "man/brine.1";
        for ((status, meaning), (short, word)) in Status::TABLE.into_iter().zip(IN_SHORT) {
            assert_eq!(status.code(), short, "{word}");
            let meaning = meaning.split(' ').next().unwrap();
            let told = if is_full {
                format!("\\fB{short}\\fR\n{meaning}")
            } else {
                format!("\\fB{short}\\fR {word}")
            };
            assert!(text.contains(&told), "{path}: {told}");
        }
        assert!(text.contains(".SH EXAMPLES") && text.contains("$ "), "{path}");
        count += 1;
    }
    let verbs =
        "programs, verbs of brine, of its dead, policy and replay, of brinekey, of brinekey trust";
    assert_eq!(count, 2 + 16 + 4 + 1 + 3 + 15 + 6, "{verbs}");
}

/// Each option and argument has text on its page.
#[test]
fn every_page_describes_each_option() {
    for (path, page) in files().into_iter().filter(|(path, _)| path.ends_with(".1")) {
        let text = String::from_utf8(page).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let mut count = 0;
        for entry in lines.windows(3).filter(|lines| lines[0] == ".TP") {
            assert!(entry[2].starts_with(char::is_alphabetic), "{path}: {}", entry[1]);
            count += 1;
        }
        assert!(count > 0, "{path}");
    }
}

/// The arguments of a verb are declared only when it is used, so the list of verbs has descriptions of
/// its own.
#[test]
fn each_verb_is_described_in_the_list_as_on_its_page() {
    for mut command in [Brine::command(), BrineKey::command()] {
        let listed = verbs(&command);
        command.build();
        let described = verbs(&command);
        for (name, about) in listed {
            assert!(about.is_some(), "{name} is not described in the list");
            assert_eq!(Some(&about), described.get(&name), "{name}");
        }
    }
}

/// The description of each verb below a command, by name.
fn verbs(command: &Command) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for verb in command.get_subcommands() {
        let name = format!("{} {}", command.get_name(), verb.get_name());
        found.insert(name, verb.get_about().map(ToString::to_string));
        found.append(&mut verbs(verb));
    }
    found
}

/// Declaring all of them takes longer than checking a signature.
#[test]
fn no_verb_declares_its_arguments_before_it_is_used() {
    for command in [Brine::command(), BrineKey::command()] {
        for verb in command.get_subcommands() {
            assert_eq!(verb.get_arguments().count(), 0, "{}", verb.get_name());
        }
    }
}

/// The pages name each variable that is read, and no other.
#[test]
fn the_pages_name_the_variables_that_are_read() {
    let code = project_text("src/world/home.rs");
    let mut read: Vec<_> =
        code.split("variable(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    // `std::env::temp_dir` reads it.
    read.push("TMPDIR");
    read.sort_unstable();
    assert_eq!(surroundings::VARIABLES.map(|(name, ..)| name).as_slice(), read);
}

/// A key that the parser knows is described on the page of the file, and what the page calls a key is one.
#[test]
fn the_pages_of_files_name_each_key() {
    for (parser, document) in [
        ("crates/job/src/policy/document.rs", "docs/policy.md"),
        ("crates/trust/src/document.rs", "docs/trust.md"),
    ] {
        let (code, page) = (project_text(parser), project_text(document));
        let keys = code.lines().filter_map(|line| {
            let (key, _) = line.trim_start().strip_prefix('"')?.split_once("\" => ")?;
            Some(key)
        });
        let keys: Vec<_> = keys.collect();
        assert!(keys.len() >= 9, "{keys:?}");
        for key in keys {
            let is_told =
                page.contains(&format!("`{key}`")) || page.contains(&format!("[[{key}]]"));
            assert!(is_told || page.contains(&format!("[{key}]")), "{document}: {key}");
        }
    }
}
