//! Archives: opened in proportion to their size, whatever they say, and read once as they lie.

use super::{grows, peak};
use regard::archive::Archive;
use std::{
    io::{Cursor, Write},
    path::{Path, PathBuf},
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, plain).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    zip(&[("x/data.pkl", pickle), ("x/data/0", &[0; 64])])
}

fn text(text: &str) -> Vec<u8> {
    [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// The opcodes of a tensor of 16 numbers in storage 0.
fn tensor() -> Vec<u8> {
    [
        &b"ctorch._utils\n_rebuild_tensor_v2\n(("[..],
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        b"K\x10tQK\x00K\x10\x85K\x01\x85\x89N)tR",
    ]
    .concat()
}

/// Opens `bytes` under a name, whatever comes of it.
fn open(dir: &Path, bytes: &[u8]) {
    let path = dir.join("x");
    std::fs::write(&path, bytes).unwrap();
    let _ = Archive::open(&path);
}

/// Pickles of about `n` entries, each a kind that once took memory or time beyond its size.
fn pickles(n: usize) -> Vec<(&'static str, Vec<u8>)> {
    let many = |opcodes: &[u8]| opcodes.repeat(n);
    let program = |parts: &[&[u8]]| [&b"\x80\x02"[..], &parts.concat(), b"."].concat();
    let names: Vec<u8> =
        (0..n).flat_map(|i| [text(&format!("layers.{i}.weight")), b"h\x00".to_vec()].concat()).collect();
    let class = [&b"c"[..], &vec![b'm'; 4 * n], b"\n", &vec![b'n'; 4 * n], b"\nq\x00"].concat();
    vec![
        ("tensors", program(&[&tensor(), b"q\x000}(", &names, b"u"])),
        ("values", program(&[b"(", &many(b")"), b"t"])),
        ("lists", program(&[&many(b"]"), &vec![b'a'; n - 1]])),
        ("copies of a dictionary", {
            let pairs = [&b"(X\x01\0\0\0ah\0\x86q\x00]q\x01("[..], &many(b"h\x00"), b"e\x85q\x02"].concat();
            program(&[b"Nq\x00", &pairs[1..], b"0](", &many(b"ccollections\nOrderedDict\nh\x02R"), b"e"])
        }),
        ("a long name used often", program(&[&class, b"0}(", &many(b"NX\x01\0\0\0ah\x00)R"), b"u"])),
        ("appended to an object", program(&[&class, b")R", &many(b"Na")])),
        ("the same tensor again", program(&[&tensor(), b"q\x000](", &many(b"h\x00"), b"e"])),
        ("parameters of one tensor", {
            let call = b"ctorch._utils\n_rebuild_parameter\nq\x010";
            program(&[&tensor(), b"\x85q\x000", call, b"](", &many(b"h\x01h\x00R"), b"e"])
        }),
        ("arrays of one text", {
            let characters = [&text(&"é".repeat(n)), &b"q\x000}("[..]].concat();
            let shape = [&b"J"[..], &(n as i32).to_le_bytes(), b"\x85"].concat();
            let element = [&b"cnumpy\ndtype\n"[..], &text("u1"), b"\x85R\x89"].concat();
            let bytes = [&b"c_codecs\nencode\nh\x00"[..], &text("latin1"), b"\x86R"].concat();
            let array =
                [&b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01"[..], &shape, &element, &bytes, b"tb"].concat();
            let pairs: Vec<u8> = (0..n / 8).flat_map(|i| [text(&i.to_string()), array.clone()].concat()).collect();
            program(&[&characters, &pairs, b"u"])
        }),
        ("storages", program(&[b"(", &text("storage"), b"K\x01", &many(b"N"), b"tq\x00Q"])),
    ]
}

#[test]
fn pickles_take_what_they_weigh() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, (name, _)) in pickles(1).iter().enumerate() {
        grows(name, 4_000, |n| checkpoint(&pickles(n)[kind].1), |bytes| open(dir.path(), bytes));
        let large = checkpoint(&pickles(20_000)[kind].1);
        let (held, most) = (peak(|| open(dir.path(), &large)), 100 * large.len() as u64);
        assert!(held <= most, "{name}: {held} bytes at once for a file of {}", large.len());
    }
}

#[test]
fn headers_take_what_they_weigh() {
    let dir = tempfile::tempdir().unwrap();
    let file = |n: usize| {
        let entry = |i: usize| {
            format!("\"layers.{i}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{},{}]}}", 4 * i, 4 * i + 4)
        };
        let header = format!("{{{}}}", (0..n).map(entry).collect::<Vec<_>>().join(","));
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; 4 * n]].concat()
    };
    grows("safetensors", 2_000, file, |bytes| open(dir.path(), bytes));
    let array = |i: usize| {
        (format!("a{i}.npy"), b"\x93NUMPY\x01\0\x38\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n\0\0\0\0")
    };
    let npz = |n: usize| {
        let arrays: Vec<(String, &[u8; 70])> = (0..n).map(array).collect();
        zip(&arrays.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect::<Vec<_>>())
    };
    grows("npz", 500, npz, |bytes| open(dir.path(), bytes));
}

/// A transposed tensor is read once as it lies, not element by element.
#[test]
fn transposed_tensors_are_read_in_proportion() {
    let dir = tempfile::tempdir().unwrap();
    let file = |rows: usize| {
        let path = dir.path().join(format!("{rows}.npy"));
        let header = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': ({rows}, 512), }}");
        let header = format!("{header:<117}\n");
        let length = (header.len() as u16).to_le_bytes();
        let bytes = [&b"\x93NUMPY\x01\0"[..], &length, header.as_bytes(), &vec![0; 2048 * rows]];
        std::fs::write(&path, bytes.concat()).unwrap();
        path
    };
    // A new archive each time: what was read before is kept.
    let read = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(!Archive::open(path).unwrap().floats(&name).unwrap().is_empty());
    };
    grows("transposed", 8_192, file, read);
    // The stretch, the result, and a piece.
    let large = file(16_384);
    assert!(peak(|| read(&large)) <= 5 * 2048 * 16_384 / 2);
}
