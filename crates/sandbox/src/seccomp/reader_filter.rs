//! The filter of a process that reads the output of a job: it uses memory, and what it has open.

use std::io;

use brine_job::Layer;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use super::{CallRules, always, equals, masked, of_system, rule, to_io};
use crate::init_report::InitFault;

/// A filter that is ready to be set.
pub(crate) struct ReaderFilter(BpfProgram);

/// Compiles the filter. Setting it needs no memory.
pub(crate) fn reader_filter() -> Result<ReaderFilter, InitFault> {
    compile().map(ReaderFilter).map_err(InitFault::of(Layer::Seccomp, "compiling the filter"))
}

impl ReaderFilter {
    /// Sets the filter, irrevocably.
    pub(crate) fn set(&self) -> Result<(), InitFault> {
        let failed = InitFault::of(Layer::Seccomp, "setting a filter");
        seccompiler::apply_filter(&self.0).map_err(of_system).map_err(failed)
    }
}

/// All other calls fail, as for a process that may not make them. A call of another architecture ends the process.
fn compile() -> io::Result<BpfProgram> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(to_io)?;
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules()?, refused, SeccompAction::Allow, architecture)
        .and_then(TryInto::try_into)
        .map_err(to_io)
}

fn rules() -> io::Result<CallRules> {
    let mut rules = always(CALLS);
    let executable = libc::PROT_EXEC.cast_unsigned();
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![rule(&[masked(2, executable, 0)?])?]);
    }
    // What aborts sends itself a signal.
    let this = rustix::process::getpid().as_raw_nonzero().get();
    rules.insert(libc::SYS_tgkill, vec![rule(&[equals(0, this)?])?]);
    Ok(rules)
}

const CALLS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_write,
];
