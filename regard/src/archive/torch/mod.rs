//! PyTorch checkpoints, `.pth` and `.pt`, read without Python.
//!
//! ```text
//!   zip archive (since PyTorch 1.6)              legacy, one pickle after the other
//!     NAME/data.pkl   the pickle                   magic number, protocol, machine
//!     NAME/byteorder  little or big                the pickle
//!     NAME/data/0     numbers of storage 0         keys of the storages
//!     NAME/data/1     …                            per storage: count, numbers
//! ```
//!
//! The [pickle machine](pickle) says which tensors there are and which part of which storage each is; here the
//! storages get their places in the file, and every part is held against them. A tensor is then read as one of a
//! safetensors file is.

mod arrays;
mod dicts;
mod lines;
mod names;
mod pickle;
mod value;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use super::{
    Contents, Fault, Keys, Stored,
    blocks::{self, Block},
};
use arrays::{Array, Origin};
use pickle::Pickle;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};
use value::{TensorAt, Value};

/// The longest pickle believed, in bytes: arrays of NumPy lie in it.
const MAX_PICKLE: u64 = 1 << 32;
/// The longest pickles of the legacy format, whose storages come after them.
const MAX_LEGACY: u64 = 64 << 20;
/// The bytes that all tensors together may have, whatever the file's size; shared storages and strides of 0
/// make more of a file than it holds.
const ALWAYS_BELIEVED: u64 = 1 << 30;

/// Which tensors a zip archive holds, and where; those under `key`, or under the usual names.
pub(super) fn zipped(file: &mut File, entries: Vec<Block>, key: Option<&str>) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let pickles: Vec<&str> = entries.iter().filter_map(|entry| entry.name.strip_suffix("data.pkl")).collect();
    let folder = match pickles[..] {
        [folder] if folder.is_empty() || folder.ends_with('/') => folder.to_owned(),
        _ => {
            return Err(broken(format!(
                "not a PyTorch checkpoint: this zip archive has {} entries data.pkl, expected one",
                pickles.len()
            )));
        }
    };
    let places: BTreeMap<&str, usize> = entries.iter().enumerate().map(|(i, entry)| (entry.name.as_str(), i)).collect();
    let entry = |name: &str| places.get(format!("{folder}{name}").as_str()).copied();
    if entry("constants.pkl").is_some() {
        return Err(broken("a TorchScript program, expected a checkpoint: torch.save(model.state_dict(), …)".into()));
    }
    let mut bytes = |name: &str, most: u64| match entry(name) {
        Some(at) => blocks::content(file, &entries[at], most).map(Some),
        None => Ok(None),
    };
    let swapped = match bytes("byteorder", 64)?.as_deref() {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(_) => return Err(broken("its byte order is neither little nor big".into())),
    };
    let pickle = bytes("data.pkl", MAX_PICKLE)?.unwrap_or_default();
    let pickle = load(&pickle, 0)?;
    let found = dicts::contents(&pickle, key)?;
    let place = |key: &str| {
        let at = entry(&format!("data/{key}"))?;
        Some((at, 0, entries[at].length))
    };
    let origin = Origin { block: entry("data.pkl").unwrap_or_default(), start: 0, blocks: entries.len() };
    let mut contents = found.placed(place, origin, swapped, size)?;
    contents.blocks.splice(..0, entries);
    Ok(contents)
}

/// The same of a file in the legacy format.
pub(super) fn legacy(file: &mut File, key: Option<&str>) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(MAX_LEGACY).read_to_end(&mut bytes)?;
    // Magic number, protocol and a description of the machine come first.
    let mut at = 0;
    for _ in 0..3 {
        at += load(&bytes[at..], at)?.length;
    }
    let pickle = load(&bytes[at..], at)?;
    let origin = Origin { block: 0, start: at as u64, blocks: 1 };
    at += pickle.length;
    let keys = load(&bytes[at..], at)?;
    let mut next = (at + keys.length) as u64;
    let Value::List(list) = keys.values.get(keys.root) else {
        return Err(broken("damaged: its storages are not listed".into()));
    };
    let known = pickle.values.storages();
    let mut places = BTreeMap::new();
    for &id in list {
        let Some(key) = keys.values.text(id) else {
            return Err(broken("damaged: a storage has no name".into()));
        };
        let Some(storage) = known.get(key) else {
            return Err(broken(format!("storage {key:?} holds numbers of a type that is not read")));
        };
        let width = storage.dtype.bitsize() as u64 / 8;
        let mut count = [0; 8];
        file.seek(SeekFrom::Start(next))?;
        file.read_exact(&mut count).map_err(|_| broken(format!("truncated: storage {key:?} is missing")))?;
        let length = u64::from_le_bytes(count).checked_mul(width).filter(|&length| length <= size);
        let end = length.and_then(|length| (next + 8).checked_add(length)).filter(|&end| end <= size);
        let end = end.ok_or_else(|| broken(format!("truncated: storage {key:?} ends after the file")))?;
        if places.insert(key, (0, next + 8, end - next - 8)).is_some() {
            return Err(broken(format!("damaged: storage {key:?} is listed twice")));
        }
        next = end;
    }
    let found = dicts::contents(&pickle, key)?;
    let mut contents = found.placed(|key| places.get(key).copied(), origin, false, size)?;
    contents.blocks.insert(0, Block::plain(0, size));
    Ok(contents)
}

/// A pickle that Python or NumPy wrote: arrays in dictionaries.
pub(super) fn plain(file: &mut File, key: Option<&str>) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let whole = Block::plain(0, size);
    let bytes = blocks::content(file, &whole, MAX_PICKLE)?;
    let pickle = load(&bytes, 0)?;
    let found = match dicts::contents(&pickle, key) {
        Ok(found) => found,
        Err(Fault::Broken(what)) => return Err(broken(format!("a pickle without tensors: {what}"))),
        Err(other) => return Err(other),
    };
    let mut contents = found.placed(|_| None, Origin { block: 0, start: 0, blocks: 1 }, false, size)?;
    contents.blocks.insert(0, whole);
    contents.metadata.clear();
    Ok(contents)
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
enum Item<'p> {
    Tensor(&'p TensorAt),
    Array(&'p Array),
}

/// Tensors by name, without their places.
#[derive(Debug, Default)]
struct Found<'p> {
    pickle: Option<&'p Pickle<'p>>,
    tensors: BTreeMap<String, Item<'p>>,
    left_out: BTreeMap<String, String>,
    more_left_out: usize,
    keys: Keys,
}

impl Found<'_> {
    /// The same with places: of storages (block, first byte, bytes), each held against what is there, and of arrays, in
    /// a pickle of that origin. All of them are held against a file of `size` bytes. The blocks that result come after the
    /// caller's.
    fn placed(
        self,
        place: impl Fn(&str) -> Option<(usize, u64, u64)>,
        origin: Origin,
        swapped: bool,
        size: u64,
    ) -> Result<Contents, Fault> {
        let (mut tensors, mut total) = (BTreeMap::new(), 0u64);
        let Some(pickle) = self.pickle else { return Ok(Contents::default()) };
        let values = &pickle.values;
        let mut arrays = arrays::Places::new(pickle, origin);
        let mut held = |name: String, stored: Stored| {
            total = total.saturating_add(stored.bytes());
            tensors.insert(name, stored);
        };
        for (name, item) in self.tensors {
            let tensor = match item {
                Item::Tensor(tensor) => tensor,
                Item::Array(array) => {
                    let stored = arrays.stored(array).map_err(|what| broken(format!("tensor {name} {what}")))?;
                    held(name, stored);
                    continue;
                }
            };
            let storage = values.storage(tensor);
            let key = values.text(storage.key).unwrap_or_default();
            let (block, start, found) =
                place(key).ok_or_else(|| broken(format!("tensor {name} lies in storage {key:?}, which is missing")))?;
            let expected = storage.elements * (storage.dtype.bitsize() as u64 / 8);
            if found < expected {
                return Err(broken(format!(
                    "tensor {name} lies in storage {key:?} of {found} bytes, expected {expected}"
                )));
            }
            if tensor.conjugated {
                return Err(broken(format!(
                    "tensor {name} is conjugated when it is read, expected tensor.resolve_conj()"
                )));
            }
            let dtype = values.dtype(tensor);
            let [shape, strides] = values.layout(tensor);
            let strides = (!is_row_major(&shape, &strides)).then_some(strides);
            let start = start + tensor.first * (dtype.bitsize() as u64 / 8);
            let plain = Stored::plain(dtype, shape, block, start);
            held(name, Stored { strides, negated: tensor.negated, swapped, ..plain });
        }
        let most = ALWAYS_BELIEVED.max(size.saturating_mul(8));
        if total > most {
            return Err(broken(format!("its tensors have {total} bytes, expected at most {most} in a file of {size}")));
        }
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let (left_out, more_left_out, keys) = (self.left_out, self.more_left_out, self.keys);
        Ok(Contents { tensors, metadata, left_out, more_left_out, keys, blocks: arrays.blocks() })
    }
}

/// Whether elements lie one after the other; axes of one element have no step.
fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut step = 1;
    shape.contains(&0)
        || shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
            let fits = extent == 1 || stride == step;
            step *= extent;
            fits
        })
}

fn load(bytes: &[u8], at: usize) -> Result<Pickle<'_>, Fault> {
    pickle::load(bytes).map_err(|refusal| {
        broken(format!("its pickle is refused: the opcode at byte {} {}", at + refusal.at, refusal.what))
    })
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}
