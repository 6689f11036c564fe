//! Opening: one file, an index of several, or a directory.

use super::{
    Contents, Fault,
    blocks::Block,
    kind::{self, Kind},
    numpy, safetensors, shards, torch, zip,
};
use crate::errors::{Error, Result};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// What is at `path`, with the files that its blocks lie in.
pub(crate) fn open(path: &Path, key: Option<&str>) -> Result<(Vec<File>, Contents)> {
    if path.is_dir() {
        return shards::directory(path, key);
    }
    match single(path, key)? {
        One::File(file, contents) => Ok((vec![file], *contents)),
        One::Index(text) => shards::index(path, &text, key),
    }
}

/// A file, or the index of others.
pub(crate) enum One {
    File(File, Box<Contents>),
    Index(String),
}

/// One file.
pub(crate) fn single(path: &Path, key: Option<&str>) -> Result<One> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    if file.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let what = "it is a pipe or a device, expected a file: tensors are read from many places".into();
        return Err(Error::Archive { path: path.to_owned(), what });
    }
    let mut head = Vec::new();
    file.by_ref().take(kind::HEAD).read_to_end(&mut head).map_err(unreadable)?;
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let kind = kind::of(&head, size, path).map_err(|what| Error::Archive { path: path.to_owned(), what })?;
    if kind == Kind::Json {
        return Ok(One::Index(crate::files::read_text(path, shards::MAX_INDEX)?));
    }
    let keyless = matches!(kind, Kind::Safetensors | Kind::Npy) && key.is_some();
    let contents = match kind {
        _ if keyless => Err(no_keys("it")),
        Kind::Safetensors => safetensors::contents(&mut file),
        Kind::Zip => zip::entries(&mut file).and_then(|entries| zipped(&mut file, entries, key)),
        Kind::Legacy => torch::legacy(&mut file, key),
        Kind::Pickle => torch::plain(&mut file, key),
        Kind::Npy => numpy::single(&mut file, path),
        Kind::Json => unreachable!("an index was returned above"),
    };
    let contents = contents.map_err(|fault| fault.at(path))?;
    Ok(One::File(file, Box::new(contents)))
}

/// A zip archive is PyTorch's where it has a `data.pkl`, and NumPy's where it has arrays.
fn zipped(file: &mut File, entries: Vec<Block>, key: Option<&str>) -> std::result::Result<Contents, Fault> {
    let ends = |end: &str| entries.iter().filter(|entry| entry.name.ends_with(end)).count();
    match (ends("data.pkl"), ends(".npy")) {
        (0, 1..) if key.is_some() => Err(no_keys("an .npz archive")),
        (0, 1..) => numpy::zipped(file, entries),
        (0, 0) if ends(".weights.h5") > 0 => {
            Err(Fault::Broken("it is a Keras model; save the weights as safetensors or .npz".into()))
        }
        (0, 0) if [".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".npz"].iter().any(|end| ends(end) > 0) => {
            let inside = &entries.iter().find(|entry| !entry.name.ends_with('/')).unwrap_or(&entries[0]).name;
            Err(Fault::Broken(format!("it is a zip archive with files in it, such as {inside:?}; unpack it first")))
        }
        (0, 0) => {
            let first: Vec<String> = entries.iter().take(3).map(|entry| format!("{:?}", entry.name)).collect();
            let held = if first.is_empty() { "nothing".to_owned() } else { first.join(", ") };
            Err(Fault::Broken(format!(
                "this zip archive holds {held}, expected data.pkl of a PyTorch checkpoint or arrays of .npz"
            )))
        }
        _ => torch::zipped(file, entries, key),
    }
}

fn no_keys(what: &str) -> Fault {
    Fault::Broken(format!("{what} has no keys, only tensors; --prefix takes those whose names begin alike"))
}
