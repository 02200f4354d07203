//! Whether jobs can be confined: an actual attempt, and what each layer lacks.

#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) use self::linux::{checks, landlock_version};

/// Says that this program cannot run jobs.
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
pub(super) fn checks(_: &crate::world::machine::Machine) -> Vec<super::check::Check> {
    vec![super::check::Check::failed("confinement", &crate::report::Failure::NoSandbox)]
}

/// Returns nothing: nobody asked.
#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
pub(super) const fn landlock_version() -> Option<i32> {
    None
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
mod linux {
    use std::path::Path;

    use brine_job::Layer;
    use brine_sandbox::{BoundMeans, LaunchError, Probe, probe};

    use super::super::advice;
    use super::super::check::Check;
    use crate::report::exit::Status;
    use crate::verbs::run;
    use crate::world::machine::{self, Machine};

    /// Tries to run a job behind every layer, and says of each layer how it is.
    pub(in super::super) fn checks(machine: &Machine) -> Vec<Check> {
        let plan = match run::idle_job::plan() {
            Ok(plan) => plan,
            Err(failure) => {
                return vec![
                    Check::failed(CONFINEMENT, &failure)
                        .hint("set PATH to where \"true\" is, which doctor runs to find out"),
                ];
            }
        };
        let probe = probe(plan, Path::new(run::SELF));
        let layers = Layer::ALL.map(|layer| of_layer(layer, &probe, machine));
        let mut checks = vec![of_attempt(&probe, machine)];
        checks.extend(layers);
        if probe.held.is_ok() {
            checks.extend(of_bounds(&probe));
        }
        checks
    }

    /// Returns the version of Landlock that the kernel offers.
    pub(in super::super) fn landlock_version() -> Option<i32> {
        brine_sandbox::landlock_version().ok()
    }

    /// Says whether `brine run` works here.
    fn of_attempt(probe: &Probe, machine: &Machine) -> Check {
        if let Err(error) = &probe.held {
            let check = Check::missing(
                CONFINEMENT,
                Status::from_code(error.status()),
                format!("no job can be started: {error}"),
            );
            return Check { hint: hint(error, machine), ..check };
        }
        let missing: Vec<_> = probe.missing.iter().map(|(layer, _)| layer.name()).collect();
        if missing.is_empty() {
            return Check::ok(CONFINEMENT, "a job was run behind every layer");
        }
        let waivers: String = missing.iter().map(|name| format!(" --without {name}")).collect();
        Check::missing(
            CONFINEMENT,
            Status::NotConfined,
            format!("\"brine run\" refuses every job, for want of {}", missing.join(", ")),
        )
        .hint(format!("see below; \"brine run{waivers}\" runs jobs with less confinement"))
    }

    fn of_layer(layer: Layer, probe: &Probe, machine: &Machine) -> Check {
        let name = layer.name();
        if let Some((_, error)) = probe.missing.iter().find(|(missing, _)| *missing == layer) {
            let check = Check::missing(name, Status::NotConfined, error.to_string());
            return Check { hint: hint(error, machine), ..check };
        }
        match &probe.held {
            Ok(held) if held.contains(&layer) && layer == Layer::Landlock => of_landlock(),
            Ok(held) if held.contains(&layer) => Check::ok(name, holds(layer)),
            _ => Check::missing(name, Status::NotConfined, "not known, as no job can be started"),
        }
    }

    /// Says what jobs are kept from by a layer that holds.
    const fn holds(layer: Layer) -> &'static str {
        match layer {
            Layer::Namespaces => "jobs see a root directory and processes of their own",
            Layer::Network => "jobs have no network unless ports are granted",
            Layer::Limits => "jobs are held to their limits",
            Layer::Privileges => "jobs have no privileges and cannot get any",
            Layer::Landlock => "jobs reach only the files that they are given",
            Layer::Seccomp => "jobs make only the system calls that programs need",
        }
    }

    /// Says what the version that the kernel has is enough for.
    fn of_landlock() -> Check {
        let (name, holds) = (Layer::Landlock.name(), holds(Layer::Landlock));
        match landlock_version() {
            Some(version) if version < PORTS => Check::limited(
                name,
                format!("{holds}; version {version} cannot hold jobs to granted ports, so \"tcp=\" is refused"),
            )
            .hint("Linux 6.7 and later have version 4, which can"),
            version => Check::ok(name, format!("{holds} (version {})", version.unwrap_or(PORTS))),
        }
    }

    /// Says by which means all processes of a job are bounded together.
    fn of_bounds(probe: &Probe) -> [Check; 2] {
        [of_memory(probe.bounds.memory), of_processor_time(probe.bounds.processor_time)]
    }

    fn of_memory(means: BoundMeans) -> Check {
        let name = "memory";
        match means {
            BoundMeans::ControlGroupV1 | BoundMeans::ControlGroupV2 => Check::ok(
                name,
                format!("the kernel bounds what all processes of a job hold ({})", means.name()),
            ),
            BoundMeans::Looks => Check::limited(
                name,
                "brine looks at what all processes of a job hold, and ends it soon after it holds too much",
            )
            .hint(group_hint()),
            _ => Check::missing(name, Status::NotConfined, "nothing bounds what a job holds"),
        }
    }

    fn of_processor_time(means: BoundMeans) -> Check {
        let name = "processor";
        match means {
            BoundMeans::Looks => Check::limited(
                name,
                "brine looks at the processor time of a job, and estimates that of short processes",
            )
            .hint(format!("sudo sysctl kernel.perf_event_paranoid=2; or {}", group_hint())),
            BoundMeans::None => Check::missing(
                name,
                Status::NotConfined,
                "nothing bounds the processor time of a job",
            ),
            means => Check::ok(
                name,
                format!("the kernel counts the processor time of a whole job ({})", means.name()),
            ),
        }
    }

    /// Returns how brine gets a control group that it may divide.
    fn group_hint() -> String {
        let user = if rustix::process::geteuid().is_root() { "" } else { " --user" };
        match machine::has_systemd() {
            true => format!("systemd-run{user} --scope -p Delegate=yes brine run JOB"),
            false => "start brine alone in a control group that belongs to its user".to_owned(),
        }
    }

    fn hint(error: &LaunchError, machine: &Machine) -> Option<String> {
        let general = || error.hint().map(str::to_owned);
        if error.is_for_want_of_users() {
            return general();
        }
        match error.layer() {
            Some(Layer::Namespaces | Layer::Network) => {
                advice::for_namespaces(machine).or_else(general)
            }
            _ => general(),
        }
    }

    const CONFINEMENT: &str = "confinement";

    /// The first version of Landlock that tells ports apart.
    const PORTS: i32 = 4;
}
