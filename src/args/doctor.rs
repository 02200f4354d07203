//! What `brine doctor` takes.

use clap::Args;

/// Show what this machine can and cannot do for brine
///
/// Runs a program that does nothing behind every layer of confinement, and looks at the clock, the keys and trust, the
/// directory for temporary files and the terminal. Each line says whether something is "ok", works in part
/// ("limited") or does not work ("missing"), and what to type to change that.
///
/// Exits with 0 if nothing is missing. Otherwise exits as the commands do that need what is missing first: with 125 if
/// jobs cannot be confined, with 6 for keys, trust and policy, with 4 for the rest.
#[derive(Args, Clone, Copy, Debug)]
pub struct Doctor {
    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  Before a machine is to run jobs, find out what it lacks:
    $ brine doctor

  In a container, see which options it must be started with:
    $ docker run --rm -v /usr/local/bin/brine:/brine debian /brine doctor

  Ask in a script whether jobs can be confined:
    $ brine doctor --json \\
        | jq -e '.checks[] | select(.name == \"confinement\") | .state == \"ok\"'";
