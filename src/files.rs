//! Reading and writing whole files without leaving halves behind.
//!
//! A result is written beside its destination and renamed, so a file is either the old one or the new one,
//! whatever happens in between.

use crate::errors::{Error, Result};
use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Read, Write},
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

/// Writes `bytes` to `path`: beside it first, then renamed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes).map_err(|source| Error::Write { path: path.to_owned(), source }))
}

/// Lets `fill` write a file, of which nothing is left where that fails.
///
/// # Errors
/// As `fill`, and where the file cannot be made.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let unwritable = |source| Error::Write { path: path.to_owned(), source };
    let Some(name) = path.file_name() else {
        return Err(unwritable(io::Error::new(io::ErrorKind::InvalidInput, "it names no file")));
    };
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_file_name(format!(".{}.{}-{number}.part", name.to_string_lossy(), process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&draft).map_err(unwritable)?;
    let mut file = BufWriter::new(file);
    let written = fill(&mut file)
        .and_then(|()| file.flush().map_err(unwritable))
        .and_then(|()| fs::rename(&draft, path).map_err(unwritable));
    written.inspect_err(|_| {
        // It may be gone already; there is nothing left to undo.
        let _ = fs::remove_file(&draft);
    })
}

/// The bytes of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        let why = format!("it has more than {limit} bytes");
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidData, why)));
    }
    Ok(bytes)
}

/// The text of a file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let bytes = read(path, limit)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let why = format!("it is not UTF-8 text (byte {at})");
        Error::Read { path: path.to_owned(), source: io::Error::new(io::ErrorKind::InvalidData, why) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_no_draft_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn unwritable_and_oversized_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("no/such/out");
        assert!(write(&missing, b"x").unwrap_err().to_string().contains("no/such/out"));
        // A directory cannot be replaced by a file; nothing is left beside it.
        fs::create_dir(dir.path().join("taken")).unwrap();
        assert!(write(&dir.path().join("taken"), b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let path = dir.path().join("long");
        write(&path, b"12345").unwrap();
        assert!(read(&path, 4).unwrap_err().to_string().contains("more than 4 bytes"));
        write(&path, b"ab\xff").unwrap();
        assert!(read_text(&path, 9).unwrap_err().to_string().contains("byte 2"));
    }
}
