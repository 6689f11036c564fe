//! The package: an executable that carries a compiled model.
//!
//! It is the `regard` binary itself with constants and program appended (the layout is in `frame.rs`, the
//! bytes of a program in `codec.rs`), so writing one needs no linker, and it runs wherever `regard` does.
//!
//! ```text
//!   ./swin ─▶ open(own path) ─┬─ no payload: this is the command line
//!                             └─ checks: format, checksum, target ─▶ program, mapped constants ─▶ Session
//! ```
//!
//! Constants are mapped, not read: a page of weights costs time when a kernel first touches it. For the
//! same reason [`Package::open`] checks everything except the constants' checksum, which reads all of them;
//! [`Package::verify_constants`] does that.
//!
//! Checksums find accidents. They do not find malice: who can write a package can write any machine code,
//! as with every executable.

mod codec;
mod frame;

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    num::NonZero,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use regard_ir::program::{Code, Program};
use thiserror::Error;

use crate::{cpu, memory::Constants};
use frame::{FORMAT, Found, Frame, PAGE, VERSION};

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
    /// The constants, mapped from the file.
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
}

/// Writes a package to `out`: a copy of the program at `host` (usually the running one; a payload that it
/// carries is left out), then constants and program. The file appears complete or not at all: it is written
/// beside `out` and renamed.
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
) -> Result<(), PackageError> {
    if program.constant_bytes != constants.len() as u64 {
        return Err(PackageError::Constants { needs: program.constant_bytes, given: constants.len() as u64 });
    }
    let (mut source, host_len) = open_host(host)?;
    let section = codec::encode(meta, program);
    let frame = Frame {
        host_len,
        constants_len: constants.len() as u64,
        program_len: section.len() as u64,
        program_crc: crc32fast::hash(&section),
        constants_crc: checksum(constants),
    };
    let written = Draft::beside(out).and_then(|mut draft| {
        source.seek(SeekFrom::Start(0))?;
        if io::copy(&mut source.take(host_len), &mut draft.file)? != host_len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the host became shorter"));
        }
        let header_at = frame.header_at().expect("the host is a file");
        let mut front = vec![0; (header_at + PAGE - host_len) as usize];
        let header = frame::header(header_at);
        front[(header_at - host_len) as usize..][..header.len()].copy_from_slice(&header);
        for part in [&front, constants, &section, &frame.trailer()] {
            draft.file.write_all(part)?;
        }
        draft.publish(out)
    });
    written.map_err(|source| PackageError::Write { path: out.to_owned(), source })
}

/// The host's file and the length of its own part.
fn open_host(host: &Path) -> Result<(File, u64), PackageError> {
    let unreadable = |source| PackageError::Read { path: host.to_owned(), source };
    let mut file = File::open(host).map_err(unreadable)?;
    let len = match Frame::find(&mut file).map_err(unreadable)? {
        Found::Bare => file.metadata().map_err(unreadable)?.len(),
        Found::Package(frame, _) => frame.host_len,
        Found::Format(format) => return Err(PackageError::Format { path: host.to_owned(), format }),
        Found::Damaged(what) => return Err(PackageError::Damaged { path: host.to_owned(), what: what.into() }),
    };
    Ok((file, len))
}

impl Package {
    /// Opens the package at `path`; nothing where the file carries none. Format, lengths, the checksum of
    /// program and code, the program's own consistency and the target level have been checked when this
    /// returns; no code has been mapped, and constants have not been read.
    ///
    /// The file must not be changed while the package or a session of it is alive. Replacing it by renaming
    /// is fine.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or is not for this version or this processor.
    pub fn open(path: &Path) -> Result<Option<Package>, PackageError> {
        let unreadable = |source| PackageError::Read { path: path.to_owned(), source };
        let damaged = |what: String| PackageError::Damaged { path: path.to_owned(), what };
        let mut file = File::open(path).map_err(unreadable)?;
        let (frame, version) = match Frame::find(&mut file).map_err(unreadable)? {
            Found::Bare => return Ok(None),
            Found::Package(frame, version) => (frame, version),
            Found::Format(format) => return Err(PackageError::Format { path: path.to_owned(), format }),
            Found::Damaged(what) => return Err(damaged(what.into())),
        };
        let section = read_program(&mut file, &frame).map_err(unreadable)?;
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
        let constants_at = frame.constants_at().expect("the parts fit the file");
        let constants = Constants::map(&file, constants_at, frame.constants_len as usize).map_err(unreadable)?;
        let (path, constants_crc) = (path.to_owned(), frame.constants_crc);
        Ok(Some(Package { meta, program, constants, version, path, constants_crc }))
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
        let others: Vec<_> = pieces.map(|piece| scope.spawn(move || hash(piece))).collect();
        others.into_iter().fold(hash(first), |mut total, other| {
            total.combine(&other.join().expect("a checksum does not panic"));
            total
        })
    });
    total.finalize()
}

/// A file under construction, removed unless it is published.
struct Draft {
    file: File,
    path: Option<PathBuf>,
}

impl Draft {
    /// A new, executable file in the directory of `out`.
    fn beside(out: &Path) -> io::Result<Draft> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let name = out.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let mut draft = std::ffi::OsString::from(".");
        draft.push(name);
        draft.push(format!(".{}-{number}.part", process::id()));
        let path = out.with_file_name(draft);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o777);
        Ok(Draft { file: options.open(&path)?, path: Some(path) })
    }
    /// Gives the file its name.
    fn publish(mut self, out: &Path) -> io::Result<()> {
        let path = self.path.as_ref().expect("not published yet");
        fs::rename(path, out)?;
        self.path = None;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // It may be gone already; there is nothing left to undo.
            let _ = fs::remove_file(path);
        }
    }
}
