//! What a file is, by its first bytes: one of the formats that are read, or another that is named.
//!
//! | begins with | is |
//! |---|---|
//! | a length of 8 bytes, `{` | safetensors |
//! | `PK` | a zip archive: PyTorch or NumPy |
//! | a pickle, the magic number of PyTorch first or not | a checkpoint in the legacy format, or a pickle |
//! | `\x93NUMPY` | an array |
//! | `{` | JSON: the index of shards |
//! | anything else | named in the error, with what to do about it where that is known |

use std::path::Path;

/// Bytes by which a file is recognised.
pub(crate) const HEAD: u64 = 2048;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Safetensors,
    Zip,
    /// Pickles and storages in a row, as PyTorch wrote before 1.6.
    Legacy,
    /// A pickle that is not PyTorch's.
    Pickle,
    Npy,
    Json,
}

/// Kinds that are recognised and not read, by their first bytes.
const OTHERS: [(&[u8], &str); 28] = [
    (b"\x1f\x8b", "a gzip file; unpack it first"),
    (b"BZh", "a bzip2 file; unpack it first"),
    (b"\xfd7zXZ\0", "an xz file; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd file; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes; save the weights as safetensors or .npz"),
    (b"GGUF", "a GGUF file; save the weights as safetensors"),
    (b"ggml", "a GGML file; save the weights as safetensors"),
    (b"ggjt", "a GGML file; save the weights as safetensors"),
    (b"MATLAB 5.0", "a MATLAB file; save the weights as .npz"),
    (b"\x08\x01\x12", "a TensorFlow model; save the weights as safetensors or .npz"),
    (b"model_checkpoint_path", "the list of a TensorFlow checkpoint; save the weights as safetensors or .npz"),
    (b"version https://git-lfs", "a pointer of git-lfs; `git lfs pull` fetches the file itself"),
    (b"<!doctype html", "a web page; the download went wrong"),
    (b"<html", "a web page; the download went wrong"),
    (b"<head", "a web page; the download went wrong"),
    (b"<body", "a web page; the download went wrong"),
    (b"<!--", "a web page; the download went wrong"),
    (b"graph ", "a graph as text, expected the file with the weights"),
    (b"<?xml", "an XML file, expected the file with the weights"),
    (b"\x7fELF", "a program"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"RIFF", "a picture or a sound"),
    (b"#!", "a script"),
];

/// What PyTorch wrote before 0.1.10; later versions read it, where they are told to trust it.
const TORCH_TAR: &str = "a checkpoint of PyTorch before 0.1.10, a tar archive; write it anew with a later PyTorch: \
                         torch.save(torch.load(\"old.pth\", map_location=\"cpu\", weights_only=False), \"new.pth\")";

/// What the file that begins with `head` is; otherwise the end of a sentence about it.
pub(crate) fn of(head: &[u8], size: u64, path: &Path) -> Result<Kind, String> {
    // The pickled number 0x1950a86a20f9469cfc6c, in binary and in text.
    let magic = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    match head {
        [] => return Err("it is empty, expected a file of tensors".into()),
        [_, _, _, _, _, _, 0, 0, b'{', ..] => return Ok(Kind::Safetensors),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => return Ok(Kind::Zip),
        [0x80, 2..=5, rest @ ..] if rest.starts_with(&magic) => return Ok(Kind::Legacy),
        [0x80, 2..=5, ..] => return Ok(Kind::Pickle),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Ok(Kind::Npy),
        _ => {}
    }
    if head.starts_with(b"L119547037146038801333356L\n.") {
        return Ok(Kind::Legacy);
    }
    let text = head.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.starts_with(b"{") {
        return Ok(Kind::Json);
    }
    if let Some(what) = named(head, text, path) {
        return Err(format!("it is {what}"));
    }
    // Text pickles begin with the mark or with an import, and end with a full stop.
    if matches!(
        head,
        [b'(', b'd' | b'l' | b't' | b'i', ..] | [b'}' | b']', b'q' | b'(', ..] | [b'c', b'a'..=b'z' | b'_', ..]
    ) && head.iter().take(64).any(|byte| *byte == b'\n' || *byte == b'q')
    {
        return Ok(Kind::Pickle);
    }
    if head.iter().all(|&byte| byte == 0) {
        return Err("it begins with zeros alone: a download or a copy that was not completed".into());
    }
    let plausible = head.first_chunk::<8>().map(|length| u64::from_le_bytes(*length)).is_some_and(|n| n < size);
    if plausible || path.extension().is_some_and(|extension| extension == "safetensors") {
        return Ok(Kind::Safetensors);
    }
    Err(format!(
        "it begins with {}, expected safetensors, a checkpoint of PyTorch (a zip archive or a pickle), .npz or .npy",
        first_bytes(head)
    ))
}

/// What a file is that is not read.
fn named(head: &[u8], text: &[u8], path: &Path) -> Option<&'static str> {
    let lower = text[..text.len().min(32)].to_ascii_lowercase();
    if head.get(257..262).is_some_and(|magic| magic == b"ustar") || is_old_tar(head) {
        return Some(if is_torch_tar(head) { TORCH_TAR } else { "a tar archive; unpack it first" });
    }
    if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| head.starts_with(magic) || lower.starts_with(magic)) {
        return Some(what);
    }
    // ONNX: field 1, the version, is a small number; then comes the producer, the graph, or the operator sets.
    if matches!(head, [8, 2..=30, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..]) {
        return Some("an ONNX model; save the weights as safetensors or with torch.save");
    }
    if head.get(4..8).is_some_and(|magic| magic == b"TFL3") {
        return Some("a TensorFlow Lite model; save the weights as safetensors or .npz");
    }
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let ends = |end: &str| name.ends_with(end);
    match () {
        () if ends(".onnx") => Some("named as an ONNX model; save the weights as safetensors or with torch.save"),
        () if ends(".pb") || name.contains(".data-0000") || (ends(".index") && !head.is_empty()) => {
            Some("a part of a TensorFlow model; save the weights as safetensors or .npz")
        }
        () if ends(".msgpack") => Some("a msgpack file, as Flax writes; save the weights as safetensors or .npz"),
        () => None,
    }
}

/// Whether the first file of a tar archive is one of those of PyTorch. A header with its times may come before it.
fn is_torch_tar(head: &[u8]) -> bool {
    let name = |at: usize| head.get(at..at + 100)?.split(|&byte| byte == 0).next();
    let is_known = |name: &[u8]| [&b"sys_info"[..], b"pickle", b"storages", b"tensors"].contains(&name);
    name(0).is_some_and(is_known) || (head.get(156) == Some(&b'x') && name(1024).is_some_and(is_known))
}

/// A tar archive from before the magic word: the checksum of its first header, a name, and nothing else.
fn is_old_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let octal = |field: &[u8]| {
        let digits: Vec<u8> = field.iter().copied().filter(u8::is_ascii_digit).collect();
        u64::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()
    };
    let sum = |range: std::ops::Range<usize>| header[range].iter().map(|&byte| u64::from(byte)).sum::<u64>();
    header[0] != 0 && octal(&header[148..156]) == Some(sum(0..148) + 8 * u64::from(b' ') + sum(156..512))
}

/// Up to sixteen bytes for users.
fn first_bytes(head: &[u8]) -> String {
    let head = &head[..head.len().min(16)];
    match std::str::from_utf8(head) {
        Ok(text) if text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t') => format!("{text:?}"),
        _ => head.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(head: &[u8], name: &str) -> Result<Kind, String> {
        of(head, 1 << 20, Path::new(name))
    }

    #[test]
    fn content_decides_and_names_do_not() {
        assert_eq!(kind(b"\x10\0\0\0\0\0\0\0{\"a\"", "x.pth"), Ok(Kind::Safetensors));
        assert_eq!(kind(b"PK\x03\x04", "x.safetensors"), Ok(Kind::Zip));
        assert_eq!(kind(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "x"), Ok(Kind::Legacy));
        assert_eq!(kind(b"L119547037146038801333356L\n.I1001\n.", "x"), Ok(Kind::Legacy));
        assert_eq!(kind(b"\x80\x04\x95", "x.pkl"), Ok(Kind::Pickle));
        assert_eq!(kind(b"(dp0\nS'a'\n", "x.pkl"), Ok(Kind::Pickle));
        assert_eq!(kind(b"\x93NUMPY\x01\0", "x"), Ok(Kind::Npy));
        assert_eq!(kind(b"\n {\"weight_map\": {}}", "x"), Ok(Kind::Json));
    }

    #[test]
    fn other_kinds_are_named() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (head, word) in [
            (&b"\x1f\x8b\x08"[..], "gzip"),
            (&tar, "tar archive"),
            (b"\x08\x07\x12\x07pytorch", "ONNX"),
            (b"\x08\x08\x3a\x80\x01", "ONNX"),
            (b"\x08\x01\x12\xff", "TensorFlow model"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (b"version https://git-lfs.example/spec/v1\noid sha256:0\n", "git lfs pull"),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"\n<html>", "web page"),
            (b"<!-- moved --><html>", "web page"),
            (b"graph block {\n", "graph as text"),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0", "zeros alone"),
            (b"GGUF", "GGUF"),
            (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
            (b"hello", "begins with \"hello\""),
            (b"\xff\xfe\xfd\xfc\xff\xfe\xfd\xfc", "begins with ff fe fd fc"),
            (b"", "empty"),
        ] {
            let why = kind(head, "x.pth").unwrap_err();
            assert!(why.contains(word), "{why}");
        }
        // What PyTorch before 0.1.10 wrote, with and without a header of times.
        for at in [0, 1024] {
            let mut torch = vec![0; 1536];
            torch[at..at + 8].copy_from_slice(b"sys_info");
            torch[257..262].copy_from_slice(b"ustar");
            torch[156] = if at == 0 { b'0' } else { b'x' };
            let why = kind(&torch, "old.pth").unwrap_err();
            assert!(why.contains("before 0.1.10") && why.contains("weights_only=False"), "{why}");
        }
        assert!(!kind(&tar, "x.tar").unwrap_err().contains("PyTorch"));
        assert!(kind(b"\x0a\x0b", "model.onnx").unwrap_err().contains("ONNX"));
        assert!(kind(b"\x0a\x0b", "frozen.pb").unwrap_err().contains("TensorFlow"));
    }
}
