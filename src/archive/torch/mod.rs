//! PyTorch checkpoints, `.pth` and `.pt`, read without Python.
//!
//! ```text
//!   zip archive (since PyTorch 1.6)              legacy, one pickle after the other
//!     NAME/data.pkl   the pickle                   magic number, protocol, machine
//!     NAME/byteorder  little                       the pickle
//!     NAME/data/0     numbers of storage 0         keys of the storages
//!     NAME/data/1     …                            per storage: count, numbers
//! ```
//!
//! The [pickle machine](pickle) says which tensors there are and which part of which storage each is; here the
//! storages get their places in the file, and every part is held against them. Numbers lie uncompressed in
//! both formats, so a tensor is read as one of a safetensors file is; a compressed entry is refused, which leaves
//! nothing that could be inflated. Names of entries are looked up and never become paths.

mod dicts;
mod pickle;
mod value;

#[cfg(test)]
mod tests;

use super::{Contents, Fault, Stored};
use pickle::Pickle;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};
use value::{Storage, TensorAt, Value};
use zip::{CompressionMethod, ZipArchive};

/// Bytes by which the format is recognised.
pub const MAGIC_BYTES: u64 = 14;
/// The longest pickle believed, in bytes.
const MAX_PICKLE: u64 = 64 << 20;
/// The bytes that all tensors together may have, whatever the file's size; shared storages and strides of 0
/// make more of a file than it holds.
const ALWAYS_BELIEVED: u64 = 1 << 30;

/// How a checkpoint is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A zip archive.
    Zip,
    /// Pickles and storages in a row.
    Legacy,
}

impl Format {
    /// The format of a file that begins so; nothing where it is none of these.
    pub fn of(magic: &[u8]) -> Option<Format> {
        // The pickled number 0x1950a86a20f9469cfc6c.
        let legacy = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
        match magic {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
            [0x80, _, rest @ ..] if rest == legacy => Some(Format::Legacy),
            _ => None,
        }
    }
}

/// Where a storage's numbers lie: first byte, number of bytes.
type Places = BTreeMap<String, (u64, u64)>;

/// Reads which tensors a checkpoint holds, and where; those under `key`, or under the usual names.
pub(super) fn contents(file: &mut File, format: Format, key: Option<&str>) -> Result<Contents, Fault> {
    match format {
        Format::Zip => zip(file, key),
        Format::Legacy => legacy(file, key),
    }
}

fn zip(file: &mut File, key: Option<&str>) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let damaged = |what: String| broken(format!("damaged or truncated, its zip archive cannot be read: {what}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    let mut places = Places::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| damaged(error.to_string()))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let stored = entry.compression() == CompressionMethod::Stored && !entry.encrypted();
        if !stored || entry.size() != entry.compressed_size() {
            return Err(broken(format!(
                "its entry {name:?} is compressed or encrypted, expected plain bytes as PyTorch writes"
            )));
        }
        let start = entry.data_start().ok_or_else(|| damaged(format!("entry {name:?} has no place")))?;
        if start.checked_add(entry.size()).is_none_or(|end| end > size) {
            return Err(damaged(format!("entry {name:?} ends behind the file")));
        }
        let length = entry.size();
        places.insert(name, (start, length));
    }
    let pickles: Vec<&str> = places.keys().filter_map(|name| name.strip_suffix("data.pkl")).collect();
    let folder = match pickles[..] {
        [folder] if folder.is_empty() || folder.ends_with('/') => folder.to_owned(),
        _ => {
            return Err(broken(format!(
                "not a PyTorch checkpoint: this zip archive has {} entries data.pkl, expected one",
                pickles.len()
            )));
        }
    };
    if places.contains_key(&format!("{folder}constants.pkl")) {
        return Err(broken("a TorchScript program, expected a checkpoint: torch.save(model.state_dict(), …)".into()));
    }
    let mut file = archive.into_inner();
    let mut bytes = |name: &str| read(&mut file, places.get(&format!("{folder}{name}")).copied());
    if bytes("byteorder")?.is_some_and(|order| order != b"little") {
        return Err(broken("its numbers are big-endian, expected little-endian".into()));
    }
    let pickle = bytes("data.pkl")?.unwrap_or_default();
    let pickle = load(&pickle, 0)?;
    let place = |storage: &Storage| places.get(&format!("{folder}data/{}", storage.key)).copied();
    dicts::contents(&pickle, key)?.placed(place, size)
}

fn legacy(file: &mut File, key: Option<&str>) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(MAX_PICKLE).read_to_end(&mut bytes)?;
    // Magic number, protocol and a description of the machine come first.
    let mut at = 0;
    for _ in 0..3 {
        at += load(&bytes[at..], at)?.length;
    }
    let pickle = load(&bytes[at..], at)?;
    at += pickle.length;
    let keys = load(&bytes[at..], at)?;
    let mut next = (at + keys.length) as u64;
    let Value::List(list) = keys.values.get(keys.root) else {
        return Err(broken("damaged: its storages are not listed".into()));
    };
    let known = pickle.values.storages();
    let mut places = Places::new();
    for &id in list {
        let Value::Text(key) = keys.values.get(id) else {
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
        let end = end.ok_or_else(|| broken(format!("truncated: storage {key:?} ends behind the file")))?;
        places.insert((*key).to_owned(), (next + 8, end - next - 8));
        next = end;
    }
    dicts::contents(&pickle, key)?.placed(|storage| places.get(storage.key).copied(), size)
}

/// Tensors by name, without their places.
#[derive(Debug, Default)]
struct Found<'p> {
    tensors: BTreeMap<String, &'p TensorAt<'p>>,
    left_out: BTreeMap<String, String>,
}

impl Found<'_> {
    /// The same with places, each held against its storage, and all of them against a file of `size` bytes.
    fn placed(self, place: impl Fn(&Storage) -> Option<(u64, u64)>, size: u64) -> Result<Contents, Fault> {
        let (mut tensors, mut total) = (BTreeMap::new(), 0u64);
        for (name, tensor) in self.tensors {
            let storage = &tensor.storage;
            let width = storage.dtype.bitsize() as u64 / 8;
            let (start, found) = place(storage)
                .ok_or_else(|| broken(format!("tensor {name} lies in storage {:?}, which is missing", storage.key)))?;
            let expected = storage.elements * width;
            if found < expected {
                return Err(broken(format!(
                    "tensor {name} lies in storage {:?} of {found} bytes, expected {expected}",
                    storage.key
                )));
            }
            let strides = (!is_row_major(&tensor.shape, &tensor.strides)).then(|| tensor.strides.clone());
            let stored = Stored {
                dtype: storage.dtype,
                shape: tensor.shape.clone(),
                start: start + tensor.first * width,
                strides,
            };
            total = total.saturating_add(stored.bytes());
            tensors.insert(name, stored);
        }
        let most = ALWAYS_BELIEVED.max(size.saturating_mul(8));
        if total > most {
            return Err(broken(format!("its tensors have {total} bytes, expected at most {most} in a file of {size}")));
        }
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        Ok(Contents { tensors, metadata, left_out: self.left_out })
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

fn read(file: &mut (impl Read + Seek), place: Option<(u64, u64)>) -> Result<Option<Vec<u8>>, Fault> {
    let Some((start, length)) = place else { return Ok(None) };
    if length > MAX_PICKLE {
        return Err(broken(format!("its pickle has {length} bytes, expected at most {MAX_PICKLE}")));
    }
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

fn load(bytes: &[u8], at: usize) -> Result<Pickle<'_>, Fault> {
    pickle::load(bytes).map_err(|refusal| {
        broken(format!("its pickle is refused: the opcode at byte {} {}", at + refusal.at, refusal.what))
    })
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}
