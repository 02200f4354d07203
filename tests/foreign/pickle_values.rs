//! What is allowed by the built-in lists calls only listed names, with values that are allowed, in CPython's two
//! unpicklers with two versions of NumPy.
#![allow(clippy::print_stdout, reason = "how much was tried, for those who ask with --nocapture")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use brine_pickle::{AllowList, ScanOptions, scan};

use crate::common::project;

/// Changed pickles of real values: with the rules on values, those that are allowed do nothing wrong. Without the
/// rules, the same pickles crash either version of NumPy.
#[test]
fn what_is_allowed_calls_only_listed_names_with_allowed_values() {
    let number = |name: &str, unless: u64| {
        std::env::var(name).map_or(unless, |count| count.parse().unwrap())
    };
    let (mutants, seed) = (number("BRINE_PICKLE_MUTANTS", 30_000), number("BRINE_PICKLE_SEED", 1));
    let allow = both();
    let mut unpicklers: Vec<_> = pythons().into_iter().map(Unpicklers::start).collect();
    for python in pythons() {
        let made = pickles(&python, &["mutants", &mutants.to_string(), &seed.to_string()]);
        let total = made.len();
        let allowed: Vec<_> = made
            .into_iter()
            .filter(|bytes| scan(bytes, &ScanOptions::new(&allow)).verdict().is_ok())
            .collect();
        for unpicklers in &mut unpicklers {
            let loaded = unpicklers.load_all(&allowed);
            println!("{total} pickles, {} allowed, {loaded} loaded", allowed.len());
            // A generator that makes nothing of interest would pass for anything.
            assert!(allowed.len() * 25 > total, "too few are allowed");
            assert!(loaded * 2 > allowed.len(), "too few load: {loaded}");
        }
    }
}

/// What pickles of NumPy's and Python's own values are made of is allowed, and does nothing wrong.
#[test]
fn what_numpy_writes_is_allowed() {
    let allow = both();
    for python in pythons() {
        let made = pickles(&python, &["seeds", "1200", "5"]);
        for bytes in &made {
            let report = scan(bytes, &ScanOptions::new(&allow));
            assert_eq!(report.verdict(), Ok(()), "{}: {report:?}", bytes.escape_ascii());
        }
        // Picklers take empty bytes for an empty buffer that they have written as a bytearray: as a key, it is one
        // that cannot be.
        let loaded = Unpicklers::start(python).load_all(&made);
        assert!(made.len() - loaded < 10, "{loaded} of {}", made.len());
    }
}

fn both() -> AllowList {
    let mut allow = AllowList::std();
    allow.extend(AllowList::numpy());
    allow
}

/// A Python with NumPy 1, and one with NumPy 2.
fn pythons() -> Vec<PathBuf> {
    let given = std::env::var_os("BRINE_FOREIGN_NUMPY");
    let found: Vec<_> = given.map_or_else(
        || {
            ["1", "2"]
                .map(|version| project(&format!("target/foreign-numpy{version}/bin/python")))
                .into()
        },
        |paths| std::env::split_paths(&paths).collect(),
    );
    for python in &found {
        assert!(python.exists(), "{} is missing: run ./scripts/test", python.display());
    }
    found
}

fn command(python: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    // -B leaves nothing behind in the tree; -W ignore, because old names of NumPy are warned of.
    command
        .args(["-B", "-W", "ignore"])
        .arg(project("tests/foreign/pickle_values.py"))
        .args(arguments);
    command
}

fn pickles(python: &PathBuf, arguments: &[&str]) -> Vec<Vec<u8>> {
    let output = command(python, arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut rest = output.stdout.as_slice();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let mut length = [0; 4];
        rest.read_exact(&mut length).unwrap();
        let mut bytes = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        rest.read_exact(&mut bytes).unwrap();
        found.push(bytes);
    }
    found
}

/// A running pickle_values.py.
struct Unpicklers {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Unpicklers {
    fn start(python: PathBuf) -> Self {
        let mut process = command(&python, &["load"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, requests, answers }
    }

    /// Loads pickles, and returns how many could be loaded.
    fn load_all(&mut self, pickles: &[Vec<u8>]) -> usize {
        let mut loaded = 0;
        for batch in pickles.chunks(BATCH) {
            self.send(batch);
            for bytes in batch {
                let mut line = String::new();
                self.answers.read_line(&mut line).unwrap();
                let shown = bytes.escape_ascii();
                // An interpreter that crashes answers nothing.
                let answer = serde_json::from_str(&line);
                let (good, wrong): (bool, Option<String>) =
                    answer.unwrap_or_else(|error| panic!("{error} {line:?}: {shown}"));
                assert_eq!(wrong, None, "{shown}");
                loaded += usize::from(good);
            }
        }
        loaded
    }

    /// The whole batch is read before anything of it is answered, so no pipe fills up on both sides.
    fn send(&mut self, batch: &[Vec<u8>]) {
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut request = number(batch.len()).to_vec();
        for bytes in batch {
            request.extend(number(bytes.len()));
            request.extend(bytes);
        }
        let requests = self.requests.as_mut().unwrap();
        requests.write_all(&request).unwrap();
        requests.flush().unwrap();
    }
}

impl Drop for Unpicklers {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.process.wait();
    }
}

const BATCH: usize = 256;
