//! NumPy arrays, `.npy`, and zip archives of them, `.npz`.
//!
//! ```text
//!   \x93NUMPY  version  length  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n   elements
//! ```
//!
//! The header is a dictionary as Python writes it, of three entries; it is read by a grammar of its own, and nothing is
//! evaluated. Arrays of objects are pickles and are left out, as are texts.

use super::{
    Contents, Fault, Stored,
    blocks::{self, Block, Packing},
};
use ::safetensors::Dtype;
use regard_ir::count::counted;
use std::{fs::File, path::Path};

/// The longest header believed, in bytes.
const MAX_HEADER: u64 = 1 << 16;
/// The most axes of an array.
const MAX_AXES: usize = 32;

/// The only array of a file, called as the file is.
pub(crate) fn single(file: &mut File, path: &Path) -> Result<Contents, Fault> {
    let size = file.metadata()?.len();
    let block = Block::plain(0, size);
    let name = path.file_stem().map_or_else(|| "array".into(), |stem| stem.to_string_lossy().into_owned());
    let mut contents = Contents::default();
    add(&mut contents, file, block, &name)?;
    match contents.tensors.is_empty() {
        true => {
            Err(broken(format!("it holds {}, expected numbers", contents.left_out.values().next().map_or("", |w| w))))
        }
        false => Ok(contents),
    }
}

/// All arrays of a zip archive, called as its entries are.
pub(crate) fn zipped(file: &mut File, entries: Vec<Block>) -> Result<Contents, Fault> {
    let mut contents = Contents::default();
    for entry in entries {
        let name = entry.name.strip_suffix(".npy").map(str::to_owned);
        match name {
            Some(name) => add(&mut contents, file, entry, &name)?,
            None => {
                contents.left_out.insert(entry.name, "not an array".into());
            }
        }
    }
    Ok(contents)
}

fn add(contents: &mut Contents, file: &mut File, block: Block, name: &str) -> Result<(), Fault> {
    // A deflated entry is inflated for its header as a whole; all of them are bounded.
    let head = match block.packing {
        Packing::Deflated(_) => blocks::content(file, &block, u64::MAX)?,
        _ => {
            let head = Block { length: block.length.min(MAX_HEADER), packing: Packing::Plain, ..block.clone() };
            blocks::content(file, &head, MAX_HEADER)?
        }
    };
    let bad = |what: String| broken(format!("its array {name} {what}"));
    let (header, start) = header(&head).map_err(bad)?;
    let array = Array::parse(header).map_err(bad)?;
    let Some((dtype, swapped)) = array.element() else {
        contents.left_out.insert(name.to_owned(), array.what());
        return Ok(());
    };
    let elements = array.shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
    let bytes = elements.and_then(|n| n.checked_mul(dtype.bitsize() as u64 / 8));
    let found = block.length - start as u64;
    if bytes != Some(found) {
        let expected = bytes.map_or_else(|| "more than a file can hold".into(), |bytes| bytes.to_string());
        return Err(bad(format!("has {} of elements, expected {expected}", counted(found, "byte"))));
    }
    let strides = array.fortran.then(|| columns_first(&array.shape)).filter(|_| array.shape.len() > 1);
    let plain = Stored::plain(dtype, array.shape, contents.blocks.len(), start as u64);
    contents.tensors.insert(name.to_owned(), Stored { strides, swapped, ..plain });
    contents.blocks.push(block);
    Ok(())
}

/// Steps of the axes where the first is the fastest.
pub(crate) fn columns_first(shape: &[usize]) -> Vec<usize> {
    let mut step = 1;
    let mut next = |extent: usize| {
        let here = step;
        step *= extent;
        here
    };
    shape.iter().map(|&extent| next(extent)).collect()
}

/// The text of a header, and where the elements begin.
fn header(head: &[u8]) -> Result<(&str, usize), String> {
    let short = || "has no whole header".to_owned();
    let (version, rest) = match head {
        [0x93, b'N', b'U', b'M', b'P', b'Y', version, _, rest @ ..] => (*version, rest),
        _ => return Err("does not begin as an array of NumPy".into()),
    };
    let (length, begin) = match version {
        1 => (u64::from(u16::from_le_bytes(*rest.first_chunk().ok_or_else(short)?)), 10),
        2 | 3 => (u64::from(u32::from_le_bytes(*rest.first_chunk().ok_or_else(short)?)), 12),
        _ => return Err(format!("has version {version} of the format, expected 1 to 3")),
    };
    let end = usize::try_from(length).ok().and_then(|length| length.checked_add(begin));
    let text = end.and_then(|end| head.get(begin..end)).ok_or_else(short)?;
    let text = std::str::from_utf8(text).map_err(|_| "has a header that is not text".to_owned())?;
    Ok((text, begin + text.len()))
}

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
struct Array {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Array {
    fn parse(header: &str) -> Result<Array, String> {
        let bad = || "has a header that is not one of NumPy".to_owned();
        let mut rest = header.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(bad)?.trim();
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest).ok_or_else(bad)?;
            let value = after.trim_start().strip_prefix(':').ok_or_else(bad)?.trim_start();
            let after = match key {
                "descr" if value.starts_with(['\'', '"']) => {
                    let (text, after) = quoted(value).ok_or_else(bad)?;
                    descr = Some(text.to_owned());
                    after
                }
                // Records have a list of fields.
                "descr" => {
                    descr = Some("V".to_owned());
                    value.find(']').map(|at| &value[at + 1..]).ok_or_else(bad)?
                }
                "fortran_order" => {
                    let word = ["True", "False"].into_iter().find(|word| value.starts_with(word)).ok_or_else(bad)?;
                    fortran = Some(word == "True");
                    &value[word.len()..]
                }
                "shape" => {
                    let (inside, after) = value.strip_prefix('(').and_then(|v| v.split_once(')')).ok_or_else(bad)?;
                    let extents = inside.split(',').map(str::trim).filter(|extent| !extent.is_empty());
                    let extents = extents.map(|extent| extent.trim_end_matches('L').parse());
                    shape = Some(extents.collect::<Result<Vec<usize>, _>>().map_err(|_| bad())?);
                    after
                }
                _ => return Err(bad()),
            };
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) if shape.len() <= MAX_AXES => Ok(Array { descr, fortran, shape }),
            (Some(_), Some(_), Some(shape)) => Err(format!("has {} axes, expected at most {MAX_AXES}", shape.len())),
            _ => Err(bad()),
        }
    }
    /// The type of elements, and whether they are big-endian; nothing where they are not numbers.
    fn element(&self) -> Option<(Dtype, bool)> {
        element(&self.descr)
    }
    fn what(&self) -> String {
        what(&self.descr)
    }
}

/// The type that `<f4` and the like stand for, and whether it is big-endian; nothing where they are not numbers.
pub(crate) fn element(descr: &str) -> Option<(Dtype, bool)> {
    let (order, code) = match descr.split_at_checked(1)? {
        (order @ ("<" | ">" | "|" | "="), code) => (order, code),
        _ => ("=", descr),
    };
    let dtype = match code {
        "f8" => Dtype::F64,
        "f4" => Dtype::F32,
        "f2" => Dtype::F16,
        "i8" => Dtype::I64,
        "i4" => Dtype::I32,
        "i2" => Dtype::I16,
        "i1" => Dtype::I8,
        "u8" => Dtype::U64,
        "u4" => Dtype::U32,
        "u2" => Dtype::U16,
        "u1" => Dtype::U8,
        "b1" => Dtype::BOOL,
        _ => return None,
    };
    Some((dtype, order == ">"))
}

/// What an array of a type that is not read is, for users.
pub(crate) fn what(descr: &str) -> String {
    match descr.trim_start_matches(['<', '>', '|', '=']).chars().next() {
        Some('O') => "an array of objects, which is a pickle".into(),
        Some('U' | 'S') => "an array of texts".into(),
        Some('c') => "an array of complex numbers".into(),
        _ => format!("an array of type {:?}", descr.chars().take(16).collect::<String>()),
    }
}

/// A text in quotes, and what comes after it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let array = |header: &str| Array::parse(header);
        let plain = array("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n").unwrap();
        assert_eq!((plain.element(), plain.shape), (Some((Dtype::F32, false)), vec![2, 3]));
        let other = array("{'descr': '>i8', 'fortran_order': True, 'shape': (7L,)}").unwrap();
        assert_eq!((other.element(), other.fortran, other.shape), (Some((Dtype::I64, true)), true, vec![7]));
        assert_eq!(array("{'descr': '|b1', 'fortran_order': False, 'shape': ()}").unwrap().shape, [0usize; 0]);
        let objects = array("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}").unwrap();
        assert!(objects.element().is_none() && objects.what().contains("objects"));
        let records = array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}").unwrap();
        assert!(records.element().is_none());
        for bad in
            ["", "{", "{}", "{'descr': '<f4'}", "{'shape': (-1,), 'descr': '<f4', 'fortran_order': False}", "{'a': 1}"]
        {
            assert!(array(bad).is_err(), "{bad}");
        }
        assert_eq!(columns_first(&[2, 3, 4]), [1, 2, 6]);
    }

    #[test]
    fn lengths_of_headers_are_held_against_the_file() {
        assert!(header(b"\x93NUMPY\x01\0\xff\xff{}").unwrap_err().contains("no whole header"));
        assert!(header(b"\x93NUMPY\x02\0\xff\xff\xff\xff{}").unwrap_err().contains("no whole header"));
        assert!(header(b"\x93NUMPY\x09\0\x02\0{}").unwrap_err().contains("version 9"));
        assert_eq!(header(b"\x93NUMPY\x01\0\x02\0{}abc").unwrap(), ("{}", 12));
    }
}
