//! What a command works on: a model of the zoo, a `.rg` file, or an executable that was compiled before.

use regard::{
    errors::{Error, Result},
    source,
};
use regard_ir::graph::Graph;
use regard_models::{Config, ModelError, ZOO};
use regard_runtime::Package;
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Where a graph comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A model of the zoo.
    Model(String),
    /// A `.rg` file.
    File(PathBuf),
}

impl Source {
    /// What `name` means: files end in `.rg`, everything else is a model.
    ///
    /// # Errors
    /// Where there is no such model; the nearest names are offered.
    pub(crate) fn named(name: impl AsRef<OsStr>) -> Result<Source> {
        let name = name.as_ref();
        if Path::new(name).extension().is_some_and(|e| e == "rg") {
            return Ok(Source::File(name.into()));
        }
        let name = name.to_string_lossy();
        match regard_models::find(&name) {
            Some(entry) => Ok(Source::Model(entry.name.to_owned())),
            None => Err(unknown(&name)),
        }
    }
    /// The graph, and its findings as errors.
    ///
    /// # Errors
    /// Where the model has no such configuration, or the file cannot be read or is not a graph.
    pub(crate) fn graph(&self, config: &Config) -> Result<Graph> {
        match self {
            Source::Model(name) => regard_models::build(name, config).map_err(|error| match error {
                ModelError::Unknown(name) => unknown(&name),
                ModelError::Config(why) => Error::Usage(why),
            }),
            Source::File(_) if *config != Config::default() => {
                let why = "--batch, --size and --classes are for models; a .rg file has its shapes written out";
                Err(Error::Usage(why.into()))
            }
            Source::File(path) => source::read(path),
        }
    }
}

/// The package in the file `name`, to be run in this process; nothing where it means a model or a `.rg` file.
///
/// # Errors
/// Where the file is a damaged package, no package at all, not executable, or not written by this program.
pub(crate) fn package(name: impl AsRef<OsStr>) -> Result<Option<Package>> {
    let path = Path::new(name.as_ref());
    let is_model = path.to_str().is_some_and(|name| regard_models::find(name).is_some());
    if is_model || path.extension().is_some_and(|e| e == "rg") || !path.is_file() {
        return Ok(None);
    }
    match Package::open_to_run(path)? {
        Some(package) => Ok(Some(package)),
        None => Err(Error::Failed(format!(
            "{} is neither a .rg file nor an executable that regard compiled",
            path.display()
        ))),
    }
}

/// There is no model of that name; the nearest names there are, or what the file of that name is not.
pub(crate) fn unknown(name: &str) -> Error {
    if let Ok(found) = fs::metadata(name) {
        let what = if found.is_dir() { "a directory" } else { "a file whose name does not end in .rg" };
        let why = "expected a model or a graph in a .rg file; `run` and `segment` also take compiled models";
        return Error::Usage(format!("{name} is {what}, {why}"));
    }
    let hint = did_you_mean(name, ZOO.iter().map(|entry| entry.name))
        .unwrap_or_else(|| "`regard models` lists all; graphs of your own are files that end in .rg".to_owned());
    Error::Usage(format!("there is no model called `{name}`: {hint}"))
}

/// The question after up to three of `names` that are near `name` and hardly less near than the nearest, where any are.
pub(crate) fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut near: Vec<(f64, &str)> = names.map(|other| (strsim::jaro_winkler(name, other), other)).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let least = near.first().map_or(1.0, |nearest| (nearest.0 - 0.04).max(0.6));
    let near: Vec<String> = near.iter().take(3).filter(|n| n.0 > least).map(|n| format!("`{}`", n.1)).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", near.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_models_get_near_names() {
        let error = Source::named("swin_tinny").unwrap_err();
        assert!(error.to_string().contains("did you mean `swin_tiny`"), "{error}");
        assert!(matches!(error, Error::Usage(_)));
        assert!(Source::named("zzz").unwrap_err().to_string().contains("regard models"));
    }
}
