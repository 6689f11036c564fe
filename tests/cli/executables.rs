//! Executables find their model however they are started, say where it is gone, and run where little is granted.

use super::*;
use std::{
    ffi::OsStr,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
};

/// The program that models are appended to.
const RUNNER: &str = env!("CARGO_BIN_EXE_regard-runner");

/// The classifier compiled; its executable, and the classes that it prints.
fn packaged(dir: &Dir) -> (PathBuf, Vec<String>) {
    let model = dir.file("tiny.rg", CLASSIFIER);
    regard(&["compile", &model, "-o", &dir.arg("tiny")]).ok();
    let exe = dir.path("tiny");
    let classes = classes(&start(&exe, &[]).ok());
    assert_eq!(classes.len(), 5);
    (exe, classes)
}

fn classes(text: &str) -> Vec<String> {
    text.lines().filter(|line| line.contains('%')).map(str::to_owned).collect()
}

#[track_caller]
fn gives(command: &mut Command, expected: &[String]) {
    assert_eq!(classes(&ran(command).ok()), expected, "{command:?}");
}

/// Executes `argv[2]` from memory, or after `chroot` to `argv[1]`.
const STARTER: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
    char *args[] = { "model", NULL };
    int memory = argv[1][0] == '-';
    static char buffer[1 << 16];
    int from = open(argv[2], O_RDONLY), to = memfd_create("model", MFD_CLOEXEC);
    for (ssize_t n; memory && (n = read(from, buffer, sizeof buffer)) > 0;)
        if (write(to, buffer, n) != n) return 90;
    if (!memory) {
        if (getuid() != 0 && unshare(CLONE_NEWUSER) != 0) return 91;
        if (chroot(argv[1]) != 0 || chdir("/") != 0) return 91;
        execve(argv[2], args, environ);
        return 92;
    }
    fexecve(to, args, environ);
    return argc + 100;
}
"#;

/// A C program, compiled.
fn c_program(dir: &Dir, name: &str, text: &str) -> PathBuf {
    let source = dir.file(&format!("{name}.c"), text);
    let cc = Command::new("cc").args([&source, "-O1", "-o", &dir.arg(name)]).output().expect("a C compiler named cc");
    assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
    dir.path(name)
}

#[test]
fn an_executable_finds_its_model_however_it_is_started() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    // Another model lies where a wrong name leads.
    let other = dir.file("other.rg", CLASSIFIER.replace("gelu", "relu"));
    regard(&["compile", &other, "-o", &dir.arg("other")]).ok();
    for name in ["nonsense", "", "/proc/self/nowhere", &dir.arg("other"), &dir.arg("tiny.rg"), "regard"] {
        gives(Command::new(&exe).arg0(name), &expected);
    }
    symlink(&exe, dir.path("link")).unwrap();
    gives(&mut Command::new(dir.path("link")), &expected);
    gives(Command::new("./tiny").current_dir(dir.path("")), &expected);
    gives(Command::new("tiny").current_dir("/").env("PATH", dir.path("")), &expected);
    gives(
        Command::new("bash").args(["-c", "exec tiny"]).env("PATH", format!("{}:/usr/bin:/bin", dir.arg(""))),
        &expected,
    );
    let strange = dir.path("").join(OsStr::from_bytes(b"t\xff \n\xfe"));
    fs::copy(&exe, &strange).unwrap();
    gives(&mut Command::new(&strange), &expected);
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if loader.exists() {
        gives(Command::new(loader).arg(&exe), &expected);
        gives(Command::new(loader).arg("./tiny").current_dir(dir.path("")), &expected);
        gives(Command::new(loader).arg(&strange), &expected);
    }
}

#[test]
fn an_executable_runs_from_memory_and_without_proc() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    let starter = c_program(&dir, "starter", STARTER);
    gives(Command::new(&starter).arg("-").arg(&exe), &expected);
    // The libraries that the executable asks for, and no more: no /proc, no /dev.
    fs::create_dir(dir.path("jail")).unwrap();
    fs::copy(&exe, dir.path("jail/tiny")).unwrap();
    let asked = ran(Command::new("ldd").arg(&exe)).ok();
    for library in asked.split_whitespace().filter(|word| word.starts_with('/')) {
        let copy = dir.path(&format!("jail{library}"));
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(library, copy).unwrap();
    }
    let jailed = |program: &str| ran(Command::new(&starter).arg(dir.path("jail")).arg(program));
    let run = jailed("/tiny");
    if run.code == 91 {
        eprintln!("skipped: a start without /proc; this user may not change the root directory");
        return;
    }
    assert_eq!(classes(&run.ok()), expected);
    // A file that somebody calls `model`, which is what `argv[0]` says, is not taken for it.
    fs::copy(env!("CARGO_BIN_EXE_regard"), dir.path("jail/model")).unwrap();
    assert_eq!(classes(&jailed("/tiny").ok()), expected);
}

#[test]
fn an_executable_without_its_model_is_no_compiler() {
    let dir = Dir::new();
    let (exe, _) = packaged(&dir);
    let missing = |name: &str| {
        for args in [&[][..], &["models"], &["--help"]] {
            let err = start(&dir.path(name), args).fails(1);
            assert!(err.contains("the model of") && err.contains("is missing"), "{err}");
        }
    };
    fs::copy(&exe, dir.path("stripped")).unwrap();
    let strip = Command::new("strip").arg(dir.path("stripped")).output().expect("strip, which comes with cc");
    assert!(strip.status.success(), "{}", String::from_utf8_lossy(&strip.stderr));
    missing("stripped");
    let (bytes, host) = (fs::read(&exe).unwrap(), fs::metadata(RUNNER).unwrap().len() as usize);
    let cut = |name: &str, len: usize| {
        dir.file(name, &bytes[..len]);
        fs::set_permissions(dir.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    cut("bare", host);
    missing("bare");
    cut("cut", bytes.len() - 1);
    let err = start(&dir.path("cut"), &["models"]).fails(1);
    assert!(err.contains("damaged"), "{err}");
}

#[test]
fn a_program_without_its_runner_puts_all_of_itself_into_executables() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    fs::copy(env!("CARGO_BIN_EXE_regard"), dir.path("regard")).unwrap();
    let whole = |name: &str| {
        let compiled = start(&dir.path("regard"), &["compile", &dir.arg("tiny.rg"), "-o", &dir.arg(name)]).ok();
        gives(&mut Command::new(dir.path(name)), &expected);
        gives(Command::new(dir.path("regard")).arg("run").arg(dir.path(name)), &expected);
        let more = fs::metadata(dir.path(name)).unwrap().len() - fs::metadata(&exe).unwrap().len();
        compiled.contains("the executable carries all of regard") && more > 1_000_000
    };
    assert!(whole("alone"));
    // A runner of another version, one that carries a model, and what is not a runner at all.
    let runner = fs::read(RUNNER).unwrap();
    let mark = runner.chunks(64).position(|chunk| chunk.starts_with(b"\x91Regard\x03mark")).unwrap() * 64;
    let mut other = runner.clone();
    other[mark + 48] ^= 1;
    for bytes in [other, fs::read(&exe).unwrap(), b"#!/bin/sh\n".to_vec()] {
        dir.file("regard-runner", bytes);
        assert!(whole("not_fitting"));
    }
    fs::copy(RUNNER, dir.path("regard-runner")).unwrap();
    assert!(!whole("small"));
    assert!(fs::read(dir.path("small")).unwrap() == fs::read(&exe).unwrap());
    let err = start(Path::new(RUNNER), &["compile", "swin_tiny"]).fails(2);
    assert!(err.contains("runs the model behind it, and there is none"), "{err}");
}

#[test]
fn a_program_that_may_be_executed_but_not_read_says_so() {
    let dir = Dir::new();
    let (exe, _) = packaged(&dir);
    fs::copy(env!("CARGO_BIN_EXE_regard"), dir.path("regard")).unwrap();
    fs::set_permissions(dir.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    for path in [exe, dir.path("regard")] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o111)).unwrap();
        let as_other = |program: &str| {
            let mut command = Command::new(program);
            if fs::metadata(&path).unwrap().uid() == 0 {
                command.uid(65534).gid(65534);
            }
            command.current_dir(dir.path(""));
            command
        };
        let reads = as_other("cat").arg(&path).output();
        if reads.is_ok_and(|run| run.status.success()) {
            eprintln!("skipped: a program that may not be read; this user may read everything");
            return;
        }
        let model = dir.arg("tiny.rg");
        let args = if path.ends_with("regard") { &["compile", &model, "-o", "again"][..] } else { &[] };
        let err = ran(as_other(&path.to_string_lossy()).args(args)).fails(1);
        assert!(err.contains("cannot read") && err.contains("ermission denied"), "{err}");
        assert!(err.contains(&path.display().to_string()) && !dir.path("again").exists(), "{err}");
    }
}

#[test]
fn only_executable_packages_of_this_program_run_in_it() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    let bytes = fs::read(&exe).unwrap();
    let run = |name: &str, bytes: &[u8], mode: u32| {
        let path = dir.file(name, bytes);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        regard(&["run", &path])
    };
    assert_eq!(classes(&run("same", &bytes, 0o755).ok()), expected);
    let err = run("holiday.jpg", &bytes, 0o644).fails(1);
    assert!(err.contains("is a program, but it is not executable"), "{err}");
    // The class of the file, which nothing reads after the start.
    let mut other = bytes.clone();
    other[9] ^= 1;
    assert!(run("other", &other, 0o755).fails(1).contains("another build"));
}

#[test]
fn names_need_not_be_text() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    let named = |name: &[u8], from: &Path| {
        let path = dir.path("").join(OsStr::from_bytes(name));
        fs::copy(from, &path).unwrap();
        path
    };
    let strange = |command: &mut Command| {
        let run = ran(command);
        assert!(!run.err.contains("panicked"), "{}", run.err);
        run
    };
    let regard = || Command::new(env!("CARGO_BIN_EXE_regard"));
    let block = dir.file("block.rg", BLOCK);
    let weights =
        dir.file("w.safetensors", tensors(&[("w", &[192, 10], wave(1920, 0.1)), ("b", &[10], wave(10, 0.3))]));
    let picture = dir.file("pic.png", include_bytes!("../../regard/src/assets/default.png"));
    let model = named(b"t\xff.rg", &dir.path("tiny.rg"));
    let graph = named(b"b\xff.rg", Path::new(&block));
    let weights = named(b"w\xff.safetensors", Path::new(&weights));
    let picture = named(b"p\xff.png", Path::new(&picture));
    let package = named(b"x\xff", &exe);
    let out = dir.path("").join(OsStr::from_bytes(b"o\xff"));
    for command in ["show", "check", "explain", "optimize", "compare", "bench"] {
        strange(regard().arg(command).arg(&graph)).ok();
    }
    gives(regard().arg("run").arg(&model).arg(&picture), &classes(&strange(Command::new(&exe).arg(&picture)).ok()));
    gives(regard().arg("run").arg(&package), &expected);
    strange(regard().arg("run").arg(&model).arg("--weights").arg(&weights)).ok();
    strange(regard().arg("convert").arg(&weights).arg("-o").arg(&out)).ok();
    assert!(strange(regard().arg("convert").arg(&out).arg("--list")).ok().contains("2 tensors"));
    strange(regard().arg("compile").arg(&model).arg("--weights").arg(&weights).arg("-o").arg(&out)).ok();
    strange(&mut Command::new(&out)).ok();
    for args in [["run", "no\u{fffd}"], ["compile", "--weights"]] {
        let name = OsStr::from_bytes(b"no\xff");
        let ends = strange(regard().args(args).arg(name)).code;
        assert!(ends == 1 || ends == 2);
    }
    assert!(strange(Command::new(&exe).arg0(OsStr::from_bytes(b"\xff")).arg("--help")).ok().contains("photo.jpg"));
}

#[test]
fn one_thread_is_enough() {
    let dir = Dir::new();
    let (exe, expected) = packaged(&dir);
    fs::set_permissions(dir.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_regard"), dir.path("regard")).unwrap();
    fs::copy(RUNNER, dir.path("regard-runner")).unwrap();
    let alone = |program: &Path| {
        let mut command = Command::new("bash");
        command.args(["-c", "ulimit -u 1; exec \"$0\" \"$@\""]).arg(program).current_dir(dir.path(""));
        if fs::metadata(dir.path("regard")).unwrap().uid() == 0 {
            command.uid(65534).gid(65534);
        }
        command
    };
    gives(&mut alone(&exe), &expected);
    gives(alone(&exe).args(["--threads", "8"]), &expected);
    let regard = || alone(&dir.path("regard"));
    gives(regard().args(["run", &dir.arg("tiny.rg"), "--threads", "4"]), &expected);
    ran(regard().args(["check", &dir.arg("tiny.rg"), "--trials", "1"])).ok();
    ran(regard().args(["explain", &dir.arg("tiny.rg"), "--replay"])).ok();
    ran(regard().args(["compile", &dir.arg("tiny.rg"), "-o", "again"])).ok();
    assert!(fs::read(dir.path("again")).unwrap() == fs::read(&exe).unwrap());
}

/// The newest versions of the C library's symbols that the program may ask for; the README says so.
const FLOOR: (u32, u32) = (2, 34);

#[test]
fn the_program_asks_for_no_newer_c_library_than_is_said() {
    let versions = ran(Command::new("objdump").args(["-p", env!("CARGO_BIN_EXE_regard"), RUNNER])).ok();
    let version = |word: &str| {
        let (major, minor) = word.strip_prefix("GLIBC_")?.split_once('.')?;
        Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
    };
    let asked: Vec<(u32, u32)> = versions.split_whitespace().filter_map(version).collect();
    let newest = asked.iter().max().copied();
    assert!(newest.is_none_or(|newest| newest <= FLOOR), "{newest:?}, expected at most {FLOOR:?}");
    let said = format!("C library {}.{}", FLOOR.0, FLOOR.1);
    assert!(include_str!("../../README.md").contains(&said), "the README does not say `{said}`");
}
