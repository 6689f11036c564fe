//! What is true of every kernel: its text reads back, its verifier finds nothing and notices what is moved, its counts are
//! those of its text.

use proptest::prelude::*;
use regard_ir::kernel::{
    Body, Level, Stmt, Val,
    stats::stats,
    text::parse,
    verify::{Violation, verify},
};
use regard_testkit::kernels;
use std::collections::BTreeSet;

const ALL: &[Level] = &[Level::Core, Level::Tile];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_kernels_read_back(seed in any::<u64>(), lanes in prop_oneof![Just(4u32), Just(8), Just(16), Just(32)]) {
        let kernel = kernels::any(seed, lanes);
        let text = kernel.to_string();
        prop_assert_eq!(parse(&text), Ok(kernel));
    }

    #[test]
    fn mangled_text_is_refused_politely(seed in any::<u64>(), cut in any::<[prop::sample::Index; 3]>()) {
        let text = kernels::any(seed, 4).to_string();
        let mut at: Vec<usize> = cut.iter().map(|i| i.index(text.len())).collect();
        at.sort();
        // The middle piece stands twice, the last one is gone.
        let mangled = format!("{}{}{}", &text[..at[1]], &text[at[0]..at[1]], &text[at[2]..]);
        if let Err(error) = parse(&mangled) {
            prop_assert!(error.span.end <= mangled.len());
            error.render(&mangled, "kernel");
        }
    }

    #[test]
    fn random_kernels_have_stable_counts(seed in any::<u64>()) {
        let kernel = kernels::any(seed, 8);
        let again = parse(&kernel.to_string()).unwrap();
        prop_assert_eq!(stats(&kernel), stats(&again));
        prop_assert_eq!(stats(&kernel).instructions, kernel.to_string().lines().filter(|l| {
            let word = l.trim_start();
            l.starts_with("  ") && !["param", "scratch", "unused", "yield", "}"].iter().any(|w| word.starts_with(w))
        }).count() as u64);
    }

    #[test]
    fn random_kernels_are_verified(
        seed in any::<u64>(), lanes in prop_oneof![Just(4u32), Just(8), Just(16), Just(32)],
    ) {
        let kernel = kernels::any(seed, lanes);
        prop_assert_eq!(verify(&kernel, &[Level::Core]), Vec::<Violation>::new());
    }

    /// Swapping two statements of a kernel either keeps every definition before its uses or is found.
    #[test]
    fn moved_statements_are_found(
        seed in any::<u64>(), from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(),
    ) {
        let mut kernel = kernels::any(seed, 4);
        let count = kernel.body.stmts.len();
        kernel.body.stmts.swap(from.index(count), to.index(count));
        let mut seen = BTreeSet::new();
        let mut in_order = true;
        for stmt in &kernel.body.stmts {
            let alone = Body { stmts: vec![stmt.clone()], yields: Vec::new() };
            let inner: BTreeSet<Val> = alone.walk().flat_map(Stmt::definitions).collect();
            let yields = alone.walk_bodies().flat_map(|body| body.yields.iter().copied());
            let mut uses = alone.walk().flat_map(|stmt| stmt.inst.operands()).chain(yields);
            in_order &= uses.all(|v| seen.contains(&v) || inner.contains(&v));
            seen.extend(stmt.results.iter().copied());
        }
        let early = |f: &Violation| f.message.contains("used before");
        prop_assert_eq!(verify(&kernel, ALL).iter().any(early), !in_order);
    }
}
