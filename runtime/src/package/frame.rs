//! Where the parts of a package lie in its file.
//!
//! ```text
//!   0           host          the bare program
//!   next page   header        magic, own offset, checksum; the rest of the page is empty
//!   next page   constants     page aligned, so that they can be mapped
//!               program       meta, program, machine code
//!               trailer       lengths, checksums, versions, magic: the last 72 bytes
//! ```
//!
//! Only lengths are written; offsets follow, and fit if and only if their sum is the size of the file. The
//! trailer is how a package is found. The header is how one is found whose end was cut off, so that it is
//! reported as damaged and not mistaken for a bare program.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

/// Bytes to which header and constants are aligned in the file. Mapping copes with larger pages.
pub(super) const PAGE: u64 = 4096;
/// Changes with the codec, with the calling convention of kernels, and with this layout.
pub(super) const FORMAT: u32 = 2;
/// The version of Regard that this is.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

const MAGIC: [u8; 16] = *b"\x89regard package\n";
const TRAILER: usize = 72;
const HEADER: usize = 28;
const VERSION_BYTES: usize = 16;
/// The most bytes that meta, program and code may have; they are read into memory.
const MAX_PROGRAM: u64 = 256 << 20;

/// Lengths and checksums of a package's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub host_len: u64,
    pub constants_len: u64,
    pub program_len: u64,
    pub program_crc: u32,
    pub constants_crc: u32,
}

/// What a file is.
pub(super) enum Found {
    /// A file that ends where the host ends.
    Bare,
    /// A package whose lengths fit the file, and the version of Regard that wrote it.
    Package(Frame, String),
    /// A package in a format that this version does not know.
    Format(u32),
    /// Something that once was a package; why it is none.
    Damaged(&'static str),
}

impl Frame {
    /// Where the header begins; nothing where the sum overflows, as in all functions below.
    pub(crate) fn header_at(&self) -> Option<u64> {
        self.host_len.checked_next_multiple_of(PAGE)
    }
    /// Where the constants begin.
    pub(crate) fn constants_at(&self) -> Option<u64> {
        self.header_at()?.checked_add(PAGE)
    }
    /// Where meta, program and code begin.
    pub(crate) fn program_at(&self) -> Option<u64> {
        self.constants_at()?.checked_add(self.constants_len)
    }
    fn file_len(&self) -> Option<u64> {
        self.program_at()?.checked_add(self.program_len)?.checked_add(TRAILER as u64)
    }

    /// The last bytes of the file.
    pub(crate) fn trailer(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER);
        bytes.extend([self.host_len, self.constants_len, self.program_len].iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend([self.program_crc, self.constants_crc].iter().flat_map(|n| n.to_le_bytes()));
        let mut version = VERSION.as_bytes().to_vec();
        version.resize(VERSION_BYTES, 0);
        bytes.extend(version);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(MAGIC);
        bytes
    }
    /// The inverse of [`Frame::trailer`] in a file of `file_len` bytes.
    fn from_trailer(bytes: &[u8; TRAILER], file_len: u64) -> Found {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let checked = 32 + VERSION_BYTES;
        match u32_at(checked + 4) {
            FORMAT => {}
            other => return Found::Format(other),
        }
        if crc32fast::hash(&bytes[..checked]) != u32_at(checked) {
            return Found::Damaged("the checksum of its trailer is wrong");
        }
        let frame = Frame {
            host_len: u64_at(0),
            constants_len: u64_at(8),
            program_len: u64_at(16),
            program_crc: u32_at(24),
            constants_crc: u32_at(28),
        };
        if frame.file_len() != Some(file_len) {
            return Found::Damaged("its parts do not add up to the size of the file");
        }
        if frame.program_len > MAX_PROGRAM {
            return Found::Damaged("its program is larger than any program is");
        }
        let version = String::from_utf8_lossy(&bytes[32..checked]);
        Found::Package(frame, version.trim_end_matches('\0').to_owned())
    }

    /// Looks at the end of a file, and at its pages if no package ends there.
    pub(crate) fn find(file: &mut File) -> io::Result<Found> {
        let file_len = file.seek(SeekFrom::End(0))?;
        let Some(at) = file_len.checked_sub(TRAILER as u64) else { return Ok(Found::Bare) };
        let mut trailer = [0; TRAILER];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut trailer)?;
        if trailer.ends_with(&MAGIC) {
            return Ok(Self::from_trailer(&trailer, file_len));
        }
        Ok(if has_header(file)? { Found::Damaged("its end is missing or overwritten") } else { Found::Bare })
    }
}

/// What the page before the constants begins with; it holds its own offset, so that the magic's copy inside
/// the host can never pass for it.
pub(super) fn header(at: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..16].copy_from_slice(&MAGIC);
    bytes[16..24].copy_from_slice(&at.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..24]);
    bytes[24..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Whether a header begins at any page of the file. It is read piece by piece: others may change it meanwhile.
fn has_header(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut page = Vec::with_capacity(PAGE as usize);
    for at in (0..).step_by(PAGE as usize) {
        page.clear();
        reader.by_ref().take(PAGE).read_to_end(&mut page)?;
        if page.starts_with(&MAGIC) && page.starts_with(&header(at)) {
            return Ok(true);
        }
        if (page.len() as u64) < PAGE {
            break;
        }
    }
    Ok(false)
}
