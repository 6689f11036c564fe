//! What is written reads back; what is damaged or hostile is refused.

use super::*;
use proptest::prelude::*;

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.safetensors");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}
fn sample() -> Vec<u8> {
    let (dir, path) = file(b"");
    let tensors = [Tensor::f32("a", &[2, 2], &[1.0, -2.5, 3.0, f32::NAN]), Tensor::f32("b", &[], &[7.0])];
    write(&path, &tensors, "test").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    drop(dir);
    bytes
}

#[test]
fn what_is_written_reads_back() {
    let (_dir, path) = file(&sample());
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.metadata("model"), Some("test"));
    assert_eq!(archive.stored("a").unwrap().shape, [2, 2]);
    assert_eq!(archive.floats("a").unwrap()[..3], [1.0, -2.5, 3.0]);
    assert_eq!(archive.floats("b").unwrap(), [7.0]);
    assert!(archive.floats("c").unwrap_err().to_string().contains("no tensor c"));
    assert!(archive.integers("b").unwrap_err().to_string().contains("F32, expected I32"));
}

#[test]
fn other_types_are_converted() {
    let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},"d":{"dtype":"F64","shape":[1],"data_offsets":[6,14]},"i":{"dtype":"I32","shape":[1],"data_offsets":[14,18]}}"#;
    let mut data = Vec::new();
    data.extend([f16::from_f32(0.5), f16::from_f32(-65504.0)].iter().flat_map(|x| x.to_le_bytes()));
    data.extend(bf16::from_f32(3.0).to_le_bytes());
    data.extend(0.1f64.to_le_bytes());
    data.extend((-9i32).to_le_bytes());
    let (_dir, path) = file(&raw(header, &data));
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.floats("h").unwrap(), [0.5, -65504.0]);
    assert_eq!(archive.floats("b").unwrap(), [3.0]);
    assert_eq!(archive.floats("d").unwrap(), [0.1]);
    assert_eq!(archive.integers("i").unwrap(), [-9]);
    assert!(archive.floats("i").unwrap_err().to_string().contains("is I32"));
}

#[test]
fn hostile_headers_are_refused() {
    let open = |bytes: &[u8]| {
        let (_dir, path) = file(bytes);
        Archive::open(&path).unwrap_err().to_string()
    };
    assert!(open(b"").contains("it is empty"));
    assert!(open(&u64::MAX.to_le_bytes()).contains("claims 18446744073709551615 bytes"));
    assert!(open(&raw("{", b"")).contains("header is invalid"));
    let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#;
    assert!(open(&raw(huge, &[0; 4])).contains("header is invalid"));
    let beyond = r#"{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#;
    assert!(open(&raw(beyond, &[0; 4])).contains("truncated"));
    let overlap = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#;
    assert!(open(&raw(overlap, &[0; 6])).contains("header is invalid"));
    let twice = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    assert!(open(&raw(twice, &[0; 4])).contains("names \"a\" twice"));
}

#[test]
fn elements_of_half_a_byte_are_counted_and_copied() {
    let header = r#"{"q":{"dtype":"F4","shape":[2,8],"data_offsets":[0,8]}}"#;
    let (dir, path) = file(&raw(header, &[1, 2, 3, 4, 5, 6, 7, 8]));
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.stored("q").unwrap().bytes(), 8);
    assert!(archive.floats("q").unwrap_err().to_string().contains("is F4, expected F32"));
    let to = dir.path().join("y.safetensors");
    copy(&archive, &to).unwrap();
    assert!(std::fs::read(&to).unwrap().ends_with(&[1, 2, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn a_name_that_safetensors_keeps_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("__metadata__.npy");
    let header = b"\x93NUMPY\x01\0\x38\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n";
    std::fs::write(&path, [&header[..], &[0; 4]].concat()).unwrap();
    let archive = Archive::open(&path).unwrap();
    let to = dir.path().join("y.safetensors");
    assert!(copy(&archive, &to).unwrap_err().to_string().contains("a tensor __metadata__"));
    assert!(!to.exists());
}

#[test]
fn shards_are_one_archive() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    let shard = |name: &str, tensor: &str, value: f32| {
        write(&dir.path().join(name), &[Tensor::f32(tensor, &[1], &[value])], "m").unwrap();
    };
    shard("m-1-of-2.safetensors", "a", 1.0);
    shard("m-2-of-2.safetensors", "b", 2.0);
    let index = |map: &str| put("m.safetensors.index.json", format!("{{\"weight_map\": {map}}}").as_bytes());
    let both = |path: &Path| {
        let archive = Archive::open(path).unwrap();
        assert_eq!((archive.floats("a").unwrap(), archive.floats("b").unwrap()), (vec![1.0], vec![2.0]));
    };
    // A directory without an index, with one, and the index itself.
    both(dir.path());
    index(r#"{"a": "m-1-of-2.safetensors", "b": "m-2-of-2.safetensors"}"#);
    both(dir.path());
    both(&dir.path().join("m.safetensors.index.json"));
    let why = |map: &str| {
        index(map);
        Archive::open(dir.path()).unwrap_err().to_string()
    };
    assert!(why(r#"{"b": "m-1-of-2.safetensors"}"#).contains("which has no such tensor"));
    assert!(why(r#"{"a": "../m-1-of-2.safetensors"}"#).contains("a file beside it"));
    assert!(why(r#"{"a": "m-3-of-2.safetensors"}"#).contains("m-3-of-2.safetensors"));
    assert!(why(r#"{"a": 1}"#).contains("a file beside it"));
    put("m.safetensors.index.json", b"{}");
    assert!(Archive::open(dir.path()).unwrap_err().to_string().contains("without a `weight_map`"));
    std::fs::remove_file(dir.path().join("m.safetensors.index.json")).unwrap();
    shard("m-2-of-2.safetensors", "a", 2.0);
    assert!(Archive::open(dir.path()).unwrap_err().to_string().contains("two of its files have a tensor a"));
    let empty = tempfile::tempdir().unwrap();
    assert!(Archive::open(empty.path()).unwrap_err().to_string().contains("neither safetensors nor"));
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_read(at in 0usize..300, byte in any::<u8>(), cut in 0usize..300) {
        let mut bytes = sample();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let (_dir, path) = file(&bytes);
        if let Ok(archive) = Archive::open(&path) {
            for name in archive.tensors().keys() {
                let _ = archive.floats(name);
                let _ = archive.integers(name);
            }
        }
    }
}
