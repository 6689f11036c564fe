//! Attention, and the two nodes it is made of inside the optimiser.
//!
//! ```text
//!   scores  s[i,j] = Σ_d q[i,d] · k[j,d]                which keys a query sees
//!   attend  y[i,c] = Σ_j softmax_j(s)[i,j] · v[j,c]     softmax over keys (axis −1) or queries (axis −2)
//! ```
//!
//! Scale, bias, masks and relative terms are ordinary pointwise nodes between the two, so no optional
//! operand multiplies the rules and one `scores` node serves several softmaxes. `attention` is the
//! composite users write; a fully masked row gives zeros, never NaN.

use super::{
    OpDef,
    gemm::products,
    shape::{batched, common_float, matrix, narrowed},
    softmax,
    walk::{Walk, around, broadcast_strides},
};
use crate::{
    graph::Tensor,
    types::{DType, Real, ShapeText, TensorType, broadcast},
};

op! {
    /// `attention %q, %k, %v { scale = 0.17 }` or with an additive bias as fourth operand:
    /// q `[…, n, d]`, k `[…, m, d]`, v `[…, m, c]`, bias broadcast to `[…, n, m]` → `[…, n, c]`; all
    /// floats. Computed in f32; the result has the type of q, k and v, f32 where these differ.
    pub struct Attention = "attention"(q, k, v; bias) {
        /// Multiplies q·k before the bias is added.
        pub scale: Real,
    }
}

op! {
    /// `scores %q, %k`: q `[…, n, d]`, k `[…, m, d]`, floats → f32 `[…, n, m]`.
    pub struct Scores = "scores"(q, k);
}

op! {
    /// `attend %s, %v { axis = -1 }`: s `[…, n, m]`, v `[…, m, c]`, floats → f32 `[…, n, c]`.
    pub struct Attend = "attend"(s, v) {
        /// −1: softmax over keys; −2: over queries (inverse attention).
        pub axis: i64,
    }
}

fn scores_type(name: &str, q: &TensorType, k: &TensorType) -> Result<TensorType, String> {
    common_float(name, &[q, k])?;
    let (q_lead, n, d) = matrix(name, "query", q)?;
    let (k_lead, m, key_dim) = matrix(name, "key", k)?;
    if key_dim != d {
        return Err(format!("{name} has queries {q} and keys {k}, expected {d} channels per key, found {key_dim}"));
    }
    batched(name, [q_lead, k_lead], n, m, DType::F32)
}

/// Type of the scores of queries and keys, after a bias that must broadcast to them.
pub(super) fn biased_type(
    name: &str,
    [q, k]: [&TensorType; 2],
    bias: Option<&&TensorType>,
) -> Result<TensorType, String> {
    let scores = scores_type(name, q, k)?;
    match bias {
        Some(bias) if broadcast(&bias.shape, &scores.shape).as_ref() != Some(&scores.shape) => Err(format!(
            "bias of {name} is {bias}, which does not broadcast to the scores {}",
            ShapeText(&scores.shape)
        )),
        _ => Ok(scores),
    }
}

/// What a definition calls scores after an optional bias, and the line that adds it.
pub(super) fn biased(bias: Option<&&TensorType>) -> (&'static str, &'static str) {
    if bias.is_some() { ("biased", "\n  %biased = add %scaled, %bias") } else { ("scaled", "") }
}

/// `scale·q·kᵀ + bias`, of that type.
pub(super) fn biased_scores([q, k]: [&Tensor; 2], bias: Option<&&Tensor>, scale: Real, ty: &TensorType) -> Tensor {
    let mut scores = products(q, k, true, ty);
    scores.data.iter_mut().for_each(|s| *s *= scale.get());
    if let Some(bias) = bias {
        add_in_place(&mut scores, bias);
    }
    scores
}

/// Operations for scores, their scaling and a bias.
pub(super) fn biased_flops(q: &TensorType, scores: &TensorType, bias: bool) -> u64 {
    Scores.flops(&[q], scores) + (1 + u64::from(bias)) * scores.elements() as u64
}

pub(super) fn attend_type(name: &str, s: &TensorType, v: &TensorType) -> Result<TensorType, String> {
    let (s_lead, n, m) = matrix(name, "scores", s)?;
    let (v_lead, rows, c) = matrix(name, "values", v)?;
    if rows != m {
        return Err(format!("{name} has {m} keys and values {v}, expected {m} values, found {rows}"));
    }
    batched(name, [s_lead, v_lead], n, c, DType::F32)
}

/// Softmax and the product with the values.
pub(super) fn attend_flops(scores: &TensorType, result: &TensorType) -> u64 {
    let keys = scores.shape[scores.rank() - 1] as u64;
    softmax::FLOPS * scores.elements() as u64 + 2 * result.elements() as u64 * keys
}

pub(super) fn attend(mut scores: Tensor, v: &Tensor, axis: usize, result: &TensorType) -> Tensor {
    let (_, extent, inner) = around(&scores.ty.shape, axis);
    softmax::normalise(&mut scores.data, extent, inner);
    products(&scores, v, false, result)
}

impl OpDef for Scores {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        scores_type("scores", operands[0], operands[1])
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        2 * result.elements() as u64 * operands[0].shape[operands[0].rank() - 1] as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(products(operands[0], operands[1], true, result))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some("  %t = transpose %k { order = [-1, -2] }\n  %s = matmul %q, %t".to_string())
    }
}

impl OpDef for Attend {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if !matches!(self.axis, -1 | -2) {
            return Err(format!("attend has axis {}, expected -1 (keys) or -2 (queries)", self.axis));
        }
        common_float("attend", operands)?;
        attend_type("attend", operands[0], operands[1])
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        attend_flops(operands[0], result)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let axis = operands[0].ty.axis(self.axis)?;
        Ok(attend(operands[0].clone(), operands[1], axis, result))
    }
    fn body(&self, _: &[&TensorType]) -> Option<String> {
        Some(softmax::lines("s", "w", self.axis) + "\n  %y = matmul %w, %v")
    }
}

impl OpDef for Attention {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        common_float("attention", operands)?;
        let scores = biased_type("attention", [operands[0], operands[1]], operands.get(3))?;
        let result = attend_type("attention", &scores, operands[2])?;
        Ok(TensorType { dtype: common_float("attention", &operands[..3])?, ..result })
    }
    /// Scores, their scaling, the bias, then as [`Attend`].
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let Ok(scores) = scores_type("attention", operands[0], operands[1]) else { return 0 };
        biased_flops(operands[0], &scores, operands.len() == 4) + attend_flops(&scores, result)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [q, k, v] = [operands[0], operands[1], operands[2]];
        let ty = scores_type("attention", &q.ty, &k.ty)?;
        let scores = biased_scores([q, k], operands.get(3), self.scale, &ty);
        let axis = ty.axis(-1)?;
        Ok(attend(scores, v, axis, result))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (scores, sum) = biased(operands.get(3));
        let (scale, narrow) = (self.scale, narrowed(common_float("attention", &operands[..3]).ok()?));
        Some(format!(
            "  %s = scores %q, %k
  %scaled = mul %s, {scale}{sum}
  %y = attend %{scores}, %v {{ axis = -1 }}{narrow}"
        ))
    }
}

/// `x += y`, with y broadcast to the shape of x.
fn add_in_place(x: &mut Tensor, y: &Tensor) {
    let strides = broadcast_strides(&y.ty.shape, &x.ty.shape);
    let mut rest = x.data.as_mut_slice();
    Walk::new(&x.ty.shape, [&strides]).rows(|[at], [stride], len| {
        let (row, behind) = std::mem::take(&mut rest).split_at_mut(len);
        rest = behind;
        row.iter_mut().enumerate().for_each(|(i, s)| *s += y.data[at + i * stride]);
    });
}
