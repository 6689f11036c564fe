//! Files that PyTorch and NumPy wrote (`tests/golden/make_checkpoints.py`), and damage to them.

use crate::archive::{Archive, Part, Stored};
use ::safetensors::Dtype;
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/checkpoints").join(name)
}

/// The first `count` elements of tensor `number` of a file, as the script makes them.
fn expected(number: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| ((7 * i + 3 * number) % 32) as f32 / 8.0 - 2.0).collect()
}

/// The tensors under a key.
fn keyed(name: &str, key: &str) -> crate::errors::Result<Archive> {
    Archive::open_part(&golden(name), Part { key: Some(key), prefix: None })
}

/// Opens bytes as a file of that name.
pub(super) fn open(name: &str, bytes: &[u8]) -> Result<Archive, String> {
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
    let archive = Archive::open(&path).unwrap();
    let stored =
        Stored { strides: Some(vec![1, columns]), shape: vec![columns, rows], ..archive.stored("a").unwrap().clone() };
    assert!(bytes.len() as u64 > 16 << 20);
    let mut found = Vec::new();
    archive.append_floats("a", &stored, 4000..90_000, &mut found).unwrap();
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
    let ema = keyed("training.pth", "model_ema").unwrap();
    assert_eq!(ema.floats("0.bias").unwrap(), expected(1, 2).iter().map(|v| v + 1.0).collect::<Vec<_>>());
    let absent = keyed("training.pth", "net").unwrap_err().to_string();
    assert!(absent.contains("no key \"net\"") && absent.contains("\"model_ema\""), "{absent}");
    let state = keyed("training.pth", "optimizer").unwrap();
    assert!(state.tensors().contains_key("state.0.exp_avg"));
    assert!(keyed("training.pth", "args").unwrap_err().to_string().contains("argparse.Namespace"));
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
fn all_protocols_and_packings_are_read() {
    for name in ["protocol0.pth", "protocol1.pth", "legacy1.pth", "unchecked.pth"] {
        let archive = Archive::open(&golden(name)).unwrap();
        assert_eq!(archive.tensors().len(), 2, "{name}");
        assert_eq!(archive.floats("weight").unwrap(), expected(0, 6), "{name}");
        assert_eq!(archive.floats("bias").unwrap(), expected(1, 2), "{name}");
    }
    let archive = Archive::open(&golden("bytes.pth")).unwrap();
    assert_eq!((archive.stored("e4m3").unwrap().dtype, archive.stored("e4m3").unwrap().bytes()), (Dtype::F8_E4M3, 6));
    assert_eq!((archive.stored("u16").unwrap().dtype, archive.stored("u16").unwrap().bytes()), (Dtype::U16, 12));
}

#[test]
fn trainers_store_more_than_tensors() {
    for name in ["lightning.ckpt", "deflated.ckpt"] {
        let archive = Archive::open(&golden(name)).unwrap();
        assert!(archive.tensors().keys().eq(["model.bias", "model.weight"]), "{name}");
        assert_eq!(archive.floats_in("model.weight", 2..5).unwrap(), expected(0, 6)[2..5], "{name}");
        assert_eq!(archive.keys().entered, "state_dict");
        let part = Part { prefix: Some("model."), ..Part::default() };
        assert_eq!(Archive::open_part(&golden(name), part).unwrap().floats("bias").unwrap(), expected(1, 2));
        let part = Part { prefix: Some("net."), ..Part::default() };
        let why = Archive::open_part(&golden(name), part).unwrap_err().to_string();
        assert!(why.contains("none of its 2 tensors") && why.contains("`net.`"), "{why}");
    }
    assert!(
        keyed("lightning.ckpt", "hyper_parameters")
            .unwrap_err()
            .to_string()
            .contains("device is an object of `torch.device`")
    );
}

#[test]
fn bits_that_change_elements_are_heeded() {
    let archive = Archive::open(&golden("negated.pth")).unwrap();
    assert_eq!(archive.floats("negated").unwrap(), expected(0, 6).iter().map(|v| -v).collect::<Vec<_>>());
    assert_eq!(archive.floats("imaginary").unwrap(), expected(1, 4).iter().map(|v| -v).collect::<Vec<_>>());
    let why = Archive::open(&golden("conjugated.pth")).unwrap_err().to_string();
    assert!(why.contains("tensor weight is conjugated"), "{why}");
}

#[test]
fn arrays_of_numpy_are_read_in_any_order() {
    for name in ["arrays.npz", "deflated.npz"] {
        let archive = Archive::open(&golden(name)).unwrap();
        for array in ["rows", "columns", "big", "half"] {
            assert_eq!(archive.stored(array).unwrap().shape, [2, 3]);
            assert_eq!(archive.floats(array).unwrap(), expected(0, 6), "{name} {array}");
            assert_eq!(archive.floats_in(array, 1..4).unwrap(), expected(0, 6)[1..4], "{name} {array}");
        }
        assert_eq!(archive.floats("number").unwrap(), expected(1, 1));
        let whole: Vec<i64> = expected(0, 6).iter().map(|v| (v * 8.0) as i64).collect();
        assert_eq!(archive.integers("whole").unwrap(), whole);
        assert!(archive.left_out()["objects"].contains("a pickle") && archive.left_out()["text"].contains("texts"));
    }
    assert_eq!(Archive::open(&golden("rows.npy")).unwrap().floats("rows").unwrap(), expected(0, 6));
}

#[test]
fn arrays_of_numpy_in_pickles_are_read() {
    let names = (0..6).map(|protocol| format!("arrays{protocol}.pkl"));
    for name in names {
        let archive = Archive::open(&golden(&name)).unwrap();
        assert!(archive.tensors().keys().eq(["big", "columns", "empty", "half", "number", "rows", "whole"]), "{name}");
        for array in ["rows", "columns", "big", "half"] {
            assert_eq!(archive.stored(array).unwrap().shape, [2, 3]);
            assert_eq!(archive.floats(array).unwrap(), expected(0, 6), "{name} {array}");
            assert_eq!(archive.floats_in(array, 1..4).unwrap(), expected(0, 6)[1..4], "{name} {array}");
        }
        let whole: Vec<i64> = expected(0, 6).iter().map(|v| (v * 8.0) as i64).collect();
        assert_eq!(archive.integers("whole").unwrap(), whole, "{name}");
        assert_eq!((archive.floats("number").unwrap(), archive.floats("empty").unwrap()), (expected(1, 1), vec![]));
        assert!(archive.left_out()["objects"].contains("objects") && archive.left_out()["text"].contains("texts"));
        assert_eq!(archive.keys().entered, "model");
    }
    let archive = Archive::open(&golden("arrays_python2.pkl")).unwrap();
    assert_eq!(archive.floats("rows").unwrap(), expected(0, 6));
}

#[test]
fn what_holds_no_plain_tensors_is_named() {
    let why = |name: &str| Archive::open(&golden(name)).unwrap_err().to_string();
    assert!(why("module.pth").contains("torch.nn.modules.linear.Linear"), "{}", why("module.pth"));
    assert!(why("sparse.pth").contains("weight is a sparse tensor (tensor.to_dense()"), "{}", why("sparse.pth"));
}

#[test]
fn what_is_converted_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "types.pth",
        "layouts.pth",
        "training.pth",
        "protocol5.pt",
        "legacy.pth",
        "negated.pth",
        "deflated.npz",
        "arrays1.pkl",
    ] {
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
    for name in [
        "protocol5.pt",
        "legacy.pth",
        "arrays.npz",
        "deflated.npz",
        "rows.npy",
        "arrays0.pkl",
        "arrays2.pkl",
        "arrays5.pkl",
    ] {
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
    for name in
        ["protocol5.pt", "legacy.pth", "protocol0.pth", "deflated.npz", "arrays0.pkl", "arrays2.pkl", "arrays5.pkl"]
    {
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
        assert!(Archive::open(&path).is_ok());
    }
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
