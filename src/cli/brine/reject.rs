//! Refused records, kept whole with the reason, to be looked at and tried again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Cursor, Read, Write as _};
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::claims::Timestamp;
use crate::cli::failure::Failure;
use crate::cli::report::json_line;
use crate::record::{Frame, Framing};

/// The version of the form; docs/rejected.md describes it.
const SCHEMA: &str = "brine.rejected/1";

/// A record that was refused.
pub(super) struct Rejected<'a> {
    /// The how-manieth of the input it was, from 1.
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) why: &'a Failure,
    pub(super) frame: Frame<'a>,
}

/// A file that refused records are added to, a line of JSON each.
pub(super) struct RejectFile {
    file: File,
    name: String,
}

impl RejectFile {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = format!("{path:?}");
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| Failure::io(&name, error))?;
        Ok(Self { file, name })
    }

    /// Adds records, and returns when the disk has them: from then on they count as handled.
    pub(super) fn keep<'a>(
        &mut self,
        rejected: impl Iterator<Item = Rejected<'a>>,
    ) -> Result<(), Failure> {
        let lines: String = rejected.map(|rejected| rejected.line()).collect();
        let written = self.file.write_all(lines.as_bytes());
        // What is no regular file has no disk to be on.
        let kept = written.and_then(|()| match self.file.metadata()?.is_file() {
            true => self.file.sync_data(),
            false => Ok(()),
        });
        kept.map_err(|error| Failure::io(&self.name, error))
    }
}

impl Rejected<'_> {
    fn line(&self) -> String {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (record, raw) = match self.frame {
            Frame::Record(record) => (Some(text(record)), None),
            Frame::Bad { kept, .. } => (None, Some(text(kept))),
        };
        json_line(&json!({
            "schema": SCHEMA,
            "time": self.at.to_string(),
            "number": self.number,
            "status": self.why.status().code(),
            "reason": self.why.reason(),
            "message": self.why.to_string(),
            "record": record,
            "raw": raw,
        }))
    }
}

/// Reads kept records back, each after its length, four bytes.
pub(super) struct Retry {
    lines: BufReader<File>,
    /// The number of the line that was read last.
    number: u64,
    record: Cursor<Vec<u8>>,
}

impl Retry {
    pub(super) fn new(file: File) -> Self {
        Self { lines: BufReader::new(file), number: 0, record: Cursor::default() }
    }

    /// Returns the next record that was kept; `None` at the end.
    fn next_record(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let mut line = Vec::new();
            if self.lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let kept: Value = serde_json::from_slice(&line).map_err(|_| self.foreign())?;
            if kept.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
                return Err(self.foreign());
            }
            match kept.get("record") {
                Some(Value::String(text)) => {
                    let record = BASE64URL_NOPAD.decode(text.as_bytes());
                    return Ok(Some(record.map_err(|_| self.foreign())?));
                }
                // What was no record then is none now.
                Some(Value::Null) => {}
                Some(_) | None => return Err(self.foreign()),
            }
        }
    }

    fn foreign(&self) -> io::Error {
        let text = format!("line {} is not a record that --reject-to kept", self.number);
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

impl Read for Retry {
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

/// The longest record as text takes less, with what else stands in its line.
const MAX_LINE_BYTES: u64 = 32 * 1024 * 1024;
