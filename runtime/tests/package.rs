//! Packages return what was put into them, or say what is wrong; damage never panics.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{constants, program};
use proptest::prelude::*;
use regard_ir::program::Program;
use regard_runtime::{Meta, Package, PackageError, cpu, package};
use tempfile::TempDir;

const TRAILER: usize = 72;
const PAGE: usize = 4096;
const HOST: usize = 10_000;
const HEADER_AT: usize = HOST.next_multiple_of(PAGE);
const N: usize = 700;

fn meta() -> Meta {
    Meta {
        model: "twice".into(),
        target: cpu::best().expect("a known processor").name.into(),
        labels: vec!["tabby cat".into(), String::new(), "Ente größer".into()],
        facts: [("mean", "0.5 0.5 0.5"), ("crop", "224")].map(|(k, v)| (k.into(), v.into())).into(),
    }
}
/// Not a multiple of a page, and with the payload's magic in it.
fn host_bytes() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..HOST as u32).map(|i| ((i * i) >> 3) as u8).collect();
    bytes[..16].copy_from_slice(b"\x89regard package\n");
    bytes[PAGE..PAGE + 16].copy_from_slice(b"\x89regard package\n");
    bytes
}

/// A directory with a host and a package made from it.
struct Shop {
    dir: TempDir,
}
impl Shop {
    fn new() -> Shop {
        let shop = Shop { dir: TempDir::new().unwrap() };
        fs::write(shop.at("host"), host_bytes()).unwrap();
        shop.write("host", "package").unwrap();
        shop
    }
    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    fn write(&self, host: &str, out: &str) -> Result<u64, PackageError> {
        package::write(&self.at(host), &program(N), &constants(N), &meta(), &self.at(out))
    }
    /// Writes `bytes` as a file and opens it.
    fn open(&self, bytes: &[u8]) -> Result<Option<Package>, PackageError> {
        fs::write(self.at("altered"), bytes).unwrap();
        Package::open(&self.at("altered"))
    }
    fn bytes(&self) -> Vec<u8> {
        fs::read(self.at("package")).unwrap()
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
fn assert_intact(package: &Package) {
    assert_eq!(package.meta, meta());
    assert_eq!(package.program, program(N));
    assert_eq!(package.constants.bytes(), constants(N));
    package.verify_constants().unwrap();
}
fn sentence(result: Result<Option<Package>, PackageError>) -> String {
    result.expect_err("an error").to_string()
}

#[test]
fn a_package_returns_what_was_put_in() {
    let shop = Shop::new();
    let package = Package::open(&shop.at("package")).unwrap().unwrap();
    assert_intact(&package);
    assert_eq!(package.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(shop.bytes()[..HOST], host_bytes());
    assert_eq!(package.constants.bytes().as_ptr() as usize % PAGE, 0);
    assert_eq!(shop.names(), ["host", "package"]);
}
#[cfg(target_arch = "x86_64")]
#[test]
fn a_package_runs() {
    let shop = Shop::new();
    let package = Package::open(&shop.at("package")).unwrap().unwrap();
    fs::remove_file(shop.at("package")).unwrap();
    // SAFETY: the package was made of code that keeps to its buffers.
    let session = unsafe { package.session(2) }.unwrap();
    let y = session.run_f32(&[&[1.0; N]]).unwrap();
    assert!(y[0].iter().enumerate().all(|(i, &y)| y == 2.0 * (1.0 + i as f32 / 4.0)));
}
#[test]
fn a_package_may_be_changed_while_it_is_open() {
    let shop = Shop::new();
    let package = Package::open(&shop.at("package")).unwrap().unwrap();
    let file = fs::OpenOptions::new().write(true).open(shop.at("package")).unwrap();
    file.set_len(7).unwrap();
    assert_intact(&package);
}
#[test]
fn a_package_to_run_must_be_executable_and_of_this_program() {
    use std::os::unix::fs::PermissionsExt;
    let shop = Shop::new();
    let open = |name: &str| Package::open_to_run(&shop.at(name));
    assert!(sentence(open("package")).contains("another build"));
    let own = std::env::current_exe().unwrap();
    package::write(&own, &program(N), &constants(N), &meta(), &shop.at("own")).unwrap();
    assert_intact(&open("own").unwrap().unwrap());
    fs::set_permissions(shop.at("own"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(sentence(open("own")).contains("not executable"));
    assert!(open("host").unwrap().is_none() && Package::own().unwrap().is_none());
}
#[test]
fn a_package_is_executable() {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(Shop::new().at("package")).unwrap().permissions().mode();
    assert_eq!(mode & 0o700, 0o700, "{mode:o}");
}
#[test]
fn a_host_that_is_a_package_is_stripped() {
    let shop = Shop::new();
    shop.write("package", "again").unwrap();
    assert_eq!(fs::read(shop.at("again")).unwrap(), shop.bytes());
    shop.write("package", "package").unwrap();
    assert_eq!(fs::read(shop.at("again")).unwrap(), shop.bytes(), "a package may replace its host");
}
#[test]
fn other_files_are_no_packages() {
    let shop = Shop::new();
    for len in [0, 1, 71, 72, 73, 4096, HOST] {
        assert!(shop.open(&host_bytes()[..len]).unwrap().is_none());
    }
    assert!(matches!(Package::open(&shop.at("nowhere")), Err(PackageError::Read { .. })));
    assert!(matches!(Package::open(shop.dir.path()), Err(PackageError::Read { .. })));
}
#[test]
fn an_empty_program_fits_into_an_empty_host() {
    let shop = Shop::new();
    fs::write(shop.at("host"), []).unwrap();
    let empty = Program { kernels: Default::default(), buffers: Default::default(), ..program(1) };
    let empty = Program { launches: vec![], inputs: vec![], outputs: vec![], constants: vec![], ..empty };
    let empty = Program { arena_bytes: 0, constant_bytes: 0, ..empty };
    package::write(&shop.at("host"), &empty, &[], &meta(), &shop.at("out")).unwrap();
    let package = Package::open(&shop.at("out")).unwrap().unwrap();
    assert_eq!(package.program, empty);
    package.verify_constants().unwrap();
}

#[test]
fn failed_writing_leaves_nothing_behind() {
    let shop = Shop::new();
    let before = (shop.names(), shop.bytes());
    let write = |host: &Path, out: &Path, constants: &[u8]| {
        package::write(host, &program(N), constants, &meta(), out).unwrap_err().to_string()
    };
    let (host, out) = (shop.at("host"), shop.at("package"));
    assert!(write(&shop.at("nowhere"), &out, &constants(N)).starts_with("cannot read"));
    assert!(write(&host, &shop.at("no/such/place"), &constants(N)).contains("no/such/place"));
    assert!(write(&host, &shop.at(".."), &constants(N)).contains("is a directory"));
    assert!(write(&host, &out, &constants(N - 1)).contains("constants"));
    fs::create_dir(shop.at("directory")).unwrap();
    assert!(write(&host, &shop.at("directory"), &constants(N)).starts_with("cannot write"));
    fs::remove_dir(shop.at("directory")).unwrap();
    assert_eq!((shop.names(), shop.bytes()), before);
}

/// Replaces meta, program and code, and makes all checksums right again.
fn forge(package: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut trailer = package[package.len() - TRAILER..].to_vec();
    let start = HEADER_AT + PAGE + constants(N).len();
    let mut section = package[start..package.len() - TRAILER].to_vec();
    change(&mut section);
    trailer[16..24].copy_from_slice(&(section.len() as u64).to_le_bytes());
    trailer[24..28].copy_from_slice(&crc32fast::hash(&section).to_le_bytes());
    let crc = crc32fast::hash(&trailer[..48]).to_le_bytes();
    trailer[48..52].copy_from_slice(&crc);
    [&package[..start], &section, &trailer].concat()
}
fn replace(section: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = section.windows(from.len()).position(|w| w == from).expect("the bytes to replace");
    section.splice(at..at + from.len(), to.iter().copied());
}
#[test]
fn a_forged_package_must_still_make_sense() {
    let shop = Shop::new();
    let bytes = shop.bytes();
    let forged = |from: &[u8], to: &[u8]| sentence(shop.open(&forge(&bytes, |section| replace(section, from, to))));
    assert_intact(&shop.open(&forge(&bytes, |_| ())).unwrap().unwrap());
    let target = meta().target;
    let unknown = format!("z{}", &target[1..]);
    assert!(
        forged(target.as_bytes(), unknown.as_bytes()).contains(&format!("level {unknown}, but this one is {target}"))
    );
    assert!(forged(b"tabby", b"tabb\xFF").contains("UTF-8"));
    assert!(forged(b"\x05\0\0\0twice", b"\xFF\xFF\xFF\xFFtwice").contains("ends too early"));
    let len = (N as u64).to_le_bytes();
    assert!(forged(&len, &u64::MAX.to_le_bytes()).contains("a size of 18446744073709551615"));
    assert!(forged(&len, &(N as u64 - 1).to_le_bytes()).contains("does not fit its storage Input(0)"));
    assert!(sentence(shop.open(&forge(&bytes, |section| section.push(0)))).contains("1 bytes follow"));
    assert!(sentence(shop.open(&forge(&bytes, Vec::clear))).contains("ends too early"));
    let start = |section: &mut Vec<u8>| section.splice(9 + 4 + target.len().., [0xFF; 4]).for_each(drop);
    assert!(sentence(shop.open(&forge(&bytes, start))).contains("a list of 4294967295 items in 0 bytes"));
}
#[test]
fn another_format_is_named() {
    let shop = Shop::new();
    let mut bytes = shop.bytes();
    let at = bytes.len() - 20;
    bytes[at] = 200;
    assert!(sentence(shop.open(&bytes)).contains("is a package in format 200, but regard"));
    assert!(matches!(shop.write("altered", "out"), Err(PackageError::Format { format: 200, .. })));
}
#[test]
fn damaged_constants_are_found_when_asked() {
    let shop = Shop::new();
    let mut bytes = shop.bytes();
    bytes[HEADER_AT + PAGE + 1000] ^= 4;
    let package = shop.open(&bytes).unwrap().unwrap();
    assert!(package.verify_constants().unwrap_err().to_string().contains("checksum of its constants"));
}
#[test]
fn every_truncation_is_reported() {
    let shop = Shop::new();
    let bytes = shop.bytes();
    for len in (HEADER_AT..bytes.len()).rev().step_by(61).chain(bytes.len() - 200..bytes.len()) {
        let result = shop.open(&bytes[..len]);
        match len < HEADER_AT + 28 {
            true => assert!(result.unwrap().is_none(), "no byte of the payload's header is complete"),
            false => assert!(sentence(result).contains("is damaged"), "{len} of {} bytes", bytes.len()),
        }
    }
    assert!(matches!(shop.open(&[&bytes[..], b"x"].concat()), Err(PackageError::Damaged { .. })));
    assert!(matches!(shop.write("altered", "out"), Err(PackageError::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bits_are_found_or_harmless(flips in prop::collection::vec((any::<usize>(), 0u8..8), 1..4), end in any::<bool>()) {
        let shop = Shop::new();
        let mut bytes = shop.bytes();
        let len = bytes.len();
        for (at, bit) in flips {
            let at = if end { len - 1 - at % 200 } else { HOST + at % (len - HOST) };
            bytes[at] ^= 1 << bit;
        }
        match shop.open(&bytes) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(None) => prop_assert!(bytes[len - 16..] != shop.bytes()[len - 16..] && bytes[HEADER_AT..HEADER_AT + 28] != shop.bytes()[HEADER_AT..HEADER_AT + 28]),
            Ok(Some(package)) => {
                prop_assert_eq!(&package.meta, &meta());
                prop_assert_eq!(&package.program, &program(N));
                prop_assert_eq!(package.constants.bytes() == constants(N), package.verify_constants().is_ok());
            }
        }
    }
    #[test]
    fn forged_programs_never_panic(edits in prop::collection::vec((any::<usize>(), any::<u8>()), 1..5), cut in prop::option::of(any::<usize>())) {
        let shop = Shop::new();
        let bytes = forge(&shop.bytes(), |section| {
            for (at, byte) in edits {
                let at = at % section.len();
                section[at] = byte;
            }
            section.truncate(cut.map_or(section.len(), |cut| cut % section.len()));
        });
        if let Ok(Some(package)) = shop.open(&bytes) {
            prop_assert!(package.program.faults().is_empty());
        }
    }
    #[test]
    fn any_meta_returns(model in ".*", labels in prop::collection::vec(".*", 0..5), facts in prop::collection::btree_map(".*", ".*", 0..5)) {
        let shop = Shop::new();
        let meta = Meta { model, labels, facts, ..meta() };
        package::write(&shop.at("host"), &program(3), &constants(3), &meta, &shop.at("out")).unwrap();
        prop_assert_eq!(Package::open(&shop.at("out")).unwrap().unwrap().meta, meta);
    }
}
