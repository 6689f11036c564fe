//! The package: an executable that carries a compiled model.
//!
//! It is a host with constants and program appended (the layout is in `frame.rs`, the bytes of a program in `codec.rs`), so
//! writing one needs no linker, and it runs wherever the host does. The host is the runner, a program that lies beside this
//! one and holds what executables need; where it does not lie there, this program itself.
//!
//! ```text
//!   ./swin ─▶ own() ─┬─ no mark (mark.rs): this is the command line, or a runner without a model
//!                    └─ own file (own.rs) ─▶ checks: format, checksum, target ─▶ program, constants ─▶ Session
//! ```
//!
//! A program's own constants are mapped, not read: a page of weights costs time when a kernel first touches it. For
//! the same reason opening checks everything except the constants' checksum, which reads all of them;
//! [`Package::verify_constants`] does that. Another file may be changed while it is in use, so that one is read.
//!
//! Checksums find accidents. They do not find malice: who can write a package can write any machine code,
//! as with every executable.

mod codec;
mod frame;
mod mark;
mod own;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    num::NonZero,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
};

use regard_ir::program::{Code, Program};
use thiserror::Error;

use crate::{
    cpu,
    files::{self, Output},
    memory::Constants,
    session::{Session, SessionError},
};
use frame::{FORMAT, Found, Frame, PAGE, VERSION};
use mark::CARRIED;
use own::Way;

/// The name of the program that packages are appended to.
pub const RUNNER: &str = "regard-runner";

/// What a package says about itself besides the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Name of the model.
    pub model: String,
    /// Name of the target that the code needs.
    pub target: String,
    /// Names of the classes, in order; may be empty.
    pub labels: Vec<String>,
    /// Further facts, such as how an image becomes the input. The runtime only carries them.
    pub facts: BTreeMap<String, String>,
}

/// An opened package: checked, nothing run yet.
#[derive(Debug)]
pub struct Package {
    /// What it says about itself.
    pub meta: Meta,
    /// The program; its graph over the weights is empty.
    pub program: Program<Code>,
    /// The constants.
    pub constants: Constants,
    /// The version of Regard that wrote it.
    pub version: String,
    path: PathBuf,
    constants_crc: u32,
}

/// Why a package cannot be written or opened.
#[derive(Debug, Error)]
pub enum PackageError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file cannot be written; nothing was left behind and what was there before is untouched.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Cut off, overwritten, or altered.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Written by a version of Regard with another format.
    #[error("{} is a package in format {format}, but regard {VERSION} reads format {FORMAT}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
    /// Compiled for a processor that this one is not.
    #[error("{} needs a processor of level {needs}, but this one is {}", path.display(), has.as_deref().unwrap_or("below every level known"))]
    Target {
        /// Which file.
        path: PathBuf,
        /// The package's target.
        needs: String,
        /// The best target of this processor.
        has: Option<String>,
    },
    /// Constants of another size than the program's.
    #[error("the program has {needs} bytes of constants but {given} were given")]
    Constants {
        /// Bytes the program has.
        needs: u64,
        /// Bytes given.
        given: u64,
    },
    /// The model that this program carried is no longer there.
    #[error("the model of {} is missing: the program alone is left, stripped or cut off; compile it again", path.display())]
    Missing {
        /// This program.
        path: PathBuf,
    },
    /// A package that may not be executed.
    #[error("{} is a compiled model, which is a program, but it is not executable; `chmod +x` says that it may run", path.display())]
    NotExecutable {
        /// Which file.
        path: PathBuf,
    },
    /// A package that another program wrote.
    #[error("{} was compiled by another build of regard ({version}); it runs by itself, not in this one", path.display())]
    OtherProgram {
        /// Which file.
        path: PathBuf,
        /// The version of that build.
        version: String,
    },
    /// The system does not tell where this program's file is.
    #[error("this program cannot find its own file, and no runner lies beside it")]
    NoProgram,
}

/// Writes a package to `out`: a copy of the program at `host` (a payload that it carries is left out), then constants and program. The file appears complete or not at all, as
/// [`files`] has it. Returns its size in bytes.
///
/// # Errors
/// Where a file cannot be read or written, `host` is a damaged package, or the constants are not of the
/// program's size.
pub fn write(
    host: &Path,
    program: &Program<Code>,
    constants: &[u8],
    meta: &Meta,
    out: &Path,
) -> Result<u64, PackageError> {
    if program.constant_bytes != constants.len() as u64 {
        return Err(PackageError::Constants { needs: program.constant_bytes, given: constants.len() as u64 });
    }
    let mut image = read_host(host)?;
    let host_len = image.len() as u64;
    let section = codec::encode(meta, program);
    let frame = Frame {
        host_len,
        constants_len: constants.len() as u64,
        program_len: section.len() as u64,
        program_crc: crc32fast::hash(&section),
        constants_crc: checksum(constants),
    };
    let carried = frame.trailer()[..CARRIED].try_into().expect("a trailer is longer");
    mark::set(&mut image, &carried).map_err(|source| PackageError::Read { path: host.to_owned(), source })?;
    let written = Output::executable(out).and_then(|mut file| {
        let header_at = frame.header_at().expect("the host is a file");
        let mut front = vec![0; (header_at + PAGE - host_len) as usize];
        let header = frame::header(header_at);
        front[(header_at - host_len) as usize..][..header.len()].copy_from_slice(&header);
        let trailer = frame.trailer();
        let parts = [&image[..], &front, constants, &section, &trailer];
        parts.iter().try_for_each(|part| file.write_all(part))?;
        files::publish(vec![file]).map_err(|(_, source)| source)?;
        Ok(parts.iter().map(|part| part.len() as u64).sum::<u64>())
    });
    written.map_err(|source| PackageError::Write { path: out.to_owned(), source })
}

/// The host's own part.
fn read_host(host: &Path) -> Result<Vec<u8>, PackageError> {
    let unreadable = |source| PackageError::Read { path: host.to_owned(), source };
    let mut file = File::open(host).map_err(unreadable)?;
    let len = match Frame::find(&mut file).map_err(unreadable)? {
        Found::Bare => file.metadata().map_err(unreadable)?.len(),
        Found::Package(frame, _) => frame.host_len,
        Found::Format(format) => return Err(PackageError::Format { path: host.to_owned(), format }),
        Found::Damaged(what) => return Err(PackageError::Damaged { path: host.to_owned(), what: what.into() }),
    };
    let mut image = Vec::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.take(len).read_to_end(&mut image)).map_err(unreadable)?;
    match image.len() as u64 == len {
        true => Ok(image),
        false => Err(unreadable(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter"))),
    }
}

impl Package {
    /// Opens the package at `path`; nothing where the file carries none. Format, lengths, the checksum of
    /// program and code, the program's own consistency and the target level have been checked when this
    /// returns; no code has been mapped. All of it is read into memory, so that the file may be changed afterwards.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or is not for this version or this processor.
    pub fn open(path: &Path) -> Result<Option<Package>, PackageError> {
        let mut file = File::open(path).map_err(|source| PackageError::Read { path: path.to_owned(), source })?;
        Ok(Self::load(path, &mut file, false)?.map(|(package, _)| package))
    }
    /// The same for a package that is to be run in this process: as with every program, the file must be executable;
    /// and it must have been written by this very program, after the host that it has or could have.
    ///
    /// # Errors
    /// As [`open`](Package::open), and where it is not.
    pub fn open_to_run(path: &Path) -> Result<Option<Package>, PackageError> {
        let unreadable = |source| PackageError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let Some((package, frame)) = Self::load(path, &mut file, false)? else { return Ok(None) };
        if file.metadata().map_err(unreadable)?.permissions().mode() & 0o111 == 0 {
            return Err(PackageError::NotExecutable { path: path.to_owned() });
        }
        let runner = own::runner().and_then(|path| File::open(path).ok());
        for mut host in runner.into_iter().chain(own::file().map(|(_, own)| own)) {
            file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
            if mark::is_same_program(&mut host, &mut file, frame.host_len).map_err(unreadable)? {
                return Ok(Some(package));
            }
        }
        Err(PackageError::OtherProgram { path: path.to_owned(), version: package.version })
    }
    /// The package that this program is, however it was started; nothing where it carries none.
    ///
    /// Constants are shared with other processes of the same file where the system keeps a running program from being
    /// written.
    ///
    /// # Errors
    /// As [`open`](Package::open), and where the model that this program carried is gone.
    pub fn own() -> Result<Option<Package>, PackageError> {
        let Some(carried) = mark::carried() else { return Ok(None) };
        let path = own::name();
        for way in own::ways() {
            let Some(mut file) = way.open() else { continue };
            if let Ok(Found::Package(frame, _)) = Frame::find(&mut file)
                && frame.trailer().starts_with(&carried)
            {
                let package = Self::load(&path, &mut file, way.is_protected())?;
                return Ok(package.map(|(package, _)| package));
            }
        }
        let found = own::file().map(|(_, mut file)| Self::load(&path, &mut file, false)).transpose()?;
        match found.flatten() {
            Some(_) => {
                Err(PackageError::Damaged { path, what: "it carries another model than it was written with".into() })
            }
            None => match own::refused() {
                Some(source) => Err(PackageError::Read { path, source }),
                None => Err(PackageError::Missing { path }),
            },
        }
    }
    /// `shared`: nobody can change the file while it is open.
    fn load(path: &Path, file: &mut File, shared: bool) -> Result<Option<(Package, Frame)>, PackageError> {
        let unreadable = |source| PackageError::Read { path: path.to_owned(), source };
        let damaged = |what: String| PackageError::Damaged { path: path.to_owned(), what };
        let (frame, version) = match Frame::find(file).map_err(unreadable)? {
            Found::Bare => return Ok(None),
            Found::Package(frame, version) => (frame, version),
            Found::Format(format) => return Err(PackageError::Format { path: path.to_owned(), format }),
            Found::Damaged(what) => return Err(damaged(what.into())),
        };
        let section = read_program(file, &frame).map_err(unreadable)?;
        if crc32fast::hash(&section) != frame.program_crc {
            return Err(damaged("the checksum of its program is wrong".into()));
        }
        let (meta, program) = codec::decode(&section).map_err(|fault| damaged(format!("its program: {fault}")))?;
        if program.constant_bytes != frame.constants_len {
            return Err(damaged("its constants are not of the program's size".into()));
        }
        if !cpu::supports(&meta.target) {
            let has = cpu::best().map(|target| target.name.to_owned());
            return Err(PackageError::Target { path: path.to_owned(), needs: meta.target, has });
        }
        let (at, len) = (frame.constants_at().expect("the parts fit the file"), frame.constants_len as usize);
        let constants = match shared {
            true => Constants::map(file, at, len),
            false => read_constants(file, at, len),
        };
        let constants = constants.map_err(unreadable)?;
        let (path, constants_crc) = (path.to_owned(), frame.constants_crc);
        Ok(Some((Package { meta, program, constants, version, path, constants_crc }, frame)))
    }
    /// A session of the program.
    ///
    /// # Safety
    /// As [`Session::new`]: the package must be one that [`write()`] made of what a back end emitted, and nobody must have
    /// altered it on purpose. Checksums only find accidents.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub unsafe fn session(self, threads: usize) -> Result<Session, SessionError> {
        // SAFETY: by this function's contract; the target was compared when the package was opened.
        unsafe { Session::new(self.program, self.constants, threads) }
    }
    /// Reads all constants, on all cores, and compares their checksum.
    ///
    /// # Errors
    /// Where it differs.
    pub fn verify_constants(&self) -> Result<(), PackageError> {
        if checksum(self.constants.bytes()) == self.constants_crc {
            return Ok(());
        }
        Err(PackageError::Damaged { path: self.path.clone(), what: "the checksum of its constants is wrong".into() })
    }
}

/// A program that packages are appended to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Where it can be read.
    pub path: PathBuf,
    /// Whether it is the runner; otherwise all of this program.
    pub is_runner: bool,
}

/// The runner beside this program, or this program where there is none of its version and format.
///
/// # Errors
/// Where there is neither.
pub fn host() -> Result<Host, PackageError> {
    match own::runner() {
        Some(path) => Ok(Host { path, is_runner: true }),
        None => Ok(Host { path: own_program()?, is_runner: false }),
    }
}

/// A path at which this program's own file can be read.
///
/// # Errors
/// Where the system tells of none.
pub fn own_program() -> Result<PathBuf, PackageError> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    let path = PATH.get_or_init(|| match own::file() {
        Some((Way::Path(path), _)) => Some(path),
        _ => None,
    });
    path.clone().ok_or_else(|| match own::refused() {
        Some(source) => PackageError::Read { path: own::name(), source },
        None => PackageError::NoProgram,
    })
}

fn read_constants(file: &mut File, at: u64, len: usize) -> io::Result<Constants> {
    file.seek(SeekFrom::Start(at))?;
    Constants::build(len, |bytes| file.read_exact(bytes))
}

/// Meta, program and code, as long as [`Frame::find`] has found them.
fn read_program(file: &mut File, frame: &Frame) -> io::Result<Vec<u8>> {
    let mut section = vec![0; frame.program_len as usize];
    file.seek(SeekFrom::Start(frame.program_at().expect("the parts fit the file")))?;
    file.read_exact(&mut section)?;
    Ok(section)
}

/// Below this many bytes per thread a checksum does not wait for threads.
const CHECKSUM_PIECE: usize = 4 << 20;

/// CRC-32 of `bytes`, computed by all cores.
fn checksum(bytes: &[u8]) -> u32 {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let piece = bytes.len().div_ceil(cores).max(CHECKSUM_PIECE);
    let hash = |piece: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(piece);
        hasher
    };
    let total = thread::scope(|scope| {
        let mut pieces = bytes.chunks(piece);
        let first = pieces.next().unwrap_or_default();
        // Where the system refuses a thread, this one does its work.
        let start = |piece| thread::Builder::new().spawn_scoped(scope, move || hash(piece)).map_err(|_| piece);
        let others: Vec<_> = pieces.map(start).collect();
        others.into_iter().fold(hash(first), |mut total, other| {
            total.combine(&match other {
                Ok(thread) => thread.join().expect("a checksum does not panic"),
                Err(piece) => hash(piece),
            });
            total
        })
    });
    total.finalize()
}
