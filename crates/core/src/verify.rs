//! Judges a signature. The one place where content becomes believed.

mod check;
mod judgement;
mod trial;

pub(crate) use self::judgement::{Judged, judge_signed, verify_in_memory, wrong_kind};
pub(crate) use self::trial::{Trial, each_piece_of};
