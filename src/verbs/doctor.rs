//! `brine doctor`: what this machine can and cannot do.

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod advice;
mod check;
mod confinement;
mod neighbours;
mod surroundings;

use std::fmt::Write as _;

use brine_core::text::size;
use serde::Serialize;

use self::check::{Check, State};
use crate::args::doctor::Doctor;
use crate::report::console::{json_line, printable};
use crate::report::exit::Status;
use crate::report::{Failure, Outcome};
use crate::world::machine::Machine;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;

/// Looks at everything, and ends as those would that need what is missing first.
pub(super) fn run(args: &Doctor) -> Result<Outcome, Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default())?;
    let machine = Machine::survey();
    let mut checks = confinement::checks(&machine);
    checks.extend(neighbours::checks());
    checks.extend(surroundings::checks());
    let missing = checks.iter().find(|check| check.state == State::Missing);
    let status = missing.map_or(Status::Done, |check| check.status);
    let text = match args.json {
        true => json_line(&DoctorLine::of(&machine, status, &checks)),
        false => page(&checks),
    };
    output.print(&text)?;
    Ok(Outcome::Told(status))
}

/// Says a number of bytes in whole GiB, or in MiB where there are few.
fn about(bytes: u64) -> String {
    let unit = if bytes < 10 << 30 { 20 } else { 30 };
    size((bytes >> unit) << unit)
}

/// A page for people: a line for each check, and what to type below it.
fn page(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let indent = State::WIDTH + width + 4;
    let mut page = String::new();
    for check in checks {
        let (state, name, message) = (check.state.name(), check.name, printable(&check.message));
        // Writing to a String does not fail.
        let _ = writeln!(page, "{state:<0$}  {name:<width$}  {message}", State::WIDTH);
        if let Some(hint) = &check.hint {
            let _ = writeln!(page, "{:indent$}hint: {}", "", printable(hint));
        }
    }
    page
}

/// What was found, as it is shown to programs.
#[derive(Serialize)]
struct DoctorLine<'a> {
    schema: &'static str,
    status: u8,
    version: &'static str,
    kernel: &'a str,
    container: Option<&'a str>,
    landlock_version: Option<i32>,
    checks: &'a [Check],
}

impl<'a> DoctorLine<'a> {
    fn of(machine: &'a Machine, status: Status, checks: &'a [Check]) -> Self {
        Self {
            schema: SCHEMA,
            status: status.code(),
            version: env!("CARGO_PKG_VERSION"),
            kernel: &machine.kernel,
            container: machine.container.as_deref(),
            landlock_version: confinement::landlock_version(),
            checks,
        }
    }
}

/// The version of the form; docs/doctor.md describes it.
const SCHEMA: &str = "brine.doctor/1";
