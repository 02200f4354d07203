//! `brine`: sign what you serialise, and get it back only from those you trust.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A job begins as this program, started again.
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    if let Some(ended) = brine_sandbox::enter() {
        return ended;
    }
    // So does what reads columnar output of a job.
    #[cfg(all(feature = "columnar", target_os = "linux"))]
    if let Some(ended) = brine_sandbox::enter_reader(brine_job::check_columnar) {
        return ended;
    }
    brine_cli::brine(std::env::args_os())
}
