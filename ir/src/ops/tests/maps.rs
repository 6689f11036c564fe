//! Pooling and resizing against what their names say, and against their definitions.

use super::{composite, *};
use crate::ops::{AdaptiveAvgPool, AvgPool, Conv2d, MaxPool, Resize, ResizeMode, ResizedConv, Sinusoid};

/// An op against its definition; it has no masked rows.
fn check(op: impl Into<Op>, x: &Tensor) -> Tensor {
    let op = op.into();
    composite::check(op.clone(), &[x], 0);
    run(op, &[x])
}

/// Elements of the patch at an output index that lie inside the map.
fn patch(x: &Tensor, i: &[usize], [kernel, stride, padding]: [[usize; 2]; 3]) -> Vec<f64> {
    let place =
        |a: usize, tap: usize| (i[2 + a] * stride[a] + tap).checked_sub(padding[a]).filter(|&p| p < x.ty.shape[2 + a]);
    let taps = (0..kernel[0]).flat_map(|p| (0..kernel[1]).map(move |q| (p, q)));
    taps.filter_map(|(p, q)| Some(at(x, &[i[0], i[1], place(0, p)?, place(1, q)?]))).collect()
}

proptest! {
    #[test]
    fn pools(shape in prop::collection::vec(1usize..7, 4), sizes in prop::collection::vec(0usize..6, 6), seed: u64) {
        let x = tensor(&shape, seed);
        let kernel = [1 + sizes[0] % 3, 1 + sizes[1] % 3].map(|k| k.min(shape[2]).min(shape[3]));
        let stride = [1 + sizes[2] % 3, 1 + sizes[3] % 3];
        let padding = [sizes[4] % (kernel[0] / 2 + 1), sizes[5] % (kernel[1] / 2 + 1)];
        let all = [kernel, stride, padding];
        let y = check(MaxPool { kernel, stride, padding }, &x);
        for (i, y) in indices(&y.ty.shape).iter().zip(&y.data) {
            prop_assert_eq!(*y, patch(&x, i, all).into_iter().reduce(f64::max).expect("half a patch is inside"));
        }
        for count_padding in [true, false] {
            let y = check(AvgPool { kernel, stride, padding, count_padding }, &x);
            for (i, y) in indices(&y.ty.shape).iter().zip(&y.data) {
                let inside = patch(&x, i, all);
                let count = if count_padding { kernel[0] * kernel[1] } else { inside.len() };
                prop_assert_eq!(*y, inside.iter().sum::<f64>() / count as f64);
            }
        }
    }

    #[test]
    fn adaptive_pools(shape in prop::collection::vec(1usize..8, 4), n in 1usize..8, m in 1usize..8, seed: u64) {
        let x = tensor(&shape, seed);
        let y = check(AdaptiveAvgPool { size: [n, m] }, &x);
        for (i, &y) in indices(&y.ty.shape).iter().zip(&y.data) {
            let inside = |a: usize, n: usize, p: usize| {
                let bin = i[2 + a];
                bin * shape[2 + a] / n <= p && p < ((bin + 1) * shape[2 + a]).div_ceil(n)
            };
            let members: Vec<f64> = indices(&shape[2..])
                .iter()
                .filter(|p| inside(0, n, p[0]) && inside(1, m, p[1]))
                .map(|p| at(&x, &[i[0], i[1], p[0], p[1]]))
                .collect();
            prop_assert!((y - members.iter().sum::<f64>() / members.len() as f64).abs() < 1e-12);
        }
    }

    #[test]
    fn resized_maps(shape in prop::collection::vec(1usize..7, 4), n in 1usize..9, m in 1usize..9, seed: u64) {
        let x = tensor(&shape, seed);
        for (mode, name) in ResizeMode::ALL {
            let y = check(Resize { size: [n, m], mode }, &x);
            // Written in reals, from the formulas of PyTorch.
            let source = |t: usize, extent: usize, size: usize| {
                let (t, l, n) = (t as f64, extent as f64, size as f64);
                match mode {
                    ResizeMode::Bilinear => ((t + 0.5) * l / n - 0.5).max(0.0),
                    ResizeMode::BilinearCorners => if size == 1 { 0.0 } else { t * (l - 1.0) / (n - 1.0) },
                    ResizeMode::Nearest => (t * l / n + 1e-9).floor(),
                }
            };
            for (i, &y) in indices(&y.ty.shape).iter().zip(&y.data) {
                let (r, c) = (source(i[2], shape[2], n), source(i[3], shape[3], m));
                // Tents around the source: 1 at it, 0 from a distance of 1 on, what lies outside belongs to the edge.
                let tent = |s: f64, p: usize| (1.0 - (s - p as f64).abs()).max(0.0);
                let expected: f64 = indices(&shape[2..]).iter().map(|p| tent(r, p[0]) * tent(c, p[1]) * at(&x, &[i[0], i[1], p[0], p[1]])).sum();
                let edge = |s: f64, extent: usize| s > (extent - 1) as f64;
                if !edge(r, shape[2]) && !edge(c, shape[3]) {
                    prop_assert!((y - expected).abs() < 1e-7, "{name}: {y} {expected}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn resized_convolutions(shape in prop::collection::vec(1usize..5, 4), n in 1usize..8, m in 1usize..8, k in prop::collection::vec(0usize..12, 8), seed: u64) {
        let (dilation, stride) = ([1 + k[0] % 2, 1 + k[1] % 2], [1 + k[6] % 3, 1 + k[7] % 3]);
        let kernel = [1 + k[2] % 3, 1 + k[3] % 3];
        let least = |i: usize, size: usize| ((kernel[i] - 1) * dilation[i] + 1).saturating_sub(size).div_ceil(2);
        let padding = [least(0, n) + k[4] % 3, least(1, m) + k[5] % 3];
        let (x, w) = (tensor(&shape, seed), tensor(&[1 + k[0] % 4, shape[1], kernel[0], kernel[1]], !seed));
        for (mode, _) in ResizeMode::ALL {
            let resized = run(Resize { size: [n, m], mode }, &[&x]);
            let expected = run(Conv2d { stride, padding, dilation, groups: 1 }, &[&resized, &w]);
            let op = ResizedConv { size: [n, m], mode, stride, padding, dilation };
            composite::check(op.clone(), &[&x, &w], 0);
            close(&run(op, &[&x, &w]).data, &expected.data, 1e-12);
        }
    }
}

proptest! {
    #[test]
    fn sinusoids(b in 1usize..3, half in 1usize..5, h in 1usize..40, w in 1usize..40, seed: u64) {
        let x = tensor(&[b, 2 * half, h, w], seed);
        let op = Sinusoid { base: 10000.0.into() };
        composite::check(op.clone(), &[&x], 0);
        let y = run(op, &[&x]);
        for (i, (&y, &x)) in indices(&y.ty.shape).iter().zip(y.data.iter().zip(&x.data)) {
            let (channel, at) = if i[1] < half { (i[1], i[2]) } else { (i[1] - half, i[3]) };
            let angle = at as f64 / 10000f64.powf((channel / 2 * 2) as f64 / half as f64);
            let wave = if channel % 2 == 0 { angle.sin() } else { angle.cos() };
            prop_assert!((y - x - wave).abs() < 1e-12);
        }
    }
}

/// PyTorch's own numbers.
#[test]
fn known_values() {
    let x = Tensor::from_fn(TensorType::f32([1, 1, 1, 3]), |i| (i * i) as f64);
    let resized = |size: usize, mode: ResizeMode| run(Resize { size: [1, size], mode }, &[&x]).data;
    assert_eq!(resized(6, ResizeMode::Bilinear), [0.0, 0.25, 0.75, 1.75, 3.25, 4.0]);
    assert_eq!(resized(5, ResizeMode::BilinearCorners), [0.0, 0.5, 1.0, 2.5, 4.0]);
    assert_eq!(resized(7, ResizeMode::Nearest), [0.0, 0.0, 0.0, 1.0, 1.0, 4.0, 4.0]);
    let line = Tensor::from_fn(TensorType::f32([1, 1, 1, 16]), |i| i as f64);
    let pooled = run(AdaptiveAvgPool { size: [1, 6] }, &[&line]);
    assert_eq!(pooled.data, [1.0, 3.5, 6.0, 9.0, 11.5, 14.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let x = TensorType::f32([1, 2, 4, 4]);
    let says = |op: Op, part: &str| {
        let message = rejection(op, std::slice::from_ref(&x));
        assert!(message.contains(part), "{message}");
    };
    says(MaxPool { kernel: [2, 2], stride: [1, 1], padding: [2, 0] }.into(), "more than half");
    says(MaxPool { kernel: [5, 2], stride: [1, 1], padding: [0, 0] }.into(), "no room for one patch");
    says(AdaptiveAvgPool { size: [0, 2] }.into(), "expected extents and bins from 1");
    says(Resize { size: [2, 1 << 20], mode: ResizeMode::Nearest }.into(), "expected extents from 1 to 16384");
}
