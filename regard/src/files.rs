//! Reading and writing whole files. Everything that this program writes to a file goes through here.
//!
//! How a file is written, whole or not at all, through links, in place to devices, is the matter of
//! `regard_runtime::files`; here it gets the errors of this crate.

use crate::errors::{Error, Result};
use regard_runtime::files::{Output, publish};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

pub use regard_runtime::files::{identity, is_regular, is_standard_output};

/// Writes `bytes` to `path`; `-` is standard output.
///
/// # Errors
/// Where it cannot be written; what was there before is untouched.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes).map_err(|source| unwritable(path, source)))
}

/// Checks that `path` can be written, without writing it.
///
/// # Errors
/// The reason why it cannot.
pub fn check(path: &Path) -> Result<()> {
    regard_runtime::files::check(path).map_err(|source| unwritable(path, source))
}

/// Lets `fill` write a file, of which nothing is left where that fails.
///
/// # Errors
/// As `fill`, and as [`write()`].
pub(crate) fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = Output::create(path).map_err(|source| unwritable(path, source))?;
    fill(&mut file)?;
    publish(vec![file]).map_err(|(path, source)| Error::Write { path, source })
}

/// Writes several files, each from its parts one after the other: all of them, or none.
///
/// # Errors
/// As [`write()`], with the path of the first that cannot be written.
pub fn write_set(set: &[(&Path, Vec<&[u8]>)]) -> Result<()> {
    let mut files = Vec::new();
    for (path, parts) in set {
        let mut file = Output::create(path).map_err(|source| unwritable(path, source))?;
        parts.iter().try_for_each(|part| file.write_all(part)).map_err(|source| unwritable(path, source))?;
        files.push(file);
    }
    publish(files).map_err(|(path, source)| Error::Write { path, source })
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Write { path: PathBuf::from(path), source }
}

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
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

/// The text of a file of at most `limit` bytes, without a byte order mark.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let mut bytes = read(path, limit)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
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
        write(&path, b"\xef\xbb\xbfa").unwrap();
        assert_eq!(read_text(&path, 9).unwrap(), "a");
        write(&path, b"ab\xff").unwrap();
        assert!(read_text(&path, 9).unwrap_err().to_string().contains("byte 2"));
    }
}
