//! Safetensors: the format and its writer.
//!
//! ```text
//!   8 bytes     header length n
//!   n bytes     JSON: name → type, shape, byte range; and free metadata
//!   the rest    the tensors, back to back
//! ```
//!
//! Writers put tensors with wide elements first, so that every tensor is aligned to its elements.

use super::{Archive, Contents, Fault, Stored, blocks::Block};
use crate::{
    errors::{Error, Result},
    files, json,
};
use ::safetensors::{
    Dtype, SafeTensorError,
    tensor::{Metadata, TensorView},
};
use regard_ir::types::DType;
use regard_runtime::memory::f32_bytes;
use serde_json::{Map, Value, json};
use std::{cmp::Reverse, collections::HashMap, fs::File, io::Read, path::Path};

/// The longest header believed, in bytes.
const MAX_HEADER: u64 = 64 << 20;

/// Reads the header of a file that stands at its beginning.
pub(super) fn contents(file: &mut File) -> std::result::Result<Contents, Fault> {
    let broken = |what: String| Err(Fault::Broken(what));
    let size = file.metadata()?.len();
    if size < 8 {
        return broken(format!("not a safetensors file: it has {size} bytes"));
    }
    let mut length = [0; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER && length <= size - 8 {
        return broken(format!("its header has {length} bytes, expected at most {MAX_HEADER}"));
    }
    if length > size - 8 {
        let found = format!("its header claims {length} bytes, the file has {size}");
        return broken(format!("not a safetensors file, or a truncated one: {found}"));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header)?;
    if let Some(key) = json::repeated_key(&header) {
        return broken(format!("its header names {key:?} twice"));
    }
    let header: Metadata = match serde_json::from_slice(&header) {
        Ok(header) => header,
        Err(error) => return broken(format!("not a safetensors file: its header is invalid ({error})")),
    };
    let (found, expected) = (size - 8 - length, header.data_len() as u64);
    if found != expected {
        return broken(format!("truncated or altered: it has {found} bytes of tensors, its header {expected}"));
    }
    let stored = |name: String| {
        let info = header.info(&name).expect("the name is from this header");
        (name, Stored::plain(info.dtype, info.shape.clone(), 0, info.data_offsets.0 as u64))
    };
    let tensors = header.offset_keys().into_iter().map(stored).collect();
    let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let blocks = vec![Block::plain(8 + length, found)];
    Ok(Contents { tensors, metadata, blocks, ..Contents::default() })
}

/// The name that the header of a safetensors file keeps for itself.
const RESERVED: &str = "__metadata__";

/// Writes all tensors of an archive to a safetensors file, types as they are, complete or not at all. One
/// piece of one tensor is in memory at a time.
///
/// # Errors
/// Where the archive cannot be read, or the file cannot be written.
pub fn copy(archive: &Archive, path: &Path) -> Result<()> {
    let mut tensors: Vec<(&String, &Stored)> = archive.tensors().iter().collect();
    if archive.tensors().contains_key(RESERVED) {
        return Err(
            archive.error(format!("it has a tensor {RESERVED}, a name that safetensors files keep for themselves"))
        );
    }
    tensors.sort_by_key(|(_, stored)| Reverse(stored.dtype));
    let mut header = Map::new();
    let mut at = 0;
    for (name, stored) in &tensors {
        let end = at + stored.bytes();
        let dtype = stored.dtype.to_string();
        header.insert((*name).clone(), json!({"dtype": dtype, "shape": stored.shape, "data_offsets": [at, end]}));
        at = end;
    }
    if !archive.contents.metadata.is_empty() {
        header.insert(RESERVED.into(), json!(archive.contents.metadata));
    }
    let mut header = Value::Object(header).to_string();
    // Readers that map the file want the tensors aligned to 8 bytes.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    files::write_with(path, |file| {
        let unwritable = |source| Error::Write { path: path.to_owned(), source };
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(unwritable)?;
        file.write_all(header.as_bytes()).map_err(unwritable)?;
        tensors.iter().try_for_each(|(_, stored)| {
            archive.try_read(stored, 0..stored.elements(), |bytes| file.write_all(bytes).map_err(unwritable))
        })
    })
}

/// A tensor to write.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Element type.
    pub dtype: DType,
    /// Dimensions.
    pub shape: &'a [usize],
    /// Row-major elements, little-endian.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// A tensor of f32.
    pub fn f32(name: &'a str, shape: &'a [usize], values: &'a [f32]) -> Tensor<'a> {
        Tensor { name, dtype: DType::F32, shape, bytes: f32_bytes(values) }
    }
}

/// Writes tensors in their own types to a safetensors file, complete or not at all. `model` becomes metadata.
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
    let dtype = match tensor.dtype {
        DType::F32 => Dtype::F32,
        DType::Bf16 => Dtype::BF16,
        DType::F16 => Dtype::F16,
        DType::I32 => Dtype::I32,
        DType::Bool => Dtype::BOOL,
    };
    TensorView::new(dtype, tensor.shape.to_vec(), tensor.bytes)
}
