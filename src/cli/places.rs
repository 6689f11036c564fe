//! What a command reads and where it writes, said before it begins.
//!
//! ```text
//!   reads   b.rg, w.pth        ┐  an output that is an input, under whatever name   ─▶ refused
//!   writes  ./b.rg, -          ┘  an output that is standard output                 ─▶ messages to standard error
//! ```

use super::Command;
use regard::{
    errors::{Error, Result},
    files,
};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Files that a command reads and writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
}

impl Places {
    /// It also reads these. A directory stands for the files in it.
    pub(crate) fn reads<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Places {
        self.reads.extend(paths.into_iter().map(|path| path.as_ref().to_owned()));
        self
    }
    /// It also reads what a model is made of, unless that is one of the zoo.
    pub(crate) fn reads_model(self, name: impl AsRef<OsStr>) -> Places {
        let name = name.as_ref();
        let is_known = name.to_str().is_some_and(|name| regard_models::find(name).is_some());
        self.reads((!is_known).then_some(name))
    }
    /// It also writes these.
    pub(crate) fn writes<P: AsRef<Path>>(mut self, paths: impl IntoIterator<Item = P>) -> Places {
        self.writes.extend(paths.into_iter().map(|path| path.as_ref().to_owned()));
        self
    }
    /// Whether a file that it writes is standard output, where then nothing else belongs.
    pub(crate) fn prints(&self) -> bool {
        self.writes.iter().any(|path| files::is_standard_output(path))
    }
    /// Checks that no output is an input or another output, and that all can be written, before any work is done.
    ///
    /// # Errors
    /// The first that is.
    pub(crate) fn check(&self) -> Result<()> {
        let inputs: Vec<PathBuf> = self.reads.iter().flat_map(|path| parts(path)).collect();
        for (i, output) in self.writes.iter().enumerate() {
            files::check(output)?;
            if files::is_standard_output(output)
                && self.writes[..i].iter().any(|other| files::is_standard_output(other))
            {
                return Err(Error::Usage("two outputs go to standard output, expected at most one".into()));
            }
            let Some(place) = files::identity(output) else { continue };
            let is_output = |other: &&PathBuf| files::identity(other).as_ref() == Some(&place);
            if let Some(input) = inputs.iter().find(is_output) {
                let (output, input) = (output.display(), input.display());
                let same =
                    if output.to_string() == input.to_string() { String::new() } else { format!(", as {input}") };
                return Err(Error::Usage(format!("the output {output} is also read{same}, expected another file")));
            }
            if let Some(other) = self.writes[..i].iter().find(is_output) {
                let (output, other) = (output.display(), other.display());
                return Err(Error::Usage(format!("the outputs {other} and {output} are one file, expected two")));
            }
        }
        Ok(())
    }
}

/// The files that reading `path` reads: itself, those in it, or those beside it that an index names.
fn parts(path: &Path) -> Vec<PathBuf> {
    let within = |directory: &Path| -> Vec<PathBuf> {
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let is_index = path.extension().is_some_and(|extension| extension == "json");
    let mut parts = vec![path.to_owned()];
    if path.is_dir() {
        parts.extend(within(path));
    } else if is_index {
        let beside = within(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")));
        let is_shard = |part: &PathBuf| part.extension().is_some_and(|e| e == "safetensors" || e == "bin");
        parts.extend(beside.into_iter().filter(is_shard));
    }
    parts
}

impl Command {
    /// What this command reads and writes.
    pub(crate) fn places(&self) -> Places {
        match self {
            Command::Compile(args) => args.places(),
            Command::Run(args) => args.places(),
            Command::Compare(args) => args.places(),
            Command::Optimize(args) => args.places(),
            Command::Convert(args) => args.places(),
            Command::Segment(args) => args.places(),
            // These write nothing but JSON.
            Command::Models(args) => args.json.places(),
            Command::Table(args) => args.json.places(),
            Command::Check(args) => args.json.places(),
            Command::Show(args) => args.json.places(),
            Command::Bench(args) => args.json.places(),
            Command::Explain(args) => args.json.places(),
            Command::Score(args) => args.json.places(),
            Command::Completions(_) | Command::Man(_) => Places::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_one_under_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("in"), "x").unwrap();
        fs::hard_link(at("in"), at("hard")).unwrap();
        symlink("in", at("soft")).unwrap();
        symlink(at("none"), at("dangling")).unwrap();
        fs::create_dir(at("d")).unwrap();
        fs::write(at("d/part"), "x").unwrap();
        let check = |inputs: &[&str], outputs: &[&str]| {
            let path = |names: &[&str]| names.iter().map(|name| at(name)).collect::<Vec<_>>();
            Places::default().reads(path(inputs)).writes(path(outputs)).check()
        };
        for name in ["in", "hard", "soft", "d/../in"] {
            assert!(check(&["in"], &[name]).unwrap_err().to_string().contains("is also read"), "{name}");
        }
        assert!(check(&["d"], &["d/part"]).is_err());
        assert!(check(&["in"], &["out", "d/../out"]).unwrap_err().to_string().contains("are one file"));
        assert!(check(&["in"], &["none", "dangling"]).is_err());
        check(&["in", "absent"], &["out", "other", "d/new"]).unwrap();
        let device = Path::new("/dev/null");
        Places::default().reads([device]).writes([device, device]).check().unwrap();
        let standard = Places::default().writes(["-", "-"]);
        assert!(standard.prints() && standard.check().is_err());
    }
}
