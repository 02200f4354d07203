//! The last steps of the process that becomes the program of a job.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use brine_job::{Layer, PAYLOAD_ARGUMENT, PAYLOAD_PATH, SCRATCH_PATH};

use super::{FIRST_POWER, Init, errno_fault, io_fault};
use crate::init_channel::InitChannel;
use crate::init_report::InitReport;
use crate::landlock::LandlockGround;
use crate::orders::Script;
use crate::outcome::LAYERS;
use crate::seccomp::SeccompFilters;
use crate::{SCRIPT_PATH, landlock, private_root, rlimits, syscalls};

impl Init {
    /// Becomes the program, or reports why it cannot.
    ///
    /// Whoever reads from the other end of `told` hears of its hostile calls.
    pub(super) fn become_job(&self, told: &InitChannel) -> ! {
        let Err(message) = self.try_to_become_job(told);
        self.report(&message);
        syscalls::end_now(125)
    }

    fn try_to_become_job(
        &self,
        told: &InitChannel,
    ) -> Result<std::convert::Infallible, InitReport> {
        let failed = |fault| InitReport::Failed(fault);
        rustix::process::setsid()
            .map_err(|error| failed(errno_fault("making a session")(error)))?;
        self.arrange_descriptors()
            .map_err(|error| failed(io_fault("arranging descriptors (close_range)")(error)))?;
        rustix::process::chdir(self.scratch())
            .map_err(|error| failed(errno_fault("entering the scratch directory")(error)))?;
        // Everything that needs memory comes first: there may be none once limits are set.
        let arguments = self.arguments().map_err(|error| failed(io_fault("an argument")(error)))?;
        let environment = terminated(&self.orders.environment)
            .map_err(|error| failed(io_fault("the environment")(error)))?;
        let script = self.script().map_err(|error| failed(io_fault("the script")(error)))?;
        let held = InitReport::Held(self.held(), self.proc_view).encode();
        let waives = |layer| self.orders.waives(layer);
        let filters = if waives(Layer::Seccomp) {
            None
        } else {
            Some(SeccompFilters::compile(&self.orders, self.memory).map_err(failed)?)
        };
        syscalls::reset_signals();
        if !waives(Layer::Landlock) {
            landlock::restrict(&self.orders, &self.ground()).map_err(failed)?;
        }
        if !waives(Layer::Limits) {
            rlimits::set(&self.orders, self.counted).map_err(failed)?;
        }
        if let Some(listener) = filters.map_or(Ok(None), |filters| filters.set()).map_err(failed)? {
            told.send_descriptors(&[listener.as_fd()])
                .map_err(|error| failed(io_fault("passing on its listener")(error)))?;
        }
        let _ = self.channel.send(&held);
        let private = !waives(Layer::Namespaces);
        match self.orders.script {
            Script::Yes if private => syscalls::execute_path(&script, &arguments, &environment),
            _ => syscalls::execute(self.program.as_fd(), &arguments, &environment),
        }
        .map_err(|error| InitReport::NotExecuted(error.raw_os_error().unwrap_or(libc::EINVAL)))
    }

    /// Gives the job its standard streams, and has `exec` close everything else.
    fn arrange_descriptors(&self) -> io::Result<()> {
        let payload = Some(&self.payload).filter(|_| !self.orders.delivery.is_file());
        match self.input.as_ref().or(payload) {
            Some(stdin) => rustix::stdio::dup2_stdin(stdin)?,
            None => rustix::stdio::dup2_stdin(File::open("/dev/null")?)?,
        }
        rustix::stdio::dup2_stdout(&self.output)?;
        rustix::stdio::dup2_stderr(&self.errors)?;
        syscalls::close_on_exec_from(FIRST_POWER)?;
        let mut kept = self.kept_for_powers.borrow_mut();
        for (power, place) in self.powers.iter().zip(kept.iter_mut()) {
            // The copy outlives `exec`.
            rustix::io::dup2(power, place)?;
        }
        // Without a private root, the interpreter of a script opens it by its descriptor.
        if self.orders.script == Script::Yes && self.orders.waives(Layer::Namespaces) {
            rustix::io::fcntl_setfd(&self.program, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    }

    fn arguments(&self) -> io::Result<Vec<CString>> {
        let own = self.borrowed.as_ref().map(|own| own.payload.as_os_str());
        let payload = own.unwrap_or(OsStr::new(PAYLOAD_PATH));
        let given = |argument: &OsString| match argument == PAYLOAD_ARGUMENT {
            true if self.orders.delivery.is_file() => payload.to_owned(),
            _ => argument.clone(),
        };
        terminated(&self.orders.arguments.iter().map(given).collect::<Vec<_>>())
    }

    /// Returns the path inside of a program that begins with `#!`.
    fn script(&self) -> io::Result<CString> {
        match &self.orders.copy {
            Some(copy) => Ok(CString::new(copy.path.as_os_str().as_bytes())?),
            None => Ok(SCRIPT_PATH.to_owned()),
        }
    }

    fn scratch(&self) -> &Path {
        self.borrowed.as_ref().map_or(Path::new(SCRATCH_PATH), |borrowed| &borrowed.scratch)
    }

    fn ground(&self) -> LandlockGround<'_> {
        let own = self.borrowed.as_ref();
        let path = own.map_or(Path::new(PAYLOAD_PATH), |own| &own.payload);
        // Without a private root a copy is memory, which has no place in the file system.
        let has_place = self.orders.copy.is_none() || !self.orders.waives(Layer::Namespaces);
        LandlockGround {
            places: &self.places,
            program: has_place.then_some(self.program.as_fd()),
            scratch: private_root::scratch_places(&self.orders, own.map(|own| &*own.scratch)),
            stdin: Some(self.payload.as_fd())
                .filter(|payload| !self.orders.delivery.is_file() && landlock::can_name(*payload)),
            payload: self.orders.delivery.is_file().then_some(path),
        }
    }

    fn held(&self) -> Vec<Layer> {
        let held = |layer: &Layer| {
            let absent = *layer == Layer::Network && !self.orders.ports.is_empty();
            !absent && !self.orders.waives(*layer)
        };
        LAYERS.into_iter().filter(held).collect()
    }
}

fn terminated(strings: &[OsString]) -> io::Result<Vec<CString>> {
    strings.iter().map(|string| Ok(CString::new(string.as_bytes())?)).collect()
}
