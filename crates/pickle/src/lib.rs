//! Lists what a pickle would import, without loading it.
//!
//! A pickle is a program, and whoever loads it runs it: it imports what it names, and calls what it imported.
//! [`scan`] follows that program on an abstract machine with CPython's stack, marks and memo. It imports and
//! calls nothing. It checks each import against an [`AllowList`] of exact (module, name) pairs, and refuses
//! whatever it is not sure about.
//!
//! ```
//! use brine_pickle::{AllowList, PickleRule, ScanOptions, scan};
//!
//! let allow = AllowList::std();
//! let report = scan(b"\x80\x02cos\ngetpid\n)R.", &ScanOptions::new(&allow));
//! assert_eq!(report.verdict().unwrap_err().rule, PickleRule::ImportNotAllowed);
//! assert_eq!(report.imports[0].to_string(), "os:getpid");
//! ```
//!
//! A pickle that is allowed **imports nothing else**, neither in the C loader of CPython 3 nor in the one
//! written in Python. That does not make it harmless: what is on the list runs, with arguments that the pickle
//! chooses, and so do the methods of the listed classes.

#![forbid(unsafe_code)]

mod allow_list;
mod builtin_lists;
mod container;
mod dtype;
mod entry;
mod facts;
mod file_form;
mod findings;
mod gadgets;
mod import;
mod literal;
mod machine;
mod number_text;
mod objects;
mod opcode;
mod opcode_reader;
mod python2_names;
mod report;
mod rule;
mod scan;
mod scene;
mod shape;
mod walk;

pub use self::allow_list::{AllowList, AllowListError};
pub use self::file_form::FileForm;
pub use self::import::{ImportOpcode, MappedName, PickleImport};
pub use self::report::{MemberReport, ScanReport, ScannedPart};
pub use self::rule::{PickleFault, PickleRefusal, PickleRule};
pub use self::scan::{ScanOptions, scan};

/// The deepest nesting of containers: archives, arrays and what is compressed.
pub const MAX_CONTAINER_LEVELS: u8 = 4;

/// The most digits of a number in decimal, which is CPython's limit.
pub const MAX_DIGITS: usize = 4300;

/// The most different imports that are listed.
pub const MAX_IMPORTS: usize = 10_000;

/// The most bytes that come out of all that is compressed in a file, unless another limit is given.
pub const MAX_INFLATED_BYTES: u64 = 256 << 20;

/// The most members of an archive.
pub const MAX_MEMBERS: usize = 100_000;

/// The most values in the memo.
pub const MAX_MEMO: usize = 1 << 24;

/// The longest module or name, in bytes.
pub const MAX_NAME_BYTES: usize = 256;

/// The deepest nesting of values while they are built, which is also the limit of CPython's pickler.
pub const MAX_NESTING: u16 = 1000;

/// The most tuples, containers and results of a file.
const MAX_OBJECTS: usize = 1 << 24;

/// The most values on the stack, and the most marks.
pub const MAX_STACK: usize = 1 << 24;
