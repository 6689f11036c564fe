//! Files: archives of tensors, golden files, executables, pictures and label maps.

use crate::reading;
use regard::{
    archive::Archive,
    golden::Golden,
    images::{LabelMap, Picture, Preparation},
};
use regard_runtime::Package;
use std::{cell::RefCell, fs, path::Path};
use tempfile::NamedTempFile;

/// Calls `work` with a file that holds `data`; the same file every time.
fn with_file(data: &[u8], work: impl FnOnce(&Path)) {
    thread_local!(static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) });
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| NamedTempFile::new().expect("a temporary file"));
        fs::write(file.path(), data).expect("the file can be written");
        work(file.path());
    });
}

/// Elements beyond which a tensor is listed but not read.
const MOST_ELEMENTS: usize = 1 << 16;

/// An archive: every tensor lies inside the file and can be read.
pub fn archive(data: &[u8]) {
    with_file(data, |path| {
        reading(data.len(), || {
            let Ok(archive) = Archive::open(path) else { return };
            for (name, stored) in archive.tensors() {
                if stored.elements() <= MOST_ELEMENTS {
                    // A type that is not read is an error, not a fault.
                    drop(archive.floats(name));
                    drop(archive.integers(name));
                }
            }
        });
    });
}

/// A golden file: opened or refused; its model is built where the picture is small.
pub fn golden(data: &[u8]) {
    with_file(data, |path| {
        let Ok(golden) = reading(data.len(), || Golden::open(path)) else { return };
        let pixels: usize = golden.input_shape.iter().fold(1, |n, &d| n.saturating_mul(d));
        if pixels < 1 << 18 {
            drop(golden.graph());
        }
    });
}

const TRAILER: usize = 72;
const PROGRAM_CRC: usize = 24;
const TRAILER_CRC: usize = 48;

/// An executable whose checksums are made right, so that what they guard is reached.
pub fn package(data: &[u8]) {
    let mut bytes = data.to_vec();
    if let Some(at) = bytes.len().checked_sub(TRAILER) {
        let program = u64::from_le_bytes(bytes[at + 16..at + 24].try_into().expect("eight bytes")) as usize;
        if program <= at {
            let crc = crc32fast::hash(&bytes[at - program..at]);
            bytes[at + PROGRAM_CRC..at + PROGRAM_CRC + 4].copy_from_slice(&crc.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[at..at + TRAILER_CRC]);
        bytes[at + TRAILER_CRC..at + TRAILER_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    }
    with_file(&bytes, |path| {
        reading(bytes.len(), || {
            if let Ok(Some(package)) = Package::open(path) {
                drop(package.verify_constants());
            }
        });
    });
}

/// A picture: decoded and brought to a model's size.
pub fn picture(data: &[u8]) {
    // What a file may ask for while it is decoded is `images::decode::memory_limit`, which counts its own bytes alone.
    if let Ok(picture) = Picture::decode(data) {
        assert!(Preparation::default().prepared(&picture, 8, 8).iter().all(|v| v.is_finite()));
    }
}

/// A label map.
pub fn labels(data: &[u8]) {
    if let Ok(map) = LabelMap::decode(data) {
        assert_eq!(map.classes.len(), map.width * map.height);
    }
}
