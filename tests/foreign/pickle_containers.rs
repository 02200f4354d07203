//! What brine says of archives, arrays and compressed files, against what readers in Python find in them.
#![allow(clippy::print_stdout, reason = "how much was tried, for those who ask with --nocapture")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use brine_pickle::{AllowList, ScanOptions, scan};

use crate::common::project;

/// Whatever reader finds a pickle in an allowed file, it imports only what is listed.
#[test]
fn no_reader_finds_a_name_in_an_allowed_container_that_is_not_listed() {
    let samples = std::env::var("BRINE_CONTAINER_SAMPLES").unwrap_or_else(|_| "20000".to_owned());
    let seed = std::env::var("BRINE_PICKLE_SEED").unwrap_or_else(|_| "1".to_owned());
    let python = std::env::var_os("BRINE_FOREIGN_PYTHON")
        .map_or_else(|| project("target/foreign-venv/bin/python"), Into::into);
    assert!(python.exists(), "{} is missing: run ./scripts/test", python.display());
    let mut process = Command::new(python)
        .args(["-B", "-W", "ignore"])
        .arg(project("tests/foreign/container_oracle.py"))
        .args([&samples, &seed])
        .arg(project("fixtures/pickle/containers"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = BufReader::new(process.stdout.take().unwrap());
    let mut allow = AllowList::std();
    allow.extend(AllowList::numpy());
    let (mut allowed, mut with_names) = (0, 0);
    let samples: u64 = samples.parse().unwrap();
    for _ in 0..samples {
        let mut length = [0; 4];
        answers.read_exact(&mut length).unwrap();
        let mut sample = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        answers.read_exact(&mut sample).unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let names: Vec<(String, String)> = serde_json::from_str(&line).unwrap();
        if scan(&sample, &ScanOptions::new(&allow)).verdict().is_err() {
            continue;
        }
        allowed += 1;
        with_names += u64::from(!names.is_empty());
        for (module, name) in names {
            let listed = allow.allows(&module, &name);
            assert!(listed, "{module}:{name} was allowed: {}", sample.escape_ascii());
        }
    }
    assert!(process.wait().unwrap().success());
    println!("{samples} samples, {allowed} allowed, {with_names} of them with imports");
    // A generator that makes nothing of interest would pass for anything.
    assert!(allowed * 100 > samples && with_names * 100 > samples);
}
