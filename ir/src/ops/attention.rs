//! Attention, and the two nodes it is made of inside the optimiser.
//!
//!     scores  s[i,j] = Σ_d q[i,d] · k[j,d]                which keys a query sees
//!     attend  y[i,c] = Σ_j softmax_j(s)[i,j] · v[j,c]     softmax over keys (axis −1) or queries (axis −2)
//!
//! Scale, bias, masks and relative terms are ordinary pointwise nodes between the two, so no optional
//! operand multiplies the rules and one `scores` node serves several softmaxes. `attention` is the
//! composite people write; a fully masked row gives zeros, never NaN.

use crate::types::Real;

/// `attention %q, %k, %v { scale = 0.17 }` or with an additive bias as fourth operand:
/// q `[…, n, d]`, k `[…, m, d]`, v `[…, m, c]`, bias broadcast to `[…, n, m]` → `[…, n, c]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attention {
    /// Multiplies q·k before the bias is added.
    pub scale: Real,
}

/// `scores %q, %k`: q `[…, n, d]`, k `[…, m, d]` → `[…, n, m]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scores;

/// `attend %s, %v { axis = -1 }`: s `[…, n, m]`, v `[…, m, c]` → `[…, n, c]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attend {
    /// −1: softmax over keys; −2: over queries (inverse attention).
    pub axis: i64,
}
