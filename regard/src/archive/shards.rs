//! Several files that are one checkpoint.
//!
//! ```text
//!   model.safetensors.index.json     { "weight_map": { "fc.weight": "model-00001-of-00002.safetensors", … } }
//!   a directory                      the index in it; without one, all its safetensors, or its one checkpoint
//! ```
//!
//! A shard lies beside its index: the index names files, never ways to other directories.

use super::{
    Contents,
    open::{One, single},
};
use crate::errors::{Error, Result};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

/// The longest index believed, in bytes.
pub(crate) const MAX_INDEX: u64 = 64 << 20;
/// The most files of one checkpoint.
const MAX_FILES: usize = 4096;

/// The tensors that an index names, from the files beside it.
pub(crate) fn index(path: &Path, text: &str, key: Option<&str>) -> Result<(Vec<File>, Contents)> {
    let broken = |what: String| Error::Archive { path: path.to_owned(), what };
    let json: Value = serde_json::from_str(text).map_err(|error| broken(format!("it is not valid JSON ({error})")))?;
    let Some(Value::Object(map)) = json.get("weight_map") else {
        return Err(broken("it is JSON without a `weight_map`, expected the index of sharded weights".into()));
    };
    let mut wanted = BTreeMap::new();
    for (name, file) in map {
        let plain = |file: &str| !file.is_empty() && !file.contains(['/', '\\', '\0']) && file != "." && file != "..";
        match file.as_str() {
            Some(file) if plain(file) => wanted.insert(name.as_str(), file),
            _ => {
                return Err(broken(format!(
                    "its index places {name} in {file}, expected the name of a file beside it"
                )));
            }
        };
    }
    let names: BTreeSet<&str> = wanted.values().copied().collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let (files, all) = together(path, &paths, key, |name, file| {
        wanted.get(name).is_some_and(|wanted| Path::new(wanted) == file.file_name().map_or(Path::new(""), Path::new))
    })?;
    if let Some((name, file)) = wanted.iter().find(|(name, _)| !all.tensors.contains_key(**name)) {
        return Err(broken(format!("its index places {name} in {file}, which has no such tensor")));
    }
    match all.tensors.is_empty() {
        true => Err(broken("its `weight_map` is empty".into())),
        false => Ok((files, all)),
    }
}

/// The checkpoint in a directory.
pub(crate) fn directory(path: &Path, key: Option<&str>) -> Result<(Vec<File>, Contents)> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        names.insert(entry.map_err(unreadable)?.file_name());
    }
    let ending = |end: &str| -> Vec<PathBuf> {
        names.iter().filter(|name| name.to_string_lossy().ends_with(end)).map(|name| path.join(name)).collect()
    };
    let indices = [".safetensors.index.json", ".bin.index.json"].map(ending);
    if let Some(index) = indices.iter().find_map(|found| found.first()) {
        let text = crate::files::read_text(index, MAX_INDEX)?;
        return self::index(index, &text, key);
    }
    let shards = ending(".safetensors");
    if !shards.is_empty() {
        complete(path, &shards)?;
        return together(path, &shards, key, |_, _| true);
    }
    let checkpoints: Vec<PathBuf> = [".pth", ".pt", ".bin", ".ckpt", ".npz"].into_iter().flat_map(ending).collect();
    match &checkpoints[..] {
        [one] => super::open::open(one, key),
        [] => Err(Error::Archive {
            path: path.to_owned(),
            what: "this directory has neither safetensors nor a checkpoint of PyTorch or NumPy".into(),
        }),
        [first, second, ..] => Err(Error::Archive {
            path: path.to_owned(),
            what: format!(
                "this directory has {} checkpoints, among them {} and {}; name one",
                checkpoints.len(),
                first.display(),
                second.display()
            ),
        }),
    }
}

/// Checks that of files called `…-00001-of-00003…` all are there.
fn complete(path: &Path, shards: &[PathBuf]) -> Result<()> {
    let names: BTreeSet<String> = shards.iter().filter_map(|shard| Some(shard.file_name()?.to_str()?.into())).collect();
    for name in &names {
        let parts = name.split_once("-of-").and_then(|(before, after)| {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (front, number) = before.split_at_checked(before.len().checked_sub(digits)?)?;
            number.parse::<usize>().ok()?;
            Some((front, digits, after[..digits].parse::<usize>().ok()?, &after[digits..]))
        });
        let Some((front, digits, count, end)) = parts.filter(|parts| parts.2 <= MAX_FILES) else { continue };
        let expected = (1..=count).map(|i| format!("{front}{i:0digits$}-of-{count:0digits$}{end}"));
        if let Some(missing) = expected.into_iter().find(|name| !names.contains(name)) {
            let what = format!("of the {count} files that {name} is one of, {missing} is missing");
            return Err(Error::Archive { path: path.to_owned(), what });
        }
    }
    Ok(())
}

/// The tensors of several files for which `wanted` holds, with their names and files.
fn together(
    path: &Path,
    paths: &[PathBuf],
    key: Option<&str>,
    wanted: impl Fn(&str, &Path) -> bool,
) -> Result<(Vec<File>, Contents)> {
    let broken = |what: String| Error::Archive { path: path.to_owned(), what };
    if paths.len() > MAX_FILES {
        return Err(broken(format!("it has {} files of weights, expected at most {MAX_FILES}", paths.len())));
    }
    let (mut files, mut all) = (Vec::new(), Contents::default());
    for shard in paths {
        let One::File(file, contents) = single(shard, key)? else {
            return Err(broken(format!("{} is an index itself", shard.display())));
        };
        let first = all.blocks.len();
        all.blocks.extend(contents.blocks.into_iter().map(|mut block| {
            block.file = files.len();
            block
        }));
        files.push(file);
        for (name, mut stored) in contents.tensors.into_iter().filter(|(name, _)| wanted(name, shard)) {
            stored.block += first;
            if all.tensors.contains_key(&name) {
                return Err(broken(format!("two of its files have a tensor {name}")));
            }
            all.tensors.insert(name, stored);
        }
        all.metadata.extend(contents.metadata);
        all.left_out.extend(contents.left_out);
        all.more_left_out += contents.more_left_out;
    }
    Ok((files, all))
}
