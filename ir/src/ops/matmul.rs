//! Batched matrix product.
//!
//!     y[…, i, j] = Σ_k a[…, i, k] · b[…, k, j]

/// `matmul %a, %b`: f32 `[…, m, k]` × `[…, k, n]` → `[…, m, n]`; leading axes broadcast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatMul;
