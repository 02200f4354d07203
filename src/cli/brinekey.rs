//! The verbs of `brinekey`.

mod convert;
mod gen_key;
mod list;
mod passwd;
mod trust;

use super::args::brinekey::{BrineKey, Verb};
use super::failure::Failure;

/// Does what was typed.
pub(super) fn run(parsed: BrineKey) -> Result<(), Failure> {
    match parsed.verb {
        Verb::Gen(args) => gen_key::run(&args),
        Verb::Pub(args) => convert::public(&args),
        Verb::List(args) => list::list(&args),
        Verb::Show(args) => list::show(&args),
        Verb::Passwd(args) => passwd::run(&args),
        Verb::Import(args) => convert::import(&args),
        Verb::Export(args) => convert::export(&args),
        Verb::Trust(args) => trust::run(args),
    }
}
