//! Neighbourhood attention is its definition, at every border, with and without tables.

use super::{composite::check, *};
use crate::ops::{Border, NeighbourhoodAttention};

proptest! {
    #[test]
    fn neighbourhood_attention(
        batch in 1usize..3, heads in 1usize..3, half in 1usize..3, value_dim in 1usize..4, reach in 0usize..3,
        height in 1usize..7, width in 1usize..7, border in 0usize..3, roles in 3usize..6, seed: u64,
    ) {
        let border = Border::ALL[border].0;
        let size = 2 * reach + 1;
        let room = if border == Border::Clamp { size } else { 1 };
        let (height, width) = (height.max(room), width.max(room));
        let map = |channels, seed| tensor(&[batch, channels, height, width], seed);
        let (q, k, v) = (map(2 * half * heads, seed), map(2 * half * heads, !seed), map(value_dim * heads, seed ^ 1));
        let rows = if border == Border::Clamp { 2 * size - 1 } else { size };
        let (row, column) = (tensor(&[rows, half], seed ^ 2), tensor(&[rows, half], seed ^ 3));
        let operands = match roles {
            3 => vec![&q, &k, &v],
            4 => vec![&q, &v, &row, &column],
            _ => vec![&q, &k, &v, &row, &column],
        };
        check(NeighbourhoodAttention { heads, size, scale: 0.375.into(), border }, &operands, 0);
    }
}

/// The centre sees itself alone where the neighbourhood is one pixel.
#[test]
fn a_neighbourhood_of_one_pixel_is_the_value() {
    let map = |seed| tensor(&[1, 4, 3, 5], seed);
    for (border, _) in Border::ALL {
        let op = NeighbourhoodAttention { heads: 2, size: 1, scale: 1.0.into(), border };
        let v = map(3);
        close(&run(op, &[&map(1), &map(2), &v]).data, &v.data, 1e-15);
    }
}

/// Outside the map, zeros take part and masked pixels do not.
#[test]
fn borders_differ_by_what_is_outside() {
    let zeros = Tensor::new(TensorType::f32([1, 2, 2, 2]), vec![0.0; 8]);
    let ones = Tensor::new(TensorType::f32([1, 2, 2, 2]), vec![1.0; 8]);
    let of = |border| {
        run(NeighbourhoodAttention { heads: 1, size: 3, scale: 1.0.into(), border }, &[&zeros, &zeros, &ones]).data
    };
    close(&of(Border::Zero), &[4.0 / 9.0; 8], 1e-15);
    close(&of(Border::Mask), &[1.0; 8], 1e-15);
}
