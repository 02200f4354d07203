//! What a signature says, as it was typed.

use std::io;

use brine_core::cose::MAX_HEADER_BYTES;
use brine_core::text::hex;
use brine_core::{Algorithm, Error, Kind, Statement, SystemError, Timestamp, Unique};
use brine_queue::QueueUrl;

use crate::args::sign::{Sign, StatementArgs};
use crate::args::when::When;
use crate::report::{Failure, SignatureFacts, WindowFailure};
use crate::world::local_time::TimePoint;
use crate::world::{clock, queue};

/// Says what a signature says that is made at the moment of the call. It is called when what is signed has arrived.
pub(super) type State<'a> = &'a dyn Fn() -> Result<Said, Failure>;

/// What one signature says, and the same for a log.
pub(super) struct Said {
    pub(super) statement: Statement,
    pub(super) facts: SignatureFacts,
}

/// What signatures say, as it was typed.
pub(crate) struct StatedText {
    pub(crate) algorithm: Algorithm,
    pub(crate) content_type: Option<String>,
    pub(crate) context: Option<String>,
    pub(crate) expires: Option<When>,
    pub(crate) is_plain: bool,
    pub(crate) not_before: Option<When>,
}

impl StatedText {
    /// What was typed of any signature.
    fn of(args: StatementArgs) -> Self {
        let StatementArgs { content_type, context, expires, not_before } = args;
        let algorithm = Algorithm::default();
        Self { algorithm, content_type, context, expires, is_plain: false, not_before }
    }
}

/// What signatures say. Times that are counted from the moment of signing are not known yet.
pub(crate) struct Stated {
    algorithm: Algorithm,
    content_type: Option<String>,
    context: Option<String>,
    expires: Option<TimePoint>,
    external_aad: Vec<u8>,
    is_plain: bool,
    not_before: Option<TimePoint>,
}

impl Stated {
    /// Takes what was typed, and refuses a signature that nobody can ever accept, before anything is waited for.
    pub(super) fn resolve(args: &Sign) -> Result<Self, Failure> {
        Self::of(StatedText {
            algorithm: args.alg.into(),
            is_plain: args.plain,
            ..StatedText::of(args.statement.clone())
        })
    }

    /// Does the same for messages of a queue: their context is its name, unless another was typed.
    pub(super) fn on_queue(args: &StatementArgs, url: &QueueUrl) -> Result<Self, Failure> {
        let context = Some(queue::context(args.context.as_ref(), url));
        Self::of(StatedText::of(StatementArgs { context, ..args.clone() }))
    }

    /// Does the same with what was typed elsewhere.
    pub(crate) fn of(text: StatedText) -> Result<Self, Failure> {
        let resolve = |when: Option<When>| when.as_ref().map(TimePoint::resolve).transpose();
        let StatedText { algorithm, content_type, context, expires, is_plain, not_before } = text;
        let stated = Self {
            algorithm,
            content_type,
            context,
            expires: resolve(expires)?,
            external_aad: Vec::new(),
            is_plain,
            not_before: resolve(not_before)?,
        };
        stated.refuse_empty_window(clock::read()?)?;
        Ok(stated)
    }

    /// Signs these bytes as well.
    pub(crate) fn external_aad(self, external_aad: Vec<u8>) -> Self {
        Self { external_aad, ..self }
    }

    /// Returns how many bytes of payload a message has room for at least, whatever else is signed with them.
    pub(super) fn room_for_payload(&self, message: usize) -> usize {
        message
            .saturating_sub(self.external_aad.len())
            .saturating_sub(MAX_HEADER_BYTES + HEADS_BYTES)
    }

    /// Returns what a signature says that is made at this moment. What is signed **must** have arrived, and the key
    /// be open.
    pub(super) fn now(&self) -> Result<Said, Failure> {
        let now = clock::read()?;
        let (statement, mut facts) = (self.at(now)?, self.facts());
        if self.is_plain {
            return Ok(Said { statement, facts });
        }
        let unique = Unique::draw()?;
        let at = |point: Option<TimePoint>| point.map(|point| point.from(now));
        (facts.issued_at, facts.cti) = (Some(now), Some(hex(&unique.cti)));
        (facts.not_before, facts.expires) = (at(self.not_before), at(self.expires));
        Ok(Said { statement: statement.unique(unique), facts })
    }

    /// Returns what all signatures say, whenever they are made.
    pub(super) fn facts(&self) -> SignatureFacts {
        let kind = if self.is_plain { Kind::Untyped } else { Kind::Data };
        SignatureFacts {
            algorithm: self.algorithm.id(),
            content_type: self.content_type.clone(),
            context: self.context.clone().map(|context| vec![context]),
            kind: kind.name(),
            ..SignatureFacts::default()
        }
    }

    /// Returns for the library what a signature says that is made `now`. `Failure::reading` finds the failure again.
    pub(super) fn at_called_back(&self, now: Timestamp) -> Result<Statement, Error> {
        called_back(self.at(now))
    }

    /// Returns what a signature says that is made `now`, but for its name.
    pub(crate) fn at(&self, now: Timestamp) -> Result<Statement, Failure> {
        // The input may have been waited for until then.
        self.refuse_empty_window(now)?;
        let mut statement = if self.is_plain { Statement::plain() } else { Statement::at(now) };
        if let Some(content_type) = &self.content_type {
            statement = statement.content_type(content_type);
        }
        if let Some(context) = &self.context {
            statement = statement.context(context);
        }
        if let Some(expires) = self.expires {
            statement = statement.expires(expires.from(now));
        }
        if let Some(not_before) = self.not_before {
            statement = statement.not_before(not_before.from(now));
        }
        Ok(statement.algorithm(self.algorithm).external_aad(self.external_aad.as_slice()))
    }

    fn refuse_empty_window(&self, now: Timestamp) -> Result<(), Failure> {
        let at = |point: Option<TimePoint>| point.map(|point| point.from(now));
        match (at(self.not_before), at(self.expires)) {
            (_, Some(expires)) if expires <= now => Err(WindowFailure::Passed { expires }.into()),
            (Some(not_before), Some(expires)) if expires <= not_before => {
                Err(WindowFailure::Reversed { not_before, expires }.into())
            }
            _ => Ok(()),
        }
    }
}

/// What stands between the parts of a message that is signed, in bytes: less than this.
const HEADS_BYTES: usize = 64;

/// Gives a failure to the library, which called back.
pub(crate) fn called_back<T>(stated: Result<T, Failure>) -> Result<T, Error> {
    stated.map_err(|failure| SystemError::Input(io::Error::other(failure)).into())
}
