//! Threads for work that is divided, and none where the system grants none.
//!
//! The pool that the whole program shares is made at its first use and panics where a thread is refused. So the threads
//! are started here, before, and the pool gets as many as there are: at worst the main thread alone.

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use std::{
    env,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

/// Whether the system has refused every thread.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// Whether the system was seen to refuse every thread but the first.
pub fn are_refused() -> bool {
    REFUSED.load(Ordering::Relaxed)
}

/// Starts the shared pool, with as many threads as there are cores, or as `RAYON_NUM_THREADS` says, or as the system
/// grants. Only the calling thread may use the pool where it grants none. A second call does nothing.
pub fn prepare() {
    let asked = env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).filter(|&n: &usize| n > 0);
    let wanted = asked.unwrap_or_else(regard_runtime::cpu::default_threads);
    let mut waiting = Vec::new();
    for _ in 0..wanted {
        let (give, take) = mpsc::channel::<ThreadBuilder>();
        let work = move || {
            if let Ok(worker) = take.recv() {
                worker.run();
            }
        };
        match thread::Builder::new().spawn(work) {
            Ok(_) => waiting.push(give),
            Err(_) => break,
        }
    }
    let pool = match waiting.len() {
        0 => {
            REFUSED.store(true, Ordering::Relaxed);
            ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()
        }
        granted => {
            let waiting = Mutex::new(waiting);
            let hire = move |worker| {
                let thread = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let sent = thread.is_some_and(|thread| thread.send(worker).is_ok());
                if sent { Ok(()) } else { Err(std::io::Error::other("there are as many workers as threads")) }
            };
            ThreadPoolBuilder::new().num_threads(granted).spawn_handler(hire).build_global()
        }
    };
    // An error says that there is a pool already.
    drop(pool);
}
