//! Outputs keep what they replace: links, modes, devices, pipes, inputs; on a full disk and when interrupted.

use super::*;
use std::{
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
        process::CommandExt,
    },
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// Every way to write a file from `block.rg`, `tiny.rg`, `p.pth` and `pic.png`: arguments up to the output's name.
fn writers(dir: &Dir) -> Vec<Vec<String>> {
    let block = dir.file("block.rg", BLOCK);
    let segmenter = dir.file(
        "map.rg",
        "graph map {\n  %image = input : f32[1, 3, 8, 8]\n  %s = slice %image { axis = 1, start = 0, stop = 2, step = 1 }\n  return %s\n}\n",
    );
    let picture = dir.file("pic.png", include_bytes!("../../regard/src/assets/default.png"));
    let checkpoint = dir.file("p.pth", include_bytes!("../golden/checkpoints/training.pth"));
    let input = dir.file("in.safetensors", tensors(&[("x", &[2, 49, 32], wave(3136, 0.01))]));
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    vec![
        words(&["compile", &block, "--emit", "rg", "-o"]),
        words(&["compile", &block, "--emit", "clif", "-o"]),
        words(&["compile", &block, "-o"]),
        words(&["optimize", &block, "-o"]),
        words(&["run", &block, "--raw", &input, "-o"]),
        words(&["convert", &checkpoint, "-o"]),
        words(&["compare", &block, "--html"]),
        words(&["segment", &segmenter, &picture, "-o"]),
        words(&["segment", &segmenter, &picture, "--map"]),
    ]
}

#[test]
fn what_cannot_be_written_is_said_before_the_work() {
    let dir = Dir::new();
    for words in writers(&dir) {
        fs::create_dir(dir.path("d")).unwrap();
        for name in ["none/x", "d", "block.rg/x"] {
            let run = ran(&mut with(&words, &dir.arg(name)));
            assert!(run.out.is_empty(), "{words:?} {name}: {}", run.out);
            let err = run.fails(1);
            assert!(err.starts_with("error: cannot write") && err.lines().count() == 1, "{words:?} {name}: {err}");
        }
        fs::remove_dir(dir.path("d")).unwrap();
    }
    let block = dir.arg("block.rg");
    let err = regard(&["explain", &block, "--replay", &format!("--json={}", dir.arg("none/x"))]);
    assert!(err.out.is_empty() && err.fails(1).contains("cannot write"));
}

fn with(words: &[String], output: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regard"));
    command.args(words).arg(output);
    command
}

/// Standard output as bytes, and standard error, of a command that must succeed.
#[track_caller]
fn bytes_of(command: &mut Command) -> (Vec<u8>, String) {
    let output = command.output().expect("the program starts");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {err}");
    (output.stdout, err)
}

/// What a text or a picture that has no times in it must be; pages and the rest may differ from run to run.
fn is_same_kind(a: &[u8], b: &[u8]) -> bool {
    a == b || (a.len().abs_diff(b.len()) < 64 && a[..4] == b[..4])
}

#[test]
fn links_modes_devices_and_pipes_stay_what_they_are() {
    let dir = Dir::new();
    for words in writers(&dir) {
        bytes_of(&mut with(&words, &dir.arg("plain")));
        let plain = fs::read(dir.path("plain")).unwrap();
        // A link, to a file of a mode of its own, and to nothing.
        fs::write(dir.path("real"), "old").unwrap();
        fs::set_permissions(dir.path("real"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("real", dir.path("link")).unwrap();
        symlink("new", dir.path("dangling")).unwrap();
        for link in ["link", "dangling"] {
            bytes_of(&mut with(&words, &dir.arg(link)));
            assert!(fs::symlink_metadata(dir.path(link)).unwrap().is_symlink(), "{words:?} {link}");
        }
        for file in ["real", "new"] {
            assert!(is_same_kind(&fs::read(dir.path(file)).unwrap(), &plain), "{words:?} {file}");
        }
        assert_eq!(fs::metadata(dir.path("real")).unwrap().mode() & 0o7777, 0o750, "{words:?}");
        // A device, and standard output under three names.
        bytes_of(&mut with(&words, "/dev/null"));
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        for name in ["-", "/dev/stdout", "/proc/self/fd/1"] {
            let (out, _) = bytes_of(&mut with(&words, name));
            assert!(is_same_kind(&out, &plain), "{words:?} to {name}: {} bytes, not {}", out.len(), plain.len());
        }
        // A pipe with a name.
        let fifo = dir.arg("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let reader = thread::spawn({
            let fifo = fifo.clone();
            move || fs::read(fifo).unwrap()
        });
        bytes_of(&mut with(&words, &fifo));
        assert!(is_same_kind(&reader.join().unwrap(), &plain), "{words:?} to a pipe");
        assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());
        for name in ["plain", "real", "link", "new", "dangling", "fifo"] {
            fs::remove_file(dir.path(name)).unwrap();
        }
        assert_eq!(dir.names(), ["block.rg", "in.safetensors", "map.rg", "p.pth", "pic.png"], "{words:?}");
    }
}

#[test]
fn standard_output_in_append_mode_keeps_what_it_has() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    dir.file("log", "first\n");
    let append = fs::OpenOptions::new().append(true).open(dir.path("log")).unwrap();
    let words = ["compile", &block, "--emit", "rg", "-o"].map(str::to_owned);
    let status = with(&words, "/dev/stdout").stdout(append).status().unwrap();
    assert!(status.success());
    let log = fs::read_to_string(dir.path("log")).unwrap();
    assert!(log.starts_with("first\ngraph block {") && log.ends_with("}\n"), "{log}");
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let dir = Dir::new();
    let all = writers(&dir);
    symlink("block.rg", dir.path("soft.rg")).unwrap();
    fs::hard_link(dir.path("p.pth"), dir.path("hard.pth")).unwrap();
    let before: Vec<(String, Vec<u8>)> =
        dir.names().into_iter().map(|name| (name.clone(), fs::read(dir.path(&name)).unwrap())).collect();
    let (block, here) = (dir.arg("block.rg"), dir.path(""));
    let refused = |command: &mut Command| {
        let err = ran(command.current_dir(&here)).fails(2);
        assert!(err.contains("is also read") && err.trim().lines().count() == 1, "{err}");
    };
    for words in &all {
        for input in words.iter().filter(|word| Path::new(word).is_absolute()) {
            refused(&mut with(words, input));
            refused(&mut with(words, Path::new(input).file_name().unwrap().to_str().unwrap()));
        }
    }
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    refused(&mut with(&own(&["compile", &block, "--emit", "rg", "-o"]), "soft.rg"));
    refused(&mut with(&own(&["convert", "p.pth", "-o"]), "hard.pth"));
    fs::hard_link(dir.path("p.pth"), dir.path("p.safetensors")).unwrap();
    refused(&mut with(&own(&["convert", "p.safetensors", "-o"]), "p.safetensors"));
    fs::remove_file(dir.path("p.safetensors")).unwrap();
    refused(&mut with(&own(&["compile", &block, "--labels", "in.safetensors", "-o"]), "in.safetensors"));
    refused(&mut with(
        &own(&["compile", &block, "--weights", "in.safetensors", "--emit", "rg", "-o"]),
        "in.safetensors",
    ));
    refused(&mut with(
        &own(&["compile", &block, "--schedule", "in.safetensors", "--emit", "clif", "-o"]),
        "./in.safetensors",
    ));
    // Without `-o`, the graph's own name is the input's here; an object's weights may be, too.
    refused(&mut with(&own(&["compile", &block, "--emit"]), "rg"));
    // An index stands for the files that it names.
    for (index, shard) in [("m.bin.index.json", "m-1.bin"), ("m.safetensors.index.json", "m-1.safetensors")] {
        [index, shard].iter().for_each(|name| drop(dir.file(name, "")));
        refused(&mut with(&own(&["compile", &block, "--weights", index, "--emit", "rg", "-o"]), shard));
        [index, shard].iter().for_each(|name| fs::remove_file(dir.path(name)).unwrap());
    }
    dir.file("x.weights", "");
    refused(&mut with(&own(&["compile", &block, "--weights", "x.weights", "--emit", "obj", "-o"]), "x.o"));
    fs::remove_file(dir.path("x.weights")).unwrap();
    let one = ran(with(&own(&["segment", "map.rg", "pic.png", "-o", "a.png", "--map"]), "./a.png").current_dir(&here));
    assert!(one.fails(2).contains("are one file"));
    for (name, bytes) in before {
        assert!(fs::read(dir.path(&name)).unwrap() == bytes, "{name}");
    }
    assert_eq!(dir.names().len(), 7);
}

#[test]
fn an_object_never_takes_the_names_beside_it() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    for (name, why) in [("x.h", "C header"), ("x.weights", "file of weights")] {
        let err = regard(&["compile", &block, "--emit", "obj", "-o", &dir.arg(name)]).fails(2);
        assert!(err.contains(why) && err.contains("x.o"), "{err}");
    }
    for name in ["-", "/dev/null"] {
        assert!(regard(&["compile", &block, "--emit", "obj", "-o", name]).fails(2).contains("name of a file"));
    }
    // All three or none: the third cannot be written.
    for name in ["x.o", "x.h"] {
        dir.file(name, "old");
    }
    fs::create_dir(dir.path("x.weights")).unwrap();
    let before = dir.names();
    regard(&["compile", &block, "--emit", "obj", "-o", &dir.arg("x.o")]).fails(1);
    assert_eq!(dir.names(), before);
    assert_eq!([fs::read(dir.path("x.o")).unwrap(), fs::read(dir.path("x.h")).unwrap()], [b"old", b"old"]);
}

#[test]
fn a_map_and_its_overlay_are_a_set() {
    let dir = Dir::new();
    writers(&dir);
    fs::create_dir(dir.path("taken")).unwrap();
    let before = dir.names();
    let [map, picture, taken, new] = ["map.rg", "pic.png", "taken", "new.png"].map(|name| dir.arg(name));
    regard(&["segment", &map, &picture, "--map", &new, "-o", &taken]).fails(1);
    assert_eq!(dir.names(), before);
}

#[test]
fn on_a_full_disk_nothing_new_remains() {
    let dir = Dir::new();
    let model = dir.file("wide.rg", "graph wide {\n  %x = input : f32[1, 512]\n  %w = weight : f32[512, 512]\n  %y = matmul %x, %w\n  return %y\n}\n");
    dir.file("x.o", "old");
    let before = dir.names();
    for emit in ["obj", "exe"] {
        // No file may be longer than 256 KiB; weights and executables are.
        let limited = |name: &str| {
            let mut command = Command::new("bash");
            command.args([
                "-c",
                "ulimit -f 256; exec \"$0\" \"$@\"",
                env!("CARGO_BIN_EXE_regard"),
                "compile",
                &model,
                "--emit",
                emit,
                "-o",
            ]);
            ran(command.arg(dir.arg(name))).fails(1)
        };
        for name in ["x.o", "y.o"] {
            let err = limited(name);
            assert!(err.contains("cannot write") && err.contains("too large"), "{err}");
            assert_eq!(dir.names(), before, "{emit}");
        }
    }
    assert_eq!(fs::read(dir.path("x.o")).unwrap(), b"old");
}

/// Help and the version are results: who stores them must learn that they are lost.
#[test]
fn help_that_cannot_be_printed_is_an_error() {
    let dir = Dir::new();
    let model = dir.file("tiny.rg", CLASSIFIER);
    regard(&["compile", &model, "-o", &dir.arg("tiny")]).ok();
    let (regard, tiny) = (env!("CARGO_BIN_EXE_regard"), &dir.arg("tiny"));
    for (program, args) in [
        (regard, &["--version"][..]),
        (regard, &["help"]),
        (regard, &["--help"]),
        (regard, &["help", "run"]),
        (regard, &["models"]),
        (tiny, &["--version"]),
        (tiny, &["--help"]),
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is full");
        let run = Command::new(program).args(args).stdout(full).output().unwrap();
        let err = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(1), "{program} {args:?}: {err}");
        assert!(err.contains("cannot write standard output"), "{err}");
        // A reader that went away wants no more, which is not an error.
        let closed = Command::new("bash")
            .args(["-c", "set -o pipefail; \"$0\" \"$@\" | true", program])
            .args(args)
            .output()
            .expect("bash");
        assert!(closed.status.success() && closed.stderr.is_empty(), "{program} {args:?}");
    }
    // Mistakes go to standard error, whatever becomes of standard output.
    assert!(ran(Command::new(regard).arg("--vers")).fails(2).contains("--version"));
}

#[test]
fn a_full_device_is_named() {
    let dir = Dir::new();
    for words in writers(&dir) {
        let err = ran(&mut with(&words, "/dev/full")).fails(1);
        assert!(err.contains("cannot write /dev/full"), "{err}");
    }
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
}

#[test]
fn long_and_strange_names_are_written() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let long = "n".repeat(252) + ".rg";
    let strange = std::ffi::OsStr::from_bytes(b"m\xff\xfe.rg");
    for name in [std::ffi::OsStr::new(&long), strange] {
        let path = dir.path("").join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_regard"));
        bytes_of(command.args(["compile", &block, "--emit", "rg", "-o"]).arg(&path));
        assert!(fs::read_to_string(&path).unwrap().starts_with("graph block"));
        fs::remove_file(path).unwrap();
    }
    assert_eq!(dir.names(), ["block.rg"]);
}

/// The program as a user without privileges runs it: who may do everything becomes nobody.
fn as_user(dir: &Dir) -> Command {
    let program = dir.path("regard");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_regard"), &program).unwrap();
    }
    let mut command = Command::new(program);
    if fs::metadata(dir.path("regard")).unwrap().uid() == 0 {
        command.uid(65534).gid(65534);
    }
    command
}

#[test]
fn a_file_in_a_directory_that_is_read_only_is_written_in_its_place() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    fs::set_permissions(dir.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(dir.path("closed")).unwrap();
    for (name, mode) in [("open", 0o666), ("shut", 0o444)] {
        dir.file(&format!("closed/{name}"), "old text that is longer than nothing");
        fs::set_permissions(dir.path("closed").join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let inode = fs::metadata(dir.path("closed/open")).unwrap().ino();
    fs::set_permissions(dir.path("closed"), fs::Permissions::from_mode(0o555)).unwrap();
    let write = |name: &str| ran(as_user(&dir).args(["compile", &block, "--emit", "rg", "-o", &dir.arg(name)]));
    write("closed/open").ok();
    assert!(fs::read_to_string(dir.path("closed/open")).unwrap().starts_with("graph block"));
    assert_eq!(fs::metadata(dir.path("closed/open")).unwrap().ino(), inode);
    for name in ["closed/shut", "closed/new"] {
        assert!(write(name).fails(1).contains("cannot write"));
    }
    assert!(fs::read_to_string(dir.path("closed/shut")).unwrap().starts_with("old"));
    fs::set_permissions(dir.path("closed"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_dir(dir.path("closed")).unwrap().count(), 2);
}

#[test]
fn an_owner_keeps_what_is_replaced() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let out = dir.file("out.rg", "old");
    let owner = match fs::metadata(&out).unwrap().uid() {
        0 => {
            std::os::unix::fs::chown(&out, Some(1234), Some(4321)).unwrap();
            (1234, 4321)
        }
        user => (user, fs::metadata(&out).unwrap().gid()),
    };
    regard(&["compile", &block, "--emit", "rg", "-o", &out]).ok();
    let new = fs::metadata(&out).unwrap();
    assert_eq!((new.uid(), new.gid()), owner);
    assert!(fs::read_to_string(&out).unwrap().starts_with("graph block"));
}

#[test]
fn what_is_interrupted_leaves_nothing() {
    let dir = Dir::new();
    // 32 MiB take a while to write.
    let wide = "graph wide {\n  %x = input : f32[1, 2048]\n  %w = weight : f32[2048, 4096]\n  %y = matmul %x, %w\n  return %y\n}\n";
    let wide = dir.file("wide.rg", wide);
    let words = ["compile", &wide, "-o"].map(str::to_owned);
    let drafts = || dir.names().into_iter().filter(|name| name.ends_with(".part")).count();
    // Ended by a signal while the draft exists.
    let interrupted = |signal: &str| -> bool {
        let mut child = with(&words, &dir.arg("exe")).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while drafts() == 0 && child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(20) {
            thread::yield_now();
        }
        let kill = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let ended = child.wait().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        kill.success() && ended.code().is_none()
    };
    for signal in ["-INT", "-TERM", "-HUP"] {
        // The draft may be gone before the signal comes, so it is tried until one does.
        let hit = (0..40).any(|_| interrupted(signal));
        assert_eq!(drafts(), 0, "{signal} left drafts");
        assert!(hit, "no {signal} came in time");
    }
    // Who is killed cannot tidy up; the next one does, but leaves the drafts of the living.
    for _ in 0..40 {
        if drafts() == 0 {
            interrupted("-KILL");
        }
    }
    let left = drafts();
    let living = fs::File::create(dir.path(".regard-living.part")).unwrap();
    living.lock().unwrap();
    let block = dir.file("block.rg", BLOCK);
    regard(&["compile", &block, "-o", &dir.arg("exe")]).ok();
    assert!(left <= 1 && dir.names().contains(&".regard-living.part".to_owned()));
    assert_eq!(drafts(), 1);
    drop(living);
    regard(&["compile", &block, "-o", &dir.arg("exe")]).ok();
    assert_eq!(drafts(), 0);
}
