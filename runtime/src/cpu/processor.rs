//! The processor this process runs on: which targets it can execute, how many cores it lends, how much
//! time and memory it has used.

use std::{thread, time::Duration};

use regard_ir::target::{Backend, Target};

/// The most capable CPU target that this processor can execute; nothing where it can execute none.
pub fn best() -> Option<&'static Target> {
    targets().next()
}

/// Whether this processor, as its operating system lets it be used, can execute code for the target of
/// that name. Unknown names and GPU targets are not supported.
pub fn supports(target: &str) -> bool {
    targets().any(|row| row.name == target)
}

/// The CPU targets that this processor can execute, most capable first.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    let rows = Target::ROWS.iter().filter_map(|row| Target::named(row.name));
    rows.filter(|row| row.backend != Backend::Ptx && executes(row.name))
}

/// Threads that a session uses unless told otherwise: what the system grants this process.
pub fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How long the calling thread has computed: what other threads and programs had the core for is not counted.
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that every Linux has, and `time` is a live timespec of ours.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "Linux has a clock for each thread");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The largest resident set this process has had, in bytes; nothing where the system does not tell.
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(target_arch = "x86_64")]
fn executes(target: &str) -> bool {
    // The macro asks the processor and, for the wide registers, the operating system (XCR0).
    macro_rules! has {
        ($($feature:tt)*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
    }
    let v2 = has!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "cmpxchg16b");
    let v3 = v2 && has!("avx" "avx2" "fma" "f16c" "bmi1" "bmi2" "lzcnt");
    let v4 = v3 && has!("avx512f" "avx512dq" "avx512bw" "avx512vl");
    match target {
        "x86-64-v2" => v2,
        "x86-64-v3" | "x86-64-v3-128" => v3,
        "x86-64-v4" => v4,
        _ => false,
    }
}

#[cfg(target_arch = "aarch64")]
fn executes(target: &str) -> bool {
    target == "aarch64"
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn executes(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_include_those_below_the_best() {
        let names: Vec<&str> = targets().map(|row| row.name).collect();
        let levels = ["x86-64-v4", "x86-64-v3", "x86-64-v3-128", "x86-64-v2"];
        let expected: &[&str] = match names.first() {
            Some(best) if best.starts_with("x86") => &levels[levels.iter().position(|l| l == best).unwrap()..],
            Some(_) => &["aarch64"],
            None => &[],
        };
        assert_eq!(names, expected);
        assert_eq!(best().map(|row| row.name), names.first().copied());
    }
    #[test]
    fn only_known_targets_of_this_processor_are_supported() {
        assert!(targets().all(|row| supports(row.name)));
        assert!(!supports("x86-64-v9") && !supports(""));
        assert!(!(supports("aarch64") && supports("x86-64-v2")));
    }
    #[test]
    fn the_peak_grows_with_touched_memory() {
        if let Some(before) = peak_memory_bytes() {
            let touched = std::hint::black_box(vec![1u8; 64 << 20]);
            let after = peak_memory_bytes().unwrap();
            assert!(after >= 64 << 20 && after >= before, "{before} then {after} with {} bytes", touched.len());
        }
    }
    #[test]
    fn a_sleeping_thread_takes_no_time() {
        let before = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        let asleep = thread_time() - before;
        let busy = (0..2_000_000u64).fold(0, |sum, i| std::hint::black_box(sum ^ i));
        assert!(asleep < Duration::from_millis(40) && thread_time() - before > asleep, "{asleep:?} {busy}");
    }
    #[test]
    fn there_is_a_thread() {
        assert!(default_threads() >= 1);
    }
}
