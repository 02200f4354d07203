//! Refused records, kept whole with the reason, to be looked at and tried again.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Cursor, Read};
use std::path::Path;

use brine_core::Classified as _;
use brine_records::{Framing, KEPT_BYTES, RecordFrame, RejectedRecord, Rejects};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::Value;

use crate::report::Failure;
use crate::report::console::json_line;
use crate::report::exit::Status;
use crate::world::line_file::LineFile;
use crate::world::patient_file::PatientFile;
use crate::world::whole_records::Care;

/// The version of the form; docs/rejected.md describes it.
const SCHEMA: &str = "brine.rejected/1";

/// A file that refused records are added to, a line of JSON each. Several processes can share it.
pub(super) struct RejectFile(LineFile);

impl RejectFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        LineFile::open(path).map(Self)
    }
}

impl Rejects for RejectFile {
    type Error = Failure;

    fn may_wait(&self) -> bool {
        self.0.has_reader()
    }

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Failure> {
        let lines: Vec<String> = rejected.iter().map(RejectedLine::of).collect();
        self.0.append(&lines, Care::Kept)
    }
}

/// A refused record, as it is kept.
#[derive(Serialize)]
struct RejectedLine {
    schema: &'static str,
    time: String,
    number: u64,
    status: u8,
    reason: &'static str,
    message: String,
    /// The record, if it was read whole.
    record: Option<String>,
    /// The beginning of what came instead of a record.
    raw: Option<String>,
}

impl RejectedLine {
    fn of(rejected: &RejectedRecord<'_>) -> String {
        let RejectedRecord { number, at, why, frame } = rejected;
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (record, raw) = match frame {
            RecordFrame::Record(record) => (Some(text(record)), None),
            RecordFrame::Bad { kept, .. } => (None, Some(text(kept))),
        };
        json_line(&Self {
            schema: SCHEMA,
            time: at.to_string(),
            number: *number,
            status: Status::from(why.class()).code(),
            reason: why.reason(),
            message: why.to_string(),
            record,
            raw,
        })
    }
}

/// Reads kept records back, each after its length, four bytes.
pub(super) struct KeptRecords {
    lines: BufReader<PatientFile<File>>,
    /// The number of the line that was read last.
    number: u64,
    record: Cursor<Vec<u8>>,
}

impl KeptRecords {
    pub(super) fn new(file: PatientFile<File>) -> Self {
        Self { lines: BufReader::new(file), number: 0, record: Cursor::default() }
    }

    /// Returns the next record that was kept, or what came instead of one, and `None` at the end.
    fn next_record(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        match kept(&line) {
            Some(record) => Ok(Some(record)),
            None if self.number == 1 && !line.starts_with(b"{") => Err(self.foreign()),
            // Half a line, which a killed process left: it is refused once more, as it is.
            None => {
                line.truncate(KEPT_BYTES);
                Ok(Some(line))
            }
        }
    }

    fn foreign(&self) -> io::Error {
        let text = format!("line {} is not a record that --reject-to kept", self.number);
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

impl Read for KeptRecords {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.record.read(room)? {
                0 if !room.is_empty() => match self.next_record()? {
                    None => return Ok(0),
                    Some(record) => {
                        let mut framed = Vec::with_capacity(record.len().saturating_add(4));
                        Framing::Len32
                            .write_envelope(&mut framed, &record)
                            .map_err(|_| self.foreign())?;
                        self.record = Cursor::new(framed);
                    }
                },
                count => return Ok(count),
            }
        }
    }
}

/// Returns what a line says was kept: the record, or what came instead of one.
fn kept(line: &[u8]) -> Option<Vec<u8>> {
    let line: Value = serde_json::from_slice(line).ok()?;
    if line.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return None;
    }
    let text = |member| line.get(member).and_then(Value::as_str);
    let bytes = text("record").or_else(|| text("raw"))?;
    BASE64URL_NOPAD.decode(bytes.as_bytes()).ok()
}

/// The longest line, in bytes. A line with the longest record is shorter.
const MAX_LINE_BYTES: u64 = 32 * 1024 * 1024;
