//! Blocks: the runs of bytes that tensors are parts of.
//!
//! ```text
//!   safetensors   one block after the header          zip   one block per entry, plain or deflated, with its CRC
//! ```
//!
//! The checksum of an entry is computed when a byte of it is read for the first time. A deflated entry is inflated as a
//! whole, and so is the stretch of a tensor with strides read: both are kept while memory for them lasts ([`KEPT`]), since
//! a tensor is read in many pieces.

use super::Fault;
use flate2::read::DeflateDecoder;
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Bytes of inflated entries and stretches that are kept, beside the latest.
const KEPT: usize = 256 << 20;
/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// A run of bytes in one file.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Number of the file.
    pub file: usize,
    /// Its first byte there.
    pub start: u64,
    /// Bytes there.
    pub stored: u64,
    /// Bytes of its content.
    pub length: u64,
    /// How that became what is there.
    pub packing: Packing,
    /// What it is called, for users.
    pub name: String,
    /// Its content, where that had to be decoded in another way.
    pub held: Option<Arc<Vec<u8>>>,
}

/// How the bytes of a block are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As they are, without a checksum.
    Plain,
    /// As they are, with their CRC-32.
    Checked(u32),
    /// Deflated, with the CRC-32 of the content.
    Deflated(u32),
}

impl Block {
    /// Bytes `start .. start + length` of file 0 as they are.
    pub(crate) fn plain(start: u64, length: u64) -> Block {
        Block { file: 0, start, stored: length, length, packing: Packing::Plain, name: "data".into(), held: None }
    }
    /// Bytes in memory.
    pub(crate) fn held(bytes: Vec<u8>) -> Block {
        Block { held: Some(Arc::new(bytes)), ..Block::plain(0, 0) }
    }
}

/// All blocks of an archive.
#[derive(Debug)]
pub(crate) struct Blocks {
    files: Vec<Mutex<File>>,
    blocks: Vec<Block>,
    /// Whether a block's checksum was found right.
    checked: Vec<OnceLock<()>>,
    kept: Mutex<Kept>,
}

/// Bytes of blocks that were read before, the latest last.
#[derive(Debug, Default)]
struct Kept(Vec<(Stretch, Arc<Vec<u8>>)>);

/// Block, first byte, bytes.
type Stretch = (usize, u64, usize);

impl Blocks {
    pub(crate) fn new(files: Vec<File>, blocks: Vec<Block>) -> Blocks {
        let checked = blocks.iter().map(|_| OnceLock::new()).collect();
        Blocks { files: files.into_iter().map(Mutex::new).collect(), blocks, checked, kept: Mutex::default() }
    }
    /// Fills `to` with the bytes of a block from `at` on.
    pub(crate) fn read_at(&self, block: usize, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        let found = &self.blocks[block];
        if let Some(content) = &found.held {
            to.copy_from_slice(&content[at as usize..][..to.len()]);
            return Ok(());
        }
        if let Packing::Deflated(_) = found.packing {
            let content = self.stretch((block, 0, found.length as usize))?;
            to.copy_from_slice(&content[at as usize..][..to.len()]);
            return Ok(());
        }
        self.check(block)?;
        Ok(self.read_file(found.file, found.start + at, to)?)
    }
    /// Bytes of a block, kept for the next time.
    pub(crate) fn stretch(&self, stretch: Stretch) -> Result<Arc<Vec<u8>>, Fault> {
        let kept = |kept: &Kept| kept.0.iter().find(|(other, _)| *other == stretch).map(|(_, bytes)| Arc::clone(bytes));
        if let Some(bytes) = kept(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(bytes);
        }
        let (block, at, length) = stretch;
        let found = &self.blocks[block];
        let mut bytes = room(length, &found.name)?;
        match found.packing {
            Packing::Deflated(crc) if length as u64 == found.length => {
                let mut file = self.lock(found.file);
                inflate(&mut file, found, crc, &mut bytes)?;
            }
            _ => {
                bytes.resize(length, 0);
                self.read_at(block, at, &mut bytes)?;
            }
        }
        let bytes = Arc::new(bytes);
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        all.0.push((stretch, Arc::clone(&bytes)));
        while all.0.len() > 1 && all.0.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > KEPT {
            all.0.remove(0);
        }
        Ok(bytes)
    }

    /// Compares the checksum of a plain block, once.
    fn check(&self, block: usize) -> Result<(), Fault> {
        let (found, checked) = (&self.blocks[block], &self.checked[block]);
        let Packing::Checked(crc) = found.packing else { return Ok(()) };
        if checked.get().is_some() {
            return Ok(());
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; PIECE.min(found.length as usize)];
        let mut at = 0;
        while at < found.length {
            let part = (buffer.len() as u64).min(found.length - at) as usize;
            self.read_file(found.file, found.start + at, &mut buffer[..part])?;
            hasher.update(&buffer[..part]);
            at += part as u64;
        }
        same_checksum(found, hasher.finalize(), crc)?;
        checked.get_or_init(|| ());
        Ok(())
    }
    fn read_file(&self, file: usize, start: u64, to: &mut [u8]) -> io::Result<()> {
        let mut file = self.lock(file);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(to)
    }
    fn lock(&self, file: usize) -> std::sync::MutexGuard<'_, File> {
        self.files[file].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole content of a block of `file`, of at most `most` bytes.
pub(crate) fn content(file: &mut File, block: &Block, most: u64) -> Result<Vec<u8>, Fault> {
    if block.length > most {
        let (name, length) = (&block.name, block.length);
        return Err(Fault::Broken(format!("its entry {name} has {length} bytes, expected at most {most}")));
    }
    let mut bytes = room(block.length as usize, &block.name)?;
    match block.packing {
        Packing::Deflated(crc) => inflate(file, block, crc, &mut bytes)?,
        Packing::Plain | Packing::Checked(_) => {
            bytes.resize(block.length as usize, 0);
            file.seek(SeekFrom::Start(block.start))?;
            file.read_exact(&mut bytes)?;
            if let Packing::Checked(crc) = block.packing {
                same_checksum(block, crc32fast::hash(&bytes), crc)?;
            }
        }
    }
    Ok(bytes)
}

fn inflate(file: &mut File, block: &Block, crc: u32, to: &mut Vec<u8>) -> Result<(), Fault> {
    file.seek(SeekFrom::Start(block.start))?;
    let packed = BufReader::with_capacity(PIECE, file.take(block.stored));
    let read = DeflateDecoder::new(packed).take(block.length + 1).read_to_end(to);
    let name = &block.name;
    read.map_err(|error| Fault::Broken(format!("damaged: its entry {name} cannot be inflated ({error})")))?;
    let (found, expected) = (to.len() as u64, block.length);
    if found != expected {
        let found = if found > expected { "more".to_owned() } else { found.to_string() };
        return Err(Fault::Broken(format!("damaged: its entry {name} inflates to {found} bytes, expected {expected}")));
    }
    same_checksum(block, crc32fast::hash(to), crc)
}

fn same_checksum(block: &Block, found: u32, expected: u32) -> Result<(), Fault> {
    match found == expected {
        true => Ok(()),
        false => Err(Fault::Broken(format!(
            "damaged: the checksum of its entry {} is {found:08x}, expected {expected:08x}",
            block.name
        ))),
    }
}

/// An empty buffer for `length` bytes and one more, which tells too many.
fn room(length: usize, name: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let refused = |_| Fault::Broken(format!("{name} needs {length} bytes of memory, which the system refuses"));
    bytes.try_reserve_exact(length.saturating_add(1)).map_err(refused)?;
    Ok(bytes)
}
