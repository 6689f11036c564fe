//! The floating-point environment that kernels run in, whatever the host's is.
//!
//! ```text
//!   x86-64    MXCSR = 0x1F80      round to nearest even, subnormals kept, no exception interrupts
//!   aarch64   FPCR  = 0           the same; the flags are in FPSR
//! ```
//!
//! A host may trap divisions by zero, flush subnormals or round otherwise, for itself or through a library that it has
//! loaded; threads inherit that. Kernels divide by zero on purpose and promise bits, so the environment is set
//! around each of them, on every thread, and the host's comes back with its flags.

/// The host's environment, which comes back when this is dropped. Meanwhile the usual one holds.
#[derive(Debug)]
pub(crate) struct Usual {
    host: Register,
}

/// Control and flags.
#[cfg(target_arch = "x86_64")]
type Register = u32;
/// Control, and flags.
#[cfg(not(target_arch = "x86_64"))]
type Register = (u64, u64);

/// All exceptions masked, no flag set.
#[cfg(target_arch = "x86_64")]
const USUAL: Register = 0x1F80;
#[cfg(not(target_arch = "x86_64"))]
const USUAL: Register = (0, 0);

impl Usual {
    pub(crate) fn enter() -> Usual {
        let host = read();
        write(USUAL);
        Usual { host }
    }
}

impl Drop for Usual {
    fn drop(&mut self) {
        write(self.host);
    }
}

#[cfg(target_arch = "x86_64")]
fn read() -> Register {
    let mut value = 0;
    // SAFETY: the instruction stores four bytes to `value`.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    value
}

#[cfg(target_arch = "x86_64")]
fn write(value: Register) {
    // SAFETY: the value is the usual one, or one that was in the register before; no reserved bit is set.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn read() -> Register {
    let (control, flags);
    // SAFETY: reading the registers has no effect.
    unsafe {
        std::arch::asm!("mrs {}, fpcr", "mrs {}, fpsr", out(reg) control, out(reg) flags, options(nostack, nomem, preserves_flags))
    };
    (control, flags)
}

#[cfg(target_arch = "aarch64")]
fn write((control, flags): Register) {
    // SAFETY: the values are the usual ones, or those that were in the registers before.
    unsafe {
        std::arch::asm!("msr fpcr, {}", "msr fpsr, {}", in(reg) control, in(reg) flags, options(nostack, nomem, preserves_flags))
    };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> Register {
    USUAL
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_: Register) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_hosts_environment_comes_back() {
        // Flush to zero, round down, division by zero and overflow trapped, one flag set.
        let strange = 0x1F80 & !0x0600 | 0x8000 | 0x2000 | 0x20;
        let before = read();
        write(strange);
        let inside = {
            let _usual = Usual::enter();
            read()
        };
        let after = read();
        write(before);
        assert_eq!((inside, after), (USUAL, strange));
    }
}
