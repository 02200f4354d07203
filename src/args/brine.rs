//! The command line of `brine`.

use clap::{Parser, Subcommand};

use super::completions::{COMPLETIONS_EXAMPLES, Completions};
use super::cosign::{COSIGN_EXAMPLES, Cosign};
use super::doctor::{DOCTOR_EXAMPLES, Doctor};
use super::help::first_of;
use super::inspect::{INSPECT_EXAMPLES, Inspect};
use super::queue::{DEAD_EXAMPLES, DeadVerb, RECV_EXAMPLES, RecvArgs, SEND_EXAMPLES, SendArgs};
use super::relay::{RELAY_EXAMPLES, RelayArgs};
use super::replay::{REPLAY_EXAMPLES, ReplayVerb};
use super::run::{POLICY_EXAMPLES, PolicyVerb, RUN_EXAMPLES, Run};
use super::scan::{self, Scan};
use super::sign::{SIGN_EXAMPLES, Sign};
use super::verify::{VERIFY_EXAMPLES, Verify};
use super::work::{CALL_EXAMPLES, CallArgs, WORK_EXAMPLES, WorkArgs};

/// Sign what you serialise, and get it back only from those you trust
///
/// Wraps any bytes in a standard signature envelope (COSE_Sign1, Ed25519), and releases them only if a
/// trusted key signed them. Start with "brinekey gen", which makes a key.
#[derive(Debug, Parser)]
#[command(name = "brine", version, max_term_width = 80,
    after_long_help = EXAMPLES, after_help = first_of(EXAMPLES))]
pub struct Brine {
    /// What to do.
    #[command(subcommand)]
    pub verb: BrineVerb,
}

const EXAMPLES: &str = "\
Examples:
  Make a key, sign, verify:
    $ brinekey gen
    $ brine sign < in > out
    $ brine verify < out

  Run a script only if it is signed:
    $ curl -s \"$URL\" | brine verify -p ./vendor.pub - -- sh

  Move a tree to another machine, verified as it arrives:
    $ set -o pipefail
    $ tar c tree | brine sign | ssh host 'set -o pipefail; brine verify | tar x'";

/// What to do.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum BrineVerb {
    /// Sign FILE or standard input
    #[command(after_long_help = SIGN_EXAMPLES, after_help = first_of(SIGN_EXAMPLES))]
    Sign(Sign),
    /// Add a signature to an envelope of several signers
    #[command(after_long_help = COSIGN_EXAMPLES, after_help = first_of(COSIGN_EXAMPLES))]
    Cosign(Cosign),
    /// Verify an envelope and write its payload
    #[command(after_long_help = VERIFY_EXAMPLES, after_help = first_of(VERIFY_EXAMPLES))]
    Verify(Verify),
    /// Show what an envelope claims, without verifying anything
    #[command(after_long_help = INSPECT_EXAMPLES, after_help = first_of(INSPECT_EXAMPLES))]
    Inspect(Inspect),
    /// Manage replay databases
    #[command(subcommand, after_long_help = REPLAY_EXAMPLES, after_help = first_of(REPLAY_EXAMPLES))]
    Replay(ReplayVerb),
    /// Show what a pickle would import, without loading it
    #[command(after_long_help = scan::EXAMPLES, after_help = first_of(scan::EXAMPLES))]
    Scan(Scan),
    /// Verify a job, then run it confined
    #[command(after_long_help = RUN_EXAMPLES, after_help = first_of(RUN_EXAMPLES))]
    Run(Run),
    /// Check a policy file
    #[command(subcommand, after_long_help = POLICY_EXAMPLES, after_help = first_of(POLICY_EXAMPLES))]
    Policy(PolicyVerb),
    /// Sign FILE or standard input, and put it on a queue
    #[command(after_long_help = SEND_EXAMPLES, after_help = first_of(SEND_EXAMPLES))]
    Send(SendArgs),
    /// Take messages from a queue, and write the payloads of those that verify
    #[command(after_long_help = RECV_EXAMPLES, after_help = first_of(RECV_EXAMPLES))]
    Recv(RecvArgs),
    /// Run the signed jobs of a queue confined, and sign their results
    #[command(after_long_help = WORK_EXAMPLES, after_help = first_of(WORK_EXAMPLES))]
    Work(WorkArgs),
    /// Send a job to a queue, wait for its result, and write its output
    #[command(after_long_help = CALL_EXAMPLES, after_help = first_of(CALL_EXAMPLES))]
    Call(CallArgs),
    /// Carry messages from one queue to another: those that verify, or all, signed
    #[command(after_long_help = RELAY_EXAMPLES, after_help = first_of(RELAY_EXAMPLES))]
    Relay(RelayArgs),
    /// Look after messages that were refused, or failed too often
    #[command(subcommand, after_long_help = DEAD_EXAMPLES, after_help = first_of(DEAD_EXAMPLES))]
    Dead(DeadVerb),
    /// Show what this machine can and cannot do for brine
    #[command(after_long_help = DOCTOR_EXAMPLES, after_help = first_of(DOCTOR_EXAMPLES))]
    Doctor(Doctor),
    /// Write the completions for a shell to standard output
    #[command(after_long_help = COMPLETIONS_EXAMPLES, after_help = first_of(COMPLETIONS_EXAMPLES))]
    Completions(Completions),
}
