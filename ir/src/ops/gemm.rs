//! Batches of f64 matrix products, the interpreter's only hot loop.
//!
//! ```text
//!   y[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]        or b[…, j, k] where b is held transposed
//! ```
//!
//! Leading axes broadcast. Where one right matrix serves many left ones, as a weight does, the whole batch
//! is a single tall product.

use super::walk::{Walk, broadcast_strides};
use crate::{graph::Tensor, types::TensorType};

/// The products of `a` and `b` as a tensor of type `result`.
pub(crate) fn products(a: &Tensor, b: &Tensor, transposed: bool, result: &TensorType) -> Tensor {
    let lead = result.rank() - 2;
    let (m, n) = (result.shape[lead], result.shape[lead + 1]);
    let k = a.ty.shape[a.ty.rank() - 1];
    let b_strides = if transposed { (1, k) } else { (n, 1) };
    let strides = [batch_strides(&a.ty, result), batch_strides(&b.ty, result)];
    let mut data = vec![0.0; result.elements()];
    let mut done = 0;
    Walk::new(&result.shape[..lead], [&strides[0], &strides[1]]).rows(|[i, j], [s, t], len| {
        let one_right = t == 0 && (s == m * k || len == 1);
        let (count, rows) = if one_right { (1, len * m) } else { (len, m) };
        for p in 0..count {
            let c = &mut data[done..done + rows * n];
            product((rows, k, n), &a.data[i + p * s..], &b.data[j + p * t..], b_strides, c);
            done += rows * n;
        }
    });
    Tensor::new(result.clone(), data)
}

/// Elements between the matrices of neighbouring batch entries, per leading axis of the result.
fn batch_strides(operand: &TensorType, result: &TensorType) -> Vec<usize> {
    let (lead, matrix) = operand.shape.split_at(operand.rank() - 2);
    let size: usize = matrix.iter().product();
    broadcast_strides(lead, &result.shape[..result.rank() - 2]).iter().map(|s| s * size).collect()
}

/// `c = a · b` for row-major a `[m, k]` and c `[m, n]`, and b `[k, n]` read at (row, column) strides.
fn product((m, k, n): (usize, usize, usize), a: &[f64], b: &[f64], (row, col): (usize, usize), c: &mut [f64]) {
    assert!(m > 0 && k > 0 && n > 0, "extents are at least 1");
    assert!(a.len() >= m * k && b.len() > (k - 1) * row + (n - 1) * col && c.len() == m * n);
    // SAFETY: the assertions above bound every element that the strides reach, and `c` is borrowed mutably,
    // so it overlaps neither operand.
    unsafe {
        matrixmultiply::dgemm(
            m,
            k,
            n,
            1.0,
            a.as_ptr(),
            k as isize,
            1,
            b.as_ptr(),
            row as isize,
            col as isize,
            0.0,
            c.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}
