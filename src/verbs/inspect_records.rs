//! `brine inspect`, record by record.

use brine_records::{BlockBounds, FrameReader, FrameSide, Framing, RecordError, RecordFrame};
use serde::Serialize;

use super::inspect::{INSPECT_SCHEMA, Shown, show};
use crate::args::inspect::Inspect;
use crate::report::console::{complain, json_line, printable};
use crate::report::verdict::RefusalFacts;
use crate::report::{Failure, Outcome};
use crate::world::input::InputFile;
use crate::world::output::Output;
use crate::world::record_output::{Payloads, RecordOutput};

/// Shows every record of the input, also those that are not envelopes.
pub(super) fn inspect_records(
    args: &Inspect,
    framing: Framing,
    output: &Output,
) -> Result<Outcome, Failure> {
    let (file, name) = InputFile::open(args.input.as_deref())?.into_file();
    let reading = |error| Failure::reading_records(&name, error);
    let mut reader = FrameReader::new(file, framing, FrameSide::Envelope);
    // What is shown of a record is a record, too: it ends with a line.
    let mut shown = RecordOutput::open(output, Payloads::Framed(Framing::Lines), false)?;
    let mut first_failure = None;
    while let Some(mut block) = reader.next_block(BlockBounds::default()).map_err(reading)? {
        block.decode().map_err(reading)?;
        let mut texts = Vec::with_capacity(block.len());
        for (index, frame) in block.frames().enumerate() {
            let number = block.number(index);
            let (text, unreadable) = show_record(args, number, frame);
            texts.push(text);
            let failed = unreadable.map(|why| Failure::Record { name: name.clone(), number, why });
            first_failure = first_failure.or(failed);
        }
        reader.give_back(block);
        let lengths = texts.iter().map(String::len);
        let written = shown.write_all(texts.concat().as_bytes(), lengths);
        written.map_err(|failed| failed.error)?;
    }
    shown.finish()?;
    match first_failure {
        None => Ok(Outcome::Silent),
        // The line of the record has it, too.
        Some(failure) if args.json => {
            complain(&failure);
            Ok(Outcome::Told(failure.status()))
        }
        Some(failure) => Err(failure),
    }
}

/// Shows a record, and returns why it cannot be read to its end, if it cannot.
fn show_record(
    args: &Inspect,
    number: u64,
    frame: RecordFrame<'_>,
) -> (String, Option<RecordError>) {
    let shown = match frame {
        RecordFrame::Record(envelope) => show(args, envelope, Some(number)).map_err(unreadable),
        RecordFrame::Bad { error, .. } => Err(error.into()),
    };
    let (text, why) = match shown {
        Ok(Shown { text, unreadable: why }) => (text, why.map(unreadable)),
        Err(why) if args.json => (UnreadableLine::of(number, &why), Some(why)),
        Err(why) => (format!("{}\n", printable(&why.to_string())), Some(why)),
    };
    // A line of JSON has its number inside; a page begins with it.
    let text = if args.json { text } else { format!("record {number}\n{text}\n") };
    (text, why)
}

fn unreadable(error: brine_core::FormError) -> RecordError {
    brine_core::Error::from(error).into()
}

/// A record that cannot be read, as it is shown to programs.
#[derive(Serialize)]
struct UnreadableLine {
    schema: &'static str,
    number: u64,
    verified: bool,
    refusal: RefusalFacts,
}

impl UnreadableLine {
    fn of(number: u64, why: &RecordError) -> String {
        json_line(&Self {
            schema: INSPECT_SCHEMA,
            number,
            verified: false,
            refusal: RefusalFacts::new(why),
        })
    }
}
