//! `brine verify` of records: from the command line to the last count.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::blocks::Blocks;
use super::in_order::in_order;
use super::once::Once;
use super::reject::{RejectFile, Retry};
use super::release_records::Release;
use super::verify::reads;
use super::verify_records::RecordJudge;
use crate::cli::args::brine::Verify;
use crate::cli::args::record::OnBad;
use crate::cli::counts::{Counts, Missing};
use crate::cli::failure::Failure;
use crate::cli::input::{Input, grow_pipe};
use crate::cli::output::Output;
use crate::cli::report::Report;
use crate::cli::threads;
use crate::cli::whole_file::{self, Access};
use crate::cose::Tagging;
use crate::record::{Bounds, FrameReader, Framing, Side};
use crate::trust::Trust;

/// Verifies each record of the input, and writes the payloads in the same order.
pub(super) fn verify_records(
    args: &Verify,
    (framing, framed): (Framing, Framing),
    external_aad: Vec<u8>,
    trust: Trust,
    tagging: Tagging,
    output: Option<&Output>,
) -> Result<Report, Failure> {
    let judge = Arc::new(RecordJudge {
        context: args.context.clone(),
        external_aad,
        foreign_typ: args.typ.clone(),
        framed,
        max_age: args.max_age,
        now: args.now,
        numbered: args.judge.replay_db.is_some(),
        signer: args.signer.clone(),
        tagging,
        trust,
        memories: Mutex::default(),
    });
    let rejects = match &args.judge.reject_to {
        None => None,
        Some(path) => {
            // Neither over what is read, nor over a key.
            let kept = Output::plan(Some(path), &reads(args))?;
            let database = args.judge.replay_db.iter().flat_map(|path| files_of(path));
            if output.is_some_and(|output| output.is_same_as(&kept))
                || database
                    .map(|path| whole_file::resolved(&path))
                    .any(|part| part == whole_file::resolved(path))
            {
                return Err(Failure::SameFile);
            }
            Some(RejectFile::open(path)?)
        }
    };
    let once = args.judge.replay_db.as_deref().map(|path| open_database(args, path)).transpose()?;
    let stops = match args.judge.on_bad {
        Some(on_bad) => on_bad == OnBad::Stop,
        None => rejects.is_none(),
    };
    let opened = output.map(|output| output.open(Access::Ordinary).map(|opened| (output, opened)));
    let opened = opened.transpose()?;
    // With a replay database, what is in the pipe is what is lost with its reader.
    if let (Some((_, opened)), None) = (&opened, &once) {
        grow_pipe(opened.file());
    }
    let bounds = Bounds { records: BLOCK_RECORDS, ..Bounds::default() };
    let (source, name, framing): (Box<dyn Read + Send>, _, _) = match &args.judge.retry {
        None => {
            let input = Input::open(args.inputs.first().map(PathBuf::as_path))?;
            let (file, name) = input.into_file();
            (Box::new(file), name, framing)
        }
        Some(kept) => {
            let (file, name) = Input::open_file(kept)?.into_file();
            (Box::new(Retry::new(file)), name, Framing::Len32)
        }
    };
    let reader = FrameReader::new(source, framing, Side::Envelope);
    let (mut blocks, give_back) = Blocks::new(reader, name, bounds);
    let mut release =
        Release { output: opened, rejects, stops, once, give_back, counts: Counts::default() };
    let done = in_order(
        threads(args.threads),
        move || blocks.next(),
        move |block| judge.judge(block),
        |judged| release.take(judged?),
    );
    let Release { output, mut counts, once, .. } = release;
    let finished = done.and_then(|()| match output {
        Some((output, opened)) => output.finish(opened),
        None => Ok(()),
    });
    let looked = once.map_or(Ok(Missing::default()), |once| once.missing());
    let finished = finished.and(looked.map(|missing| counts.missing = missing));
    Ok(Report::Records { counts, failure: finished.err() })
}

/// The files that SQLite keeps a database in.
fn files_of(database: &Path) -> impl Iterator<Item = PathBuf> {
    ["", "-wal", "-shm", "-journal"].into_iter().map(|suffix| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    })
}

fn open_database(args: &Verify, path: &Path) -> Result<Once, Failure> {
    // A file that appears when all is over has nothing in it while the database says that it has.
    if args.output.as_deref().is_some_and(|output| output != Path::new("-")) {
        return Err(Failure::usage(
            "--replay-db goes with standard output, which has a record when it was released: \
             redirect it instead of giving -o",
        ));
    }
    Once::open(path, args.max_age, args.judge.lease)
}

/// How many records a thread judges at once.
const BLOCK_RECORDS: usize = 1024;
