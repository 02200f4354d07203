//! The standard input of a job, where the operator gives one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use brine_job::{PAYLOAD_ARGUMENT, Plan};

use crate::args::run::Run;
use crate::report::Failure;
use crate::verbs::expect::is_standard_input;
use crate::world::input::InputFile;

/// Refuses to read two things from standard input: the second would be what is left of the first.
pub(super) fn refuse_two_readers(args: &Run) -> Result<(), Failure> {
    let job = args.input.as_deref().is_none_or(is_standard_input);
    match args.job_input.as_deref().is_some_and(is_standard_input) && job {
        true => Err(Failure::usage("standard input cannot be both the job and its input")),
        false => Ok(()),
    }
}

/// Opens the input of the job, if there is one.
pub(super) fn open(args: &Run) -> Result<Option<File>, Failure> {
    let Some(path) = args.job_input.as_deref() else { return Ok(None) };
    let input = InputFile::open(Some(path))?;
    let name = input.name().to_owned();
    let (file, _) = input.into_file();
    let file = file.into_inner();
    // As everything else that cannot be read, before the job starts.
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(Failure::io(name, io::ErrorKind::IsADirectory.into()));
    }
    Ok(Some(file))
}

/// Looks whether the input can be opened. What would wait for somebody, as a FIFO does, is not opened.
pub(super) fn look(args: &Run) -> Result<(), Failure> {
    let Some(path) = args.job_input.as_deref() else { return Ok(()) };
    let waits = |found: fs::Metadata| !found.is_file() && !found.is_dir();
    if is_standard_input(path) || fs::metadata(path).is_ok_and(waits) {
        return Ok(());
    }
    open(args).map(drop)
}

/// Refuses a command that would run what nobody signed, in place of the payload: one that takes its program from
/// standard input.
///
/// Of an interpreter that the signer chose, it is known that it runs the payload, so that must be named. What a
/// command of the operator's does is not known. It is refused if it has nothing but options, as `sh` and `python3 -I`.
pub(super) fn refuse_program_from_input(args: &Run, plan: &Plan) -> Result<(), Failure> {
    let arguments = plan.parts().program.arguments.iter().skip(1);
    let first =
        arguments.clone().find(|argument| *argument == "-" || *argument == PAYLOAD_ARGUMENT);
    let takes_options_only =
        || arguments.clone().all(|one| one.as_encoded_bytes().starts_with(b"-"));
    let refused = match first {
        Some(first) => first == "-",
        None => args.command.is_empty() || takes_options_only(),
    };
    if !refused {
        return Ok(());
    }
    let hint = match args.command.first() {
        Some(program) => format!(
            "\"{{}}\" is the path of the payload, as in \"-- {} {{}}\"",
            Path::new(program).display()
        ),
        None => {
            "a job that is to have an input names its payload: \"brine sign --grant arg={} ...\""
                .to_owned()
        }
    };
    let message = "the command would take its program from standard input, which --input is";
    Err(Failure::Mistyped { message: message.to_owned(), hint: Some(hint) })
}
