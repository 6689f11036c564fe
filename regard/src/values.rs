//! Numbers between f64, in which references are computed, and the bytes that programs read and write.

use half::{bf16, f16};
use regard_ir::{
    graph::{Graph, NodeId},
    types::{DType, to_bf16, to_f16},
};
use regard_models::synthetic;

/// Writes one value as an element of that type; `to` is as long as the element.
pub(crate) fn put(dtype: DType, value: f64, to: &mut [u8]) {
    match dtype {
        DType::F32 => to.copy_from_slice(&(value as f32).to_le_bytes()),
        DType::Bf16 => to.copy_from_slice(&to_bf16(value).to_le_bytes()),
        DType::F16 => to.copy_from_slice(&to_f16(value).to_le_bytes()),
        DType::I32 => to.copy_from_slice(&(value as i32).to_le_bytes()),
        DType::Bool => to[0] = u8::from(value != 0.0),
    }
}

/// Encodes `values` as elements of `dtype`, little-endian.
pub fn encode(dtype: DType, values: &[f64]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * dtype.bytes()];
    bytes.chunks_exact_mut(dtype.bytes()).zip(values).for_each(|(to, &value)| put(dtype, value, to));
    bytes
}

/// Decodes elements of `dtype`.
pub fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        DType::F32 => words(bytes).map(|b| f64::from(f32::from_le_bytes(b))).collect(),
        DType::Bf16 => words(bytes).map(|b| bf16::from_le_bytes(b).to_f64()).collect(),
        DType::F16 => words(bytes).map(|b| f16::from_le_bytes(b).to_f64()).collect(),
        DType::I32 => words(bytes).map(|b| f64::from(i32::from_le_bytes(b))).collect(),
        DType::Bool => bytes.iter().map(|&b| f64::from(b)).collect(),
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Input number `index` of a graph for a seed: floats as a synthetic image has them, truth values, and
/// integers that are valid indices wherever the graph gathers by them. Input 0 of a model is exactly the
/// synthetic image of that seed.
pub(crate) fn random_input(graph: &Graph, input: NodeId, index: usize, seed: u64) -> Vec<f64> {
    let ty = graph.ty(input);
    let stream = seed.wrapping_add((index as u64) << 40);
    let floats = synthetic::image(ty.elements(), stream);
    let unit = |v: f32| f64::from(v) / 3.4 + 0.5;
    match ty.dtype {
        DType::I32 => {
            let bound = graph.index_bound(input) as f64;
            floats.into_iter().map(|v| (unit(v) * bound).floor().clamp(0.0, bound - 1.0)).collect()
        }
        DType::Bool => floats.into_iter().map(|v| f64::from(v > 0.0)).collect(),
        dtype => decode(dtype, &encode(dtype, &floats.into_iter().map(f64::from).collect::<Vec<_>>())),
    }
}

/// ‖found − expected‖ / ‖expected‖; the norm of what was found where nothing is expected. A NaN on one side gives NaN.
/// Infinities and NaNs that agree count in neither norm.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let pairs = || found.iter().zip(expected).filter(|(f, e)| (f != e || f.is_finite()) && !(f.is_nan() && e.is_nan()));
    let difference: f64 = pairs().map(|(f, e)| square(f - e)).sum();
    let scale: f64 = pairs().map(|(_, &e)| square(e)).sum();
    // A sum of nothing is −0.
    if scale == 0.0 { (difference + 0.0).sqrt() } else { (difference / scale).sqrt() }
}

/// The same for an output of that type. What an output of bf16 or f16 loses where it is stored, half the distance of
/// neighbours, is not an error of the program: it counts only what lies beyond.
pub(crate) fn output_error(dtype: DType, found: &[f64], expected: &[f64]) -> f64 {
    let beyond = |(&found, &expected): (&f64, &f64)| {
        let stored = dtype.round(expected);
        let distance = (found - expected).abs() - half_distance(dtype, expected);
        match () {
            () if found == stored || distance <= 0.0 => expected,
            // A NaN, and what is too large for one of the two, stay what they are.
            () if !distance.is_finite() => found,
            () => expected + distance,
        }
    };
    relative_error(&found.iter().zip(expected).map(beyond).collect::<Vec<_>>(), expected)
}

/// Half the distance of neighbours in a half type around a value; 0 for other types.
fn half_distance(dtype: DType, value: f64) -> f64 {
    let (digits, least) = match dtype {
        DType::Bf16 => (8, -126),
        DType::F16 => (11, -14),
        DType::F32 | DType::I32 | DType::Bool => return 0.0,
    };
    let exponent = if value == 0.0 { least } else { (value.abs().log2().floor() as i32).max(least) };
    2f64.powi(exponent - digits)
}

/// The L2 norm.
pub(crate) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::{graph::Builder, types::TensorType};

    #[test]
    fn elements_read_back() {
        for dtype in DType::ALL {
            let values = if dtype == DType::Bool { [0.0, 1.0, 1.0] } else { [-2.0, 0.0, 96.0] };
            let bytes = encode(dtype, &values);
            assert_eq!(bytes.len(), 3 * dtype.bytes());
            assert_eq!(decode(dtype, &bytes), values);
        }
    }

    #[test]
    fn errors_are_relative_to_the_whole() {
        assert_eq!(relative_error(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
        assert_eq!(relative_error(&[3.0, 4.5], &[3.0, 4.0]), 0.1);
        assert_eq!(relative_error(&[0.5], &[0.0]), 0.5);
        assert!(relative_error(&[f64::NAN], &[1.0]).is_nan());
        assert!(relative_error(&[f64::NAN], &[f64::NAN]).is_sign_positive());
        assert!(relative_error(&[1.0], &[f64::NAN]).is_nan());
        assert_eq!(relative_error(&[f64::NAN, 3.0, 4.5], &[f64::NAN, 3.0, 4.0]), 0.1);
        let infinite = f64::NEG_INFINITY;
        assert_eq!(relative_error(&[infinite, 3.0, 4.5], &[infinite, 3.0, 4.0]), 0.1);
        assert!(!relative_error(&[infinite, 1.0], &[1.0, 1.0]).is_finite());
        assert!(!relative_error(&[infinite], &[f64::INFINITY]).is_finite());
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
    }

    #[test]
    fn rounding_of_an_output_is_no_error_and_a_wrong_digit_is() {
        let expected = [1.0 + 1.0 / 512.0, 3.1, -2e-7, 1e6, 0.0];
        for dtype in [DType::Bf16, DType::F16] {
            let found = expected.map(|x| dtype.round(x));
            assert_eq!(output_error(dtype, &found, &expected), 0.0, "{dtype}");
            let off = [dtype.round(1.05), found[1], found[2], found[3], found[4]];
            assert!(output_error(dtype, &off[..3], &expected[..3]) > 1e-3, "{dtype}");
            assert!(output_error(dtype, &[f64::NAN], &[1.0]).is_nan());
        }
        assert!(output_error(DType::F16, &[f64::INFINITY], &[6e4]) > 1.0);
        assert_eq!(output_error(DType::F32, &[1.5], &[1.0]), 0.5);
        // The error of a wider neighbourhood than a bf16's own shows.
        assert!(output_error(DType::Bf16, &[1.0 + 1.0 / 128.0], &[1.0]) > 3e-3);
    }

    #[test]
    fn random_indices_are_valid_and_inputs_differ() {
        let mut b = Builder::new("g");
        let table = b.input("table", TensorType::f32([5, 2]));
        let index = b.input("index", TensorType::new(DType::I32, [300]));
        let rows = b.gather(table, index);
        let graph = b.finish(&[rows]);
        let indices = random_input(&graph, index, 1, 0);
        assert!(indices.iter().all(|i| (0.0..5.0).contains(i) && i.fract() == 0.0));
        assert!((0..5).all(|i| indices.contains(&f64::from(i))));
        assert_ne!(random_input(&graph, table, 0, 0), random_input(&graph, table, 1, 0));
        assert_eq!(random_input(&graph, table, 0, 0)[0], f64::from(synthetic::image(1, 0)[0]));
    }
}
