//! The process that reads output, and confines itself before.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::time::Duration;

use brine_core::text::in_words;
use brine_job::{Layer, OutputFormat, PlanParts};
use rustix::process::{DumpableBehavior, Signal};

use super::READER_NAME;
use super::report::ReaderReport;
use crate::init_report::InitFault;
use crate::{NOBODY, landlock, privileges, rlimits, seccomp, syscalls};

/// Acts as a confined reader if this process was started as one, and returns its exit code; `None` if it was not.
///
/// It confines the process by the layers that hold jobs, as far as the plan does not waive them, and has `check` read
/// the output. `check` returns why the output is not of the format. It may panic, and be ended by the limits; then the
/// output is not believed. It can open and write nothing, and start nothing.
///
/// It **must** be called before `main` does anything else: the reader may have only one thread, and nothing open.
#[must_use]
pub fn enter_reader<E: Display>(
    check: impl FnOnce(OutputFormat, File) -> Result<(), E>,
) -> Option<ExitCode> {
    let mut arguments = std::env::args_os();
    if arguments.next()? != READER_NAME {
        return None;
    }
    std::panic::set_hook(Box::new(|panic| {
        say(&ReaderReport::Panicked(words_of(panic)));
        syscalls::end_now(PANICKED);
    }));
    let report = match ReaderOrders::parse(arguments) {
        None => ReaderReport::NotConfined("its orders are malformed".to_owned()),
        Some(orders) => match orders.confine() {
            Err(fault) => ReaderReport::NotConfined(words(&fault)),
            Ok(output) => match check(orders.format, output) {
                Err(what) => ReaderReport::Refused(what.to_string()),
                Ok(()) => ReaderReport::Believed,
            },
        },
    };
    say(&report);
    Some(if report == ReaderReport::Believed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a reader is told when it starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ReaderOrders {
    format: OutputFormat,
    /// How much memory it may use, in bytes, besides what the program itself needs.
    memory: u64,
    cpu: Duration,
    waived: Vec<Layer>,
}

impl ReaderOrders {
    pub(super) fn of(plan: &PlanParts) -> Self {
        Self {
            format: plan.format,
            memory: plan.limits.memory,
            cpu: plan.limits.cpu,
            waived: plan.waived.iter().copied().collect(),
        }
    }

    /// Returns the arguments that say all of it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let numbers = [self.memory.to_string(), self.cpu.as_millis().to_string()];
        let waived = self.waived.iter().map(|layer| layer.name().to_owned());
        [self.format.name().to_owned()].into_iter().chain(numbers).chain(waived).collect()
    }

    /// Reads the arguments; `None` if they are malformed.
    fn parse(arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut arguments = arguments.map(OsString::into_string);
        let mut next = || arguments.next()?.ok();
        let format = OutputFormat::from_name(&next()?)?;
        let (memory, cpu) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let layer = |name: String| Layer::ALL.into_iter().find(|layer| layer.name() == name);
        let waived = arguments.map(|name| layer(name.ok()?)).collect::<Option<_>>()?;
        Some(Self { format, memory, cpu: Duration::from_millis(cpu), waived })
    }

    fn waives(&self, layer: Layer) -> bool {
        self.waived.contains(&layer)
    }

    /// Leaves everything behind but the output, which it returns, and where it reports.
    fn confine(&self) -> Result<File, InitFault> {
        syscalls::reset_signals();
        syscalls::close_from(FIRST_OTHER).map_err(fault("closing descriptors"))?;
        let output =
            io::stdin().as_fd().try_clone_to_owned().map_err(fault("taking the output"))?;
        self.drop_privileges()?;
        // What needs memory comes first: there may be none once limits are set.
        let filter = match self.waives(Layer::Seccomp) {
            true => None,
            false => Some(seccomp::reader_filter()?),
        };
        if !self.waives(Layer::Landlock) {
            landlock::restrict_wholly()?;
        }
        if !self.waives(Layer::Limits) {
            rlimits::set_for_reader(self.memory.saturating_add(PROGRAM_BYTES), self.cpu)?;
        }
        filter.map_or(Ok(()), |filter| filter.set())?;
        Ok(output.into())
    }

    fn drop_privileges(&self) -> Result<(), InitFault> {
        if self.waives(Layer::Privileges) {
            privileges::forbid_new()?;
        } else {
            if rustix::process::geteuid().is_root() {
                privileges::empty_bounding_set()?;
                privileges::become_user(NOBODY)?;
            }
            privileges::drop_all()?;
        }
        // After the change of user, which would undo both.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
            .map_err(|error| fault("tying itself to brine")(error.into()))?;
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(|error| fault("keeping its memory to itself")(error.into()))
    }
}

fn fault(step: &'static str) -> impl FnOnce(io::Error) -> InitFault {
    move |error| InitFault::new(None, step, &error)
}

fn words(fault: &InitFault) -> String {
    let InitFault { layer, step, .. } = fault;
    let system = in_words(&fault.source()).to_string();
    let layer = layer.map(|layer| format!("{}: ", layer.name())).unwrap_or_default();
    format!("{layer}{step}: {system}")
}

fn words_of(panic: &PanicHookInfo<'_>) -> String {
    panic.payload_as_str().unwrap_or("without a word").to_owned()
}

/// Reports to brine. If that fails, nothing is believed.
fn say(report: &ReaderReport) {
    let _ = rustix::io::write(rustix::stdio::stdout(), &report.encode());
}

/// What follows the three standard streams.
const FIRST_OTHER: u32 = 3;

/// As `panic!` exits.
const PANICKED: u8 = 101;

/// How much address space the program itself has, its code and its stack included, at most.
const PROGRAM_BYTES: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_arrive_as_they_were_sent() {
        for waived in [Vec::new(), vec![Layer::Seccomp], Layer::ALL.to_vec()] {
            let orders = ReaderOrders {
                format: OutputFormat::Parquet,
                memory: u64::MAX,
                cpu: Duration::from_millis(1500),
                waived,
            };
            let arguments = orders.arguments().into_iter().map(Into::into);
            assert_eq!(ReaderOrders::parse(arguments), Some(orders));
        }
    }

    #[test]
    fn orders_that_say_less_or_more_are_malformed() {
        for arguments in
            [&["arrow", "1"][..], &["arrow", "1", "x"], &["arrow", "1", "1", "x"], &["x", "1", "1"]]
        {
            let arguments = arguments.iter().map(Into::into);
            assert_eq!(ReaderOrders::parse(arguments), None);
        }
    }
}
