//! Properties of the view algebra over random chains of movements, against tables written from NumPy's definitions.

use super::*;
use crate::types::{Real, strides};
use proptest::{prelude::*, strategy::ValueTree};
use std::collections::BTreeMap;

/// One random movement, chosen by numbers that fit any shape.
#[derive(Clone, Debug)]
struct Step {
    kind: usize,
    axis: usize,
    a: usize,
    b: usize,
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0usize..8, 0usize..8, 0usize..64, 0usize..64).prop_map(|(kind, axis, a, b)| Step { kind, axis, a, b });
    proptest::collection::vec(step, 1..=most)
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![Just(1usize), Just(2), Just(3), Just(4), Just(6)], 1..4)
}

fn index(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut idx = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        idx[axis] = flat % shape[axis];
        flat /= shape[axis];
    }
    idx
}

fn flat(idx: &[usize], shape: &[usize]) -> usize {
    idx.iter().zip(strides(shape)).map(|(i, s)| i * s).sum()
}

/// A factorisation of `n` into up to three dimensions.
fn factors(n: usize, a: usize, b: usize) -> Vec<usize> {
    let pick = |n: usize, seed: usize| {
        let divisors: Vec<usize> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
        divisors[seed % divisors.len()]
    };
    let first = pick(n, a);
    let second = pick(n / first, b);
    vec![first, second, n / first / second]
}

/// The view of a step on `shape` and, independently, where each result element comes from.
fn movement(step: &Step, shape: &[usize]) -> (View, Vec<Option<usize>>) {
    let axis = step.axis % shape.len();
    let n = shape[axis];
    let len: usize = shape.iter().product();
    let table = |to: &[usize], f: &dyn Fn(Vec<usize>) -> Option<Vec<usize>>| {
        (0..to.iter().product()).map(|e| f(index(e, to)).map(|i| flat(&i, shape))).collect::<Vec<_>>()
    };
    let moved = |i: &[usize], at: usize| i.iter().enumerate().map(|(a, &x)| if a == axis { at } else { x }).collect();
    match step.kind {
        0 | 1 => (View::reshape(shape, &factors(len, step.a, step.b)), (0..len).map(Some).collect()),
        2 => {
            let mut order: Vec<usize> = (0..shape.len()).collect();
            order.rotate_left(step.a % shape.len());
            order.swap(0, step.b % shape.len());
            let to: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
            let back = |i: Vec<usize>| {
                let mut source = vec![0; i.len()];
                order.iter().zip(&i).for_each(|(&a, &x)| source[a] = x);
                Some(source)
            };
            (View::transpose(shape, &order), table(&to, &back))
        }
        3 => {
            let (start, step) = (step.a % n, 1 + step.b % 2);
            let stop = start + 1 + step * 7 % (n - start);
            let taken: Vec<usize> = (start..stop).step_by(step).collect();
            let to: Vec<usize> = moved(shape, taken.len());
            (View::slice(shape, axis, start, stop, step), table(&to, &|i| Some(moved(&i, taken[i[axis]]))))
        }
        4 => {
            let mut to: Vec<usize> = shape.iter().map(|&d| if d == 1 { 1 + step.a % 3 } else { d }).collect();
            to.splice(0..0, vec![2; step.b % 2]);
            let new = to.len() - shape.len();
            let back = |i: Vec<usize>| Some((0..shape.len()).map(|a| i[a + new] % shape[a]).collect());
            (View::expand(shape, &to), table(&to, &back))
        }
        5 => {
            let shift = step.a as i64 - 32;
            let back = |i: Vec<usize>| Some(moved(&i, (i[axis] as i64 - shift).rem_euclid(n as i64) as usize));
            (View::roll(shape, axis, shift), table(shape, &back))
        }
        6 => {
            let (stride, dilation) = (1 + step.a % 3, 1 + step.a / 3 % 2);
            let size = 1 + step.b % ((n - 1) / dilation + 1).min(3);
            let pieces = (0..n).step_by(stride).filter(|p| p + (size - 1) * dilation < n).count();
            let mut to = shape.to_vec();
            to.splice(axis..=axis, [pieces, size]);
            let back = |mut i: Vec<usize>| {
                let tap = i.remove(axis + 1);
                let at = i[axis] * stride + tap * dilation;
                Some(moved(&i, at))
            };
            (View::unfold(shape, axis, size, stride, dilation), table(&to, &back))
        }
        _ => {
            let (low, high) = (step.a % 3, step.b % 3);
            let to: Vec<usize> = moved(shape, n + low + high);
            let back = |i: Vec<usize>| {
                let at = i[axis].checked_sub(low).filter(|&at| at < n)?;
                Some(moved(&i, at))
            };
            (View::pad(shape, axis, low, high, Real::new(-1.5)), table(&to, &back))
        }
    }
}

/// All views that a chain gives: composed while that succeeds, started anew where it does not or grows too large.
fn chain(shape: &[usize], steps: &[Step]) -> Vec<(View, Vec<Option<usize>>)> {
    let mut all: Vec<(View, Vec<Option<usize>>)> = Vec::new();
    let mut here = (View::identity(shape), (0..shape.iter().product()).map(Some).collect::<Vec<_>>());
    for step in steps {
        let (view, table) = movement(step, &here.0.shape);
        let next: Vec<Option<usize>> = table.iter().map(|m| here.1[(*m)?]).collect();
        here = match here.0.then(&view) {
            Some(both) if next.len() < 400 => (both, next),
            _ => (view, table),
        };
        all.push(here.clone());
        if here.1.len() >= 400 {
            break;
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn single_movements_follow_numpy(shape in shapes(), step in steps(1)) {
        let (view, table) = movement(&step[0], &shape);
        prop_assert_eq!(view.table(), table);
    }

    #[test]
    fn composition_is_one_after_the_other(shape in shapes(), steps in steps(7)) {
        for (view, table) in chain(&shape, &steps) {
            prop_assert_eq!(view.table(), table, "{}", view);
            prop_assert!(view.coords.iter().all(|c| c.stride > 0 || c.bounded), "{}", view);
        }
    }

    #[test]
    fn composition_of_composites(shape in shapes(), first in steps(4), second in steps(4)) {
        let (inner, inner_table) = chain(&shape, &first).pop().expect("a chain has a step");
        if let Some((outer, outer_table)) = chain(&inner.shape, &second).pop()
            && let Some(both) = inner.then(&outer)
        {
            let table: Vec<_> = outer_table.iter().map(|m| inner_table[(*m)?]).collect();
            prop_assert_eq!(both.table(), table, "{} then {}", inner, outer);
        }
    }

    #[test]
    fn blocks_move_as_their_places_do(shape in shapes(), steps in steps(5), block in shapes()) {
        let size: usize = block.iter().product();
        for (view, table) in chain(&shape, &steps) {
            let each = |place: &Option<usize>| (0..size).map(|e| place.map(|p| p * size + e)).collect::<Vec<_>>();
            let expected: Vec<Option<usize>> = table.iter().flat_map(each).collect();
            prop_assert_eq!(view.of_blocks(&block).table(), expected, "{} of {:?}", view, block);
        }
    }

    #[test]
    fn text_reads_back(shape in shapes(), steps in steps(6)) {
        for (view, _) in chain(&shape, &steps) {
            let text = view.to_string();
            let fail = |e: crate::diagnostic::SourceError| TestCaseError::fail(e.render(&text, "view"));
            let back: View = text.parse().map_err(fail)?;
            prop_assert_eq!(&back, &view, "{}", text);
        }
    }

    #[test]
    fn any_text_gives_a_view_or_an_error(text in "[\\[\\]0-9i*/%+() ,modfne:-]{0,40}") {
        if let Ok(view) = format!("[4, 6] of 24: {text}").parse::<View>() {
            prop_assert!(view.table().iter().flatten().all(|&e| e < 24), "{}", view);
            prop_assert_eq!(view.to_string().parse::<View>().expect("printed text parses"), view);
        }
    }

    #[test]
    fn inverses_undo(shape in shapes(), steps in steps(6)) {
        for (view, table) in chain(&shape, &steps) {
            let mut used = vec![0usize; view.len];
            table.iter().flatten().for_each(|&e| used[e] += 1);
            let bijective = !table.contains(&None) && used.iter().all(|&n| n == 1);
            let Some(inverse) = view.inverse() else { continue };
            prop_assert!(bijective, "{}", view);
            let back: Vec<usize> = inverse.table().into_iter().map(|e| e.expect("no fill")).collect();
            prop_assert!(back.iter().enumerate().all(|(j, &e)| table[e] == Some(j)), "{} inverse {}", view, inverse);
        }
    }

}

/// Equal movement must be equal data: over one source, equal tables have equal views. Only several pads of one axis leave
/// conditions that can be said in two ways, and rarely do.
#[test]
fn equal_maps_are_equal_views() {
    let mut known: BTreeMap<(Vec<usize>, Vec<Option<usize>>), View> = BTreeMap::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut met, mut differing) = (0, Vec::new());
    for _ in 0..20000 {
        let steps = steps(5).new_tree(&mut runner).expect("steps").current();
        let (view, table) = chain(&[4, 6], &steps).pop().expect("a chain has a step");
        if view.len != 24 {
            continue;
        }
        if let Some(other) = known.insert((view.shape.clone(), table), view.clone()) {
            met += 1;
            if other != view {
                assert!(view.has_fill(), "{other}\n{view}");
                differing.push(format!("{other}\n{view}\n"));
            }
        }
    }
    assert!(met > 10_000, "{met}");
    assert!(differing.len() < met / 1000, "{} of {met}:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn shifted_windows_of_swin_are_one_view() {
    let window = View::reshape(&[1, 3136, 96], &[1, 56, 56, 96]);
    let window = window.then(&View::roll(&[1, 56, 56, 96], 1, -3)).expect("roll");
    let window = window.then(&View::roll(&[1, 56, 56, 96], 2, -3)).expect("roll");
    let window = window.then(&View::reshape(&[1, 56, 56, 96], &[1, 8, 7, 8, 7, 96])).expect("split");
    let window = window.then(&View::transpose(&[1, 8, 7, 8, 7, 96], &[0, 1, 3, 2, 4, 5])).expect("transpose");
    let window = window.then(&View::reshape(&[1, 8, 8, 7, 7, 96], &[64, 49, 96])).expect("windows");
    let text = "[64, 49, 96] of 301056: (3 + 7*i0/8 + i1/7) mod 56 * 5376 + (3 + 7*i0%8 + i1%7) mod 56 * 96 + i2";
    assert_eq!(window.to_string(), text);
    let heads = window.then(&View::reshape(&[64, 49, 96], &[64, 49, 3, 32])).expect("heads");
    let heads = heads.then(&View::transpose(&[64, 49, 3, 32], &[0, 2, 3, 1])).expect("transpose");
    assert_eq!(heads.shape, [64, 3, 32, 49]);
}

#[test]
fn swin_slices_patches_and_merging_are_views() {
    let key = View::slice(&[64, 49, 288], 2, 96, 192, 1).then(&View::reshape(&[64, 49, 96], &[64, 49, 3, 32]));
    let key = key.and_then(|k| k.then(&View::transpose(&[64, 49, 3, 32], &[0, 2, 3, 1]))).expect("key");
    assert_eq!(key.to_string(), "[64, 3, 32, 49] of 903168: 96 + 14112*i0 + 288*i3 + 32*i1 + i2");

    let patches = View::reshape(&[1, 3, 224, 224], &[1, 3, 56, 4, 56, 4]);
    let patches = patches.then(&View::transpose(&[1, 3, 56, 4, 56, 4], &[0, 2, 4, 1, 3, 5])).expect("transpose");
    let patches = patches.then(&View::reshape(&[1, 56, 56, 3, 4, 4], &[3136, 48])).expect("patches");
    let text = "[3136, 48] of 150528: 50176*i1/16 + 896*i0/56 + 224*i1/4%4 + 4*i0%56 + i1%4";
    assert_eq!(patches.to_string(), text);
    assert!(patches.inverse().is_some());

    let merging = View::reshape(&[1, 3136, 96], &[1, 28, 2, 28, 2, 96]);
    let merging = merging.then(&View::transpose(&[1, 28, 2, 28, 2, 96], &[0, 1, 3, 4, 2, 5])).expect("transpose");
    let merging = merging.then(&View::reshape(&[1, 28, 28, 2, 2, 96], &[1, 784, 384])).expect("merge");
    let text = "[1, 784, 384] of 301056: 10752*i1/28 + 5376*i2/96%2 + 192*i1%28 + 96*i2/192 + i2%96";
    assert_eq!(merging.to_string(), text);
}

#[test]
fn rolls_join_whatever_their_order() {
    let roll = |n: usize, shift| View::roll(&[n, 3], 0, shift);
    for (a, b) in [(7, 3), (3, 7), (-7, 14), (1, -1), (28, 28)] {
        assert_eq!(roll(56, a).then(&roll(56, b)), Some(roll(56, a + b)), "{a} {b}");
    }
    assert_eq!(roll(56, -7).to_string(), "[56, 3] of 168: (1 + i0/7) mod 8 * 21 + 3*i0%7 + i1");
}

#[test]
fn pads_join_and_keep_their_fill() {
    let fill = Real::new(f64::NEG_INFINITY);
    let once = View::pad(&[4, 2], 0, 1, 0, fill);
    let twice = once.then(&View::pad(&[5, 2], 0, 2, 3, fill)).expect("pads of one fill join");
    assert_eq!(twice, View::pad(&[4, 2], 0, 3, 3, fill));
    assert_eq!(twice.to_string(), "[10, 2] of 8: (-3 + i0) in 4 * 2 + i1 else -inf");
    assert_eq!(once.then(&View::pad(&[5, 2], 0, 1, 0, Real::new(0.0))), None);
    assert_eq!(twice.then(&View::slice(&[10, 2], 0, 3, 7, 1)), Some(View::identity(&[4, 2])));
    let outside = twice.then(&View::slice(&[10, 2], 0, 0, 3, 1)).expect("slice");
    assert_eq!(outside.to_string(), "[3, 2] of 8: (0) in 0 * 0 else -inf");
    let repeated = View::expand(&[1], &[4]).then(&View::pad(&[4], 0, 1, 1, fill)).expect("a pad of a broadcast");
    assert_eq!(repeated.to_string(), "[6] of 1: (-1 + i0) in 4 * 0 else -inf");
}

#[test]
fn what_needs_a_carry_does_not_compose() {
    let unroll = View::reshape(&[8, 7], &[56]).then(&View::roll(&[56], 0, 3)).expect("roll");
    assert!(View::reshape(&[56], &[8, 7]).inverse().is_some());
    assert_eq!(
        View::transpose(&[8, 7], &[1, 0]).then(&View::reshape(&[7, 8], &[56])).and_then(|v| v.then(&unroll)),
        None
    );
}

#[test]
fn errors_point_at_the_wrong_part() {
    let wrong = |text: &str| {
        let error = text.parse::<View>().expect_err(text);
        (text[error.span.clone()].to_string(), error.to_string())
    };
    assert_eq!(wrong("[4] of 4: i1").0, "i1");
    assert_eq!(wrong("[4] of 4: 2*i0").1, "this map may leave the source, expected elements 0 to 3");
    assert_eq!(wrong("[4] of 4: i0/0").0, "i0/0");
    assert_eq!(wrong("[4] of 4: (i0) mod 3 * 1").0, "(i0) mod 3 * 1");
    assert_eq!(wrong("[4] of 4: i0 else x").0, "x");
    assert_eq!(wrong("[9999999999999] of 4: 0").0, "9999999999999");
    assert_eq!(wrong("[1000000, 1000000, 1000000] of 4: 0").0, "[1000000, 1000000, 1000000]");
}
