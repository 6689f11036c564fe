//! Drafts: what a regular file will hold, under a name of its own until it is complete.
//!
//! ```text
//!   .regard-5d1f….part ── write, fsync ──▶ rename ──▶ out        the usual way: atomic
//!   (no name)          ── write, fsync ──▶ copy over ──▶ out     the directory is read-only, `out` is a mount, or
//!                                                                belongs to somebody else
//! ```
//!
//! Copying over reserves the space first and keeps the old bytes until all are written, so that a full disk costs
//! nothing.

use std::{
    collections::HashSet,
    fs::{self, File, Metadata, OpenOptions, Permissions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Read, Seek, SeekFrom},
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    },
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{directory, is_same, signals::Registered};

const PREFIX: &str = ".regard-";
const SUFFIX: &str = ".part";

/// A regular file under construction, removed unless it is published.
#[derive(Debug)]
pub(super) struct Draft {
    pub file: File,
    /// Its name, where it has one; it is removed when this is dropped.
    name: Option<Name>,
    target: PathBuf,
    old: Option<Metadata>,
    executable: bool,
    /// Whether renaming keeps what must be kept.
    renames: bool,
}

/// How a published file is taken back.
#[derive(Debug)]
pub(super) enum Undo {
    /// It cannot be, or need not be.
    Nothing,
    /// There was no file.
    Remove(PathBuf),
    /// The old file has another name.
    Rename(Name, PathBuf),
    /// The old bytes are at hand.
    Rewrite(File, PathBuf),
}

impl Draft {
    pub(crate) fn new(target: PathBuf, old: Option<Metadata>, executable: bool) -> io::Result<Draft> {
        if old.is_some() {
            writable(&target)?;
        }
        let beside = directory(&target);
        sweep(beside);
        // Nobody else reads a draft of what others may not read.
        let mode = if old.is_some() {
            0o600
        } else if executable {
            0o777
        } else {
            0o666
        };
        match Name::create(beside, mode) {
            Ok((name, file)) => {
                let renames = old.as_ref().is_none_or(|old| give(&file, old));
                Ok(Draft { file, name: Some(name), target, old, executable, renames })
            }
            Err(error) if old.is_some() && is_forbidden(&error) => {
                Ok(Draft { file: unnamed()?, name: None, target, old, executable, renames: false })
            }
            Err(error) => Err(error),
        }
    }
    /// Brings all bytes to the disk.
    pub(crate) fn complete(&self) -> io::Result<()> {
        if let Some(old) = &self.old {
            let mode = old.mode() & 0o777;
            let execute = if self.executable { (mode & 0o444) >> 2 } else { 0 };
            self.file.set_permissions(Permissions::from_mode(mode | execute))?;
        }
        sync(&self.file)
    }
    /// Gives the file its name. `is_part`: of a set that may have to be taken back.
    pub(crate) fn publish(mut self, is_part: bool) -> io::Result<Undo> {
        let Some(name) = self.name.as_ref().filter(|_| self.renames) else { return self.copy_over() };
        let kept = match &self.old {
            Some(_) if is_part => Some(keep(&self.target)?),
            _ => None,
        };
        match fs::rename(&name.path, &self.target) {
            Ok(()) => {}
            Err(error) if self.old.is_some() && is_forbidden(&error) => return self.copy_over(),
            Err(error) => return Err(error),
        }
        self.name = None;
        // The name itself reaches the disk with its directory; where that cannot be asked for, it does so later.
        let _ = File::open(directory(&self.target)).and_then(|directory| directory.sync_all());
        let target = self.target;
        Ok(match kept {
            Some(kept) => Undo::Rename(kept, target),
            None if is_part => Undo::Remove(target),
            None => Undo::Nothing,
        })
    }
    /// Writes all bytes over those of the existing file, which keeps everything else.
    fn copy_over(mut self) -> io::Result<Undo> {
        let mut to = OpenOptions::new().write(true).open(&self.target)?;
        let kept = File::open(&self.target).and_then(|mut from| {
            let mut kept = unnamed()?;
            io::copy(&mut from, &mut kept)?;
            Ok(kept)
        });
        let new = self.file.metadata()?.len();
        let was = to.metadata()?.len();
        let written = reserve(&to, was, new).and_then(|()| overwrite(&mut to, &mut self.file));
        match (written, kept) {
            (Ok(()), kept) => {
                if self.executable {
                    // Only its owner can do this.
                    let _ = self.file.metadata().and_then(|new| to.set_permissions(new.permissions()));
                }
                Ok(kept.map_or(Undo::Nothing, |kept| Undo::Rewrite(kept, self.target)))
            }
            (Err(error), kept) => {
                if let Ok(mut kept) = kept {
                    // The space for these bytes was there before.
                    let _ = overwrite(&mut to, &mut kept);
                }
                Err(error)
            }
        }
    }
}

impl Undo {
    /// Makes things as they were before, as far as the system lets.
    pub(crate) fn undo(self) {
        let _ = match self {
            Undo::Nothing => Ok(()),
            Undo::Remove(target) => fs::remove_file(target),
            Undo::Rename(name, target) => fs::rename(&name.path, target),
            Undo::Rewrite(mut kept, target) => {
                OpenOptions::new().write(true).open(target).and_then(|mut to| overwrite(&mut to, &mut kept))
            }
        };
    }
    /// Lets go of what was kept.
    pub(crate) fn forget(self) {}
}

/// A name of a draft in a directory; the file is removed with it.
#[derive(Debug)]
pub(super) struct Name {
    path: PathBuf,
    _registered: Registered,
}

impl Name {
    /// One that nobody else has drawn.
    fn draw(directory: &Path) -> Name {
        let path = directory.join(format!("{PREFIX}{:016x}{SUFFIX}", RandomState::new().build_hasher().finish()));
        Name { _registered: Registered::new(&path), path }
    }
    /// A new, locked file of such a name.
    fn create(directory: &Path, mode: u32) -> io::Result<(Name, File)> {
        loop {
            let name = Name::draw(directory);
            let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&name.path)?;
            // Some file systems have no locks; there, drafts of killed processes stay.
            let _ = file.lock();
            // Until the lock was taken, another process may have held the draft for left behind.
            if fs::symlink_metadata(&name.path)
                .is_ok_and(|found| file.metadata().is_ok_and(|own| is_same(&found, &own)))
            {
                return Ok((name, file));
            }
        }
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // It may be gone already; there is nothing left to undo.
        let _ = fs::remove_file(&self.path);
    }
}

/// A second name for a file, or another one where it cannot have two.
fn keep(target: &Path) -> io::Result<Name> {
    let name = Name::draw(directory(target));
    fs::hard_link(target, &name.path).or_else(|_| fs::rename(target, &name.path))?;
    Ok(name)
}

/// A file without a name, for bytes on their way.
fn unnamed() -> io::Result<File> {
    Ok(Name::create(&std::env::temp_dir(), 0o600)?.1)
}

/// Removes drafts whose processes are gone; once for each directory.
fn sweep(directory: &Path) {
    static SWEPT: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.get_or_insert_default().insert(std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())) {
        return;
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_draft = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        if is_draft && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // Who lives holds the lock.
            if File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether the file may be written; a running program may, by renaming.
pub(super) fn writable(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::ExecutableFileBusy => Err(error),
        _ => Ok(()),
    }
}

/// Gives a draft the owner of the old file; whether it now has it.
fn give(file: &File, old: &Metadata) -> bool {
    let owner = |data: &Metadata| (data.uid(), data.gid());
    match file.metadata() {
        Ok(new) if owner(&new) == owner(old) => true,
        _ => fchown(file, Some(old.uid()), Some(old.gid())).is_ok(),
    }
}

/// Whether an existing file can only be written in its own place.
fn is_forbidden(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS | libc::EBUSY | libc::EXDEV))
}

/// `fsync`, where the file system has it.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)) => Ok(()),
        other => other,
    }
}

/// Asks for the space that `file` of `was` bytes needs to become `new` bytes long.
fn reserve(file: &File, was: u64, new: u64) -> io::Result<()> {
    if new <= was {
        return Ok(());
    }
    // SAFETY: the descriptor is that of a live file, and the call touches no memory of ours.
    let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), was as libc::off_t, (new - was) as libc::off_t) };
    match code {
        0 | libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS => Ok(()),
        code => {
            let _ = file.set_len(was);
            Err(io::Error::from_raw_os_error(code))
        }
    }
}

/// Makes `to` hold what `from` holds, from the first byte.
fn overwrite(to: &mut File, from: &mut File) -> io::Result<()> {
    from.seek(SeekFrom::Start(0))?;
    to.seek(SeekFrom::Start(0))?;
    let len = io::copy(&mut from.by_ref(), to)?;
    to.set_len(len)?;
    sync(to)
}
