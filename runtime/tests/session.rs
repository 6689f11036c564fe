//! Sessions compute, share, and refuse what does not fit.
#![cfg(target_arch = "x86_64")]

mod common;

use std::thread;

use common::{constants, program};
use regard_ir::program::{Code, Program, Storage};
use regard_runtime::{
    Session,
    memory::{Constants, f32_bytes},
};

fn session(n: usize, threads: usize) -> Session {
    // SAFETY: the code keeps to its buffers.
    unsafe { Session::new(program(n), Constants::copy(&constants(n)).unwrap(), threads) }.unwrap()
}
fn input(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + seed * 13) % 101) as f32 / 8.0).collect()
}
fn expected(x: &[f32]) -> Vec<f32> {
    x.iter().enumerate().map(|(i, x)| 2.0 * (x + i as f32 / 4.0)).collect()
}

#[test]
fn numbers_are_right_for_any_number_of_threads() {
    for n in [1, 2, 3, 64, 1000] {
        for threads in [0, 1, 2, 3, 8] {
            let session = session(n, threads);
            assert_eq!(session.threads(), threads.max(1));
            for seed in 0..20 {
                let x = input(n, seed);
                assert_eq!(session.run_f32(&[&x]).unwrap(), [expected(&x)], "{n} elements, {threads} threads");
            }
        }
    }
}
#[test]
fn tensors_need_no_alignment() {
    let x = input(33, 1);
    let mut shifted = vec![0u8];
    shifted.extend(f32_bytes(&x));
    let mut y = [0u8; 1 + 33 * 4];
    session(33, 2).run(&[&shifted[1..]], &mut [&mut y[1..]]).unwrap();
    assert_eq!(y[1..], *f32_bytes(&expected(&x)));
}
#[test]
fn many_callers_share_a_session() {
    for threads in [1, 3] {
        let session = &session(500, threads);
        thread::scope(|scope| {
            for caller in 0..6 {
                scope.spawn(move || {
                    for round in 0..100 {
                        let x = input(500, caller * 100 + round);
                        assert_eq!(session.run_f32(&[&x]).unwrap(), [expected(&x)]);
                    }
                });
            }
        });
    }
}
#[test]
fn sessions_run_inside_threads_of_their_own() {
    thread::scope(|scope| {
        for caller in 0..4 {
            scope.spawn(move || {
                for threads in 1..4 {
                    let (outer, x) = (session(77, threads), input(77, caller));
                    let inner = session(77, threads + 1);
                    let y = outer.run_f32(&[&x]).unwrap();
                    assert_eq!(inner.run_f32(&[&y[0]]).unwrap(), [expected(&expected(&x))]);
                }
            });
        }
    });
}
#[test]
fn each_launch_is_timed() {
    let (x, mut y) = (input(40, 0), vec![0u8; 160]);
    let times = session(40, 2).run_timed(&[f32_bytes(&x)], &mut [&mut y]).unwrap();
    assert_eq!(times.len(), 2);
    assert_eq!(y, f32_bytes(&expected(&x)));
}

#[test]
fn misfits_are_explained() {
    let session = session(8, 1);
    let (x, mut y) = ([0u8; 32], [0u8; 32]);
    let sentence = |inputs: &[&[u8]], outputs: &mut [&mut [u8]]| session.run(inputs, outputs).unwrap_err().to_string();
    assert_eq!(sentence(&[], &mut [&mut y]), "the program has 1 inputs but 0 were given");
    assert_eq!(sentence(&[&x], &mut []), "the program has 1 outputs but 0 were given");
    assert_eq!(sentence(&[&x[1..]], &mut [&mut y]), "input 0 (x) is f32[8] and has 32 bytes but 31 were given");
    assert_eq!(sentence(&[&x], &mut [&mut y[..4]]), "output 0 (y) is f32[8] and has 32 bytes but 4 were given");
}

fn refusal(change: impl FnOnce(&mut Program<Code>)) -> String {
    let mut program = program(8);
    change(&mut program);
    // SAFETY: such a program is refused, not run.
    unsafe { Session::new(program, Constants::copy(&constants(8)).unwrap(), 2) }.unwrap_err().to_string()
}
#[test]
fn broken_programs_are_refused() {
    let far = |p: &mut Program<Code>| p.buffers.values_mut().nth(2).unwrap().storage = Storage::Arena(192);
    assert!(refusal(far).contains("does not fit its storage"));
    assert!(refusal(|p| p.launches[1].kernel = regard_ir::id::Id::new(9)).contains("k9, which does not exist"));
    assert!(refusal(|p| p.constant_bytes += 1).contains("97 bytes of constants but 96 were given"));
    assert!(refusal(|p| p.arena_bytes = 1 << 60).contains("cannot reserve 1152921504606846976 bytes"));
    assert!(refusal(|p| p.launches[0].scratch_bytes = u64::MAX - 3).contains("bytes of scratch"));
    assert!(refusal(|p| p.launches[0].scratch_bytes = 1 << 60).contains("cannot reserve"));
}

/// Runs `work` while this thread, and those that it starts, trap every exception, flush subnormals and round up.
fn under_a_strange_host<T>(work: impl FnOnce() -> T) -> T {
    let (mut usual, strange) = (0u32, 0x8000u32 | 0x4000 | 0x40);
    // SAFETY: the control word is read into one variable and written from another, whose bits are all defined ones; it is
    // restored before anything is computed that rounds or traps.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut usual, options(nostack));
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const strange, options(nostack));
    }
    let done = work();
    // SAFETY: as above.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const usual, options(nostack)) };
    done
}
#[test]
fn the_hosts_floating_point_control_does_not_matter() {
    // Overflow, subnormals, and sums that are not exact.
    let x: Vec<f32> = [3e38, -3e38, 1e-40, 3e-45, 1.0 / 3.0, 16777217.0, f32::INFINITY].repeat(30);
    for threads in [1, 3] {
        let run = || {
            let mut y = vec![0u8; 4 * x.len()];
            session(x.len(), threads).run(&[f32_bytes(&x)], &mut [&mut y]).unwrap();
            y
        };
        assert_eq!(under_a_strange_host(run), run(), "{threads} threads");
    }
}
