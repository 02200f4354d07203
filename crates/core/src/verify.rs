//! Judges a signature. The one place where content becomes believed.

mod judge;
mod many;
mod signed_header;
mod trial;
mod verified;

pub use self::many::EnvelopeVerifier;
pub use self::signed_header::SignedHeader;
pub use self::verified::Verified;

pub(crate) use self::judge::{Judged, judge_signed, verify_in_memory, wrong_kind};
pub(crate) use self::trial::{Trial, each_piece_of};
