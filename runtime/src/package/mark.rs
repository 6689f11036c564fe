//! A mark in the program's own image that says whether the program carries a model, and which.
//!
//! ```text
//!   as linked        tag │ 0 0 0 …              │ version, format     a program without a model: command line or runner
//!   in a package     tag │ lengths, checksums   │ version, format     the first bytes of the trailer of its own payload
//! ```
//!
//! The payload lies after what is loaded, so tools can take it away: `strip` does. The mark lies in the loaded image and
//! stays. A program that is marked runs its model or says that it is missing; it never takes itself for the compiler.

use super::frame::{FORMAT, VERSION};
use std::{
    fs::File,
    io::{self, BufReader, Read},
};

/// Bytes of the tag.
const TAG: usize = 16;
/// Bytes of what follows it.
pub(super) const CARRIED: usize = 32;
/// What a mark is aligned to, in memory and therefore in the file.
const ALIGN: usize = 64;

#[repr(C, align(64))]
struct Mark([u8; ALIGN]);

/// The tag stands nowhere else in the program: whoever looks for it reads it from here.
#[used]
static MARK: Mark = Mark(bare());

const fn bare() -> [u8; ALIGN] {
    let mut bytes = [0; ALIGN];
    bytes.split_at_mut(TAG).0.copy_from_slice(b"\x91Regard\x03mark\xd7\x05\xe3\n");
    let (version, format) =
        bytes.split_at_mut(TAG + CARRIED).1.split_at_mut(ALIGN - TAG - CARRIED - size_of_val(&FORMAT));
    version.split_at_mut(VERSION.len()).0.copy_from_slice(VERSION.as_bytes());
    format.copy_from_slice(&FORMAT.to_le_bytes());
    bytes
}

/// The mark as it was loaded; the compiler must not believe in its initial value.
fn loaded() -> [u8; ALIGN] {
    // SAFETY: the pointer is to a live static, which nobody writes.
    unsafe { (&raw const MARK.0).read_volatile() }
}

/// Where the mark was loaded.
pub(super) fn address() -> usize {
    (&raw const MARK).addr()
}

/// The beginning of the trailer of the model that this program carries; nothing where it carries none.
pub(super) fn carried() -> Option<[u8; CARRIED]> {
    let carried: [u8; CARRIED] = loaded()[TAG..TAG + CARRIED].try_into().expect("so many bytes");
    (carried != [0; CARRIED]).then_some(carried)
}

/// Writes into the copy `host` of a program which model it will carry. Other files have no mark and stay as they are.
///
/// # Errors
/// Where there are several marks.
pub(super) fn set(host: &mut [u8], carried: &[u8; CARRIED]) -> io::Result<()> {
    let marks: Vec<usize> = places(host).collect();
    match marks[..] {
        [] => Ok(()),
        [at] => {
            host[at + TAG..][..CARRIED].copy_from_slice(carried);
            Ok(())
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it has several marks, expected one")),
    }
}

/// Whether an image is that of a program without a model, of this program's version and format. This program carries none.
pub(super) fn is_bare(image: &[u8]) -> bool {
    let marks: Vec<usize> = places(image).collect();
    matches!(marks[..], [at] if image[at..at + ALIGN] == loaded())
}

/// Where marks lie in an image.
fn places(image: &[u8]) -> impl Iterator<Item = usize> {
    let tag: [u8; TAG] = loaded()[..TAG].try_into().expect("so many bytes");
    image.chunks_exact(ALIGN).enumerate().filter(move |(_, chunk)| chunk.starts_with(&tag)).map(|(i, _)| i * ALIGN)
}

/// Whether the first `len` bytes of two files are one program, whatever either carries.
pub(super) fn is_same_program(a: &mut File, b: &mut File, len: u64) -> io::Result<bool> {
    let image = |file: &mut File| {
        let mut bytes = Vec::new();
        BufReader::new(file.take(len)).read_to_end(&mut bytes)?;
        set(&mut bytes, &[0; CARRIED])?;
        io::Result::Ok(bytes)
    };
    let (a, b) = (image(a)?, image(b)?);
    Ok(a.len() as u64 == len && a == b)
}

/// Whether a file holds a program with this mark.
pub(super) fn is_in(file: &mut File, carried: Option<[u8; CARRIED]>) -> io::Result<bool> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let carried = carried.unwrap_or_default();
    Ok(places(&bytes).any(|at| bytes[at + TAG..][..CARRIED] == carried))
}
