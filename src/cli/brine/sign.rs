//! `brine sign`.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::detached::{self, Content as Detached};
use super::sign_job::{self, sign_job};
use super::sign_records::sign_records;
use super::sign_stream::{Content, sign_stream};
use crate::armor;
use crate::claims::Timestamp;
use crate::cli::args::brine::Sign;
use crate::cli::failure::Failure;
use crate::cli::input::{Arrived, Input, MAX_WHOLE_BYTES};
use crate::cli::output::Output;
use crate::cli::passphrase::Source;
use crate::cli::progress::Show;
use crate::cli::reads::Reads;
use crate::cli::report::note;
use crate::cli::spool::{MAX_MEMORY_BYTES, TEMPORARY_FILE};
use crate::cli::whole_file::Access;
use crate::cli::{clock, resolve, threads};
use crate::cose::ContentType;
use crate::key::{KeyError, SigningKey};
use crate::record::Framing;
use crate::sign::{self, CTI_BYTES, Envelope, Statement, Template};
use crate::stream::{STREAM_ID_BYTES, StreamTemplate};

pub(super) fn run(args: &Sign) -> Result<(), Failure> {
    refuse_two_readers(args)?;
    let key_file = resolve::private_path(&args.key)?;
    let passphrases = Source::find(&args.passphrase);
    let reads = args.inputs.iter().fold(
        Reads::default().and(args.aad.as_deref()).and(Some(&key_file)).and(passphrases.file()),
        |reads, input| reads.and_input(Some(input)),
    );
    let framings = framings(args)?;
    let grants = sign_job::grants(args)?;
    let jobs = plan(args, &reads, framings)?;
    let aad = args.aad.as_deref().map(Input::open_file).transpose()?;
    let statement = statement(args)?;
    let key = resolve::signing_key(&key_file, &passphrases)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;
    let template = Template {
        algorithm: args.alg.into(),
        content_type: args.content_type.as_deref().and_then(ContentType::parse),
        external_aad: &aad,
        sequence: None,
        statement,
    };
    if args.detached {
        return sign_detached(args, &key, jobs, &template);
    }
    // Without --detached there is one.
    let Some(Job { input, output }) = jobs.into_iter().next() else { return Ok(()) };
    let input = Input::open(Some(&input))?;
    if input.is_terminal() {
        note("reading from the terminal; Ctrl-D ends the input");
    }
    if let Some(framings) = framings {
        return sign_records(args, key, aad.clone(), framings, input, &output);
    }
    if let Some(grants) = grants {
        return sign_job(args, &key, input, &template, &grants, &output);
    }
    if args.armor {
        let payload = input.read(MAX_WHOLE_BYTES)?;
        return write(&sign::sign(&key, &payload, &template), true, &output);
    }
    if args.single || args.plain {
        return sign_single(args, &key, input, &template, &output);
    }
    sign_any(args, key, input, &template, &output)
}

/// How records are told apart, if there are any.
fn framings(args: &Sign) -> Result<Option<(Framing, Framing)>, Failure> {
    let framings = args.records.framings().map_err(Failure::usage)?;
    let of_one = args.armor || args.detached || args.single || args.flush_after.is_some();
    match framings {
        Some(_) if args.job.is_job() => {
            Err(Failure::usage("jobs are signed one by one, without --lines and the like"))
        }
        Some(_) if of_one => Err(Failure::usage(
            "records are signed one by one, without --armor, --detached, --single and --flush-after",
        )),
        None if args.batch.batch.is_some() => {
            Err(Failure::usage("--batch needs one of --lines, --null, --len32 and --cbor"))
        }
        framings => Ok(framings),
    }
}

/// An input, which is opened when its turn comes, and where its envelope goes.
struct Job {
    input: PathBuf,
    output: Output,
}

/// Says where each envelope goes, before anything is signed.
fn plan(
    args: &Sign,
    reads: &Reads,
    framings: Option<(Framing, Framing)>,
) -> Result<Vec<Job>, Failure> {
    let standard_input = [PathBuf::from("-")];
    let inputs = if args.inputs.is_empty() { &standard_input[..] } else { &args.inputs };
    if inputs.len() > 1 && (!args.detached || args.output.is_some()) {
        let usage =
            "several files are for --detached without --output, which writes FILE.brine for each";
        return Err(Failure::Usage(usage.to_owned()));
    }
    let reads = if args.inputs.is_empty() { &reads.clone().and_input(None) } else { reads };
    inputs
        .iter()
        .map(|path| {
            let beside = args.detached && args.output.is_none() && path != Path::new("-");
            let output = if beside {
                Output::new_file(detached::beside(path))?
            } else {
                Output::plan(args.output.as_deref(), reads)?
            };
            let is_text = args.armor || matches!(framings, Some((_, Framing::Lines)));
            if !is_text {
                output.refuse_terminal("an envelope")?;
            }
            if path != Path::new("-") {
                let found = fs::metadata(path);
                found.map_err(|error| Failure::io(format!("{path:?}"), error))?;
            }
            Ok(Job { input: path.clone(), output })
        })
        .collect()
}

/// Signs each file, beside it: all of a small one, the digest of a large one.
fn sign_detached(
    args: &Sign,
    key: &SigningKey,
    jobs: Vec<Job>,
    template: &Template<'_>,
) -> Result<(), Failure> {
    let hash = args.hash.into();
    for Job { input, output } in jobs {
        let input = Input::open(Some(&input))?;
        // Each signature has a name of its own.
        let template = &Template { statement: statement(args)?, ..*template };
        if args.plain || args.single {
            sign_single(args, key, input, template, &output)?;
            continue;
        }
        match Detached::read(
            input,
            args.segment_size,
            hash,
            threads(args.threads),
            Show::unless(args.quiet),
        )? {
            Detached::Bytes(payload) => {
                write(&sign::sign_detached(key, &payload, template), args.armor, &output)
            }
            Detached::Digest(digest) => {
                write(&sign::sign_digest(key, hash, &digest, template), args.armor, &output)
            }
        }?;
    }
    Ok(())
}

/// Signs all of an input, from a copy that nobody else can change.
fn sign_single(
    args: &Sign,
    key: &SigningKey,
    input: Input,
    template: &Template<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let large = match input.read_up_to(MAX_MEMORY_BYTES)? {
        Arrived::All(payload) if args.detached => {
            return write(&sign::sign_detached(key, &payload, template), args.armor, output);
        }
        Arrived::All(payload) => {
            return write(&sign::sign(key, &payload, template), args.armor, output);
        }
        Arrived::Large(large) => large,
    };
    let spool = large.into_spool()?;
    let signed = sign::sign_large(key, &spool, spool.length(), template)
        .map_err(|error| Failure::io(TEMPORARY_FILE, error))?;
    if args.detached {
        return write_bytes(&signed.detached(), args.armor, output);
    }
    spool.release_within(&signed, output)
}

/// Signs what fits into one segment as a single envelope, and what does not as a stream.
fn sign_any(
    args: &Sign,
    key: SigningKey,
    input: Input,
    template: &Template<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let (file, name) = input.into_file();
    let mut beginning = Vec::new();
    if args.flush_after.is_none() {
        // One byte more than a segment shows that there is more.
        let most = u64::try_from(args.segment_size).unwrap_or(u64::MAX).saturating_add(1);
        let read = (&file).take(most).read_to_end(&mut beginning);
        read.map_err(|error| Failure::io(&name, error))?;
        if beginning.len() <= args.segment_size {
            return write(&sign::sign(&key, &beginning, template), args.armor, output);
        }
    }
    let mut stream_id = [0; STREAM_ID_BYTES];
    getrandom::fill(&mut stream_id).map_err(|_| KeyError::Random)?;
    let stream = StreamTemplate {
        template: *template,
        hash: args.hash.into(),
        segment_bytes: args.segment_size,
        stream_id,
        threads: threads(args.threads),
    };
    sign_stream(
        Content {
            beginning,
            file,
            name,
            flush_after: args.flush_after,
            show: Show::unless(args.quiet),
        },
        key,
        &stream,
        output,
    )
}

fn write(envelope: &Envelope<'_>, armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        return write_bytes(&envelope.to_bytes(), armored, output);
    }
    output.write(Access::Ordinary, |mut file| envelope.write_to(&mut file))
}

fn write_bytes(envelope: &[u8], armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        let text = armor::encode(envelope)?;
        return output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()));
    }
    output.write(Access::Ordinary, |file| file.write_all(envelope))
}

/// What the envelope says about itself.
fn statement(args: &Sign) -> Result<Statement<'_>, Failure> {
    if args.plain {
        return Ok(Statement::Plain);
    }
    let issued_at = clock::read()?;
    let expires = args.expires.map(|when| when.from(issued_at));
    let not_before = args.not_before.map(|when| when.from(issued_at));
    refuse_empty_window(issued_at, not_before, expires)?;
    let mut cti = [0; CTI_BYTES];
    getrandom::fill(&mut cti).map_err(|_| KeyError::Random)?;
    let context = args.context.as_deref();
    Ok(Statement::Full { context, cti, expires, issued_at, not_before })
}

/// A signature that can never be believed is a mistake in the making.
fn refuse_empty_window(
    now: Timestamp,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
) -> Result<(), Failure> {
    match (not_before, expires) {
        (_, Some(expires)) if expires <= now => {
            Err(Failure::Usage(format!("--expires {expires} has passed already")))
        }
        (Some(start), Some(end)) if end <= start => {
            Err(Failure::Usage(format!("--expires {end} is not after --not-before {start}")))
        }
        _ => Ok(()),
    }
}

fn refuse_two_readers(args: &Sign) -> Result<(), Failure> {
    let stdin_is_data =
        args.inputs.is_empty() || args.inputs.iter().any(|path| path == Path::new("-"));
    if stdin_is_data && args.passphrase.passphrase_fd == Some(0) {
        return Err(Failure::Usage(
            "standard input cannot be both the data and the passphrase".to_owned(),
        ));
    }
    if args.aad.as_deref() == Some(Path::new("-")) {
        return Err(Failure::Usage("--aad takes a file, not standard input".to_owned()));
    }
    Ok(())
}
