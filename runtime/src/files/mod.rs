//! Writing files: each whole or not at all, in the place that its name means.
//!
//! ```text
//!   -, or what standard output is already      ─▶ standard output
//!   device, pipe, socket                       ─▶ written in place
//!   regular file, link to one, nothing yet     ─▶ draft beside it ─ fsync ─▶ renamed
//!                                                 where that loses the owner or is forbidden ─▶ copied over it
//! ```
//!
//! Links are followed, so a link stays a link. A file that is replaced keeps its mode and its owner. A draft has a
//! name of its own, `.regard-….part`, however long the name of the output is. It is locked while its process lives and
//! removed by whatever ends the process in order: an error, a panic or a signal. The draft of a process that
//! was killed is removed by the next one that writes beside it.
//!
//! A set of files ([`publish`]) is a set on disk, too: drafts of all are complete before the first is renamed, and what
//! was renamed is undone where a later one fails.

mod draft;
mod signals;

use std::{
    ffi::CString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufWriter, Write},
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
};

use draft::Draft;

/// The most links that are followed from one name.
const MAX_LINKS: usize = 40;

/// A file being written. It appears with [`publish`]; dropped before, it leaves nothing.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    writer: BufWriter<Sink>,
}

#[derive(Debug)]
enum Sink {
    Standard(io::Stdout),
    InPlace(File),
    Draft(Box<Draft>),
}

/// What a name means to somebody who writes.
#[derive(Debug)]
enum Meaning {
    Standard,
    InPlace,
    /// A regular file, followed through all links; its data where it exists.
    Regular(PathBuf, Option<Box<Metadata>>),
}

impl Output {
    /// Begins to write `path`. Nothing changes there yet, unless it is a device or a pipe.
    ///
    /// # Errors
    /// Where it is a directory, must not be written, or has no directory.
    pub fn create(path: &Path) -> io::Result<Output> {
        Self::begin(path, false)
    }
    /// The same for a program: whoever may read the file may also execute it.
    ///
    /// # Errors
    /// As [`create`](Output::create).
    pub fn executable(path: &Path) -> io::Result<Output> {
        Self::begin(path, true)
    }
    fn begin(path: &Path, executable: bool) -> io::Result<Output> {
        signals::prepare();
        let sink = match meaning(path)? {
            Meaning::Standard => Sink::Standard(io::stdout()),
            // A regular file gets here only where no name leads to it any more.
            Meaning::InPlace => Sink::InPlace(OpenOptions::new().write(true).truncate(true).open(path)?),
            Meaning::Regular(target, old) => {
                Sink::Draft(Box::new(Draft::new(target, old.map(|old| *old), executable)?))
            }
        };
        Ok(Output { path: path.to_owned(), writer: BufWriter::with_capacity(1 << 16, sink) })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Standard(out) => out.write(bytes),
            Sink::InPlace(file) => file.write(bytes),
            Sink::Draft(draft) => draft.file.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Standard(out) => out.flush(),
            Sink::InPlace(_) | Sink::Draft(_) => Ok(()),
        }
    }
}

/// Completes outputs: all of their files appear, or none does and what was there before stays.
///
/// # Errors
/// The path of the first that cannot be completed, and the system's reason.
pub fn publish(outputs: Vec<Output>) -> Result<(), (PathBuf, io::Error)> {
    let mut drafts = Vec::new();
    for Output { path, mut writer } in outputs {
        if let Err(source) = writer.flush() {
            return Err((path, source));
        }
        // Nothing is buffered any more.
        if let (Sink::Draft(draft), _) = writer.into_parts() {
            drafts.push((path, draft));
        }
    }
    for (path, draft) in &drafts {
        draft.complete().map_err(|source| (path.clone(), source))?;
    }
    let is_set = drafts.len() > 1;
    let _held = signals::hold();
    let mut done = Vec::new();
    for (path, draft) in drafts {
        match draft.publish(is_set) {
            Ok(undo) => done.push(undo),
            Err(source) => {
                done.into_iter().rev().for_each(draft::Undo::undo);
                return Err((path, source));
            }
        }
    }
    done.into_iter().for_each(draft::Undo::forget);
    Ok(())
}

/// Checks that `path` can be written, and writes nothing.
///
/// # Errors
/// As [`Output::create`].
pub fn check(path: &Path) -> io::Result<()> {
    match meaning(path)? {
        Meaning::Regular(target, Some(_)) => draft::writable(&target),
        Meaning::Regular(target, None) => {
            let found = fs::metadata(directory(&target))?;
            if !found.is_dir() {
                return Err(io::Error::from(io::ErrorKind::NotADirectory));
            }
            let place = CString::new(directory(&target).as_os_str().as_bytes())?;
            // SAFETY: the call reads a C string, which lives until it returns.
            match unsafe { libc::access(place.as_ptr(), libc::W_OK | libc::X_OK) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        }
        Meaning::Standard | Meaning::InPlace => Ok(()),
    }
}

/// Whether what is written to `path` goes to standard output.
pub fn is_standard_output(path: &Path) -> bool {
    matches!(meaning(path), Ok(Meaning::Standard))
}

/// Whether `path` is, or would become, a regular file: one that can be written whole or not at all.
pub fn is_regular(path: &Path) -> bool {
    matches!(meaning(path), Ok(Meaning::Regular(..)))
}

/// What makes two names the same regular file, whatever links lead there: device and number of an existing file, else
/// those of its directory, and the name in it. Nothing for devices, pipes and directories.
pub fn identity(path: &Path) -> Option<(u64, u64, Option<Vec<u8>>)> {
    match meaning(path) {
        Ok(Meaning::Regular(_, Some(old))) => Some((old.dev(), old.ino(), None)),
        Ok(Meaning::Regular(target, None)) => {
            let directory = fs::metadata(directory(&target)).ok()?;
            Some((directory.dev(), directory.ino(), target.file_name().map(|name| name.as_bytes().to_vec())))
        }
        _ => None,
    }
}

fn meaning(path: &Path) -> io::Result<Meaning> {
    let invalid = |kind, why| Err(io::Error::new(kind, why));
    if path == Path::new("-") {
        return Ok(Meaning::Standard);
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => invalid(io::ErrorKind::IsADirectory, "it is a directory"),
        Ok(found) if is_standard(&found) => Ok(Meaning::Standard),
        Ok(found) if !found.is_file() => Ok(Meaning::InPlace),
        Ok(found) => {
            let target = follow(path)?;
            match fs::symlink_metadata(&target) {
                Ok(same) if is_same(&same, &found) => Ok(Meaning::Regular(target, Some(Box::new(found)))),
                _ => Ok(Meaning::InPlace),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let target = follow(path)?;
            match target.file_name() {
                Some(_) if !target.as_os_str().as_bytes().ends_with(b"/") => Ok(Meaning::Regular(target, None)),
                _ => invalid(io::ErrorKind::InvalidInput, "it names no file"),
            }
        }
        Err(error) => Err(error),
    }
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Whether standard output is this file, pipe or device.
fn is_standard(found: &Metadata) -> bool {
    let standard = io::stdout().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    standard.is_ok_and(|standard| is_same(&standard, found))
}

/// The end of a chain of links; it need not exist.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many links lead on from it"))
}

/// The directory that a file lies in.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
