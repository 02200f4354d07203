//! What a front end in another language stands on: keys, trust, time and failures, as the programs have them.
//!
//! brine-core takes trust, time and keys as arguments. The programs find them at home, read what people type, and
//! say what to do next where something fails. A binding to another language that did this again would be a second
//! parser, and a second opinion of who is trusted. So it takes text here, and gets the library's values.

mod checked_store;
mod code;
mod envelopes;
mod files;
mod keys;
mod pickles;
mod private_copy;
mod queues;
mod refused;
mod replay;
mod stating;
mod trusting;

pub use self::checked_store::CheckedStore;
pub use self::code::{CODE_CONTEXT, is_of_code, trust_for};
pub use self::envelopes::{ExpectationText, Facts, expectations};
pub use self::files::{Heed, InFile, NewFile, signature_of, threads};
pub use self::keys::{
    FoundKey, PrivateKey, ask_while_waiting, no_secret_of_agent, not_utf8_passphrase, private_key,
    private_key_in, public_key, telling_slow,
};
pub use self::pickles::{allow_list, refusal_of_bare_pickle, refusal_of_pickle};
pub use self::private_copy::{PrivateCopies, PrivateCopy};
pub use self::queues::{QueueText, queue, queue_url};
pub use self::refused::Refused;
pub use self::replay::{ReplayText, replay_database, replay_init, replay_status};
pub use self::stating::{StatementText, Statements, content_type, length};
pub use self::trusting::{JudgingClock, SystemClock, TrustNames, trust, trust_in, trust_of};
