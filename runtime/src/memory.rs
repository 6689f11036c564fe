//! Memory that kernels read and write: constants, arenas and the bytes of numbers.
//!
//! Arenas and scratch come from the system as zero pages, so a byte costs memory only when it is touched.
//! Constants are either built in memory of the same kind or are part of the running executable's file, mapped: then
//! loading is free, the pages are shared between processes, and the system may drop and reread them.

use std::{fs::File, io, slice, sync::Arc};

use memmap2::{Mmap, MmapMut, MmapOptions};

/// A program's constants: one block of bytes, page aligned, read only. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Constants {
    map: Arc<Mmap>,
    len: usize,
}

impl Constants {
    /// `len` zero bytes, then whatever `fill` writes into them. Filling in place keeps the peak at one copy.
    ///
    /// # Errors
    /// Those of `fill`, or the system's where it refuses the memory or its protection.
    pub fn build<E: From<io::Error>>(
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Constants, E> {
        let mut map = anonymous(len)?;
        fill(&mut map[..len])?;
        Ok(Constants { map: Arc::new(map.make_read_only()?), len })
    }
    /// A copy of `bytes`.
    ///
    /// # Errors
    /// Where the system refuses the memory.
    pub fn copy(bytes: &[u8]) -> io::Result<Constants> {
        Self::build(bytes.len(), |to| {
            to.copy_from_slice(bytes);
            Ok(())
        })
    }
    /// Bytes `offset .. offset + len` of a file, `offset` being page aligned. The file must not be changed
    /// while it is mapped: the numbers would change, and access beyond a new end would stop the process.
    /// It is that of the running program, which the system protects.
    pub(crate) fn map(file: &File, offset: u64, len: usize) -> io::Result<Constants> {
        if len == 0 {
            return Self::copy(&[]);
        }
        // SAFETY: the mapping is private and read only; that nobody changes the file is the condition of this function,
        // which its one caller has asked the system about.
        let map = unsafe { MmapOptions::new().offset(offset).len(len).map(file)? };
        Ok(Constants { map: Arc::new(map), len })
    }
    /// The constants.
    pub fn bytes(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

/// At least `len` zero bytes of memory, page aligned, in large pages where the system has them.
pub(crate) fn anonymous(len: usize) -> io::Result<MmapMut> {
    let map = MmapMut::map_anon(len.max(1))?;
    #[cfg(target_os = "linux")]
    if len >= LARGE_PAGE {
        // Large pages save address translations where kernels stream weights; refusal costs only time.
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    Ok(map)
}

/// The size of a large page on most machines, in bytes.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// The bytes of floats, as kernels see them.
pub fn f32_bytes(values: &[f32]) -> &[u8] {
    // SAFETY: the pointer and the length in bytes are those of `values`, every byte of an f32 is
    // initialised, and bytes have no alignment.
    unsafe { slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of floats, as kernels write them.
pub(crate) fn f32_bytes_mut(values: &mut [f32]) -> &mut [u8] {
    // SAFETY: as in `f32_bytes`; the borrow is exclusive, and every pattern of four bytes is an f32.
    unsafe { slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_what_was_built() {
        let squares = Constants::build(300, |bytes| {
            bytes.iter_mut().enumerate().for_each(|(i, byte)| *byte = (i * i) as u8);
            io::Result::Ok(())
        })
        .unwrap();
        assert_eq!(squares.bytes().len(), 300);
        assert_eq!(squares.bytes().as_ptr() as usize % 4096, 0);
        assert!(squares.clone().bytes().iter().enumerate().all(|(i, &byte)| byte == (i * i) as u8));
        assert_eq!(Constants::copy(squares.bytes()).unwrap().bytes(), squares.bytes());
        assert!(Constants::copy(&[]).unwrap().bytes().is_empty());
    }
    #[test]
    fn a_failed_fill_is_reported() {
        let error = Constants::build(8, |_| Err(io::Error::other("no weights"))).unwrap_err();
        assert_eq!(error.to_string(), "no weights");
    }
    #[test]
    fn floats_have_their_bytes() {
        let mut values = [1.0f32, -2.5, f32::MIN_POSITIVE];
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        assert_eq!(f32_bytes(&values), bytes);
        f32_bytes_mut(&mut values)[4..8].copy_from_slice(&7.0f32.to_ne_bytes());
        assert_eq!(values[1], 7.0);
        assert!(f32_bytes(&[]).is_empty());
    }
}
