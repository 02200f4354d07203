//! Hints about replay databases.

use brine_records::ReplayError;

/// Returns what to do about a job that a replay database does not let run.
pub(super) const fn of_job(error: &ReplayError) -> Option<&'static str> {
    match error {
        ReplayError::ExpiryMissing => Some("sign it with \"brine sign --job --expires WHEN\""),
        ReplayError::Replayed => Some("to do the same work again, sign it again"),
        other => of_replay(other),
    }
}

/// Returns what to do about a failure of a replay database.
pub(super) const fn of_replay(error: &ReplayError) -> Option<&'static str> {
    Some(match error {
        ReplayError::ClockBehind { .. } => {
            "set the clock, and the record is as good; if it is right, the database was used under a wrong one: \
             make another with \"brine replay init\""
        }
        ReplayError::Damaged { .. } | ReplayError::Version { .. } => {
            "keep the file, and make another with \"brine replay init\", which refuses what is older than itself"
        }
        ReplayError::ExpiryMissing => "sign it with \"brine sign --expires WHEN\", or as a record",
        ReplayError::Full { .. } => {
            "\"brine replay status\" shows what fills it; what is older than its maximum age makes room by itself"
        }
        ReplayError::ChannelFull { .. } | ReplayError::KeyFull { .. } => {
            "--reject-to keeps such records, to be tried again when older ones have been forgotten"
        }
        ReplayError::LeaseLost => {
            "this process stood still for longer than --lease, and the record may have been released twice"
        }
        ReplayError::Database(_) | ReplayError::File { .. } => {
            "it takes a directory that can be written, for the files beside it"
        }
        ReplayError::Gone { .. } => {
            "if only a link was turned or a directory renamed, nothing is lost: start again with the name that leads \
             to it; if the file is gone, end what uses it, remove FILE-wal and FILE-shm, and make another with \
             \"brine replay init\", which refuses what is older than itself"
        }
        ReplayError::Leftover { .. } => {
            "end every process that uses the old database, then remove FILE-wal, FILE-shm and FILE-journal, and make \
             another with \"brine replay init FILE\", which refuses what the old one released"
        }
        ReplayError::Linked { .. } => {
            "\"find -samefile FILE\" shows its names; remove all but one, and have every process use that"
        }
        ReplayError::Mounted { .. } => "mount the directory that it lies in, not the file",
        ReplayError::Network { .. } => "put it on a disk of this machine",
        ReplayError::Missing { .. } | ReplayError::NotADatabase { .. } => {
            "\"brine replay init FILE\" makes one, where there is no file"
        }
        ReplayError::Unknown { .. } => {
            "another database may have released it; if none has, this one included, make it anew: \
             rm -f FILE FILE-wal FILE-shm && brine replay init --accept-older FILE"
        }
        _ => return None,
    })
}
