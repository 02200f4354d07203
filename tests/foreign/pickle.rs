//! What brine says a pickle would import, against what CPython's two unpicklers would.
#![allow(clippy::print_stdout, reason = "how much was tried, for those who ask with --nocapture")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use brine_pickle::{AllowList, PickleImport, PickleRule, ScanOptions, ScanReport, scan};

use crate::common::project;

/// What is allowed imports nothing that is not on the list, in either loader, and gives nothing to
/// `persistent_load`. What is refused for its imports alone imports nothing that is not listed.
#[test]
fn cpython_imports_nothing_but_what_was_listed_and_allowed() {
    let executions = std::env::var("BRINE_PICKLE_EXECUTIONS");
    let executions: u64 = executions.map_or(500_000, |count| count.parse().unwrap());
    let seed = std::env::var("BRINE_PICKLE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut samples = Samples::new(seed);
    let mut oracle = Oracle::start();
    let allow = AllowList::std();
    let mut counts = Counts::default();
    while counts.executions < executions {
        let mut batch = Vec::new();
        while batch.len() < BATCH && counts.executions < executions {
            let sample = samples.next();
            counts.executions += 1;
            let many = counts.executions % 2 == 0;
            let report = scan(&sample, &ScanOptions { many, ..ScanOptions::new(&allow) });
            let allowed = report.verdict().is_ok();
            let followed =
                report.refusals.iter().all(|refusal| refusal.rule == PickleRule::ImportNotAllowed);
            if allowed || followed {
                let listed = listed(&report);
                batch.push(Asked { sample, many, allowed, listed });
            }
        }
        for (asked, answer) in batch.iter().zip(oracle.ask(&batch)) {
            counts.add(asked, &answer);
            check(asked, &answer, &allow);
        }
    }
    println!("{counts}");
    // A generator that makes nothing of interest would pass for anything.
    assert!(counts.allowed * 100 > executions, "too few are allowed: {counts}");
    assert!(counts.imports * 100 > executions, "too few import anything: {counts}");
    assert!(counts.loaded * 100 > executions, "too few load: {counts}");
}

/// What CPython's picklers write of values on the list is allowed: no false alarms.
#[test]
fn what_cpython_writes_of_listed_values_is_allowed() {
    let allow = AllowList::std();
    let seeds = seeds(3000, 7);
    for bytes in &seeds {
        let report = scan(bytes, &ScanOptions::new(&allow));
        assert_eq!(report.verdict(), Ok(()), "{}: {report:?}", shown(bytes));
    }
    println!("{} pickles by CPython", seeds.len());
}

/// The names of Python 2 are mapped as this CPython maps them.
#[test]
fn names_are_mapped_as_cpython_maps_them() {
    let output = python(&["names"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (names, modules): (Vec<[String; 4]>, Vec<[String; 2]>) =
        serde_json::from_slice(&output.stdout).unwrap();
    assert!(names.len() > 80 && modules.len() > 50, "{names:?} {modules:?}");
    let modules = modules.into_iter().map(|[old, new]| [old, "name".into(), new, "name".into()]);
    let nothing = AllowList::new();
    for [module, name, to, new] in names.into_iter().chain(modules) {
        let pickle = format!("c{module}\n{name}\n.");
        let report = scan(pickle.as_bytes(), &ScanOptions::new(&nothing));
        let mapped = report.imports[0].mapped.as_ref().unwrap();
        assert_eq!((mapped.module, &*mapped.name), (&*to, &*new), "{module}:{name}");
    }
}

struct Asked {
    sample: Vec<u8>,
    many: bool,
    allowed: bool,
    listed: BTreeSet<(String, String)>,
}

fn listed(report: &ScanReport) -> BTreeSet<(String, String)> {
    let pair = |import: &PickleImport| (import.module.clone(), import.name.clone());
    report.imports.iter().map(pair).collect()
}

fn check(asked: &Asked, answer: &Answer, allow: &AllowList) {
    let sample = shown(&asked.sample);
    for pair in &answer.names {
        assert!(
            asked.listed.contains(pair),
            "{pair:?} was not listed, many {}: {sample}",
            asked.many
        );
        if asked.allowed {
            assert!(allow.allows(&pair.0, &pair.1), "{pair:?} was allowed: {sample}");
        }
    }
    assert_eq!(answer.persistent, 0, "persistent_load was called, many {}: {sample}", asked.many);
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[derive(Debug, Default)]
struct Counts {
    executions: u64,
    asked: u64,
    allowed: u64,
    imports: u64,
    loaded: u64,
}

impl Counts {
    fn add(&mut self, asked: &Asked, answer: &Answer) {
        self.asked += 1;
        self.allowed += u64::from(asked.allowed);
        self.imports += u64::try_from(answer.names.len()).unwrap();
        self.loaded += answer.loaded;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { executions, asked, allowed, imports, loaded } = self;
        write!(
            formatter,
            "{executions} executions, {allowed} allowed; CPython was given {asked}, asked for \
             {imports} imports and finished {loaded} loads"
        )
    }
}

fn python(arguments: &[&str]) -> Command {
    let python = std::env::var_os("BRINE_FOREIGN_PYTHON")
        .map_or_else(|| project("target/foreign-venv/bin/python"), Into::into);
    assert!(python.exists(), "{} is missing: run ./scripts/test", python.display());
    let mut command = Command::new(python);
    // -B leaves nothing behind in the tree; -W ignore, because strings with odd escapes are warned of.
    command
        .args(["-B", "-W", "ignore"])
        .arg(project("tests/foreign/pickle_oracle.py"))
        .args(arguments);
    command
}

/// Pickles of random values, made by CPython.
fn seeds(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let output = python(&["seeds", &count.to_string(), &seed.to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut rest = output.stdout.as_slice();
    let mut seeds = Vec::new();
    while !rest.is_empty() {
        let mut length = [0; 4];
        rest.read_exact(&mut length).unwrap();
        let mut seed = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap()];
        rest.read_exact(&mut seed).unwrap();
        seeds.push(seed);
    }
    assert_eq!(seeds.len(), count);
    seeds
}

/// A running pickle_oracle.py.
struct Oracle {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

#[derive(Debug)]
struct Answer {
    names: Vec<(String, String)>,
    persistent: u64,
    loaded: u64,
}

impl Oracle {
    fn start() -> Self {
        let mut process =
            python(&["judge"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, requests, answers }
    }

    /// The whole batch is read before anything of it is answered, so no pipe fills up on both sides.
    fn ask(&mut self, batch: &[Asked]) -> Vec<Answer> {
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut request = number(batch.len()).to_vec();
        for asked in batch {
            request.extend(number(usize::from(asked.many)));
            request.extend(number(asked.sample.len()));
            request.extend(&asked.sample);
        }
        let requests = self.requests.as_mut().unwrap();
        requests.write_all(&request).unwrap();
        requests.flush().unwrap();
        batch.iter().map(|asked| self.answer(asked)).collect()
    }

    fn answer(&mut self, asked: &Asked) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer = serde_json::from_str(&line);
        let (names, persistent, loaded) =
            answer.unwrap_or_else(|error| panic!("{error} {line:?}: {}", shown(&asked.sample)));
        Answer { names, persistent, loaded }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.requests.take());
        let _ = self.process.wait();
    }
}

/// Pickles, changed pickles and programs for a pickle's machine.
struct Samples {
    random: Random,
    seeds: Vec<Vec<u8>>,
}

impl Samples {
    fn new(seed: u64) -> Self {
        let corpus = std::fs::read_dir(project("fixtures/pickle")).unwrap();
        let corpus = corpus.map(|entry| entry.unwrap().path());
        let mut corpus: Vec<_> =
            corpus.filter(|path| path.extension().is_some_and(|end| end == "pkl")).collect();
        corpus.sort();
        let corpus = corpus.iter().map(|path| std::fs::read(path).unwrap());
        let mut all: Vec<_> = corpus.chain(seeds(1500, seed)).collect();
        all.retain(|seed| seed.len() < 4096);
        Self { random: Random(seed), seeds: all }
    }

    fn next(&mut self) -> Vec<u8> {
        let mut sample = match self.random.below(6) {
            0 => self.program(),
            1 => names(&mut self.random),
            _ => self.seed(),
        };
        if self.random.below(8) == 0 {
            let other = if self.random.below(2) == 0 { self.program() } else { self.seed() };
            sample.extend(other);
        }
        let edits = [0, 0, 1, 1, 1, 2, 3, 5];
        for _ in 0..edits[self.random.below(edits.len())] {
            self.edit(&mut sample);
        }
        sample
    }

    fn seed(&mut self) -> Vec<u8> {
        let index = self.random.below(self.seeds.len());
        self.seeds[index].clone()
    }

    fn edit(&mut self, sample: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.below(sample.len() + 1);
        let to = (at + random.below(12)).min(sample.len());
        match random.below(8) {
            0 if at < sample.len() => sample[at] ^= 1 << random.below(8),
            1 if at < sample.len() => sample[at] = random.opcode(),
            2 => sample.insert(at, random.opcode()),
            3 => drop(sample.drain(at..to)),
            4 => {
                let copied = sample[at..to].to_vec();
                let place = random.below(sample.len() + 1);
                sample.splice(place..place, copied);
            }
            5 if at < sample.len() => sample[at] = u8::try_from(random.below(8)).unwrap(),
            6 => {
                let piece = piece(random);
                sample.splice(at..at, piece);
            }
            _ => {
                let other = random.below(self.seeds.len());
                let other = &self.seeds[other];
                let from = random.below(other.len());
                let until = (from + random.below(24)).min(other.len());
                sample.splice(at..to, other[from..until].iter().copied());
            }
        }
    }

    /// Opcodes in no order, which end as a pickle does.
    fn program(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let protocol = u8::try_from(random.below(6)).unwrap();
        let mut code = if protocol < 2 { Vec::new() } else { vec![0x80, protocol] };
        code.push(b'(');
        let mut marks = 1;
        for _ in 0..random.below(40) {
            let piece = piece(random);
            // Operands that happen to be a mark do no harm: what follows is then one more mark.
            match piece[0] {
                b'(' => marks += 1,
                b't' | b'l' | b'd' | b'u' | b'e' | b'1' | b'o' | b'i' | 0x90 | 0x91 => {
                    if marks == 1 {
                        continue;
                    }
                    marks -= 1;
                }
                _ => {}
            }
            code.extend(piece);
        }
        code.extend(vec![b't'; marks]);
        code.push(b'.');
        if protocol >= 4 && random.below(2) == 0 {
            let length = u64::try_from(code.len() - 2).unwrap();
            code.splice(2..2, [&[0x95][..], &length.to_le_bytes()].concat());
        }
        code
    }
}

/// Texts in the memo, by numbers that may meet, and imports by them.
fn names(random: &mut Random) -> Vec<u8> {
    let mut code = b"\x80\x04(".to_vec();
    let index = |random: &mut Random| u8::try_from(random.below(4)).unwrap();
    for _ in 0..2 + random.below(5) {
        code.extend(NAMES[random.below(NAMES.len())]);
        match random.below(4) {
            0 => code.extend([b'q', index(random)]),
            1 => code.extend([b'r', index(random), 0, 0, 0]),
            2 => code.push(0x94),
            _ => code.extend([0x94, b'0']),
        }
    }
    for _ in 0..=random.below(2) {
        code.extend([b'h', index(random), b'h', index(random), 0x93]);
    }
    code.extend(b"t.");
    code
}

const NAMES: [&[u8]; 5] =
    [b"\x8c\x08builtins", b"\x8c\x03set", b"\x8c\x06object", b"\x8c\x02os", b"\x8c\x06getpid"];

/// One step, or a few that belong together.
fn piece(random: &mut Random) -> Vec<u8> {
    let pick = |random: &mut Random, of: &[&[u8]]| of[random.below(of.len())].to_vec();
    let index = u8::try_from(random.below(6)).unwrap();
    match random.below(16) {
        0 => pick(
            random,
            &[
                b"N",
                b"\x88",
                b"K\x01",
                b"J\xff\xff\xff\xff",
                b"I1_0\n",
                b"I7\n",
                b"F1.5\n",
                b"L3L\n",
            ],
        ),
        1 | 2 => {
            let word = WORDS[random.below(WORDS.len())].as_bytes();
            let length = u8::try_from(word.len()).unwrap();
            let mut code = match random.below(8) {
                0 => [b"V", word, b"\n"].concat(),
                1 => [b"X", &[length, 0, 0, 0][..], word].concat(),
                2 => [b"U", &[length][..], word].concat(),
                3 => [b"S'", word, b"'\n"].concat(),
                _ => [b"\x8c", &[length][..], word].concat(),
            };
            match random.below(6) {
                0 | 1 => code.push(0x94),
                2 | 3 => code.extend([b'q', index]),
                _ => {}
            }
            code
        }
        3 => pick(random, &[b"]", b")", b"}", b"\x8f", b"(", b"(", b"2", b"0", b"1"]),
        4 => pick(random, &[b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"\x91", b"\x90"]),
        5 => pick(random, &[b"a", b"e", b"s", b"u", b"]Na", b"](NNe", b"}NNs", b"}(NNu"]),
        6 => pick(random, &[b"\x94", b"\x94", b"2\x94"]),
        7 => match random.below(4) {
            0 => format!("p{index}\n").into_bytes(),
            1 => vec![b'r', index, 0, 0, 0],
            _ => vec![b'q', index],
        },
        8 | 9 => match random.below(4) {
            0 => format!("g{index}\n").into_bytes(),
            1 => vec![b'j', index, 0, 0, 0],
            _ => vec![b'h', index],
        },
        10 => b"ccollections\nOrderedDict\n".to_vec(),
        11 => pick(
            random,
            &[
                b"cbuiltins\nset\n",
                b"c__builtin__\nset\n",
                b"cos\ngetpid\n",
                b"(ibuiltins\nset\n",
                b"(cbuiltins\nset\no",
            ],
        ),
        12 if random.below(2) == 0 => {
            let other = u8::try_from(random.below(6)).unwrap();
            vec![b'h', index, b'h', other, 0x93]
        }
        12 => pick(
            random,
            &[
                b"\x93",
                b"\x8c\x0bcollections\x8c\x07Counter\x93",
                b"\x94h\x00h\x01\x93",
                b"V__builtin__\nVobject\n\x93",
            ],
        ),
        13 => pick(random, &[b")R", b")R", b"R", b"\x81", b")\x81", b")}\x92", b"\x92"]),
        14 => pick(
            random,
            &[b"}b", b"b", b"N}\x86b", b"o", b"Pid\n", b"Q", b"\x82\x01", b"\x97", b"\x98"],
        ),
        _ => pick(
            random,
            &[
                b"\x95\x03\0\0\0\0\0\0\0",
                b"\x95\0\0\0\0\0\0\0\0",
                b"\x80\x04",
                b"\x80\x02",
                b".",
                b"\x8e\x01\0\0\0\0\0\0\0x",
                b"\x96\x02\0\0\0\0\0\0\0xy",
            ],
        ),
    }
}

const WORDS: [&str; 10] = [
    "os",
    "getpid",
    "collections",
    "OrderedDict",
    "builtins",
    "set",
    "__builtin__",
    "a\\u0041",
    "",
    "object",
];

const BATCH: usize = 512;

/// SplitMix64: the same samples each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(limit).unwrap()).unwrap()
    }

    fn opcode(&mut self) -> u8 {
        OPCODES[self.below(OPCODES.len())]
    }
}

const OPCODES: &[u8] = b"IJKMLSTUBCNVFG]ael)t}dsu02(1ghjpqrcRbio.PQ\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98";
