//! A private place for what may not be seen yet, and for what may not change any more.

use std::fs::{File, Permissions};
use std::io::{self, Read, Seek as _, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt, MetadataExt as _, PermissionsExt as _};

use brine_core::MAX_MEMORY_BYTES;
use brine_core::cose::MAX_PAYLOAD_BYTES;
use brine_core::hash::{ReadAt, Section};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::home::temporary_directory;
use super::input::{LargeInput, too_large};
use super::output::{Output, TextPieces};
use super::patient_file::PatientFile;
use super::whole_file::Access;
use crate::report::Failure;

/// A file without a name, which nobody but this process can open. Its end gives its space back.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    length: u64,
    place: SpoolPlace,
    /// Where the system would end the process (`SIGXFSZ`) instead of reporting an error.
    most: u64,
    /// How long it may be in memory.
    most_in_memory: u64,
}

/// Where the bytes of a spool are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpoolPlace {
    Disk,
    /// In memory, as long as they are few: then no directory for temporary files is needed.
    Memory,
}

impl Spool {
    /// Makes one that is in memory while it is small, and in the directory for temporary files when it grows.
    pub(crate) fn new() -> io::Result<Self> {
        Self::in_memory_up_to(MAX_MEMORY_BYTES)
    }

    /// Makes one that is in memory while it is no longer than this.
    pub(crate) fn in_memory_up_to(most_in_memory: u64) -> io::Result<Self> {
        match in_memory() {
            Ok(file) => Ok(Self { place: SpoolPlace::Memory, most_in_memory, ..Self::onto(file) }),
            Err(_) => Self::on_disk(),
        }
    }

    /// Makes one in the directory for temporary files, which is that of `TMPDIR`.
    pub(crate) fn on_disk() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        // It is made as the umask lets. It is empty so far. Where its mode cannot be changed, nobody can open it, as
        // it has no name.
        match file.set_permissions(Permissions::from_mode(0o600)) {
            Err(error) if file.metadata()?.nlink() > 0 => Err(error),
            _ => Ok(Self::onto(file)),
        }
    }

    /// Takes a temporary file that `length` bytes were written to.
    pub(crate) fn written(file: File, length: u64) -> Self {
        Self { length, ..Self::onto(file) }
    }

    /// Returns the file under a second descriptor. It **must** be [on disk](Self::on_disk).
    pub(super) fn try_clone_file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Takes an empty file, which **must** have no name.
    pub(crate) fn onto(file: File) -> Self {
        let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Self { file, length: 0, place: SpoolPlace::Disk, most, most_in_memory: 0 }
    }

    /// Makes one with a copy of `beginning` and of what follows it in `source`, read once.
    pub(crate) fn copy_of(
        beginning: &[u8],
        source: &mut impl Read,
        name: &str,
    ) -> Result<Self, Failure> {
        Self::new().map_err(temporary)?.filled(beginning, source, name)
    }

    /// Copies the same into one that is empty.
    pub(crate) fn filled(
        mut self,
        beginning: &[u8],
        source: &mut impl Read,
        name: &str,
    ) -> Result<Self, Failure> {
        let spool = &mut self;
        spool.write_all(beginning).map_err(temporary)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(self),
                Ok(read) => {
                    spool.write_all(piece.get(..read).unwrap_or_default()).map_err(temporary)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io(name, error)),
            }
            if spool.length > MAX_PAYLOAD_BYTES {
                return Err(too_large(name, MAX_PAYLOAD_BYTES));
            }
        }
    }

    /// Returns how much was written to it.
    #[must_use]
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// Returns whether it is in memory.
    #[must_use]
    pub(crate) fn is_in_memory(&self) -> bool {
        self.place == SpoolPlace::Memory
    }

    /// Reads it from the beginning.
    #[must_use]
    pub(crate) fn reader(&self) -> Section<'_, Self> {
        Section::new(self, 0, self.length)
    }

    /// Returns the file, for somebody who opens it once more. Its position says nothing.
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// Copies it to where it may be seen.
    pub(crate) fn release(&self, output: PatientFile<&File>) -> io::Result<()> {
        let mut to = *output.as_file();
        if to.metadata()?.is_file() {
            let mut from = &self.file;
            from.rewind()?;
            // From file to file, which the system does without a copy in memory. Nobody waits for a file.
            return io::copy(&mut from, &mut to).map(drop);
        }
        let sent = self.send(to)?;
        self.write_from(sent, output)
    }

    /// Lets the system copy it to a pipe or a socket, and returns how much it copied before it could not any more.
    #[cfg(target_os = "linux")]
    fn send(&self, to: &File) -> io::Result<u64> {
        use rustix::event::PollFlags;
        use rustix::fs::sendfile;

        use super::patient_file::waited_for;

        let mut sent = 0;
        while sent < self.length {
            let left = usize::try_from(self.length - sent).unwrap_or(usize::MAX).min(MOST_SENT);
            let count =
                waited_for(to, PollFlags::OUT, || sendfile(to, &self.file, Some(&mut sent), left));
            match count {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // There are devices that it does not copy to.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "it is as on Linux")]
    const fn send(&self, _: &File) -> io::Result<u64> {
        Ok(0)
    }

    /// Writes what follows the first `sent` bytes.
    fn write_from(&self, sent: u64, mut output: PatientFile<&File>) -> io::Result<()> {
        let mut rest = Section::new(self, sent, self.length.saturating_sub(sent));
        let mut piece = vec![0; if sent < self.length { PIECE_BYTES } else { 0 }];
        loop {
            match rest.read(&mut piece)? {
                0 => return Ok(()),
                read => output.write_all(piece.get(..read).unwrap_or_default())?,
            }
        }
    }

    /// Copies it to an output, if that takes what it is.
    #[cfg_attr(
        not(all(feature = "sandbox", target_os = "linux")),
        expect(dead_code, reason = "only a program that runs jobs uses it")
    )]
    pub(crate) fn release_to(&self, output: &Output) -> Result<(), Failure> {
        if let Err(refusal) = output.refuse_terminal("binary data")
            && !self.is_printable().map_err(temporary)?
        {
            return Err(refusal);
        }
        let opened = output.open(Access::Ordinary)?;
        self.release(opened.writer()).map_err(|error| output.failed(error))?;
        output.finish(opened)
    }

    /// Gives it to somebody who may read it from its beginning, and not write to it. Of what is in memory, nobody can
    /// change a byte any more.
    pub(crate) fn into_read_only(mut self) -> io::Result<File> {
        let is_sealed = self.is_in_memory();
        if is_sealed {
            // It fails if somebody has mapped it to write to it.
            self.seal()?;
        }
        let file = match File::open(format!("{DESCRIPTORS}/{}", self.file.as_raw_fd())) {
            // Without "/proc". What is sealed cannot be written, whoever has a descriptor of it.
            Err(error) if is_sealed && error.kind() == io::ErrorKind::NotFound => {
                self.file.rewind()?;
                return Ok(self.file);
            }
            opened => opened?,
        };
        // Nor may they open it once more.
        file.set_permissions(Permissions::from_mode(0o400))?;
        Ok(file)
    }

    /// Lets nobody change it any more. Only what is in memory can be sealed.
    #[cfg(target_os = "linux")]
    fn seal(&mut self) -> io::Result<()> {
        use rustix::fs::{SealFlags, fcntl_add_seals};

        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        Ok(fcntl_add_seals(&self.file, seals)?)
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "it is as on Linux")]
    fn seal(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns whether a terminal would show all of it as it is.
    pub(crate) fn is_printable(&self) -> io::Result<bool> {
        let mut reader = self.reader();
        let mut text = TextPieces::default();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(!text.has_rest()),
                read if text.add(piece.get(..read).unwrap_or_default()).is_none() => {
                    return Ok(false);
                }
                _ => {}
            }
        }
    }
}

/// Says that a spool could not be made, written or read.
pub(crate) fn temporary(source: io::Error) -> Failure {
    Failure::Temporary { directory: temporary_directory(), source }
}

/// Makes a file in memory, which nothing can execute where the system has a way to say so.
#[cfg(target_os = "linux")]
fn in_memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    let made = memfd_create(c"brine", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL);
    // Linux before 6.3 does not have it.
    let older = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let made = made.or_else(|_| memfd_create(c"brine", older))?;
    let file = File::from(made);
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Spool {
    /// Moves what there is to the directory for temporary files.
    fn move_to_disk(&mut self) -> io::Result<()> {
        let Self { file: mut moved, .. } = Self::on_disk()?;
        self.file.rewind()?;
        io::copy(&mut self.file, &mut moved)?;
        self.file = moved;
        self.place = SpoolPlace::Disk;
        Ok(())
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(self.length);
        if self.place == SpoolPlace::Memory && length > self.most_in_memory {
            self.move_to_disk()?;
        }
        let room = usize::try_from(self.most.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..room).unwrap_or(bytes);
        if room == 0 {
            return Err(Errno::FBIG.into());
        }
        let count = self.file.write(bytes)?;
        self.length = self.length.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadAt for Spool {
    fn read_at(&self, room: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.file, room, offset)
    }
}

impl LargeInput {
    /// Copies it, once, to where nobody else can change it.
    pub(crate) fn into_spool(self) -> Result<Spool, Failure> {
        if self.extent().is_some_and(|(_, length)| length > MAX_PAYLOAD_BYTES) {
            return Err(too_large(&self.name, MAX_PAYLOAD_BYTES));
        }
        let Self { beginning, mut file, name } = self;
        Spool::copy_of(&beginning, &mut file, &name)
    }
}

/// Where the open files of this process have names.
const DESCRIPTORS: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

const PIECE_BYTES: usize = 256 * 1024;

/// How much the system is asked to copy at once, in bytes.
#[cfg(target_os = "linux")]
const MOST_SENT: usize = 1024 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(content: &[u8]) -> Spool {
        Spool::copy_of(&[], &mut &content[..], "input").unwrap()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let content: Vec<u8> = (0..=255).cycle().take(2 * PIECE_BYTES + 1).collect();
        for at in [0, 1, PIECE_BYTES, content.len()] {
            let (beginning, mut rest) = content.split_at(at);
            let spool = Spool::copy_of(beginning, &mut rest, "input").unwrap();
            let mut back = Vec::new();
            spool.reader().read_to_end(&mut back).unwrap();
            assert!(back == content, "{at}");
            assert_eq!(spool.length(), u64::try_from(content.len()).unwrap());
            let released = tempfile::tempfile().unwrap();
            spool.release(PatientFile::new(&released)).unwrap();
            let mut back = vec![0; content.len() + 1];
            assert_eq!(FileExt::read_at(&released, &mut back, 0).unwrap(), content.len());
            assert!(back[..content.len()] == content, "{at}");
        }
    }

    #[test]
    fn nobody_else_can_open_it() {
        for spool in [Spool::new().unwrap(), Spool::on_disk().unwrap()] {
            let found = spool.file.metadata().unwrap();
            assert_eq!((found.nlink(), found.mode() & 0o777), (0, 0o600));
        }
    }

    /// Where it grows too large for memory, and to where the system does not copy by itself.
    #[test]
    fn it_moves_to_the_disk_when_it_grows_and_is_released_as_it_is() {
        let most = usize::try_from(MAX_MEMORY_BYTES).unwrap();
        let content: Vec<u8> = (0..=most).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut spool = Spool::new().unwrap();
        let is_in_memory = spool.place == SpoolPlace::Memory;
        spool.write_all(&content[..most]).unwrap();
        assert_eq!(spool.place == SpoolPlace::Memory, is_in_memory);
        spool.write_all(&content[most..]).unwrap();
        assert_eq!(spool.place, SpoolPlace::Disk);
        let (read, write) = rustix::pipe::pipe().unwrap();
        let reader = std::thread::spawn(move || {
            let mut found = Vec::new();
            File::from(read).read_to_end(&mut found).unwrap();
            found
        });
        spool.release(PatientFile::new(&File::from(write))).unwrap();
        assert!(reader.join().unwrap() == content);
        let released = tempfile::tempfile().unwrap();
        spool.write_from(1, PatientFile::new(&released)).unwrap();
        let mut back = vec![0; content.len()];
        assert_eq!(FileExt::read_at(&released, &mut back, 0).unwrap(), content.len() - 1);
        assert!(back[..content.len() - 1] == content[1..]);
        // A device of which a copy by the system may not be had.
        spool
            .release(PatientFile::new(&File::options().write(true).open("/dev/null").unwrap()))
            .unwrap();
    }

    #[test]
    fn who_may_read_it_cannot_write_to_it() {
        let file = spool(b"payload").into_read_only().unwrap();
        let mut content = String::new();
        (&file).read_to_string(&mut content).unwrap();
        assert_eq!(content, "payload");
        assert_eq!((&file).write(b"x").unwrap_err().raw_os_error(), Some(9));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o400);
    }

    #[test]
    fn a_limit_of_the_system_is_an_error_at_its_byte() {
        let mut spool = Spool { most: 5, ..Spool::new().unwrap() };
        spool.write_all(b"12345").unwrap();
        assert_eq!(spool.write_all(b"6").unwrap_err().raw_os_error(), Some(27));
        let mut spool = Spool { most: 5, ..Spool::new().unwrap() };
        assert_eq!(spool.write_all(b"123456").unwrap_err().raw_os_error(), Some(27));
        assert_eq!(spool.length(), 5);
    }

    #[test]
    fn characters_are_told_across_pieces() {
        let cut = |at: usize| [&vec![b'a'; PIECE_BYTES - at][..], "\u{1d11e}".as_bytes()].concat();
        for at in 0..=4 {
            assert!(spool(&cut(at)).is_printable().unwrap(), "{at}");
            let mut broken = cut(at);
            broken.pop();
            assert!(!spool(&broken).is_printable().unwrap(), "{at}");
            broken.extend(b"aaaa");
            assert!(!spool(&broken).is_printable().unwrap(), "{at}");
        }
        assert!(spool(b"").is_printable().unwrap());
        assert!(!spool(&[&cut(0)[..], b"\x1b[2J"].concat()).is_printable().unwrap());
    }
}
