//! `brine inspect`, record by record.

use serde_json::json;

use super::inspect::{SCHEMA, show};
use super::verify::reading;
use crate::cli::args::brine::Inspect;
use crate::cli::failure::Failure;
use crate::cli::input::Input;
use crate::cli::output::Output;
use crate::cli::report::{json_line, printable};
use crate::cli::whole_file::Access;
use crate::error::Error;
use crate::record::{Bounds, Frame, FrameReader, Framing, Side};

/// Shows every record of the input, those that are no envelopes too.
pub(super) fn inspect_records(args: &Inspect, framing: Framing) -> Result<(), Failure> {
    let (file, name) = Input::open(args.input.as_deref())?.into_file();
    let mut reader = FrameReader::new(file, framing, Side::Envelope);
    let output = Output::stdout();
    let opened = output.open(Access::Ordinary)?;
    let mut first_failure = None;
    while let Some(mut block) =
        reader.next_block(Bounds::default()).map_err(|error| reading(&name, error))?
    {
        block.decode()?;
        for (index, frame) in block.frames().enumerate() {
            let number = block.number(index);
            let (text, failed) = show_record(args, number, frame);
            let mut file = opened.file();
            let written = std::io::Write::write_all(&mut file, text.as_bytes());
            written.map_err(|error| output.failed(error))?;
            let failed = failed.map(|error| Failure::in_record(number, error.into()));
            first_failure = first_failure.or(failed);
        }
        reader.give_back(block);
    }
    output.finish(opened)?;
    first_failure.map_or(Ok(()), Err)
}

/// Shows a record, and says what is wrong with it if it cannot be read.
fn show_record(args: &Inspect, number: u64, frame: Frame<'_>) -> (String, Option<Error>) {
    let mut unreadable = None;
    let shown = match frame {
        Frame::Record(envelope) => show(args, envelope, Some(number), &mut unreadable),
        Frame::Bad { error, .. } => Err(error.into()),
    };
    let shown = shown.map_err(|error| {
        let text = if args.json {
            let refusal = json!({ "reason": error.reason(), "message": error.to_string() });
            json_line(&json!({ "schema": SCHEMA, "number": number, "refusal": refusal }))
        } else {
            format!("{}\n", printable(&error.to_string()))
        };
        (text, error)
    });
    let (text, error) = match shown {
        Ok(text) => (text, unreadable),
        Err((text, error)) => (text, Some(error)),
    };
    // A line of JSON has its number inside; pages begin with it.
    let text = if args.json { text } else { format!("record {number}\n{text}\n") };
    (text, error)
}
