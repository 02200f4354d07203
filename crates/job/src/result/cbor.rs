//! Results as CBOR, in one encoding.

use brine_core::cbor::Decoder;

use super::{JobId, JobResult, MAX_RESULT_ERRORS, OK, ResultError, ResultUsage};
use crate::members::{self, MembersWriter};

const CTI: &str = "cti";
const ERRORS: &str = "stderr";
const EXIT: &str = "exit";
const JOB: &str = "job";
const MEMORY: &str = "memory";
const OUTCOME: &str = "outcome";
const PLAN: &str = "plan";
const REASON: &str = "reason";
const SIGNAL: &str = "signal";
const STATUS: &str = "status";
const SYSTEM: &str = "system";
const USER: &str = "user";
const WALL: &str = "wall";

/// The longest short name of an outcome or a reason.
const MAX_NAME_BYTES: usize = 64;

/// The longest claim id, which is that of a job.
const MAX_CTI_BYTES: usize = 255;

/// What was read so far.
#[derive(Default)]
struct Draft {
    job: Option<[u8; 32]>,
    cti: Option<Vec<u8>>,
    plan: Option<[u8; 32]>,
    outcome: Option<String>,
    status: Option<u8>,
    reason: Option<String>,
    exit: Option<u8>,
    signal: Option<u8>,
    wall: Option<u64>,
    user: Option<u64>,
    system: Option<u64>,
    memory: Option<u64>,
    errors: Vec<u8>,
}

pub(super) fn decode(value: &[u8]) -> Result<JobResult, ResultError> {
    let mut draft = Draft::default();
    members::read(value, |decoder, member| draft.member(decoder, member))?;
    draft.finish()
}

impl Draft {
    fn member(&mut self, decoder: &mut Decoder<'_>, member: &str) -> Result<(), ResultError> {
        match member {
            CTI => self.cti = Some(some_bytes(decoder, MAX_CTI_BYTES)?.to_vec()),
            ERRORS => self.errors = some_bytes(decoder, MAX_RESULT_ERRORS)?.to_vec(),
            EXIT => self.exit = Some(byte(decoder)?),
            JOB => self.job = Some(digest(decoder)?),
            MEMORY => self.memory = Some(number(decoder)?),
            OUTCOME => self.outcome = Some(name(decoder)?),
            PLAN => self.plan = Some(digest(decoder)?),
            REASON => self.reason = Some(name(decoder)?),
            SIGNAL => self.signal = Some(byte(decoder)?),
            STATUS => self.status = Some(byte(decoder)?),
            SYSTEM => self.system = Some(number(decoder)?),
            USER => self.user = Some(number(decoder)?),
            WALL => self.wall = Some(number(decoder)?),
            _ => return Err(ResultError::form("it has a member that is not known")),
        }
        Ok(())
    }

    fn finish(self) -> Result<JobResult, ResultError> {
        let usage = match (self.wall, self.user, self.system, self.memory) {
            (Some(wall_ms), Some(user_ms), Some(system_ms), Some(memory_bytes)) => {
                Some(ResultUsage { wall_ms, user_ms, system_ms, memory_bytes })
            }
            (None, None, None, None) => None,
            _ => return Err(ResultError::form("it says a part of what the job used")),
        };
        let (Some(job), Some(outcome), Some(status)) = (self.job, self.outcome, self.status) else {
            return Err(ResultError::form("it lacks the job, the outcome or the status"));
        };
        if (outcome == OK) != (status == 0) {
            return Err(ResultError::form("its outcome and its status contradict each other"));
        }
        Ok(JobResult {
            job: JobId(job),
            cti: self.cti,
            plan: self.plan,
            outcome,
            status,
            reason: self.reason,
            exit: self.exit,
            signal: self.signal,
            usage,
            errors: self.errors,
        })
    }
}

fn digest(decoder: &mut Decoder<'_>) -> Result<[u8; 32], ResultError> {
    let bytes = decoder.bytes()?;
    bytes.try_into().map_err(|_| ResultError::form("a digest has not 32 bytes"))
}

fn some_bytes<'a>(decoder: &mut Decoder<'a>, most: usize) -> Result<&'a [u8], ResultError> {
    let bytes = decoder.bytes()?;
    match bytes.len() {
        0 => Err(ResultError::form("a member is empty")),
        length if length > most => Err(ResultError::form("a member is too long")),
        _ => Ok(bytes),
    }
}

fn byte(decoder: &mut Decoder<'_>) -> Result<u8, ResultError> {
    decoder.int()?.try_into().map_err(|_| ResultError::form("a number is out of range"))
}

fn number(decoder: &mut Decoder<'_>) -> Result<u64, ResultError> {
    decoder.int()?.try_into().map_err(|_| ResultError::form("a number is out of range"))
}

fn name(decoder: &mut Decoder<'_>) -> Result<String, ResultError> {
    let name = decoder.text()?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(is_plain) {
        return Err(ResultError::form("a short name is not one"));
    }
    Ok(name.to_owned())
}

pub(super) fn encode(result: &JobResult) -> Vec<u8> {
    let mut writer = MembersWriter::new();
    writer.put(JOB, |value| value.bytes(&result.job.0));
    if let Some(cti) = &result.cti {
        writer.put(CTI, |value| value.bytes(cti));
    }
    if let Some(plan) = &result.plan {
        writer.put(PLAN, |value| value.bytes(plan));
    }
    writer.put(OUTCOME, |value| value.text(&result.outcome));
    writer.put(STATUS, |value| value.uint(result.status.into()));
    if let Some(reason) = &result.reason {
        writer.put(REASON, |value| value.text(reason));
    }
    for (name, number) in [(EXIT, result.exit), (SIGNAL, result.signal)] {
        if let Some(number) = number {
            writer.put(name, |value| value.uint(number.into()));
        }
    }
    if let Some(ResultUsage { wall_ms, user_ms, system_ms, memory_bytes }) = result.usage {
        for (name, number) in
            [(WALL, wall_ms), (USER, user_ms), (SYSTEM, system_ms), (MEMORY, memory_bytes)]
        {
            writer.put(name, |value| value.uint(number));
        }
    }
    let errors = result.errors.get(..MAX_RESULT_ERRORS).unwrap_or(&result.errors);
    if !errors.is_empty() {
        writer.put(ERRORS, |value| value.bytes(errors));
    }
    writer.finish()
}
