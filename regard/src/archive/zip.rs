//! Zip archives: the entries, their places and checksums.
//!
//! The library reads the directory; what is stored is read by ourselves, piece by piece. Names of entries are looked up
//! and never become paths. No entry occurs twice, none lies outside the file, and all together inflate to no more than
//! [`MAX_INFLATED`] says, so that nothing small becomes large.

use super::{
    Fault,
    blocks::{Block, Packing},
};
use ::zip::{CompressionMethod, ZipArchive};
use std::{
    fs::File,
    io::{BufReader, Seek, SeekFrom},
};

/// What deflated entries may become together: bytes, and bytes per byte of the file. With the buffers beside them, reading
/// then takes no more than 64 MiB and 100 bytes per byte.
const MAX_INFLATED: (u64, u64) = (60 << 20, 100);
/// The most bytes that one deflated byte can become: runs of 258 bytes in two bits each.
const MAX_EXPANSION: u64 = 1032;

/// All entries of a file in the order of its directory, called by their names.
pub(crate) fn entries(file: &mut File) -> Result<Vec<Block>, Fault> {
    let size = file.metadata()?.len();
    let damaged = |what: String| broken(format!("damaged or truncated, its zip archive cannot be read: {what}"));
    file.seek(SeekFrom::Start(0))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    if archive.has_duplicate_names() {
        return Err(broken("its zip archive has two entries of the same name".into()));
    }
    let (mut blocks, mut inflated) = (Vec::new(), 0u64);
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(|error| damaged(error.to_string()))?;
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        if entry.encrypted() {
            return Err(broken(format!("its entry {name:?} is encrypted, expected plain or deflated bytes")));
        }
        let packing = match entry.compression() {
            CompressionMethod::Stored if entry.size() == entry.compressed_size() => Packing::Checked(entry.crc32()),
            CompressionMethod::Stored => return Err(damaged(format!("entry {name:?} has two lengths"))),
            CompressionMethod::DEFLATE => Packing::Deflated(entry.crc32()),
            method => {
                return Err(broken(format!(
                    "its entry {name:?} is compressed by {method}, expected plain or deflated bytes"
                )));
            }
        };
        let start = entry.data_start().ok_or_else(|| damaged(format!("entry {name:?} has no place")))?;
        let stored = entry.compressed_size();
        if start.checked_add(stored).is_none_or(|end| end > size) {
            return Err(damaged(format!("entry {name:?} ends after the file")));
        }
        if matches!(packing, Packing::Deflated(_)) {
            let most = stored.saturating_mul(MAX_EXPANSION);
            if entry.size() > most {
                let claimed = entry.size();
                return Err(damaged(format!(
                    "entry {name:?} says that {stored} bytes inflate to {claimed}, at most {most} do"
                )));
            }
            inflated = inflated.saturating_add(entry.size());
        }
        blocks.push(Block { file: 0, start, stored, length: entry.size(), packing, name, held: None });
    }
    // PyTorch can be told to write no checksums, and then writes 0 for all.
    if blocks.iter().all(|block| block.length == 0 || block.packing == Packing::Checked(0)) {
        blocks.iter_mut().for_each(|block| block.packing = Packing::Plain);
    }
    let most = MAX_INFLATED.0.saturating_add(size.saturating_mul(MAX_INFLATED.1));
    match inflated > most {
        true => Err(broken(format!(
            "its entries inflate to {inflated} bytes, expected at most {most} from a file of {size}"
        ))),
        false => Ok(blocks),
    }
}

fn broken(what: String) -> Fault {
    Fault::Broken(what)
}
