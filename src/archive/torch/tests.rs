//! Files that PyTorch wrote (`tests/golden/make_checkpoints.py`), damage to them, and pickles written to do harm.

use super::{
    pickle::{Refusal, load},
    value::Value,
};
use crate::archive::Archive;
use ::safetensors::Dtype;
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/checkpoints").join(name)
}

/// The first `count` elements of tensor `number` of a file, as the script makes them.
fn expected(number: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| ((7 * i + 3 * number) % 32) as f32 / 8.0 - 2.0).collect()
}

/// Opens bytes as a file of that name.
fn open(name: &str, bytes: &[u8]) -> Result<Archive, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    Archive::open(&path).map_err(|error| error.to_string())
}

#[test]
fn every_type_is_read() {
    let archive = Archive::open(&golden("types.pth")).unwrap();
    for (number, (name, dtype)) in
        [("f32", Dtype::F32), ("f16", Dtype::F16), ("bf16", Dtype::BF16), ("f64", Dtype::F64)].into_iter().enumerate()
    {
        assert_eq!(archive.stored(name).unwrap().dtype, dtype);
        assert_eq!(archive.floats(name).unwrap(), expected(number, 6), "{name}");
    }
    for (number, name) in [(4, "i64"), (5, "i32")] {
        let whole: Vec<i64> = expected(number, 6).iter().map(|v| (v * 8.0) as i64).collect();
        assert_eq!(archive.integers(name).unwrap(), whole, "{name}");
    }
    for (name, dtype) in [("i16", Dtype::I16), ("i8", Dtype::I8), ("u8", Dtype::U8), ("bool", Dtype::BOOL)] {
        assert_eq!(archive.stored(name).unwrap().dtype, dtype);
        assert_eq!(archive.stored(name).unwrap().shape, [2, 3]);
        assert!(archive.floats(name).unwrap_err().to_string().contains("expected F32"));
    }
}

#[test]
fn strides_and_shared_storages_become_row_major() {
    let archive = Archive::open(&golden("layouts.pth")).unwrap();
    let whole = expected(0, 24);
    let at = |row: usize, column: usize| whole[row * 4 + column];
    let floats = |name: &str| archive.floats(name).unwrap();
    assert_eq!(floats("whole"), whole);
    assert_eq!(archive.stored("transposed").unwrap().shape, [4, 6]);
    let transposed: Vec<f32> = (0..24).map(|i| at(i % 6, i / 6)).collect();
    assert_eq!(floats("transposed"), transposed);
    for (begin, end) in [(0, 24), (5, 13), (23, 24), (7, 7)] {
        assert_eq!(archive.floats_in("transposed", begin..end).unwrap(), transposed[begin..end]);
    }
    assert_eq!(floats("cut"), [at(1, 1), at(1, 2), at(3, 1), at(3, 2)]);
    assert_eq!(floats("shared"), whole[8..12]);
    assert_eq!(floats("repeated"), [expected(1, 3), expected(1, 3)].concat());
    assert_eq!((floats("empty"), archive.stored("empty").unwrap().shape.clone()), (vec![], vec![0, 3]));
    assert_eq!(floats("scalar"), expected(2, 1));
    let source = expected(3, 24);
    let permuted: Vec<f32> = (0..24).map(|i| source[i / 3 % 2 * 12 + i % 3 * 4 + i / 6]).collect();
    assert_eq!(floats("permuted"), permuted);
}

#[test]
fn long_tensors_with_strides_are_read_in_pieces_and_runs() {
    // A transposed matrix whose pieces reach over more than one stretch, cut out of a made-up file.
    let (rows, columns) = (4100, 1100);
    let bytes: Vec<u8> = (0..rows * columns).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    let values: Vec<f32> = (0..rows * columns).map(|i| i as f32).collect();
    crate::archive::write(&path, &[crate::archive::Tensor::f32("a", &[rows, columns], &values)], "m").unwrap();
    let mut archive = Archive::open(&path).unwrap();
    let stored = archive.contents.tensors.get_mut("a").unwrap();
    (stored.shape, stored.strides) = (vec![columns, rows], Some(vec![1, columns]));
    assert!(bytes.len() as u64 > super::super::STRETCH);
    let found = archive.floats_in("a", 4000..90_000).unwrap();
    assert!(found.iter().zip(4000..).all(|(&v, i): (&f32, usize)| v == (i % rows * columns + i / rows) as f32));
}

#[test]
fn training_state_is_left_out_and_prefixes_go() {
    let archive = Archive::open(&golden("training.pth")).unwrap();
    let names: Vec<&str> = archive.tensors().keys().map(String::as_str).collect();
    let norm = ["1.bias", "1.num_batches_tracked", "1.running_mean", "1.running_var", "1.weight"];
    assert_eq!(names, [&["0.bias", "0.weight"][..], &norm].concat());
    assert_eq!(archive.floats("0.weight").unwrap(), expected(0, 6));
    assert_eq!(archive.floats("1.bias").unwrap(), expected(3, 2));
    let ema = Archive::open_part(&golden("training.pth"), Some("model_ema")).unwrap();
    assert_eq!(ema.floats("0.bias").unwrap(), expected(1, 2).iter().map(|v| v + 1.0).collect::<Vec<_>>());
    let absent = Archive::open_part(&golden("training.pth"), Some("net")).unwrap_err().to_string();
    assert!(absent.contains("no key \"net\"") && absent.contains("\"model_ema\""), "{absent}");
    let state = Archive::open_part(&golden("training.pth"), Some("optimizer")).unwrap();
    assert!(state.tensors().contains_key("state.0.exp_avg"));
    assert!(
        Archive::open_part(&golden("training.pth"), Some("args"))
            .unwrap_err()
            .to_string()
            .contains("argparse.Namespace")
    );
}

#[test]
fn newer_protocols_and_the_legacy_format_are_read() {
    for name in ["protocol5.pt", "legacy.pth"] {
        let archive = Archive::open(&golden(name)).unwrap();
        assert_eq!(archive.tensors().len(), 2, "{name}");
        assert_eq!(archive.floats("weight").unwrap(), expected(0, 6), "{name}");
        assert_eq!(archive.floats("bias").unwrap(), expected(1, 2), "{name}");
    }
}

#[test]
fn what_holds_no_plain_tensors_is_named() {
    let why = |name: &str| Archive::open(&golden(name)).unwrap_err().to_string();
    assert!(why("module.pth").contains("torch.nn.modules.linear.Linear"), "{}", why("module.pth"));
    assert!(
        why("sparse.pth").contains("weight is made by `torch._utils._rebuild_sparse_tensor`"),
        "{}",
        why("sparse.pth")
    );
}

#[test]
fn what_is_converted_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["types.pth", "layouts.pth", "training.pth", "protocol5.pt", "legacy.pth"] {
        let (from, path) = (Archive::open(&golden(name)).unwrap(), dir.path().join("out.safetensors"));
        crate::archive::copy(&from, &path).unwrap();
        let to = Archive::open(&path).unwrap();
        assert!(from.tensors().keys().eq(to.tensors().keys()), "{name}");
        for (tensor, stored) in from.tensors() {
            let bytes = |archive: &Archive, stored| {
                let mut all = Vec::new();
                archive.read(stored, 0..stored.elements(), |piece| all.extend_from_slice(piece)).unwrap();
                all
            };
            let copied = to.stored(tensor).unwrap();
            assert_eq!((stored.dtype, &stored.shape), (copied.dtype, &copied.shape));
            assert_eq!(bytes(&from, stored), bytes(&to, copied), "{name} {tensor}");
        }
        // A copy of the copy is the same file.
        let again = dir.path().join("again.safetensors");
        crate::archive::copy(&to, &again).unwrap();
        assert_eq!(fs::read(&path).unwrap(), fs::read(&again).unwrap());
    }
}

/// A copy of a file, open for damage.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf, fs::File, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::copy(golden(name), &path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    (dir, path, file, fs::read(golden(name)).unwrap())
}

#[test]
fn files_cut_off_anywhere_are_refused() {
    for name in ["protocol5.pt", "legacy.pth"] {
        let (_dir, path, file, bytes) = copy(name);
        for length in (0..bytes.len()).rev() {
            file.set_len(length as u64).unwrap();
            let why = Archive::open(&path).expect_err(&format!("{name} cut at {length}")).to_string();
            assert!(!why.contains('\n'), "{why:?}");
        }
    }
}

#[test]
fn files_with_any_byte_changed_are_refused_or_read() {
    for name in ["protocol5.pt", "legacy.pth"] {
        let (_dir, path, file, bytes) = copy(name);
        for (at, &good) in bytes.iter().enumerate() {
            for change in [0x01, 0x80, 0xff] {
                file.write_all_at(&[good ^ change], at as u64).unwrap();
                if let Ok(archive) = Archive::open(&path) {
                    archive.tensors().iter().filter(|(_, stored)| stored.bytes() < 1 << 20).for_each(|(name, _)| {
                        let _ = archive.floats(name);
                    });
                }
            }
            file.write_all_at(&[good], at as u64).unwrap();
        }
        assert_eq!(Archive::open(&path).unwrap().tensors().len(), 2);
    }
}

/// The pickle in a small checkpoint.
fn pickle() -> Vec<u8> {
    let bytes = fs::read(golden("protocol5.pt")).unwrap();
    let begin = bytes.windows(3).position(|w| w == [0x80, 5, 0x95]).unwrap();
    let length = load(&bytes[begin..]).unwrap().length;
    bytes[begin..begin + length].to_vec()
}

#[test]
fn pickles_with_any_byte_changed_to_any_other_do_no_harm() {
    let good = pickle();
    for at in 0..good.len() {
        let mut bytes = good.clone();
        for byte in 0..=255 {
            bytes[at] = byte;
            if let Err(Refusal { at, what }) = load(&bytes) {
                assert!(at <= bytes.len() && !what.is_empty());
            }
        }
        assert!(load(&good[..at]).is_err(), "cut at {at}");
    }
}

/// The reason why a pickle, written behind its protocol, is refused.
fn refusal(program: &[u8]) -> String {
    load(&[b"\x80\x02", program].concat()).unwrap_err().what
}

#[test]
fn names_by_which_programs_run_are_refused() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("os.path", "join"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "exec"),
        ("__builtin__", "apply"),
        ("builtins", "__import__"),
        ("builtins", "open"),
        ("runpy", "_run_code"),
        ("torch", "load"),
    ] {
        let short = refusal(format!("c{module}\n{name}\n(X\x04\0\0\0true\u{85}R.").as_bytes());
        assert!(short.contains(&format!("asks for `{module}.{name}`")) && short.contains("nothing was run"), "{short}");
        let stack =
            [&[0x8c, module.len() as u8], module.as_bytes(), &[0x8c, name.len() as u8], name.as_bytes(), b"\x93."];
        assert!(refusal(&stack.concat()).contains(&format!("`{module}.{name}`")));
    }
    // Other names are words, whatever is called with them.
    let word = load(b"\x80\x02cargparse\nNamespace\n)R}b.").unwrap();
    assert!(matches!(word.values.get(word.root), Value::Placeholder(name) if name.name == "Namespace"));
}

#[test]
fn opcodes_that_checkpoints_lack_are_refused_by_name() {
    for (program, name) in [
        (&b"(ios\nsystem\n."[..], "INST"),
        (b"(cos.x\ny\no.", "os.x"),
        (b"P0\n.", "PERSID"),
        (b"\x82\x01.", "EXT"),
        (b"\xff.", "0xff"),
    ] {
        assert!(refusal(program).contains(name), "{}", refusal(program));
    }
    assert!(load(b"\x80\x01N.").unwrap_err().what.contains("protocol 1"));
    assert!(load(b"\x80\x06N.").unwrap_err().what.contains("protocol 6"));
}

#[test]
fn lengths_and_memories_are_held_against_what_is_there() {
    let claims = [
        &b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff."[..],
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x96\0\0\0\0\0\x01\0\0.",
        b"X\xff\xff\xff\xffabc",
        b"\x8b\xff\xff\xff\x7f\0",
    ];
    assert!(claims.iter().all(|claim| refusal(claim).contains("are left")));
    assert!(refusal(b"\x8a\xff\x01").contains("cut off"));
    assert!(refusal(b"j\xff\xff\xff\xff.").contains("never stored"));
    assert!(refusal(b"Nr\xff\xff\xff\xffj\xfe\xff\xff\xff.").contains("never stored"));
    for empty in [&b"."[..], b"0", b"2", b"R", b"(.", b"t", b"N(0", b"a", b"u", b"\x94", b"\x93", b"Q", b"b", b"\x85"] {
        assert!(!refusal(empty).is_empty());
    }
}

#[test]
fn bombs_stay_small() {
    // Sixty lists, each twice in the next: 2⁶⁰ leaves for whoever walks them.
    let mut twice = b"\x80\x02]\x94".to_vec();
    (0..60).for_each(|_| twice.extend(b"2\x86\x94"));
    twice.push(b'.');
    let twice = load(&twice).unwrap();
    assert!(matches!(twice.values.get(twice.root), Value::Tuple(pair) if pair[0] == pair[1]));
    // A million lists, each in the next, and a list in itself.
    let deep = [b"\x80\x02".to_vec(), vec![b']'; 1_000_000], vec![b'a'; 999_999], b".".to_vec()].concat();
    assert!(load(&deep).is_ok());
    assert!(load(b"\x80\x02]\x94h\0a.").is_ok());
    // More values than are believed.
    let many = [b"\x80\x02(".to_vec(), vec![b'N'; 3 << 20], b"l.".to_vec()].concat();
    assert!(load(&many).unwrap_err().what.contains("more than 2097152 values"));
    // Dictionaries, each twice in the next: as names there are 2⁴⁰.
    let doubled = |depth: u8| {
        let mut program = b"\x80\x02}".to_vec();
        for slot in 0..depth {
            program.extend([b'q', slot, b'0', b'}', b'(']);
            for key in [b'a', b'b'] {
                program.extend([b'X', 1, 0, 0, 0, key, b'h', slot]);
            }
            program.push(b'u');
        }
        program.push(b'.');
        open("bomb.pth", &archive(&[("x/data.pkl", &program)])).unwrap_err()
    };
    assert!(doubled(40).contains("nested beyond measure"), "{}", doubled(40));
}

/// A zip archive of uncompressed entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in entries {
        writer.start_file(*name, plain).unwrap();
        std::io::Write::write_all(&mut writer, bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A pickle of `{"w": tensor}`: a storage of `elements` numbers under `key`, and integers as shape and strides.
fn one_tensor(key: &str, elements: i32, first: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let int = |n: &i32| [&b"J"[..], &n.to_le_bytes()].concat();
    let text = |t: &str| [&b"X"[..], &(t.len() as u32).to_le_bytes(), t.as_bytes()].concat();
    let ints = |n: &[i32]| [&b"("[..], &n.iter().flat_map(int).collect::<Vec<_>>(), b"t"].concat();
    [
        &b"\x80\x02}"[..],
        &text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text(key),
        &text("cpu"),
        &int(&elements),
        b"tQ",
        &int(&first),
        &ints(shape),
        &ints(strides),
        b"N)tRs.",
    ]
    .concat()
}

#[test]
fn tensors_must_lie_in_their_storages() {
    let file = |pickle: Vec<u8>, data: &[u8]| open("x.pth", &archive(&[("x/data.pkl", &pickle), ("x/data/0", data)]));
    let good = file(one_tensor("0", 4, 0, &[2, 2], &[2, 1]), &[0; 16]).unwrap();
    assert_eq!(good.floats("w").unwrap(), [0.0; 4]);
    let why = |pickle: Vec<u8>, data: &[u8]| file(pickle, data).unwrap_err();
    assert!(why(one_tensor("0", 4, 1, &[2, 2], &[2, 1]), &[0; 16]).contains("outside its storage of 4 elements"));
    assert!(why(one_tensor("0", 4, 0, &[2, 2], &[3, 1]), &[0; 16]).contains("outside its storage"));
    assert!(why(one_tensor("0", 4, -1, &[2, 2], &[2, 1]), &[0; 16]).contains("from element -1"));
    assert!(why(one_tensor("0", 4, 0, &[2, 2], &[-2, 1]), &[0; 16]).contains("stride -2"));
    assert!(why(one_tensor("0", 4, 0, &[2, 2], &[1]), &[0; 16]).contains("strides [1]"));
    assert!(why(one_tensor("0", -4, 0, &[], &[]), &[0; 16]).contains("negative or absurd"));
    assert!(why(one_tensor("0", 4, 0, &[2, 2], &[2, 1]), &[0; 15]).contains("15 bytes, expected 16"));
    assert!(why(one_tensor("../../data/0", 4, 0, &[2, 2], &[2, 1]), &[0; 16]).contains("which is missing"));
    // A single number, repeated until it fills all memory.
    let most = i32::MAX;
    assert!(why(one_tensor("0", 4, 0, &[most, most], &[0, 0]), &[0; 16]).contains("of shape [2147483647, 2147483647]"));
    assert!(why(one_tensor("0", 4, 0, &[most], &[0]), &[0; 16]).contains("have 8589934588 bytes, expected at most"));
}

#[test]
fn archives_that_pytorch_does_not_write_are_refused() {
    let pickle = one_tensor("0", 4, 0, &[2, 2], &[2, 1]);
    let data = ("x/data/0", &[0; 16][..]);
    let why = |entries: &[(&str, &[u8])]| open("x.pth", &archive(entries)).unwrap_err();
    assert!(why(&[]).contains("0 entries data.pkl"));
    assert!(why(&[("x/data.pkl", &pickle), ("y/data.pkl", &pickle), data]).contains("2 entries data.pkl"));
    assert!(why(&[("xdata.pkl", &pickle), data]).contains("data.pkl"));
    assert!(why(&[("x/data.pkl", &pickle), ("x/constants.pkl", b""), data]).contains("TorchScript"));
    assert!(why(&[("x/data.pkl", &pickle), ("x/byteorder", b"big"), data]).contains("big-endian"));
    assert!(why(&[("x/data.pkl", b""), data]).contains("cut off"));
    // Names that climb out of a directory are names like others.
    let climbing = archive(&[("../../x/data.pkl", &pickle), ("../../x/data/0", &[0; 16]), ("/etc/passwd", b"")]);
    assert_eq!(open("x.pth", &climbing).unwrap().floats("w").unwrap(), [0.0; 4]);
    // A compressed entry, which could be a bomb: the method in both headers becomes deflate.
    let mut deflated = archive(&[("x/data.pkl", &pickle), data]);
    let central = deflated.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    (deflated[8], deflated[central + 10]) = (8, 8);
    assert!(open("x.pth", &deflated).unwrap_err().contains("is compressed"));
    assert!(open("x.pth", b"anything else").unwrap_err().contains("not a PyTorch checkpoint"));
    assert!(open("x.pt", b"").unwrap_err().contains("not a PyTorch checkpoint"));
}

#[test]
fn an_archive_is_read_by_several_threads() {
    let archive = Arc::new(Archive::open(&golden("layouts.pth")).unwrap());
    let sums = std::thread::scope(|scope| {
        let run = || (0..50).map(|_| archive.floats("permuted").unwrap().iter().sum::<f32>()).sum::<f32>();
        [scope.spawn(run), scope.spawn(run)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(sums[0], sums[1]);
}
