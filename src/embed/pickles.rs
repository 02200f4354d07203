//! Lists of what pickles may import, and why a pickle is refused.

use brine_pickle::{AllowList, ScanReport};

use super::Refused;
use super::stating::wrong;
use crate::verbs::scan::failure;

/// Puts a list together: each text is `std`, `numpy`, or lines of a list such as `collections:OrderedDict`.
///
/// # Errors
///
/// `usage` for a line that is none.
pub fn allow_list(texts: &[String]) -> Result<AllowList, Refused> {
    let mut list = AllowList::new();
    for text in texts {
        list.extend(match text.as_str() {
            "std" => AllowList::std(),
            "numpy" => AllowList::numpy(),
            lines => AllowList::parse(lines).map_err(|error| wrong("allow", &error.to_string()))?,
        });
    }
    Ok(list)
}

/// Says why a pickle is refused, if it is. `name` is what it is called.
#[must_use]
pub fn refusal_of_pickle(name: &str, report: &ScanReport) -> Option<Refused> {
    failure(name, report).map(Refused::from)
}
