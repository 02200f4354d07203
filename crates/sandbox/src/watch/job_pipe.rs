//! A pipe from the job, which is read without waiting.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use crate::LaunchError;

/// A pipe from the job.
pub(super) struct JobPipe {
    pub(super) file: Option<File>,
    /// Bytes of output that were taken, or of errors that were dropped.
    pub(super) kept: u64,
}

#[derive(PartialEq)]
pub(super) enum PipeRead {
    Nothing,
    Some,
}

impl JobPipe {
    pub(super) fn new(pipe: OwnedFd) -> Result<Self, LaunchError> {
        rustix::io::ioctl_fionbio(&pipe, true)
            .map_err(|error| LaunchError::setting_up("reading from the job", error))?;
        Ok(Self { file: Some(pipe.into()), kept: 0 })
    }

    /// Reads what is there; `None` if there is nothing now, or nothing more.
    pub(super) fn read<'b>(
        &mut self,
        buffer: &'b mut [u8],
    ) -> Result<Option<&'b [u8]>, LaunchError> {
        let Some(file) = &mut self.file else { return Ok(None) };
        match file.read(buffer) {
            Ok(0) => {
                self.file = None;
                Ok(None)
            }
            Ok(count) => Ok(buffer.get(..count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Some(&[])),
            Err(error) => Err(LaunchError::system("reading from the job", error)),
        }
    }
}
