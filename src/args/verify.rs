//! What `brine verify` takes.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;

use clap::Args;

use super::help::arranged;
use super::judge::{JudgeArgs, VerdictArgs};
use super::record::{RecordArgs, RejectArgs, and_records, record_groups};
use super::value::{parse_count, parse_file, parse_typ};

/// Verify an envelope and write its payload
///
/// Writes the payload only after signature, signer, context and time have been verified. Writes each segment
/// of a stream as soon as it has been verified; --whole holds it back until the end. By default, trusts the
/// signers in the trust file, and accepts only signatures without a context. Clocks may differ by up to a minute:
/// until then, a signature that has expired is accepted, and so is one that is not valid yet.
///
/// With CMD, all of the payload is verified first. Then CMD is started with it on standard input, and brine ends as
/// CMD ends: with its exit status, or by the signal that ended it; with 126 if CMD cannot be executed, with 127 if
/// it is not found. CMD is not confined: it may do whatever you may. "brine run" runs a signed job confined.
///
/// In a pipe, as in "brine verify FILE | sh", the command is started even if brine refuses FILE, and the pipe ends
/// with its status. "set -o pipefail" (bash, zsh, ksh) lets the refusal count; "brine verify FILE -- sh" needs none.
#[derive(Args, Debug)]
#[command(groups = record_groups(), mut_args = arranged(&COMMON))]
pub struct Verify {
    /// The envelope; or a signature FILE.sig, whose FILE is beside it; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Start CMD with the payload on standard input, once all of it has been verified
    ///
    /// FILE, or "-" for standard input, stands before the "--". CMD gets a copy that is open for reading, and may read
    /// from anywhere in it. Without --report it takes the place of brine, as with "exec". With --report, brine waits
    /// for its end, and passes signals on to it.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,

    /// Whether nothing follows the "--".
    #[arg(skip)]
    pub lacks_command: bool,

    /// Verify each FILE against the signature FILE.sig beside it, and write no payload
    ///
    /// Writes the line "FILE: OK" to standard output for each FILE that verified. Goes on past one that did not: the
    /// exit status is that of the first. "brine verify FILE.sig" does the same for one FILE.
    #[arg(short, long, requires = "inputs",
        conflicts_with_all = and_records(["signature", "output", "whole", "retry"]))]
    pub detached: bool,

    /// Write to FILE, whole or not at all; "-" is standard output, even a terminal
    ///
    /// FILE is made beside its name and then takes it. A pipe, a device, and an open descriptor such as
    /// /dev/stdout or /dev/fd/3 are written in place, from where they are.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["check", "detached", "signature"])]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub judge: JudgeArgs,

    /// Verify FILE against the signature SIG, wherever that is, and write no payload
    ///
    /// Writes the line "FILE: OK" to standard output if it verified. FILE can be standard input.
    #[arg(long, value_name = "SIG", conflicts_with_all = and_records(["output", "whole", "retry"]))]
    pub signature: Option<PathBuf>,

    /// Accept the result of the job in the file JOB, as "brine run --sign-result" makes it
    ///
    /// Writes the output of the job, if it ended well, and ends as the job ended, with the same status. A result of
    /// any other job is refused. Name who may answer with --signer or -p.
    #[arg(long, value_name = "JOB", value_parser = parse_file(),
        conflicts_with_all = and_records(["signature", "detached", "retry", "typ", "untyped", "command", "aad"]))]
    pub result_of: Option<PathBuf>,

    /// Verify, and write nothing to standard output
    #[arg(long)]
    pub check: bool,

    /// Write nothing until the end of a stream has been verified
    #[arg(long, conflicts_with_all = and_records(["retry"]))]
    pub whole: bool,

    /// The number of threads that verify; by default one for each processor, at most 16
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub threads: Option<NonZero<usize>>,

    /// Accept an envelope whose type (RFC 9596) is TYPE, as data
    ///
    /// TYPE is a media type, or the number of a CoAP content format. It cannot be one of brine's own types.
    #[arg(long, value_name = "TYPE", value_parser = parse_typ)]
    pub typ: Option<String>,

    /// Accept an envelope without a type, as data
    ///
    /// Its signature does not say what it is for. Give this only if the signer's key signs nothing else that must
    /// not be taken for data, such as tokens for somebody else. It is for other COSE software, and for what "brine
    /// sign --plain" makes.
    #[arg(long)]
    pub untyped: bool,

    #[command(flatten)]
    pub verdict: VerdictArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub records: RecordArgs,

    #[command(flatten, next_help_heading = "Records")]
    pub rejects: RejectArgs,
}

/// The options that the short help shows.
const COMMON: [&str; 5] = ["public_keys", "context", "max_age", "output", "detached"];

pub(super) const VERIFY_EXAMPLES: &str = "\
Examples:
  Start a program only with what a trusted key signed for it, this week:
    $ brine verify -c jobs/nightly --max-age 7d job.pkl.brine -- python3 work.py

  Check a release against one key, and many files at once:
    $ brine verify -p ./vendor.pub release.tar.sig
    $ brine verify -p ./vendor.pub -d *.tar

  Read signed messages from a queue, and keep the refused ones:
    $ set -o pipefail
    $ kcat -C -u -b host -t events \\
        | brine verify --lines --reject-to refused | ./work

  Release each message once, even if the queue delivers it again:
    $ set -o pipefail
    $ kcat -C -u -b host -t events \\
        | brine verify --lines --replay-db seen --reject-to refused | ./work

  Try the refused ones again when their signer is trusted:
    $ set -o pipefail
    $ brine verify --retry refused --out lines --reject-to refused.again \\
        | ./work

  Keep the verdict for a program to read:
    $ brine verify --check --report verdict.json message";
