//! Archives: named tensors on disk, read one at a time.
//!
//! ```text
//!   x.safetensors ─ header ──────────┐
//!   x.pth, x.pt   ─ zip ─ pickle ────┴─▶ name → type, shape, place ─▶ elements, piece by piece
//! ```
//!
//! Whatever the format, a tensor is a place in the file: a first byte and, where it was stored transposed or
//! cut out of something larger, a stride per axis. What the file claims about itself is checked against its
//! size before anything is believed, and a tensor is read in pieces and converted on the way, so a hostile
//! file cannot ask for memory and a large checkpoint never lies in memory twice.

pub mod elements;
pub mod safetensors;
mod torch;

pub use self::safetensors::{Tensor, copy, write};

use crate::errors::{Error, Result};
use ::safetensors::Dtype;
use half::{bf16, f16};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// The longest stretch of a file that is read for one piece of a tensor with strides, in bytes.
const STRETCH: u64 = 16 << 20;

/// An open file of tensors.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: Mutex<File>,
    contents: Contents,
}

/// What a file says that it holds.
#[derive(Debug, Default)]
struct Contents {
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
    /// Entries that are no tensors, and what they are.
    left_out: BTreeMap<String, String>,
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Element type in the file.
    pub dtype: Dtype,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// First byte in the file.
    start: u64,
    /// Elements from one index to the next, per axis; nothing for row-major tensors.
    strides: Option<Vec<usize>>,
}

impl Stored {
    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
    /// How many bytes those elements are.
    pub fn bytes(&self) -> u64 {
        (self.elements() * self.element_bytes()) as u64
    }
    fn element_bytes(&self) -> usize {
        self.dtype.bitsize() / 8
    }
}

impl Archive {
    /// Opens a safetensors file or a PyTorch checkpoint and reads where its tensors lie. In a checkpoint, the
    /// dictionary that holds the tensors is looked for under the usual names.
    ///
    /// # Errors
    /// Where the file cannot be read, is neither, or claims what it does not hold.
    pub fn open(path: &Path) -> Result<Archive> {
        Self::open_part(path, None)
    }
    /// The same, for the dictionary of tensors under `key` of a PyTorch checkpoint, for example `model_ema`.
    ///
    /// # Errors
    /// As [`open`](Archive::open), and where there is no such dictionary.
    pub fn open_part(path: &Path, key: Option<&str>) -> Result<Archive> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut magic = Vec::new();
        file.by_ref().take(torch::MAGIC_BYTES).read_to_end(&mut magic).map_err(unreadable)?;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let contents = match torch::Format::of(&magic) {
            Some(format) => torch::contents(&mut file, format, key),
            None if path.extension().is_some_and(|e| e == "pth" || e == "pt") => Err(Fault::Broken(
                "not a PyTorch checkpoint: it begins neither as a zip archive nor as a pickle".into(),
            )),
            None if key.is_some() => Err(Fault::Broken("a safetensors file has no keys, only tensors".into())),
            None => safetensors::contents(&mut file),
        };
        match contents {
            Ok(contents) => Ok(Archive { path: path.to_owned(), file: Mutex::new(file), contents }),
            Err(Fault::Read(source)) => Err(unreadable(source)),
            Err(Fault::Broken(what)) => Err(Error::Archive { path: path.to_owned(), what }),
        }
    }
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Names and types of all tensors, by name.
    pub fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.contents.tensors
    }
    /// Entries beside the tensors, by name, and what they are.
    pub fn left_out(&self) -> &BTreeMap<String, String> {
        &self.contents.left_out
    }
    /// Free metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.contents.metadata.get(key).map(String::as_str)
    }
    /// The tensor of that name.
    pub fn stored(&self, name: &str) -> Result<&Stored> {
        self.contents.tensors.get(name).ok_or_else(|| match self.contents.left_out.get(name) {
            Some(what) => self.error(format!("{name} is {what}, expected a tensor")),
            None => self.error(format!("it has no tensor {name}")),
        })
    }
    /// A tensor of floats, converted to f32.
    ///
    /// # Errors
    /// Where there is no such tensor, it does not hold floats, or the file cannot be read.
    pub fn floats(&self, name: &str) -> Result<Vec<f32>> {
        self.floats_in(name, 0..self.stored(name)?.elements())
    }
    /// The part `range` of a tensor of floats, row-major.
    ///
    /// # Errors
    /// As [`floats`](Archive::floats), and where the tensor is shorter.
    pub fn floats_in(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let elements = self.stored(name)?.elements();
        if range.end > elements {
            return Err(self.error(format!("tensor {name} has {elements} elements, asked for was {}", range.end)));
        }
        let mut out = Vec::with_capacity(range.len());
        self.each_float(name, range, |piece| out.extend(piece))?;
        Ok(out)
    }
    /// Passes the part `range` of a tensor of floats piece by piece, converted to f32, without holding it.
    ///
    /// # Errors
    /// As [`floats_in`](Archive::floats_in).
    pub fn each_float(
        &self,
        name: &str,
        range: Range<usize>,
        mut piece: impl FnMut(&mut dyn Iterator<Item = f32>),
    ) -> Result<()> {
        let stored = self.stored(name)?;
        match stored.dtype {
            Dtype::F64 => self.read(stored, range, |b| piece(&mut words(b).map(|b| f64::from_le_bytes(b) as f32))),
            Dtype::F32 => self.read(stored, range, |b| piece(&mut words(b).map(f32::from_le_bytes))),
            Dtype::F16 => self.read(stored, range, |b| piece(&mut words(b).map(|b| f16::from_le_bytes(b).to_f32()))),
            Dtype::BF16 => self.read(stored, range, |b| piece(&mut words(b).map(|b| bf16::from_le_bytes(b).to_f32()))),
            dtype => Err(self.error(format!("tensor {name} is {dtype}, expected F32, F16, BF16 or F64"))),
        }
    }
    /// An error about this file.
    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::Archive { path: self.path.clone(), what: what.into() }
    }

    /// Passes the bytes of elements `range`, which exist, piece by piece in row-major order.
    fn read(&self, stored: &Stored, range: Range<usize>, mut piece: impl FnMut(&[u8])) -> Result<()> {
        self.try_read(stored, range, |bytes| {
            piece(bytes);
            Ok(())
        })
    }
    /// The same, where what is done with a piece may fail.
    fn try_read(&self, stored: &Stored, range: Range<usize>, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let size = stored.element_bytes();
        let mut buffer = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let part = at..range.end.min(at + PIECE / size);
            at = part.end;
            buffer.resize(part.len() * size, 0);
            let read = match &stored.strides {
                None => self.read_at(stored.start + (part.start * size) as u64, &mut buffer),
                Some(strides) => self.gather(stored, &positions(&stored.shape, strides, part), &mut buffer),
            };
            read.map_err(|source| Error::Read { path: self.path.clone(), source })?;
            piece(&buffer)?;
        }
        Ok(())
    }
    /// Fills `to` with the elements at `positions`, counted in elements from the tensor's first: out of one
    /// stretch of the file where that is short, else run by run.
    fn gather(&self, stored: &Stored, positions: &[usize], to: &mut [u8]) -> io::Result<()> {
        let size = stored.element_bytes();
        let (Some(&first), Some(&last)) = (positions.iter().min(), positions.iter().max()) else { return Ok(()) };
        let place = |position: usize| stored.start + (position * size) as u64;
        let stretch = place(last + 1) - place(first);
        if stretch <= STRETCH {
            let mut bytes = vec![0; stretch as usize];
            self.read_at(place(first), &mut bytes)?;
            for (to, &position) in to.chunks_exact_mut(size).zip(positions) {
                to.copy_from_slice(&bytes[(position - first) * size..][..size]);
            }
            return Ok(());
        }
        let mut done = 0;
        for run in positions.chunk_by(|a, b| a + 1 == *b) {
            self.read_at(place(run[0]), &mut to[done..done + run.len() * size])?;
            done += run.len() * size;
        }
        Ok(())
    }
    fn read_at(&self, start: u64, to: &mut [u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(to)
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
enum Fault {
    /// The system's reason.
    Read(io::Error),
    /// What is wrong with what it holds.
    Broken(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Read(error)
    }
}

/// Where the elements of a row-major `range` lie, in elements from the tensor's first.
fn positions(shape: &[usize], strides: &[usize], range: Range<usize>) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    let mut rest = range.start;
    for axis in (0..shape.len()).rev() {
        (index[axis], rest) = (rest % shape[axis], rest / shape[axis]);
    }
    let mut positions = Vec::with_capacity(range.len());
    for _ in range {
        positions.push(index.iter().zip(strides).map(|(i, s)| i * s).sum());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    positions
}

/// Whether a file's element type is one that converts to f32.
pub fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests;
