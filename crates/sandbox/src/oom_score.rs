//! The layer `limits`, for memory that is short: the kernel kills a job before everything else.
//!
//! A process passes its score on to its children. If a job had the score of brine, many small processes would make
//! the kernel kill the largest process of the system instead, and a service that is protected would protect its
//! jobs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};

use brine_job::Layer;

use super::init_report::InitFault;

/// The raised score of this process. It is lowered again when this is dropped.
#[derive(Debug)]
pub(super) struct OomScore {
    file: File,
    former: String,
}

impl OomScore {
    /// Raises the score to the highest value, which all children of this process inherit.
    ///
    /// The file must be opened while there is a `/proc`, and before this process hides its memory.
    pub(super) fn raise() -> Result<Self, InitFault> {
        raised().map_err(InitFault::of(Layer::Limits, "raising its oom_score_adj"))
    }
}

impl Drop for OomScore {
    fn drop(&mut self) {
        // Its owner only waits. If it cannot be lowered, the kernel may kill the init with the job.
        let _ = self.file.rewind().and_then(|()| self.file.write_all(self.former.as_bytes()));
    }
}

fn raised() -> io::Result<OomScore> {
    let mut file = OpenOptions::new().read(true).write(true).open("/proc/self/oom_score_adj")?;
    let mut former = String::new();
    file.read_to_string(&mut former)?;
    file.rewind()?;
    file.write_all(HIGHEST)?;
    Ok(OomScore { file, former })
}

/// `OOM_SCORE_ADJ_MAX`.
const HIGHEST: &[u8] = b"1000";
