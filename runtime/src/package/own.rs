//! The program's own file, however it was started.
//!
//! ```text
//!   /proc/self/exe          any start, but where /proc is missing, or `ld.so ./model` is what was started
//!   /proc/self/maps         the file that the mark was loaded from
//!   AT_EXECFN               what the kernel was asked to execute, or the descriptor that it was given
//!   argv[0], and PATH       what the shell or `ld.so` was asked for
//! ```
//!
//! A name proves nothing, so a file counts only where it has the mark that this process has loaded.

use std::{
    env,
    ffi::{CStr, OsStr, OsString},
    fs::{self, File, OpenOptions},
    io,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{RUNNER, mark};

/// How this program's file can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Path(PathBuf),
    /// An open descriptor.
    Descriptor(i32),
}

impl Way {
    pub(crate) fn open(&self) -> Option<File> {
        match self {
            // Opening a pipe would wait for somebody.
            Way::Path(path) => fs::metadata(path).ok()?.is_file().then(|| File::open(path).ok()).flatten(),
            Way::Descriptor(number) => {
                // SAFETY: the call touches no memory of ours, and gives a new descriptor or none.
                let copy = unsafe { libc::fcntl(*number, libc::F_DUPFD_CLOEXEC, 3) };
                // SAFETY: the descriptor is new, so nobody else owns it.
                (copy >= 0).then(|| File::from(unsafe { OwnedFd::from_raw_fd(copy) }))
            }
        }
    }
}

impl Way {
    /// Whether the system keeps this process, and all others that may do no more, from writing the file.
    pub(crate) fn is_protected(&self) -> bool {
        use io::ErrorKind::{ExecutableFileBusy, PermissionDenied, ReadOnlyFilesystem};
        let Way::Path(path) = self else { return false };
        let opened = OpenOptions::new().write(true).open(path);
        opened.is_err_and(|e| matches!(e.kind(), ExecutableFileBusy | PermissionDenied | ReadOnlyFilesystem))
    }
}

/// All ways to this program's file that the system tells of, surest first.
pub(super) fn ways() -> Vec<Way> {
    let mut ways = vec![Way::Path("/proc/self/exe".into())];
    ways.extend(mapped(&fs::read("/proc/self/maps").unwrap_or_default(), mark::address()).map(Way::Path));
    if let Some(name) = executed() {
        let number =
            ["/dev/fd/", "/proc/self/fd/"].iter().find_map(|dir| name.to_str()?.strip_prefix(dir)?.parse().ok());
        ways.push(Way::Path(name.into()));
        ways.extend(number.map(Way::Descriptor));
    }
    if let Some(name) = env::args_os().next() {
        ways.push(Way::Path(name.clone().into()));
        if !name.as_bytes().contains(&b'/') {
            let path = env::var_os("PATH").unwrap_or_default();
            ways.extend(env::split_paths(&path).map(|directory| Way::Path(directory.join(&name))));
        }
    }
    ways
}

/// The first of these files that holds this very program.
pub(super) fn file() -> Option<(Way, File)> {
    let carried = mark::carried();
    ways().into_iter().find_map(|way| {
        let is_own = way.open().is_some_and(|mut file| mark::is_in(&mut file, carried).unwrap_or(false));
        is_own.then(|| way.open()).flatten().map(|file| (way, file))
    })
}

/// The runner beside this program, where there is one of its version and format.
pub(super) fn runner() -> Option<PathBuf> {
    static PATH: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let path = env::current_exe().ok()?.with_file_name(RUNNER);
        let is_runner = path.is_file() && fs::read(&path).is_ok_and(|image| mark::is_bare(&image));
        is_runner.then_some(path)
    };
    PATH.get_or_init(find).clone()
}

/// Why this program may not read its own file, where that is so: whoever may execute a file need not be allowed to read it.
pub(super) fn refused() -> Option<io::Error> {
    let source = File::open("/proc/self/exe").err()?;
    (source.kind() == io::ErrorKind::PermissionDenied).then_some(source)
}

/// For users: what this program is called.
pub(super) fn name() -> PathBuf {
    let called = env::args_os().next().filter(|name| !name.is_empty());
    env::current_exe().ok().or(called.map(PathBuf::from)).unwrap_or_else(|| "this program".into())
}

/// The name that was given to the kernel.
fn executed() -> Option<OsString> {
    // SAFETY: the call reads what the kernel has left for this process.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) };
    if name == 0 {
        return None;
    }
    // SAFETY: the entry points to a C string above the stack, which nobody writes or unmaps.
    let name = unsafe { CStr::from_ptr(name as *const libc::c_char) };
    Some(OsStr::from_bytes(name.to_bytes()).to_owned())
}

/// The file in a list of mappings that holds `address`: `start-end mode offset device inode      path`.
fn mapped(maps: &[u8], address: usize) -> Option<PathBuf> {
    let line = maps.split(|&byte| byte == b'\n').find(|line| {
        let range = line.split(|&byte| byte == b' ').next().and_then(|range| std::str::from_utf8(range).ok());
        let ends = range.and_then(|range| range.split_once('-'));
        let number = |text| usize::from_str_radix(text, 16);
        ends.is_some_and(|(start, end)| {
            number(start).is_ok_and(|start| start <= address) && number(end).is_ok_and(|end| address < end)
        })
    })?;
    let at = line.iter().position(|&byte| byte == b'/')?;
    // A line feed in a name is written as four characters.
    let mut name = Vec::new();
    let mut rest = &line[at..];
    while let Some((&byte, after)) = rest.split_first() {
        match rest.strip_prefix(b"\\012") {
            Some(after) => {
                name.push(b'\n');
                rest = after;
            }
            None => {
                name.push(byte);
                rest = after;
            }
        }
    }
    Some(Path::new(&OsString::from_vec(name)).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_lies_in_a_file_of_this_process() {
        let (way, _) = file().expect("tests run where there is /proc");
        assert_eq!(way, Way::Path("/proc/self/exe".into()));
        let maps = fs::read("/proc/self/maps").unwrap();
        assert_eq!(mapped(&maps, mark::address()), env::current_exe().ok());
        assert_eq!(mapped(&maps, 8), None);
        assert!(executed().is_some() && mark::carried().is_none());
    }
    #[test]
    fn names_in_a_list_of_mappings_may_be_strange() {
        let maps = b"00400000-00401000 r--p 00000000 08:02 17    /a b\\012c \xff\n00401000-7fff00000000 r--p 0 0:0 0\n";
        let name = OsString::from_vec(b"/a b\nc \xff".to_vec());
        assert_eq!(mapped(maps, 0x400000), Some(name.into()));
        assert_eq!(mapped(maps, 0x401000), None);
    }
}
