//! An SQLite file that processes of one machine share: a replay database, or a queue.
//!
//! It is made whole under another name, recognised before it is opened, and watched while it is open: SQLite
//! goes on writing to a file that was deleted or replaced, where no other process would see it. It keeps its
//! log and its locks beside the name by which a file was opened. So a file with two names is refused, and one
//! on a network file system, where other machines do not see the log.

#![forbid(unsafe_code)]

mod draft;
mod error;
mod file;
mod file_identity;
mod network;
mod schema;
mod shared_file;

pub use self::error::{FileError, SqliteFault};
pub use self::file::{FileWatch, create, open};
pub use self::schema::FileSchema;
pub use self::shared_file::{Durability, FileConnection, SharedFile};
