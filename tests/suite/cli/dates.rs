//! Moments and lengths of time: one meaning in every option.

use brine_cli::args::brine::Brine;
use brine_cli::args::brinekey::BrineKey;
use clap::{Command, CommandFactory as _};

use crate::common::{Person, assert_mistyped, assert_refused};

/// Berlin, without the need for a database of time zones.
const BERLIN: &str = "TZ=CET-1CEST,M3.5.0,M10.5.0/3";

fn said(person: &Person, line: &str) -> (Option<i32>, String, String) {
    let output = person.shell(line).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Every option of both programs whose value has this name, with the command line before it.
fn options_with(value: &str) -> Vec<String> {
    fn below(command: &Command, value: &str, found: &mut Vec<String>) {
        let path = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
        for argument in command.get_arguments() {
            let names = argument.get_value_names().unwrap_or_default();
            if names.iter().any(|name| name.as_str() == value) {
                found.push(format!("{path} --{}", argument.get_long().unwrap()));
            }
        }
        command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help")
            .for_each(|verb| below(verb, value, found));
    }
    let mut found = Vec::new();
    for mut program in [Brine::command(), BrineKey::command()] {
        program.build();
        below(&program, value, &mut found);
    }
    found
}

#[test]
fn every_option_reads_times_alike_and_says_what_it_takes() {
    let person = Person::new();
    let options = options_with("WHEN");
    assert!(options.len() >= 7, "{options:?}");
    for option in options {
        let name = option.split(' ').next_back().unwrap();
        let run = |typed| person.shell(&format!("{option} {typed} < /dev/null")).output().unwrap();
        for typed in ["yesterday", "31.12.2026", "-x"] {
            let expected = format!(
                "{name} {typed:?}: expected a time like 2026-12-31, 2026-12-31T12:00Z, 30d, 12h or now"
            );
            assert_mistyped(&run(typed), &expected);
        }
        assert_mistyped(&run("7"), "7 what? for days, write 7d; for hours, 7h");
        assert_mistyped(&run("2026-02-30"), "there is no 2026-02-30: month 02 of 2026 has 28 days");
        assert_mistyped(&run("1y"), "months and years differ in length; give days");
        for typed in [
            "now",
            "30d",
            "-7d",
            "'7d ago'",
            "2026-12-31",
            "'2026-12-31 12:00'",
            "2026-12-31T12:00Z",
            "1790000000",
        ] {
            let stderr = String::from_utf8(run(typed).stderr).unwrap();
            let is_taken = !stderr.contains(&format!("{name} \"")) && !stderr.contains("no option");
            assert!(is_taken, "{option} {typed}: {stderr}");
        }
    }
}

#[test]
fn every_option_reads_lengths_of_time_alike_and_says_what_it_takes() {
    let person = Person::new();
    let options = options_with("DURATION");
    assert!(options.len() >= 6, "{options:?}");
    for option in options {
        let name = option.split(' ').next_back().unwrap();
        for (typed, more) in
            [("soon", ""), ("2026-12-31", ""), ("90", ""), ("0s", ", longer than nothing")]
        {
            let output = person.shell(&format!("{option} {typed}")).output().unwrap();
            let expected = format!(
                "{name} \"{typed}\": expected a length of time like 200ms, 90s, 12h or 7d{more}\n"
            );
            assert_mistyped(&output, expected.trim_end());
            assert!(
                String::from_utf8(output.stderr).unwrap().contains(&expected),
                "{option} {typed}"
            );
        }
    }
}

#[test]
fn a_moment_is_the_same_however_it_is_typed() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign --plain -o plain").assert().success();
    for typed in [
        "2026-12-31T12:00Z",
        "2026-12-31T12:00:00Z",
        "2026-12-31T13:00+01:00",
        "2026-12-31T13:00",
        "'2026-12-31 13:00'",
        "1798718400",
    ] {
        let line = format!("{BERLIN} brine verify --untyped --json --now {typed} plain");
        let (status, payload, verdict) = said(&person, &line);
        assert_eq!((status, payload.as_str()), (Some(0), "hello\n"), "{typed}: {verdict}");
        // A remark would be no JSON.
        let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
        assert_eq!(verdict["judged_at"], "2026-12-31T12:00:00Z", "{typed}");
    }
}

#[test]
fn local_times_say_the_zone_that_was_used() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign --plain -o plain").assert().success();
    for (zone, typed, remark) in [
        (
            BERLIN,
            "2026-12-31",
            "2026-12-31 is 2026-12-31T00:00:00+01:00 (TZ=CET-1CEST,M3.5.0,M10.5.0/3)",
        ),
        (
            BERLIN,
            "2026-07-01T12:00",
            "2026-07-01T12:00 is 2026-07-01T12:00:00+02:00 (TZ=CET-1CEST,M3.5.0,M10.5.0/3)",
        ),
        (
            BERLIN,
            "2026-03-29T02:30",
            "2026-03-29T02:30 is skipped (TZ=CET-1CEST,M3.5.0,M10.5.0/3), and is taken as 2026-03-29T03:30:00+02:00",
        ),
        (
            BERLIN,
            "2026-10-25T02:30",
            "2026-10-25T02:30 comes twice (TZ=CET-1CEST,M3.5.0,M10.5.0/3), and is taken as the first: \
             2026-10-25T02:30:00+02:00",
        ),
        ("TZ=", "2026-12-31", "2026-12-31 is 2026-12-31T00:00:00+00:00 (UTC)"),
    ] {
        let verify = format!("{zone} brine verify --untyped plain --now {typed}");
        let (status, payload, stderr) = said(&person, &verify);
        assert_eq!((status, payload.as_str()), (Some(0), "hello\n"), "{stderr}");
        assert_eq!(stderr, format!("brine: {remark}\n"));
        assert_eq!(
            said(&person, &format!("{verify} -q")),
            (Some(0), "hello\n".to_owned(), String::new())
        );
    }
    for other in ["2026-12-31T12:00Z", "1798718400", "30d", "now"] {
        let (status, _, stderr) =
            said(&person, &format!("{BERLIN} brine verify --untyped plain --now {other}"));
        assert_eq!((status, stderr.as_str()), (Some(0), ""), "{other}");
    }
    if std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        let line = "TZ=Europe/Berlin brinekey trust add a default --not-after 2099-12-31";
        let (status, _, stderr) = said(&person, line);
        let remark = "brinekey: 2099-12-31 is 2099-12-31T00:00:00+01:00 (Europe/Berlin)\n";
        assert!(status == Some(0) && stderr.contains(remark), "{stderr}");
    }
}

/// A wrong zone would be hours off, in either direction.
#[test]
fn local_times_are_refused_where_the_zone_is_unknown() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign --plain -o plain").assert().success();
    for line in [
        "TZ=Nowhere/Land brine verify --untyped --now 2026-12-31 plain",
        "TZ=Nowhere/Land brine sign --expires 2099-12-31 plain",
    ] {
        let output = person.shell(line).output().unwrap();
        assert_refused(&output, 2, "is a local time, and TZ=\"Nowhere/Land\" gives no time zone");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("hint: give the time in UTC, as in 2026-12-31T00:00Z"), "{stderr}");
    }
    person
        .shell("TZ=Nowhere/Land brine verify --untyped --now 2026-12-31T00:00Z plain")
        .assert()
        .success()
        .stdout("hello\n");
}

/// To count from now asks whether a signature will still be good, or was.
#[test]
fn lengths_of_time_count_from_now_in_every_option() {
    let person = Person::with_key();
    person.shell("echo hello | brine sign --expires 7d -o week").assert().success();
    for (now, expected) in [
        ("now", None),
        ("3d", None),
        ("8d", Some("expired")),
        ("2w", Some("expired")),
        ("-1d", Some("in the future")),
        ("'1d ago'", Some("in the future")),
    ] {
        let output = person.shell(&format!("brine verify --now {now} week")).output().unwrap();
        match expected {
            None => assert_eq!(
                (output.status.code(), output.stdout.as_slice()),
                (Some(0), &b"hello\n"[..])
            ),
            Some(reason) => assert_refused(&output, 5, reason),
        }
    }
    person
        .shell("brinekey trust add later default --trust t.toml --not-before 1h")
        .assert()
        .success();
    let check = |now| {
        person
            .shell(&format!("brinekey trust check default --trust t.toml --now {now}"))
            .output()
            .unwrap()
    };
    assert_eq!(check("2h").status.code(), Some(0));
    assert_eq!(check("now").status.code(), Some(5));
}

#[test]
fn an_end_that_has_passed_is_said() {
    let person = Person::with_key();
    for expires in ["2020-01-01T00:00Z", "1590000000", "-7d", "now"] {
        let output = person
            .shell(&format!("echo x | brine sign --expires {expires} -o out"))
            .output()
            .unwrap();
        assert_refused(&output, 2, "has passed already");
        assert!(!person.path("out").exists());
    }
    // It may be wanted: then only old records of the signer are believed by "--now".
    let add = "TZ= brinekey trust add old default --trust t.toml";
    let (status, _, stderr) = said(&person, &format!("{add} --not-after 2020-01-01"));
    let warning = "brinekey: warning: --not-after 2020-01-01T00:00:00Z has passed, so this entry has no effect now\n";
    assert!(
        status == Some(0) && stderr.contains(warning) && !stderr.contains("is trusted now"),
        "{stderr}"
    );
    let (_, _, stderr) =
        said(&person, &format!("{add} --not-before 2020-01-01 --not-after 2099-01-01"));
    assert!(!stderr.contains("warning"), "{stderr}");
    // Seconds since 1970 are no dates.
    let output = person.shell("brine verify --now 20261231 x").output().unwrap();
    assert_mistyped(&output, "if it is a date, write 2026-12-31");
}
