//! Archives: named tensors on disk, read one at a time.
//!
//! ```text
//!   x.safetensors ─ header ──────────────┐
//!   index.json, directory ─ shards ──────┤
//!   x.pth, x.pt   ─ zip ─ pickle ────────┼─▶ name → type, shape, place ─▶ elements, piece by piece
//!   x.pkl         ─ pickle of arrays ────┤
//!   x.npz, x.npy  ─ zip ─ array headers ─┘
//! ```
//!
//! The content of a file decides what it is, never its name (`kind.rs`). Whatever the format, a tensor is a place in a
//! block (`blocks.rs`): a first byte and, where it was stored transposed or cut out of something larger, a stride per
//! axis. What the file claims about itself is checked against its size before anything is believed, and a tensor is
//! read in pieces and converted on the way, so a hostile file cannot ask for memory and a large checkpoint never lies
//! in memory twice.

mod blocks;
pub(crate) mod elements;
mod kind;
mod numpy;
mod open;
pub(crate) mod safetensors;
mod shards;
mod stored;
mod strided;
mod torch;
mod zip;

pub use self::{
    safetensors::{Tensor, copy, write},
    stored::Stored,
};
use regard_ir::count::counted;

use self::blocks::{Block, Blocks};
use crate::errors::{Error, Result};
use ::safetensors::Dtype;
use half::{bf16, f16};
use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

/// An open file of tensors, or several that belong together.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    blocks: Blocks,
    contents: Contents,
}

/// What files say that they hold.
#[derive(Debug, Default)]
struct Contents {
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
    /// Where the elements of tensors lie.
    blocks: Vec<Block>,
    /// Entries that are not tensors, and what they are; the first of them where there are many.
    left_out: BTreeMap<String, String>,
    /// How many entries are left out beside those.
    more_left_out: usize,
    /// The keys of the dictionary that was entered, and those of others that hold tensors too.
    keys: Keys,
}

/// Which dictionary of a checkpoint the tensors are from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// From the outermost dictionary to the one that was entered, joined by dots; empty for the outermost.
    pub entered: String,
    /// Other keys of the outermost dictionary that hold tensors.
    pub others: Vec<String>,
}

/// Which part of an archive is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    /// The key of the dictionary that holds the tensors; found by itself where absent.
    pub key: Option<&'a str>,
    /// What the names of the tensors begin with; it is dropped.
    pub prefix: Option<&'a str>,
}

impl Archive {
    /// Opens a file or a directory of tensors and reads where they lie: safetensors, one file or several with their
    /// index; what PyTorch writes; pickles of NumPy arrays, `.npz` and `.npy`. In a checkpoint, the dictionary that holds the tensors is looked for.
    ///
    /// # Errors
    /// Where the file cannot be read, is something else, or claims what it does not hold.
    pub fn open(path: &Path) -> Result<Archive> {
        Self::open_part(path, Part::default())
    }
    /// The same, for a part of it.
    ///
    /// # Errors
    /// As [`open`](Archive::open), and where there is no such part.
    pub fn open_part(path: &Path, part: Part) -> Result<Archive> {
        let (files, mut contents) = open::open(path, part.key)?;
        if let Some(prefix) = part.prefix {
            contents.only(prefix).map_err(|fault| fault.at(path))?;
        }
        let blocks = Blocks::new(files, std::mem::take(&mut contents.blocks));
        Ok(Archive { path: path.to_owned(), blocks, contents })
    }
    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
    /// Names and types of all tensors, by name.
    pub fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.contents.tensors
    }
    /// Entries beside the tensors, by name, and what they are; of many, the first.
    pub fn left_out(&self) -> &BTreeMap<String, String> {
        &self.contents.left_out
    }
    /// How many entries there are beside the tensors and those that [`left_out`](Self::left_out) names.
    pub fn more_left_out(&self) -> usize {
        self.contents.more_left_out
    }
    /// Which dictionary of a checkpoint the tensors are from.
    pub fn keys(&self) -> &Keys {
        &self.contents.keys
    }
    /// Free metadata.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
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
    /// As [`floats`](Archive::floats), and where the tensor is shorter or memory is refused.
    pub(crate) fn floats_in(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let mut out = Vec::new();
        self.append_floats(name, self.stored(name)?, range, &mut out)?;
        Ok(out)
    }
    /// Appends the part `range` of a tensor of floats, `name` being what it is called in errors.
    ///
    /// # Errors
    /// As [`floats_in`](Archive::floats_in).
    pub(crate) fn append_floats(
        &self,
        name: &str,
        stored: &Stored,
        range: Range<usize>,
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let elements = stored.elements();
        if range.end > elements {
            return Err(self.error(format!("tensor {name} has {elements} elements, asked for was {}", range.end)));
        }
        self.reserve(name, out, range.len())?;
        self.each_float(name, stored, range, |piece| out.extend(piece))
    }
    /// Passes the part `range` of a tensor of floats piece by piece, converted to f32, without holding it.
    ///
    /// # Errors
    /// As [`floats_in`](Archive::floats_in).
    pub(crate) fn each_float(
        &self,
        name: &str,
        stored: &Stored,
        range: Range<usize>,
        mut piece: impl FnMut(&mut dyn Iterator<Item = f32>),
    ) -> Result<()> {
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

    /// Room for `count` more numbers of a tensor.
    fn reserve<T>(&self, name: &str, out: &mut Vec<T>, count: usize) -> Result<()> {
        let bytes = count.saturating_mul(size_of::<T>());
        out.try_reserve_exact(count)
            .map_err(|_| self.error(format!("tensor {name} needs {bytes} bytes of memory, which the system refuses")))
    }
    /// Passes the bytes of elements `range`, which exist, piece by piece in row-major order, little-endian.
    fn read(&self, stored: &Stored, range: Range<usize>, mut piece: impl FnMut(&[u8])) -> Result<()> {
        self.try_read(stored, range, |bytes| {
            piece(bytes);
            Ok(())
        })
    }
    /// The same, where what is done with a piece may fail.
    fn try_read(&self, stored: &Stored, range: Range<usize>, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        stored.read(&self.blocks, range, &mut |bytes| piece(bytes).map_err(Fault::Other)).map_err(|f| f.at(&self.path))
    }
}

impl Contents {
    /// Keeps the tensors whose names begin with `prefix`, and drops it.
    fn only(&mut self, prefix: &str) -> std::result::Result<(), Fault> {
        let rest = |name: &String| name.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(str::to_owned);
        let kept: BTreeMap<String, Stored> =
            self.tensors.iter().filter_map(|(name, stored)| Some((rest(name)?, stored.clone()))).collect();
        if kept.is_empty() {
            let first = self.tensors.keys().next().map_or_else(String::new, |name| format!(", one is {name}"));
            let count = counted(self.tensors.len(), "tensor");
            return Err(Fault::Broken(format!("none of its {count} has a name that begins with `{prefix}`{first}")));
        }
        self.left_out = self.left_out.iter().filter_map(|(name, what)| Some((rest(name)?, what.clone()))).collect();
        self.tensors = kept;
        Ok(())
    }
}

/// Why a file cannot be used.
#[derive(Debug)]
enum Fault {
    /// The system's reason.
    Read(io::Error),
    /// What is wrong with what it holds.
    Broken(String),
    /// An error that has its sentence already.
    Other(Error),
}

impl Fault {
    /// The error about the file at `path`.
    fn at(self, path: &Path) -> Error {
        match self {
            Fault::Read(source) => Error::Read { path: path.to_owned(), source },
            Fault::Broken(what) => Error::Archive { path: path.to_owned(), what },
            Fault::Other(error) => error,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Read(error)
    }
}

/// Whether a file's element type is one that converts to f32.
pub(crate) fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

#[cfg(test)]
mod tests;
