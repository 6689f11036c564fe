//! Checkpoints: memory and time in proportion to the file.

use super::{Case, check};
use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A PyTorch checkpoint with this pickle and a storage of 96 bytes.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("a/data.pkl", pickle), ("a/byteorder", b"little"), ("a/data/0", &[0; 96])] {
        zip.start_file(name, plain).expect("an entry begins");
        zip.write_all(bytes).expect("memory takes all bytes");
    }
    zip.finish().expect("the archive ends").into_inner()
}

/// `opcodes` between the protocol and the stop.
fn pickle(opcodes: &[&[u8]]) -> Vec<u8> {
    [&[b"\x80\x02".as_slice()], opcodes, &[b"."]].concat().concat()
}

const LIST: &str = "convert x.pth --list";

#[test]
fn pickles_cost_what_they_weigh() {
    // One pair many times in a list, of which a dictionary is made again and again.
    let pairs = [b"NN\x86q\x00]q\x01(".as_slice(), &b"h\x00".repeat(50_000), b"e\x85q\x02"].concat();
    let dictionaries = [b"](".as_slice(), &b"ccollections\nOrderedDict\nh\x02R".repeat(8_000), b"e"].concat();
    // A long key, nested in dictionaries that lengthen it.
    let key = [b"X".as_slice(), &20_000_u32.to_le_bytes(), &[b'k'; 20_000], b"q\x00"].concat();
    let nested = [b"}h\x00".repeat(2_000), b"N".to_vec(), b"s".repeat(2_000)].concat();
    // A class of a long name, used often.
    let class = [b"c".as_slice(), &[b'm'; 100_000], b"\n", &[b'c'; 100_000], b"\nq\x00"].concat();
    let classes = [b"](".as_slice(), &b"h\x00)R".repeat(50_000), b"e"].concat();
    let deep = [b"(".repeat(300_000), b"t".repeat(300_000)].concat();
    check(vec![
        Case::new("dictionaries of one list", LIST, 1, "x.pth")
            .with("x.pth", checkpoint(&pickle(&[&pairs, b"0", &dictionaries]))),
        Case::new("long nested keys", LIST, 1, "x.pth").with("x.pth", checkpoint(&pickle(&[&key, b"0", &nested]))),
        Case::new("a class of a long name", LIST, 1, "x.pth")
            .with("x.pth", checkpoint(&pickle(&[&class, b"0", &classes]))),
        Case::new("deep tuples", LIST, 1, "x.pth").with("x.pth", checkpoint(&pickle(&[&deep]))),
        Case::new("an endless list", LIST, 1, "x.pth")
            .with("x.pth", checkpoint(&pickle(&[b"]q\x00(", &b"h\x00".repeat(300_000), b"e"]))),
    ]);
}

/// A safetensors file with this header and `data` bytes.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn headers_are_held_against_the_file() {
    let shape = "1,".repeat(200_000);
    let huge = r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#;
    let overlap = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    let long = format!(r#"{{"{}":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}"#, "n".repeat(70_000));
    let golden = r#"{"__metadata__":{"model":"swin_tiny","seed":"0","input_shape":"[18446744073709551615, 3, 18446744073709551615, 2]"}}"#;
    check(vec![
        Case::new("product of dimensions", "convert x.safetensors --list", 1, "x.safetensors")
            .with("x.safetensors", safetensors(huge, 0)),
        Case::new("many dimensions", "convert x.safetensors --list", 0, "a").with(
            "x.safetensors",
            safetensors(&format!(r#"{{"a":{{"dtype":"F32","shape":[{shape}2],"data_offsets":[0,8]}}}}"#), 8),
        ),
        Case::new("overlapping tensors", "convert x.safetensors --list", 1, "x.safetensors")
            .with("x.safetensors", safetensors(overlap, 8)),
        Case::new("a long name", "convert x.safetensors --list", 0, "1 tensor")
            .with("x.safetensors", safetensors(&long, 8)),
        Case::new("a golden file of an endless picture", "check --golden x.safetensors", 1, "x.safetensors")
            .with("x.safetensors", safetensors(golden, 0)),
        Case::new("a header of brackets", "convert x.safetensors --list", 1, "x.safetensors")
            .with("x.safetensors", safetensors(&"[".repeat(500_000), 0)),
    ]);
}
