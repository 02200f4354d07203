//! Judges a signature. The one place where content becomes believed.

mod check;
mod found_key;
mod judgement;
mod people;
mod standing;
mod trial;

pub(crate) use self::check::Check;
pub(crate) use self::judgement::{
    Judged, judge_signed, verify_all, verify_in_memory, verify_now, wrong_kind,
};
pub use self::standing::Standing;
pub(crate) use self::trial::{Trial, each_piece_of};
