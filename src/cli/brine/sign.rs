//! `brine sign`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::detached::{self, Content as Detached};
use super::sign_stream::{Content, sign_stream};
use crate::armor;
use crate::claims::Timestamp;
use crate::cli::args::brine::Sign;
use crate::cli::failure::Failure;
use crate::cli::input::Input;
use crate::cli::output::Output;
use crate::cli::passphrase::Source;
use crate::cli::reads::Reads;
use crate::cli::report::note;
use crate::cli::whole_file::Access;
use crate::cli::{clock, resolve, threads};
use crate::cose::ContentType;
use crate::key::{KeyError, SigningKey};
use crate::sign::{self, CTI_BYTES, Envelope, MAX_PAYLOAD_BYTES, Statement, Template};
use crate::stream::{STREAM_ID_BYTES, StreamTemplate};

pub(super) fn run(args: &Sign) -> Result<(), Failure> {
    refuse_two_readers(args)?;
    let key_file = resolve::private_path(&args.key)?;
    let passphrases = Source::find(&args.passphrase);
    let reads = args.inputs.iter().fold(
        Reads::default().and(args.aad.as_deref()).and(Some(&key_file)).and(passphrases.file()),
        |reads, input| reads.and_input(Some(input)),
    );
    let jobs = plan(args, &reads)?;
    let aad = args.aad.as_deref().map(Input::open_file).transpose()?;
    let statement = statement(args)?;
    let key = resolve::signing_key(&key_file, &passphrases)?;
    let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_PAYLOAD_BYTES))?;
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
    let Some((input, output)) = jobs.into_iter().next() else { return Ok(()) };
    if input.is_terminal() {
        note("reading from the terminal; Ctrl-D ends the input");
    }
    if args.single || args.plain || args.armor {
        let payload = input.read(MAX_PAYLOAD_BYTES)?;
        return write(&sign::sign(&key, &payload, &template), args.armor, &output);
    }
    sign_any(args, key, input, &template, &output)
}

/// Opens each input, and says where its envelope goes.
fn plan(args: &Sign, reads: &Reads) -> Result<Vec<(Input, Output)>, Failure> {
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
            if !args.armor {
                output.refuse_terminal("an envelope")?;
            }
            Ok((Input::open(Some(path))?, output))
        })
        .collect()
}

/// Signs each file, beside it: all of a small one, the digest of a large one.
fn sign_detached(
    args: &Sign,
    key: &SigningKey,
    jobs: Vec<(Input, Output)>,
    template: &Template<'_>,
) -> Result<(), Failure> {
    let hash = args.hash.into();
    for (input, output) in jobs {
        match Detached::read(input, args.segment_size, hash, threads(args.threads))? {
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
        Content { beginning, file, name, flush_after: args.flush_after },
        key,
        &stream,
        output,
    )
}

fn write(envelope: &Envelope<'_>, armored: bool, output: &Output) -> Result<(), Failure> {
    if armored {
        let text = armor::encode(&envelope.to_bytes())?;
        return output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()));
    }
    output.write(Access::Ordinary, |mut file| envelope.write_to(&mut file))
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
