//! Safetensors files: named tensors on disk, read one at a time.
//!
//! ```text
//!   8 bytes     header length n
//!   n bytes     JSON: name → type, shape, byte range; and free metadata
//!   the rest    the tensors, back to back
//! ```
//!
//! The header is checked against the size of the file before anything else is believed, and a tensor is
//! read in pieces and converted on the way, so a hostile header cannot ask for memory and a large
//! checkpoint never lies in memory twice.

use crate::{
    errors::{Error, Result},
    files,
};
use half::{bf16, f16};
use regard_runtime::memory::f32_bytes;
use safetensors::{
    Dtype, SafeTensorError,
    tensor::{Metadata, TensorView},
};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The longest header believed, in bytes.
const MAX_HEADER: u64 = 64 << 20;
/// Bytes read at a time.
const PIECE: usize = 256 << 10;

/// An open safetensors file.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: Mutex<File>,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Element type in the file.
    pub dtype: Dtype,
    /// Dimensions.
    pub shape: Vec<usize>,
    start: u64,
}

impl Archive {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Where the file cannot be read, or its header does not describe exactly the bytes that follow.
    pub fn open(path: &Path) -> Result<Archive> {
        let unreadable = |source| Error::Read { path: path.to_owned(), source };
        let broken = |what: String| Error::Archive { path: path.to_owned(), what };
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size < 8 {
            return Err(broken(format!("not a safetensors file: it has {size} bytes")));
        }
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(unreadable)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length > size - 8 {
            let found = format!("its header claims {length} bytes, the file has {size}");
            return Err(broken(format!("not a safetensors file, or a truncated one: {found}")));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(unreadable)?;
        let header: Metadata = serde_json::from_slice(&header)
            .map_err(|error| broken(format!("not a safetensors file: its header is invalid ({error})")))?;
        let (found, expected) = (size - 8 - length, header.data_len() as u64);
        if found != expected {
            return Err(broken(format!(
                "truncated or altered: it has {found} bytes of tensors, its header {expected}"
            )));
        }
        let stored = |name: String| {
            let info = header.info(&name).expect("the name is from this header");
            let (start, _) = info.data_offsets;
            let stored = Stored { dtype: info.dtype, shape: info.shape.clone(), start: 8 + length + start as u64 };
            (name, stored)
        };
        let tensors = header.offset_keys().into_iter().map(stored).collect();
        let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        Ok(Archive { path: path.to_owned(), file: Mutex::new(file), tensors, metadata })
    }
    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Names and types of all tensors, by name.
    pub fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }
    /// Free metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }
    /// The tensor of that name.
    pub fn stored(&self, name: &str) -> Result<&Stored> {
        self.tensors.get(name).ok_or_else(|| self.error(format!("it has no tensor {name}")))
    }
    /// A tensor of floats, converted to f32.
    ///
    /// # Errors
    /// Where there is no such tensor, it does not hold floats, or the file cannot be read.
    pub fn floats(&self, name: &str) -> Result<Vec<f32>> {
        self.floats_in(name, 0..self.stored(name)?.shape.iter().product())
    }
    /// The part `range` of a tensor of floats, row-major.
    ///
    /// # Errors
    /// As [`floats`](Archive::floats), and where the tensor is shorter.
    pub fn floats_in(&self, name: &str, range: Range<usize>) -> Result<Vec<f32>> {
        let elements: usize = self.stored(name)?.shape.iter().product();
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
    /// A tensor of 32- or 64-bit integers.
    ///
    /// # Errors
    /// Where there is no such tensor, it holds something else, or the file cannot be read.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        let stored = self.stored(name)?;
        let all = 0..stored.shape.iter().product();
        let mut out = Vec::with_capacity(all.len());
        match stored.dtype {
            Dtype::I64 => self.read(stored, all, |bytes| out.extend(words(bytes).map(i64::from_le_bytes)))?,
            Dtype::I32 => {
                self.read(stored, all, |bytes| out.extend(words(bytes).map(|b| i64::from(i32::from_le_bytes(b)))))?
            }
            dtype => return Err(self.error(format!("tensor {name} is {dtype}, expected I32 or I64"))),
        }
        Ok(out)
    }
    /// An error about this file.
    pub fn error(&self, what: impl Into<String>) -> Error {
        Error::Archive { path: self.path.clone(), what: what.into() }
    }

    /// Passes the bytes of elements `range`, which exist, piece by piece.
    fn read(&self, stored: &Stored, range: Range<usize>, mut piece: impl FnMut(&[u8])) -> Result<()> {
        let unreadable = |source| Error::Read { path: self.path.clone(), source };
        let size = (stored.dtype.bitsize() / 8) as u64;
        let [mut at, end] = [range.start, range.end].map(|element| element as u64 * size);
        let mut buffer = vec![0; PIECE.min((end - at) as usize)];
        while at < end {
            let length = buffer.len().min((end - at) as usize);
            let buffer = &mut buffer[..length];
            {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(stored.start + at)).map_err(unreadable)?;
                file.read_exact(buffer).map_err(unreadable)?;
            }
            piece(buffer);
            at += length as u64;
        }
        Ok(())
    }
}

/// Whether a file's element type is one that converts to f32.
pub fn is_float(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16)
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// A tensor to write.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Dimensions.
    pub shape: &'a [usize],
    /// Row-major values.
    pub values: &'a [f32],
}

/// Writes f32 tensors to a safetensors file, complete or not at all. `model` becomes metadata.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, tensors: &[Tensor], model: &str) -> Result<()> {
    let metadata = HashMap::from([("model".to_owned(), model.to_owned())]);
    let views =
        tensors.iter().map(|t| Ok((t.name, view(t)?))).collect::<std::result::Result<Vec<_>, SafeTensorError>>();
    let bytes = views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|error| Error::Failed(format!("cannot encode {}: {error}", path.display())))?;
    files::write(path, &bytes)
}

fn view<'a>(tensor: &Tensor<'a>) -> std::result::Result<TensorView<'a>, SafeTensorError> {
    TensorView::new(Dtype::F32, tensor.shape.to_vec(), f32_bytes(tensor.values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }
    fn raw(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }
    fn sample() -> Vec<u8> {
        let (dir, path) = file(b"");
        let tensors = [
            Tensor { name: "a", shape: &[2, 2], values: &[1.0, -2.5, 3.0, f32::NAN] },
            Tensor { name: "b", shape: &[], values: &[7.0] },
        ];
        write(&path, &tensors, "test").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        drop(dir);
        bytes
    }

    #[test]
    fn what_is_written_reads_back() {
        let (_dir, path) = file(&sample());
        let archive = Archive::open(&path).unwrap();
        assert_eq!(archive.metadata("model"), Some("test"));
        assert_eq!(archive.stored("a").unwrap().shape, [2, 2]);
        assert_eq!(archive.floats("a").unwrap()[..3], [1.0, -2.5, 3.0]);
        assert_eq!(archive.floats("b").unwrap(), [7.0]);
        assert!(archive.floats("c").unwrap_err().to_string().contains("no tensor c"));
        assert!(archive.integers("b").unwrap_err().to_string().contains("F32, expected I32"));
    }

    #[test]
    fn other_types_are_converted() {
        let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},"d":{"dtype":"F64","shape":[1],"data_offsets":[6,14]},"i":{"dtype":"I32","shape":[1],"data_offsets":[14,18]}}"#;
        let mut data = Vec::new();
        data.extend([f16::from_f32(0.5), f16::from_f32(-65504.0)].iter().flat_map(|x| x.to_le_bytes()));
        data.extend(bf16::from_f32(3.0).to_le_bytes());
        data.extend(0.1f64.to_le_bytes());
        data.extend((-9i32).to_le_bytes());
        let (_dir, path) = file(&raw(header, &data));
        let archive = Archive::open(&path).unwrap();
        assert_eq!(archive.floats("h").unwrap(), [0.5, -65504.0]);
        assert_eq!(archive.floats("b").unwrap(), [3.0]);
        assert_eq!(archive.floats("d").unwrap(), [0.1]);
        assert_eq!(archive.integers("i").unwrap(), [-9]);
        assert!(archive.floats("i").unwrap_err().to_string().contains("is I32"));
    }

    #[test]
    fn hostile_headers_are_refused() {
        let open = |bytes: &[u8]| {
            let (_dir, path) = file(bytes);
            Archive::open(&path).unwrap_err().to_string()
        };
        assert!(open(b"").contains("0 bytes"));
        assert!(open(&u64::MAX.to_le_bytes()).contains("claims 18446744073709551615 bytes"));
        assert!(open(&raw("{", b"")).contains("header is invalid"));
        let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
        assert!(open(&raw(huge, &[0; 4])).contains("header is invalid"));
        let beyond = r#"{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#;
        assert!(open(&raw(beyond, &[0; 4])).contains("truncated"));
        let overlap = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#;
        assert!(open(&raw(overlap, &[0; 6])).contains("header is invalid"));
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_or_read(at in 0usize..300, byte in any::<u8>(), cut in 0usize..300) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut % bytes.len());
            let (_dir, path) = file(&bytes);
            if let Ok(archive) = Archive::open(&path) {
                for name in archive.tensors().keys() {
                    let _ = archive.floats(name);
                    let _ = archive.integers(name);
                }
            }
        }
    }
}
