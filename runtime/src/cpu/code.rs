//! Machine code becomes callable functions.
//!
//! ```text
//!   blobs     [ k0 ][ k1    ][ k2 ]
//!   mapping   | k0 …… | k1 ………… | k2 …… |    each start 64-byte aligned, gaps trap
//!             written while writable, then sealed: executable and never writable again
//! ```
//!
//! The code is position independent and has no relocations, so placing it is copying it. On aarch64
//! instruction and data caches differ; the system reconciles them when it makes the pages executable.

use std::{io, mem};

use memmap2::{Mmap, MmapMut};
use regard_ir::kernel::{Kernel, SCRATCH_ALIGN};

/// A compiled kernel: `(buffers, first, end, scratch)` runs blocks `first..end`. `buffers` points to one
/// pointer per parameter, `scratch` to the kernel's scratch, 64-byte aligned.
#[cfg(target_arch = "x86_64")]
pub(crate) type KernelFn = unsafe extern "sysv64" fn(*const *mut u8, u64, u64, *mut u8);
/// A compiled kernel: `(buffers, first, end, scratch)` runs blocks `first..end`. `buffers` points to one
/// pointer per parameter, `scratch` to the kernel's scratch, 64-byte aligned.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) type KernelFn = unsafe extern "C" fn(*const *mut u8, u64, u64, *mut u8);

/// Byte alignment of each kernel's first instruction: one cache line.
const CODE_ALIGN: usize = 64;
/// What fills the gaps: `int3` on x86-64; zero is an undefined instruction on aarch64.
const TRAP: u8 = if cfg!(target_arch = "x86_64") { 0xCC } else { 0 };

/// Kernels mapped into executable memory.
#[derive(Debug)]
pub(crate) struct CodeMap {
    map: Mmap,
    starts: Vec<usize>,
}

impl CodeMap {
    /// Copies the machine code of each kernel into memory and makes it executable.
    ///
    /// # Errors
    /// Where the system refuses the memory or the change of protection.
    pub(crate) fn new(blobs: &[&[u8]]) -> io::Result<CodeMap> {
        let mut starts = Vec::with_capacity(blobs.len());
        let mut end = 0usize;
        for blob in blobs {
            starts.push(end);
            end = (end + blob.len() + 1).next_multiple_of(CODE_ALIGN);
        }
        let mut map = MmapMut::map_anon(end.max(1))?;
        map.fill(TRAP);
        for (blob, &start) in blobs.iter().zip(&starts) {
            map[start..start + blob.len()].copy_from_slice(blob);
        }
        Ok(CodeMap { map: map.make_exec()?, starts })
    }
    /// The function whose code was blob `index`. It must not be called after the map is dropped.
    ///
    /// # Panics
    /// Where there is no such blob.
    pub(crate) fn entry(&self, index: usize) -> KernelFn {
        let first = self.map[self.starts[index]..].as_ptr();
        // SAFETY: a data pointer and a function pointer have the same size on every supported machine, and
        // `first` is not null because it points into a live mapping. Calling the result is the caller's
        // unsafe act.
        unsafe { mem::transmute::<*const u8, KernelFn>(first) }
    }
}

/// Bytes watched on either side of each buffer by [`run_once`].
const GUARD: usize = 4096;
/// What the watched bytes hold.
const GUARD_BYTE: u8 = 0xA5;
/// What scratch holds before a kernel runs: NaN as a float, −1 as an integer.
const SCRATCH_BYTE: u8 = 0xFF;

/// Runs all blocks of one kernel on this thread, for tests of a back end. `buffers` are the parameters in
/// order, as bytes. The kernel sees 64-byte aligned copies of them; bytes on both sides of every buffer
/// and of the scratch are watched, and scratch starts as NaN, so that a wrong address shows.
///
/// # Safety
/// `code` must be what a back end emitted for `kernel`, and this processor must be able to execute it: the watched bytes
/// show small mistakes of a back end, and nothing contains others.
///
/// ```compile_fail,E0133
/// # fn run(kernel: &regard_ir::kernel::Kernel, code: &[u8]) {
/// let run = regard_runtime::cpu::code::run_once(kernel, code, &mut []);
/// # }
/// ```
///
/// # Errors
/// Where the number or the length of the buffers differ from the kernel's parameters, or the system
/// refuses memory; and where the kernel wrote outside a buffer, in which case `buffers` are unchanged.
pub unsafe fn run_once(kernel: &Kernel, code: &[u8], buffers: &mut [Vec<u8>]) -> io::Result<()> {
    check_parameters(kernel, buffers)?;
    let scratch_bytes = kernel.scratch_layout().1 as usize;
    let sizes: Vec<usize> = buffers.iter().map(Vec::len).chain([scratch_bytes]).collect();
    let mut starts = Vec::with_capacity(sizes.len());
    let mut end = GUARD;
    for size in &sizes {
        starts.push(end);
        end = (end + size).next_multiple_of(SCRATCH_ALIGN as usize) + GUARD;
    }
    let mut memory = MmapMut::map_anon(end)?;
    memory.fill(GUARD_BYTE);
    let scratch = starts[buffers.len()];
    memory[scratch..scratch + scratch_bytes].fill(SCRATCH_BYTE);
    for (buffer, &start) in buffers.iter().zip(&starts) {
        memory[start..start + buffer.len()].copy_from_slice(buffer);
    }

    let map = CodeMap::new(&[code])?;
    let base = memory.as_mut_ptr();
    // SAFETY: every start lies inside `memory`, which outlives the call.
    let pointers: Vec<*mut u8> = starts.iter().map(|&start| unsafe { base.add(start) }).collect();
    // SAFETY: the pointers are valid for the lengths that `check_parameters` compared with the kernel's
    // declarations, scratch has the kernel's size and alignment, nothing else refers to `memory` during
    // the call, and `code` is the kernel's own by this function's contract.
    unsafe { map.entry(0)(pointers.as_ptr(), 0, kernel.blocks(), pointers[buffers.len()]) };

    check_guards(kernel, &memory, &starts, &sizes)?;
    for (buffer, &start) in buffers.iter_mut().zip(&starts) {
        let size = buffer.len();
        buffer.copy_from_slice(&memory[start..start + size]);
    }
    Ok(())
}

fn check_parameters(kernel: &Kernel, buffers: &[Vec<u8>]) -> io::Result<()> {
    let invalid = |sentence| Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    if kernel.params().count() != buffers.len() {
        let (name, wanted, given) = (&kernel.name, kernel.params().count(), buffers.len());
        return invalid(format!("kernel {name} takes {wanted} buffers but {given} were given"));
    }
    for ((_, param), buffer) in kernel.params().zip(buffers) {
        let wanted = param.len * param.dtype.bytes() as u64;
        if wanted != buffer.len() as u64 {
            let (kernel, name, given) = (&kernel.name, &param.name, buffer.len());
            return invalid(format!("buffer {name} of kernel {kernel} has {wanted} bytes but {given} were given"));
        }
    }
    Ok(())
}

fn check_guards(kernel: &Kernel, memory: &[u8], starts: &[usize], sizes: &[usize]) -> io::Result<()> {
    let name = |i: usize| kernel.params().nth(i).map_or("the scratch", |(_, b)| &b.name);
    let ends = starts.iter().zip(sizes).map(|(start, size)| start + size);
    let gaps = [0].into_iter().chain(ends).zip(starts.iter().copied().chain([memory.len()]));
    for (i, (low, high)) in gaps.enumerate() {
        let Some(offset) = memory[low..high].iter().position(|&byte| byte != GUARD_BYTE) else { continue };
        let (past, before) = (offset, high - low - offset);
        let place = if i > 0 && (past < before || i == starts.len()) {
            format!("{past} bytes past the end of {}", name(i - 1))
        } else {
            format!("{before} bytes before {}", name(i))
        };
        return Err(io::Error::other(format!("kernel {} wrote outside its buffers, {place}", kernel.name)));
    }
    Ok(())
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use regard_ir::{
        kernel::{Builder, Unit},
        types::DType,
    };

    use super::*;

    /// `mov rax, [rdi + 8·parameter]; mov dword [rax + offset], value; ret`
    fn store(parameter: u8, offset: i32, value: i32) -> Vec<u8> {
        let mut code = vec![0x48, 0x8B, 0x47, 8 * parameter, 0xC7, 0x80];
        code.extend(offset.to_le_bytes());
        code.extend(value.to_le_bytes());
        code.push(0xC3);
        code
    }
    fn kernel() -> Kernel {
        let mut b = Builder::new("poke", Unit::Core, 4, [1, 1, 1]);
        b.param("x", DType::I32, 3);
        b.param("y", DType::I32, 5);
        b.scratch("s", DType::F32, 7);
        b.finish()
    }
    fn poke(parameter: u8, offset: i32) -> Result<[Vec<u8>; 2], String> {
        let mut buffers = [vec![1; 12], vec![2; 20]];
        // SAFETY: the code writes four bytes, all within the memory that is watched.
        unsafe { run_once(&kernel(), &store(parameter, offset, -1), &mut buffers) }.map_err(|e| e.to_string())?;
        Ok(buffers)
    }

    #[test]
    fn code_writes_its_buffers() {
        let buffers = poke(1, 16).unwrap();
        assert_eq!(buffers[0], [1; 12]);
        assert_eq!(buffers[1][..16], [2; 16]);
        assert_eq!(buffers[1][16..], [0xFF; 4]);
    }
    #[test]
    fn writes_outside_are_reported() {
        assert!(poke(0, 12).unwrap_err().contains("0 bytes past the end of x"));
        assert!(poke(0, 9).unwrap_err().contains("0 bytes past the end of x"));
        assert!(poke(1, 24).unwrap_err().contains("4 bytes past the end of y"));
        assert!(poke(1, -4).unwrap_err().contains("4 bytes before y"));
        assert!(poke(0, -8).unwrap_err().contains("8 bytes before x"));
    }
    #[test]
    fn wrong_buffers_are_named() {
        // SAFETY: the code is not run, since the buffers do not fit.
        let run =
            |buffers: &mut [Vec<u8>]| unsafe { run_once(&kernel(), &store(0, 0, 0), buffers) }.unwrap_err().to_string();
        assert!(run(&mut [vec![0; 12]]).contains("takes 2 buffers but 1"));
        assert!(run(&mut [vec![0; 12], vec![0; 19]]).contains("y of kernel poke has 20 bytes but 19"));
    }
    #[test]
    fn each_blob_has_its_entry() {
        let blobs: Vec<Vec<u8>> = (0..20).map(|i| store(0, 0, i)).collect();
        let map = CodeMap::new(&blobs.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        for i in 0..20 {
            let mut word = 99i32;
            let pointers = [(&raw mut word).cast::<u8>()];
            assert_eq!(map.entry(i as usize) as usize % CODE_ALIGN, 0);
            // SAFETY: the code writes four bytes through the first pointer, which is `word`.
            unsafe { map.entry(i as usize)(pointers.as_ptr(), 0, 1, std::ptr::null_mut()) };
            assert_eq!(word, i);
        }
        assert!(CodeMap::new(&[]).is_ok());
    }
}
