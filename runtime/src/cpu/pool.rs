//! Worker threads: one fork and one join per launch.
//!
//! ```text
//!   worker 0 (the caller)   ──┬─ blocks 0 .. n/3 ────┬──
//!   worker 1                  ├─ blocks n/3 .. 2n/3 ─┤
//!   worker 2                  └─ blocks 2n/3 .. n ───┘
//! ```
//!
//! Worker w of n runs blocks `blocks·w/n .. blocks·(w+1)/n`: contiguous, so neighbours in memory stay with one
//! core, and fixed, so nothing is negotiated. Launches follow each other within a microsecond; therefore an
//! idle worker first spins and only then blocks, and waking costs nothing where no worker is blocked.
//!
//! **Protocol.** The *epoch* is one word: a sequence number and the number of active workers. The caller
//! writes the job, then the epoch (release); a worker that sees a new epoch (acquire) and is active reads
//! the job, runs its range and decrements `pending` (release); the caller waits for zero (acquire). A worker
//! that is not active never looks at the job, so the caller may write the next one without waiting for it.
//! Waiters announce themselves before they look at the epoch for the last time, the caller writes the
//! epoch before it looks for waiters, all sequentially consistent: one of the two sees the other.

use std::{
    any::Any,
    cell::UnsafeCell,
    hint,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long an idle worker spins where every thread can have a core.
const SPIN: Duration = Duration::from_micros(50);
/// How long it spins where threads outnumber cores: long enough for a launch that ends at once.
const SPIN_CROWDED: Duration = Duration::from_micros(1);
/// How long it then goes on looking while it offers its core to others: longer than the halves of a launch of some
/// milliseconds differ. A blocked worker may wake on the core of the thread that wakes it, and both then share it for long.
const YIELD_FOR: Duration = Duration::from_millis(2);
/// Checks of the condition between two reads of the clock.
const CHECKS_PER_CLOCK: u32 = 16;
/// Bits of the epoch that count active workers; the others are the sequence number.
const ACTIVE_BITS: u32 = 16;
/// The most threads a pool can have.
pub const MAX_THREADS: usize = (1 << ACTIVE_BITS) - 1;

/// A fork-join pool. The thread that calls [`run`](Pool::run) is its first worker.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

/// What one run asks of each active worker.
#[derive(Clone, Copy)]
struct Job {
    /// The caller's closure, its type forgotten.
    data: *const (),
    /// Calls it with (worker, first, end).
    call: unsafe fn(*const (), usize, u64, u64),
    blocks: u64,
    active: usize,
}

/// One cache line per word that different cores write.
#[derive(Debug, Default)]
#[repr(align(128))]
struct CachePadded<T>(T);

#[derive(Debug)]
struct Shared {
    epoch: CachePadded<AtomicU64>,
    pending: CachePadded<AtomicUsize>,
    job: UnsafeCell<Option<Job>>,
    stop: AtomicBool,
    spin: Duration,
    idle: Parker,
    caller: Parker,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: everything but `job` is `Sync` by itself. `job` is written by `Pool::run`, which has the pool
// exclusively, while `pending` is zero, so that no worker is active; it is read only by active workers, after
// the epoch that the caller published after writing it.
unsafe impl Sync for Shared {}
// SAFETY: the pointers in `job` are used only during the `Pool::run` that wrote them, whose closure is `Sync`.
unsafe impl Send for Shared {}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} blocks on {} workers", self.blocks, self.active)
    }
}

impl Pool {
    /// A pool of `threads` workers, the caller of [`run`](Pool::run) included; 0 counts as 1. Where the system refuses
    /// a thread, the pool has those that it granted, at worst the caller alone.
    pub fn new(threads: usize) -> Pool {
        let threads = threads.clamp(1, MAX_THREADS);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let shared = Arc::new(Shared {
            epoch: CachePadded::default(),
            pending: CachePadded::default(),
            job: UnsafeCell::new(None),
            stop: AtomicBool::new(false),
            spin: if threads > cores { SPIN_CROWDED } else { SPIN },
            idle: Parker::default(),
            caller: Parker::default(),
            panic: Mutex::new(None),
        });
        let mut pool = Pool { shared, helpers: Vec::with_capacity(threads - 1) };
        for worker in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let builder = thread::Builder::new().name(format!("regard-{worker}"));
            match builder.spawn(move || shared.worker_loop(worker)) {
                Ok(helper) => pool.helpers.push(helper),
                Err(_) => break,
            }
        }
        pool
    }
    /// Number of workers, the caller included.
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }
    /// Calls `body(worker, first, end)` for contiguous ranges that together are `0..blocks`, each worker at
    /// most once, and returns when all calls have returned. One worker, or one block, needs no fork.
    ///
    /// # Panics
    /// With the panic of a call, after all others have returned.
    pub fn run<F: Fn(usize, u64, u64) + Sync>(&mut self, blocks: u64, body: &F) {
        let active = blocks.min(self.threads() as u64) as usize;
        if active <= 1 {
            if blocks > 0 {
                body(0, 0, blocks);
            }
            return;
        }
        let shared = &*self.shared;
        let job = Job { data: (&raw const *body).cast(), call: call::<F>, blocks, active };
        // SAFETY: `&mut self` excludes another run, and no worker is active since the last run waited.
        unsafe { *shared.job.get() = Some(job) };
        shared.pending.0.store(active - 1, Ordering::Relaxed);
        shared.publish(active);
        let (first, end) = range(blocks, 0, active);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| body(0, first, end)));
        shared.caller.wait(shared.spin, || shared.pending.0.load(Ordering::SeqCst) == 0);
        if let Err(payload) = outcome {
            lock(&shared.panic).take();
            panic::resume_unwind(payload);
        }
        if let Some(payload) = lock(&shared.panic).take() {
            panic::resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.publish(0);
        for helper in self.helpers.drain(..) {
            helper.join().expect("workers catch the panics of the work");
        }
    }
}

/// Blocks of worker `worker` of `active`: `blocks·w/n .. blocks·(w+1)/n`.
fn range(blocks: u64, worker: usize, active: usize) -> (u64, u64) {
    let cut = |w: usize| (u128::from(blocks) * w as u128 / active as u128) as u64;
    (cut(worker), cut(worker + 1))
}

/// # Safety
/// `data` must point to a live `F`.
unsafe fn call<F: Fn(usize, u64, u64) + Sync>(data: *const (), worker: usize, first: u64, end: u64) {
    // SAFETY: by the contract of this function.
    let body = unsafe { &*data.cast::<F>() };
    body(worker, first, end);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Starts the workers below `active`, or tells all of them to look at `stop`.
    fn publish(&self, active: usize) {
        let sequence = (self.epoch.0.load(Ordering::Relaxed) >> ACTIVE_BITS) + 1;
        self.epoch.0.store(sequence << ACTIVE_BITS | active as u64, Ordering::SeqCst);
        self.idle.wake();
    }
    /// The loop of a helper thread.
    fn worker_loop(&self, worker: usize) {
        let mut seen = 0;
        loop {
            self.idle.wait(self.spin, || self.epoch.0.load(Ordering::SeqCst) != seen);
            seen = self.epoch.0.load(Ordering::SeqCst);
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            if (worker as u64) < seen & MAX_THREADS as u64 {
                self.work(worker);
            }
        }
    }
    fn work(&self, worker: usize) {
        // SAFETY: this worker is active in the epoch it has just read, so the job is written and stays
        // until `pending` is decremented below.
        let job = unsafe { *self.job.get() }.expect("an epoch follows its job");
        let (first, end) = range(job.blocks, worker, job.active);
        // SAFETY: `data` is the closure of the run that is waiting for this worker, hence alive.
        let work = AssertUnwindSafe(|| unsafe { (job.call)(job.data, worker, first, end) });
        if let Err(payload) = panic::catch_unwind(work) {
            lock(&self.panic).get_or_insert(payload);
        }
        if self.pending.0.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.caller.wake();
        }
    }
}

/// A place to wait for a condition that another thread makes true before it calls [`wake`](Parker::wake).
#[derive(Debug, Default)]
struct Parker {
    waiters: CachePadded<AtomicUsize>,
    lock: Mutex<()>,
    condvar: Condvar,
}

impl Parker {
    /// Spins for about `spin`, then yields for a while, then blocks, until `ready`.
    fn wait(&self, spin: Duration, ready: impl Fn() -> bool) {
        for _ in 0..CHECKS_PER_CLOCK {
            if ready() {
                return;
            }
            hint::spin_loop();
        }
        let start = Instant::now();
        while start.elapsed() < spin {
            for _ in 0..CHECKS_PER_CLOCK {
                if ready() {
                    return;
                }
                hint::spin_loop();
            }
        }
        while start.elapsed() < YIELD_FOR {
            if ready() {
                return;
            }
            thread::yield_now();
        }
        let mut guard = lock(&self.lock);
        self.waiters.0.fetch_add(1, Ordering::SeqCst);
        while !ready() {
            guard = self.condvar.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.waiters.0.fetch_sub(1, Ordering::SeqCst);
    }
    /// Wakes the waiters. The condition must have been made true with sequential consistency.
    fn wake(&self) {
        if self.waiters.0.load(Ordering::SeqCst) > 0 {
            // Acquiring the mutex orders this after a waiter that has checked the condition and not blocked yet.
            drop(lock(&self.lock));
            self.condvar.notify_all();
        }
    }
}
