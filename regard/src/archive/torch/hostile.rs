//! Pickles and archives that are written to do harm: nothing runs, nothing grows.

use super::{
    pickle::{Refusal, load},
    tests::{golden, open},
    value::Value,
};
use std::fs;

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

/// The reason why a pickle, written after its protocol, is refused.
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
        (&b"(ios\nsystem\n."[..], "os.system"),
        (b"(cos.x\ny\no.", "os.x"),
        (b"(Vos\nVsystem\no.", "not a class"),
        (b"P0\n.", "not a storage"),
        (b"P('storage', <class 'os.system'>, '0', 'cpu', 6)\n.", "os.system"),
        (b"\x82\x01.", "EXT"),
        (b"\x97.", "NEXT_BUFFER"),
        (b"\xff.", "0xff"),
    ] {
        assert!(refusal(program).contains(name), "{}", refusal(program));
    }
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
    for empty in [
        &b"."[..],
        b"0",
        b"2",
        b"R",
        b"(.",
        b"t",
        b"N(0",
        b"a",
        b"u",
        b"\x94",
        b"\x93",
        b"Q",
        b"b",
        b"\x85",
        b"o",
        b"i\n\n",
    ] {
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
    let many = [b"\x80\x02(".to_vec(), vec![b')'; 3 << 20], b"l.".to_vec()].concat();
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
    assert!(why(&[]).contains("holds nothing, expected data.pkl"));
    assert!(why(&[("x/data.pkl", &pickle), ("y/data.pkl", &pickle), data]).contains("2 entries data.pkl"));
    assert!(why(&[("xdata.pkl", &pickle), data]).contains("data.pkl"));
    assert!(why(&[("x/data.pkl", &pickle), ("x/constants.pkl", b""), data]).contains("TorchScript"));
    assert!(why(&[("x/data.pkl", &pickle), ("x/byteorder", b"middle"), data]).contains("neither little nor big"));
    assert!(why(&[("x/data.pkl", b""), data]).contains("cut off"));
    // Names that climb out of a directory are names like others.
    let climbing = archive(&[("../../x/data.pkl", &pickle), ("../../x/data/0", &[0; 16]), ("/etc/passwd", b"")]);
    assert_eq!(open("x.pth", &climbing).unwrap().floats("w").unwrap(), [0.0; 4]);
    // An entry that only claims to be deflated.
    let mut deflated = archive(&[("x/data.pkl", &pickle), data]);
    let central = deflated.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    (deflated[8], deflated[central + 10]) = (8, 8);
    assert!(open("x.pth", &deflated).unwrap_err().contains("x/data.pkl cannot be inflated"));
    // One that claims to become more than any deflated bytes can, in both headers.
    let mut claimed = deflated.clone();
    for at in [22, central + 24] {
        claimed[at..at + 4].copy_from_slice(&(60u32 << 20).to_le_bytes());
    }
    assert!(open("x.pth", &claimed).unwrap_err().contains("inflate to 62914560, at most"));
    // Bzip2 in both headers.
    (deflated[8], deflated[central + 10]) = (12, 12);
    assert!(
        open("x.pth", &deflated).unwrap_err().contains("is compressed by"),
        "{}",
        open("x.pth", &deflated).unwrap_err()
    );
    assert!(open("x.pth", b"anything else").unwrap_err().contains("begins with \"anything else\""));
    assert!(open("x.pt", b"").unwrap_err().contains("it is empty"));
}

#[test]
fn entries_have_the_checksums_that_their_archive_lists() {
    let pickle = one_tensor("0", 4, 0, &[2, 2], &[2, 1]);
    let good = archive(&[("x/data.pkl", &pickle), ("x/data/0", &[7; 16])]);
    let at = good.windows(16).position(|w| w == [7; 16]).unwrap();
    let mut damaged = good.clone();
    damaged[at] ^= 1;
    let opened = open("x.pth", &damaged).unwrap();
    let why = opened.floats("w").unwrap_err().to_string();
    assert!(why.contains("the checksum of its entry x/data/0 is"), "{why}");
    assert_eq!(open("x.pth", &good).unwrap().floats("w").unwrap().len(), 4);
    let mut pickled = good.clone();
    let name = good.windows(11).position(|w| w == b"FloatStorag").unwrap();
    pickled[name..name + 5].copy_from_slice(b"Short");
    assert!(open("x.pth", &pickled).unwrap_err().contains("the checksum of its entry x/data.pkl"));
}

/// A pickle of `{"w": array, "v": the same}` of `f4`, whose elements `put` leaves on the stack.
fn one_array(shape: &[u8], put: &[u8]) -> Vec<u8> {
    let axes: Vec<u8> = shape.iter().flat_map(|&n| [b'K', n]).collect();
    [
        &b"\x80\x04}\x94(\x8c\x01wcnumpy.core.multiarray\n_reconstruct\n(tR\x94(K\x01("[..],
        &axes,
        b"tcnumpy\ndtype\n\x8c\x02f4\x85R\x89",
        put,
        b"tb\x8c\x01vh\x01u.",
    ]
    .concat()
}

#[test]
fn elements_of_arrays_are_held_against_shapes() {
    let bytes = [&b"C\x10"[..], &1f32.to_le_bytes().repeat(4)].concat();
    let good = open("x.pkl", &one_array(&[2, 2], &bytes)).unwrap();
    assert_eq!((good.floats("w").unwrap(), good.floats("v").unwrap()), (vec![1.0; 4], vec![1.0; 4]));
    let why = |shape: &[u8], put: &[u8]| open("x.pkl", &one_array(shape, put)).unwrap_err();
    assert!(why(&[2, 3], &bytes).contains("has 16 bytes of elements, expected 24"), "{}", why(&[2, 3], &bytes));
    assert!(why(&[255; 9], &bytes).contains("more than a file can hold"), "{}", why(&[255; 9], &bytes));
    assert!(why(&[1; 33], &bytes).contains("33 axes"));
    assert!(why(&[2, 2], b"]").contains("elements that are a list, expected bytes"));
    // Characters beyond bytes.
    let text = [&b"c_codecs\nencode\n\x8c\x04"[..], "é中".as_bytes()].concat();
    let text = [&text[..text.len() - 1], b"\x80\x8c\x06latin1\x86R"].concat();
    assert!(!why(&[1], &text).is_empty());
    assert!(open("x.pkl", b"\x80\x04}\x8c\x01wcnumpy.core.multiarray\n_reconstruct\n)RKb.").is_err());
}

#[test]
fn names_occur_once() {
    let pickle = one_tensor("0", 4, 0, &[2, 2], &[2, 1]);
    let mut twice = archive(&[("x/data.pkl", &pickle), ("x/data/0", &[0; 16]), ("x/data/1", &[0; 16])]);
    for at in 0..twice.len() - 8 {
        if &twice[at..at + 8] == b"x/data/1" {
            twice[at + 7] = b'0';
        }
    }
    let why = open("x.pth", &twice).unwrap_err();
    assert!(why.contains("two entries of the same name"), "{why}");
    // {"w": tensor, "w": tensor}
    let tensor = &pickle[3..pickle.len() - 2];
    let both = [&b"\x80\x02}("[..], tensor, tensor, b"u."].concat();
    let why = open("x.pth", &archive(&[("x/data.pkl", &both), ("x/data/0", &[0; 16])])).unwrap_err();
    assert!(why.contains("two of its tensors are called w"), "{why}");
}
