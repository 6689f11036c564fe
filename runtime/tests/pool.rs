//! The pool hands out every block exactly once, survives panics, and serves many pools at a time.

use std::{
    hint,
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use regard_runtime::cpu::pool::Pool;

/// Runs `blocks` blocks and returns the ranges by worker.
fn ranges(pool: &mut Pool, blocks: u64) -> Vec<(usize, u64, u64)> {
    let seen = Mutex::new(Vec::new());
    pool.run(blocks, &|worker, first, end| seen.lock().unwrap().push((worker, first, end)));
    let mut seen = seen.into_inner().unwrap();
    seen.sort();
    seen
}

#[test]
fn every_block_runs_once() {
    for threads in [1, 2, 3, 5, 16] {
        let mut pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for blocks in (0..40).chain([97, 1000, 4096, 100_003]) {
            let counts: Vec<AtomicU32> = (0..blocks).map(|_| AtomicU32::new(0)).collect();
            pool.run(blocks, &|_, first, end| {
                for count in &counts[first as usize..end as usize] {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads, {blocks} blocks");
        }
    }
}

#[test]
fn ranges_are_contiguous_fair_and_fixed() {
    let mut pool = Pool::new(3);
    assert_eq!(ranges(&mut pool, 10), [(0, 0, 3), (1, 3, 6), (2, 6, 10)]);
    assert_eq!(ranges(&mut pool, 2), [(0, 0, 1), (1, 1, 2)]);
    assert_eq!(ranges(&mut pool, 1), [(0, 0, 1)]);
    assert_eq!(ranges(&mut pool, 0), []);
    let third = u64::MAX / 3;
    assert_eq!(ranges(&mut pool, u64::MAX), [(0, 0, third), (1, third, 2 * third), (2, 2 * third, u64::MAX)]);
}

#[test]
fn a_run_sees_the_writes_of_the_run_before() {
    let mut pool = Pool::new(4);
    let mut values = vec![0u32; 64];
    for round in 0..5000u32 {
        if round % 1000 == 0 {
            thread::sleep(Duration::from_millis(1)); // long enough for all to sleep
        }
        let read: Vec<Mutex<u32>> = values.iter().map(|_| Mutex::new(0)).collect();
        // Each block reads the element that another worker wrote in the round before.
        pool.run(64, &|_, first, end| {
            for block in first..end {
                *read[block as usize].lock().unwrap() = values[(block as usize + 17) % 64] + 1;
            }
        });
        values = read.into_iter().map(|value| value.into_inner().unwrap()).collect();
        assert!(values.iter().all(|&value| value == round + 1));
    }
}

#[test]
fn panics_propagate_and_the_pool_survives() {
    let mut pool = Pool::new(3);
    for culprit in [0, 1, 2] {
        let finished = AtomicUsize::new(0);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            pool.run(3, &|worker, _, _| {
                if worker == culprit {
                    panic::resume_unwind(Box::new(worker));
                }
                thread::sleep(Duration::from_millis(2));
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }));
        assert_eq!(*outcome.unwrap_err().downcast::<usize>().unwrap(), culprit);
        assert_eq!(finished.into_inner(), 2, "the others finished before the panic left the run");
        assert_eq!(ranges(&mut pool, 3).len(), 3);
    }
    let all = panic::catch_unwind(AssertUnwindSafe(|| {
        pool.run(3, &|worker, _, _| panic::resume_unwind(Box::new(worker)));
    }));
    assert!(all.unwrap_err().is::<usize>());
    assert_eq!(ranges(&mut pool, 2).len(), 2, "no panic is left over");
}

#[test]
fn pools_on_many_threads_do_not_disturb_each_other() {
    thread::scope(|scope| {
        for seed in 1..=4u64 {
            scope.spawn(move || {
                for round in 0..40 {
                    let mut pool = Pool::new(1 + (seed + round) as usize % 4);
                    for blocks in [1, 7, seed * 100 + round] {
                        let total: u64 = ranges(&mut pool, blocks).iter().map(|(_, first, end)| end - first).sum();
                        assert_eq!(total, blocks);
                    }
                }
            });
        }
    });
}

#[test]
fn no_wake_is_lost_while_falling_asleep() {
    for threads in [2, 3] {
        let mut pool = Pool::new(threads);
        for round in 0..600u64 {
            // Workers give up spinning after 1 µs or 2 ms; the pauses sweep over both moments.
            let early = Duration::from_nanos(round * 7919 % 5_000);
            let late = Duration::from_micros(1950) + Duration::from_nanos(round * 7919 % 100_000);
            let pause = if round % 2 == 0 { early } else { late };
            let start = Instant::now();
            while start.elapsed() < pause {
                hint::spin_loop();
            }
            let total = AtomicU32::new(0);
            pool.run(5, &|_, first, end| {
                total.fetch_add((end - first) as u32, Ordering::Relaxed);
            });
            assert_eq!(total.into_inner(), 5);
        }
    }
}
