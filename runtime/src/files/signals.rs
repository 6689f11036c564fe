//! Signals that end the process remove its drafts first.
//!
//! ```text
//!   names      [ ─▶ ".../.regard-….part" │ nothing │ … ]      one slot per draft
//!   SIGINT …   unlink each name, then the signal's own action
//! ```
//!
//! A handler may do little: it takes pointers out of atomic slots and unlinks what they name. A signal that
//! somebody else handles or ignores is left to them. While files of a set get their names, a signal waits.

use std::{
    ffi::{CString, c_char, c_int},
    mem,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr,
    sync::{
        Once,
        atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering::SeqCst},
    },
};

/// Signals that end a process in order.
const ENDING: [c_int; 5] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGXCPU];
/// Drafts at a time; one more is only removed by the next process.
const SLOTS: usize = 64;

static NAMES: [AtomicPtr<c_char>; SLOTS] = [const { AtomicPtr::new(ptr::null_mut()) }; SLOTS];
/// How many sets are just being published.
static HELD: AtomicUsize = AtomicUsize::new(0);
/// The signal that came meanwhile.
static PENDING: AtomicI32 = AtomicI32::new(0);

/// A name that a signal removes, while this lives.
#[derive(Debug)]
pub(super) struct Registered(Option<(usize, *mut c_char)>);

// SAFETY: the pointer is only compared with those in the slots, and given back by whoever takes it out of one.
unsafe impl Send for Registered {}
// SAFETY: nothing is done through a shared reference.
unsafe impl Sync for Registered {}

impl Registered {
    /// `path` may not exist yet.
    pub(crate) fn new(path: &Path) -> Registered {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return Registered(None) };
        let name = name.into_raw();
        let free = NAMES.iter().position(|slot| slot.compare_exchange(ptr::null_mut(), name, SeqCst, SeqCst).is_ok());
        if free.is_none() {
            // SAFETY: the pointer comes from `into_raw` above and is in no slot.
            drop(unsafe { CString::from_raw(name) });
        }
        Registered(free.map(|slot| (slot, name)))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Some((slot, name)) = self.0 else { return };
        // A handler that has taken the name out uses it to the end of the process.
        if NAMES[slot].compare_exchange(name, ptr::null_mut(), SeqCst, SeqCst).is_ok() {
            // SAFETY: the pointer comes from `into_raw`, and was in the slot until now, so nobody else has it.
            drop(unsafe { CString::from_raw(name) });
        }
    }
}

/// Signals wait until the returned value is dropped.
pub(super) fn hold() -> Held {
    HELD.fetch_add(1, SeqCst);
    Held
}

pub(super) struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        if HELD.fetch_sub(1, SeqCst) == 1 {
            let signal = PENDING.swap(0, SeqCst);
            if signal != 0 {
                // SAFETY: raising a signal touches no memory of ours.
                unsafe { libc::raise(signal) };
            }
        }
    }
}

/// Sets the handlers, once. A write beyond the size that the process may write gives an error instead of ending it.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in ENDING {
            replace_default(signal, end as extern "C" fn(c_int) as *const () as libc::sighandler_t);
        }
        replace_default(libc::SIGXFSZ, libc::SIG_IGN);
    });
}

/// Sets what a signal does, where it does what it does by default.
fn replace_default(signal: c_int, action: libc::sighandler_t) {
    // SAFETY: an all-zero `sigaction` is a valid value of this plain struct, both pointers are to live ones, and the
    // handler calls nothing but functions that handlers may call.
    unsafe {
        let mut now: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &mut now) == 0 && now.sa_sigaction == libc::SIG_DFL {
            let mut new: libc::sigaction = mem::zeroed();
            new.sa_sigaction = action;
            new.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &new, ptr::null_mut());
        }
    }
}

extern "C" fn end(signal: c_int) {
    if HELD.load(SeqCst) > 0 {
        PENDING.store(signal, SeqCst);
        return;
    }
    for slot in &NAMES {
        let name = slot.swap(ptr::null_mut(), SeqCst);
        if !name.is_null() {
            // SAFETY: a name in a slot is a live C string, and now this handler's alone.
            unsafe { libc::unlink(name) };
        }
    }
    // SAFETY: both may be called in a handler. The signal is blocked until this returns, and then ends the process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
