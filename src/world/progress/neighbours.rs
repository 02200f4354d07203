//! Other programs that draw progress on the same terminal.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::process::{getpgrp, getpid};

/// Returns whether a program of this pipeline draws where this process would. What cannot be found out is taken for a
/// terminal that nobody draws on.
pub(super) fn draw() -> bool {
    let Ok(terminal) = fs::read_link("/proc/self/fd/2") else { return false };
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let own = getpid().as_raw_nonzero().to_string();
    let places = processes.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        (name.starts_with(|c: char| c.is_ascii_digit()) && name != own).then(|| entry.path())
    });
    let group = getpgrp().as_raw_nonzero().to_string();
    places
        .filter(|place| group_of(place).as_deref() == Some(&group))
        .any(|place| draws_on(&place, &terminal))
}

/// Returns the process group of a process (`proc_pid_stat(5)`). Its name may have spaces and parentheses in it.
fn group_of(place: &Path) -> Option<String> {
    let stat = read(&place.join("stat"));
    let stat = String::from_utf8_lossy(&stat);
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(2).map(str::to_owned)
}

fn draws_on(place: &Path, terminal: &PathBuf) -> bool {
    let is_there = fs::read_link(place.join("fd/2")).is_ok_and(|found| found == *terminal);
    is_there && draws(&read(&place.join("cmdline")))
}

/// Reads what says something of a process. What cannot be read says nothing.
fn read(path: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(path) {
        // What was read before a failure says enough.
        let _ = file.take(MAX_TEXT_BYTES).read_to_end(&mut text);
    }
    text
}

/// Returns whether a program with these arguments, each of which ends with a NUL byte, draws progress.
fn draws(arguments: &[u8]) -> bool {
    let mut arguments = arguments.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    let program = arguments.next().unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    let short = |argument: &str, letter: char| {
        argument.starts_with('-') && !argument.starts_with("--") && argument.contains(letter)
    };
    let mut any = |is_so: &dyn Fn(&str) -> bool| arguments.any(|argument| is_so(&argument));
    match program {
        "curl" => !any(&|a| short(a, 's') || matches!(a, "--silent" | "--no-progress-meter")),
        "wget" => !any(&|a| short(a, 'q') || matches!(a, "--quiet" | "--no-verbose" | "-nv")),
        "pv" => !any(&|a| short(a, 'q') || a == "--quiet"),
        "dd" => any(&|a| a == "status=progress"),
        "rsync" => any(&|a| a == "--progress" || a.starts_with("--info=progress")),
        _ => false,
    }
}

/// The most that is read of the arguments of a process: those that matter come early.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_draw_are_told_from_those_that_were_told_not_to() {
        for (line, expected) in [
            ("curl https://example.org/a", true),
            ("/usr/bin/curl -fL https://example.org/a", true),
            ("curl -fsSL https://example.org/a", false),
            ("curl --silent https://example.org/a", false),
            ("wget -O - https://example.org/a", true),
            ("wget -qO- https://example.org/a", false),
            ("pv file", true),
            ("pv -q file", false),
            ("dd if=/dev/sda", false),
            ("dd if=/dev/sda status=progress", true),
            ("cat file", false),
            ("", false),
        ] {
            assert_eq!(draws(line.replace(' ', "\0").as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn a_process_is_in_a_group() {
        let group = getpgrp().as_raw_nonzero().to_string();
        assert_eq!(group_of(Path::new("/proc/self")), Some(group));
        assert!(!draw());
    }
}
