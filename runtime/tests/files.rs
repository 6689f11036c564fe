//! Files appear whole or not at all, alone and as sets, also where the writer panics.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use regard_runtime::files::{Output, identity, publish};

fn begun(path: &Path, text: &str) -> Output {
    let mut output = Output::create(path).unwrap();
    output.write_all(text.as_bytes()).unwrap();
    output
}
fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_changes_before_a_file_is_published() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old").unwrap();
    drop(begun(&path, "new"));
    assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path())), ("old".into(), vec!["out".into()]));
    publish(vec![begun(&path, "new")]).unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path())), ("new".into(), vec!["out".into()]));
}
#[test]
fn a_panic_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _output = begun(&path, "new");
        std::panic::resume_unwind(Box::new("the writer has a fault"));
    }));
    assert!(panicked.is_err() && names(dir.path()).is_empty());
}
#[test]
fn a_set_that_cannot_be_completed_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("replaced"), "old").unwrap();
    fs::set_permissions(at("replaced"), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(at("replaced")).unwrap().ino();
    let set = ["replaced", "new", "taken", "last"].map(|name| begun(&at(name), "new"));
    // It was free when the file was begun.
    fs::create_dir(at("taken")).unwrap();
    let (path, error) = publish(set.into()).unwrap_err();
    assert_eq!((path, error.kind()), (at("taken"), std::io::ErrorKind::IsADirectory));
    assert_eq!(names(dir.path()), ["replaced", "taken"]);
    assert_eq!(fs::read_to_string(at("replaced")).unwrap(), "old");
    let after = fs::metadata(at("replaced")).unwrap();
    assert_eq!((after.ino(), after.mode() & 0o777), (before, 0o640));
    // Without the obstacle all of them appear.
    fs::remove_dir(at("taken")).unwrap();
    publish(["replaced", "new", "taken", "last"].map(|name| begun(&at(name), "new")).into()).unwrap();
    assert_eq!(names(dir.path()), ["last", "new", "replaced", "taken"]);
    assert_eq!(fs::metadata(at("replaced")).unwrap().mode() & 0o777, 0o640);
}
#[test]
fn programs_are_executable_for_those_who_may_read_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    publish(vec![Output::executable(&path).unwrap()]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o750);
}
#[test]
fn names_that_are_no_file_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path| Output::create(path).unwrap_err().to_string();
    assert!(refused(dir.path()).contains("directory"));
    assert!(refused(Path::new("")).contains("names no file"));
    assert!(refused(&dir.path().join("new/")).contains("names no file"));
    std::os::unix::fs::symlink("b", dir.path().join("a")).unwrap();
    std::os::unix::fs::symlink("a", dir.path().join("b")).unwrap();
    Output::create(&dir.path().join("a")).unwrap_err();
    assert!(identity(dir.path()).is_none() && identity(&dir.path().join("a")).is_none());
    assert_eq!(names(dir.path()), ["a", "b"]);
}
