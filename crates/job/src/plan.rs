//! Plans: what holds while a job runs.

mod encoding;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use brine_core::text::hex;

use super::format::{FormatError, OutputFormat};
use super::json_schema::JsonSchema;
use super::limits::{JobLimits, LimitValues};
use super::names::PowerName;
use super::policy::PolicyError;

/// The path of the payload inside, if an argument is [`PAYLOAD_ARGUMENT`].
pub const PAYLOAD_PATH: &str = "/job/payload";

/// The argument that stands for the path of the payload.
pub const PAYLOAD_ARGUMENT: &str = "{}";

/// The private scratch directory inside, which is also the working directory of the job. `/tmp` and `/dev/shm` are
/// private, too, and share its limit.
pub const SCRATCH_PATH: &str = "/job/work";

/// What holds while a job runs. The launcher carries it out to the letter.
///
/// [`Policy::plan`](super::Policy::plan) alone makes one, from what a signer requests and an operator allows.
/// Its methods only narrow it, except for [`waive`](Self::waive) and [`confine_as`](Self::confine_as).
///
/// ```compile_fail,E0594
/// fn raise(plan: &mut brine_job::Plan) {
///     plan.parts().limits.memory = u64::MAX;
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    parts: PlanParts,
    /// Whether something that the job asks for was refused, and is left out.
    is_draft: bool,
}

/// The parts of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanParts {
    /// The program that is executed.
    pub program: JobProgram,
    /// How the payload reaches the program.
    pub delivery: PayloadDelivery,
    /// The whole environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Directories of this system. Inside they are at the same path, to read and execute, but not to write.
    pub system: BTreeSet<PathBuf>,
    /// The files and directories that were granted.
    pub granted_paths: BTreeSet<GrantedPath>,
    /// The TCP ports that the job may connect to. Without any there is no network.
    pub ports: BTreeSet<u16>,
    /// The powers that the job has: sockets, whose descriptors are 3 and the following, in this order.
    pub powers: BTreeSet<PowerName>,
    /// The limits.
    pub limits: JobLimits,
    /// The format that standard output must have.
    pub format: OutputFormat,
    /// Whether the job may execute what it writes to its scratch places. Only a policy sets it.
    pub exec_scratch: bool,
    /// The schema that it must match besides, if the format is [`OutputFormat::Json`].
    pub schema: Option<JsonSchema>,
    /// The layers that the operator waived.
    pub waived: BTreeSet<Layer>,
}

impl PlanParts {
    /// Returns what the output must be, as people and digests name it: a format, or `json-schema:` and the SHA-256 of
    /// the schema.
    #[must_use]
    pub fn format_name(&self) -> String {
        match &self.schema {
            Some(schema) => format!("json-schema:{}", hex(schema.digest())),
            None => self.format.name().to_owned(),
        }
    }

    /// Reads `output` to its end, and checks that it is what the plan demands.
    ///
    /// # Errors
    ///
    /// [`FormatError`].
    pub fn check_output(&self, output: &mut dyn Read) -> Result<(), FormatError> {
        match &self.schema {
            Some(schema) => schema.check(output),
            None => self.format.check(output),
        }
    }
}

/// The program that is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProgram {
    /// The absolute path on this system.
    pub path: PathBuf,
    /// The SHA-256 that the file must have, if the policy states one. The launcher copies the file, hashes the
    /// copy, and executes the copy.
    pub sha256: Option<[u8; 32]>,
    /// `argv[0]` and the arguments. An argument that is exactly [`PAYLOAD_ARGUMENT`] becomes [`PAYLOAD_PATH`].
    pub arguments: Vec<OsString>,
}

/// How the payload reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadDelivery {
    /// On standard input.
    Stdin,
    /// As the read-only file [`PAYLOAD_PATH`]; standard input is empty.
    File,
    /// As the read-only file [`PAYLOAD_PATH`]; standard input is what the operator gives.
    FileAndInput,
}

/// A file or directory of this system that the job may use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantedPath {
    /// The absolute path on this system.
    pub source: PathBuf,
    /// The absolute path inside.
    pub target: PathBuf,
    /// Whether the job may write to it.
    pub writable: bool,
}

/// One way in which the system confines a job. An operator can waive each by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// User, process, mount, IPC and host name namespaces, with a private root.
    Namespaces,
    /// An empty network namespace. It is absent if ports are granted.
    Network,
    /// `setrlimit`.
    Limits,
    /// No capabilities and `no_new_privs`, under an unprivileged user.
    Privileges,
    /// Landlock: files, TCP ports, signals and abstract sockets.
    Landlock,
    /// The system calls that are allowed.
    Seccomp,
}

impl Plan {
    /// Makes a plan. [`Policy::plan`](super::Policy::plan) is the only caller.
    pub(super) const fn new(parts: PlanParts) -> Self {
        Self { parts, is_draft: false }
    }

    /// Marks a plan that lacks what was refused.
    pub(super) fn into_draft(self) -> Self {
        Self { is_draft: true, ..self }
    }

    /// Returns whether this is the plan of a job that was refused, without what was refused: something to look at.
    /// The launcher does not carry it out.
    #[must_use]
    pub const fn is_draft(&self) -> bool {
        self.is_draft
    }

    /// Returns its parts.
    #[must_use]
    pub const fn parts(&self) -> &PlanParts {
        &self.parts
    }

    /// Returns whether the operator waived a layer.
    #[must_use]
    pub fn waives(&self, layer: Layer) -> bool {
        self.parts.waived.contains(&layer)
    }

    /// Lowers limits: those in `values` that are smaller than the plan's replace them.
    pub fn lower(&mut self, values: &LimitValues) {
        self.parts.limits = self.parts.limits.lowered(values);
    }

    /// Requires a format of the output. The signer must have declared none, or the same.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Format`].
    pub fn require_format(&mut self, format: OutputFormat) -> Result<(), PolicyError> {
        let declared = self.parts.format;
        if declared != OutputFormat::Bytes && declared != format {
            return Err(PolicyError::Format { asked: format.name(), declared: declared.name() });
        }
        self.parts.format = format;
        Ok(())
    }

    /// Requires output in JSON that matches a schema. The signer must have declared JSON, or nothing, and the plan may
    /// have no other schema.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Format`].
    pub fn require_schema(&mut self, schema: JsonSchema) -> Result<(), PolicyError> {
        let asked = "json-schema";
        if self.parts.schema.as_ref().is_some_and(|other| *other != schema) {
            return Err(PolicyError::Format { asked, declared: "another json-schema" });
        }
        self.require_format(OutputFormat::Json)
            .map_err(|_| PolicyError::Format { asked, declared: self.parts.format.name() })?;
        self.parts.schema = Some(schema);
        Ok(())
    }

    /// Gives the job a standard input of the operator's. The payload is the file [`PAYLOAD_PATH`], whatever the
    /// arguments are.
    ///
    /// A program that reads its own text from standard input would run what the operator gives, in place of the
    /// payload. The caller **must** have refused it.
    pub const fn give_input(&mut self) {
        self.parts.delivery = PayloadDelivery::FileAndInput;
    }

    /// Shows the job further directories, to read and execute, as system directories are. The operator names them, and
    /// **must** have seen to it that no job may write there.
    pub fn show(&mut self, directories: impl IntoIterator<Item = PathBuf>) {
        let system = &mut self.parts.system;
        for directory in directories {
            if !system.iter().any(|other| directory.starts_with(other)) {
                system.retain(|other| !other.starts_with(&directory));
                system.insert(directory);
            }
        }
    }

    /// Takes on how another plan confines its job: its ports, its scratch places and the layers that it goes without.
    /// Another program can then show whether this system can do that.
    pub fn confine_as(&mut self, other: &Self) {
        self.parts.ports.clone_from(&other.parts.ports);
        self.parts.waived.clone_from(&other.parts.waived);
        self.parts.exec_scratch = other.parts.exec_scratch;
    }

    /// Waives a layer: the job is started without it.
    pub fn waive(&mut self, layer: Layer) {
        self.parts.waived.insert(layer);
    }
}

/// Makes a plan that no policy gave. Only tests of confinement need this.
#[cfg(feature = "unchecked-plans")]
impl From<PlanParts> for Plan {
    fn from(parts: PlanParts) -> Self {
        Self::new(parts)
    }
}

impl PayloadDelivery {
    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::File => "file",
            Self::FileAndInput => "file-and-input",
        }
    }

    /// Returns whether the payload is the file [`PAYLOAD_PATH`].
    #[must_use]
    pub const fn is_file(self) -> bool {
        match self {
            Self::Stdin => false,
            Self::File | Self::FileAndInput => true,
        }
    }
}

impl Layer {
    /// All layers, from the outside in.
    pub const ALL: [Self; 6] = [
        Self::Namespaces,
        Self::Network,
        Self::Limits,
        Self::Privileges,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// Returns the name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Network => "network",
            Self::Limits => "limits",
            Self::Privileges => "privileges",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

#[cfg(test)]
mod tests;
