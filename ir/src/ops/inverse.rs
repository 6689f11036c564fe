//! Inverse attention: the context transforms the query, where attention has the query weigh the context.
//!
//! ```text
//!   s     = scale·q kᵀ + bias                        the scores of attention, from the same operands
//!   W_i   = reshape(G c_i)                           [a, b]: each token's context generates a matrix …
//!   r_ij  = softmax over i of s                      … and each key spreads one unit of weight over the queries
//!   y_i   = l_i W_i + B Σ_j r_ij c_j                 l_i as a row; the sum runs over j, its weights do not sum to 1
//! ```
//!
//! W_i comes from the token's own context, so there are as many keys as queries; only the bias term attends.
//! The definition is this, written out. No W needs to be stored: `l_i·reshape(G c_i) = (l_i ⊗ c_i)·G′`, which a
//! rule of the optimiser knows.
//!
//! Stoica, Hearn, Devnani, Hoffman, "Bidirectional self-attention", 2022.

use super::{
    MatMul, OpDef,
    attention::{attend, attend_flops, attend_type, biased, biased_flops, biased_scores, biased_type},
    gemm::products,
    shape::{batched, common_float, matrix, narrowed},
};
use crate::{
    graph::Tensor,
    types::{DType, Real, TensorType},
};

op! {
    /// `inverse_attention %q, %k, %l, %c, %g, %b { scale = 0.17 }` or with an additive bias as seventh operand:
    /// q and k `[…, n, d]`, local l `[…, n, a]`, context c `[…, n, e]`, generator g `[a·b, e]`, bias generator
    /// `[b, e]`, bias broadcast to `[…, n, n]` → `[…, n, b]`; all floats. Computed in f32;
    /// the result has the type of the first six, f32 where these differ.
    pub struct InverseAttention = "inverse_attention"(q, k, l, c, g, b; bias) {
        /// Multiplies q·k before the bias is added.
        pub scale: Real,
    }
}

const NAME: &str = "inverse_attention";

/// The types on the way to the result.
struct Types {
    /// Scores `[…, n, n]`.
    scores: TensorType,
    /// The generated matrices in rows, `[…, n, a·b]`.
    generated: TensorType,
    /// `l_i W_i`, `[…, n, b]`.
    transformed: TensorType,
    /// `Σ_j r_ij c_j`, `[…, n, e]`.
    summary: TensorType,
    /// `B Σ_j r_ij c_j`, `[…, n, b]`.
    shift: TensorType,
    /// The result.
    result: TensorType,
}

fn types(operands: &[&TensorType]) -> Result<Types, String> {
    let [q, k, l, c, g, shift] = *operands.first_chunk::<6>().ok_or("too few operands")?;
    common_float(NAME, operands)?;
    let scores = biased_type(NAME, [q, k], operands.get(6))?;
    let (l_lead, n, a) = matrix(NAME, "local operand", l)?;
    let (c_lead, context, e) = matrix(NAME, "context", c)?;
    let (queries, keys) = (scores.shape[scores.rank() - 2], scores.shape[scores.rank() - 1]);
    if (keys, n, context) != (queries, queries, queries) {
        return Err(format!(
            "{NAME} has {queries} queries, {keys} keys, local operand {l} and context {c}, expected as many of each"
        ));
    }
    let (&[b, shift_e], &[rows, g_e]) = (&shift.shape[..], &g.shape[..]) else {
        return Err(format!("{NAME} has generators {g} and {shift}, expected two axes each"));
    };
    if (g_e, shift_e, rows) != (e, e, a * b) {
        return Err(format!(
            "{NAME} of {a} local and {e} context channels has generators {g} and {shift}, expected f32[{}, {e}] and f32[{b}, {e}]",
            a * b
        ));
    }
    let summary = attend_type(NAME, &scores, c)?;
    let shift = TensorType::f32([&summary.shape[..summary.rank() - 1], &[b]].concat());
    let transformed = batched(NAME, [l_lead, c_lead], n, b, DType::F32)?;
    let generated = batched(NAME, [c_lead, &[]], n, a * b, DType::F32)?;
    let lead = |ty: &TensorType| ty.shape[..ty.rank() - 2].to_vec();
    let result = batched(NAME, [&lead(&transformed), &lead(&shift)], n, b, DType::F32)?;
    Ok(Types { scores, generated, transformed, summary, shift, result })
}

/// A matrix per row: `[…, n, a·b]` as `[…, n, a, b]`, or `[…, n, a]` as `[…, n, 1, a]`.
fn per_row(ty: &TensorType, last: [usize; 2]) -> TensorType {
    TensorType::f32([&ty.shape[..ty.rank() - 1], &last].concat())
}

impl OpDef for InverseAttention {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let result = types(operands)?.result;
        Ok(TensorType { dtype: common_float(NAME, &operands[..6])?, ..result })
    }
    /// Scores, the generated matrices and their products, the softmax and its sum, the bias generator, the sum.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let Ok(ty) = types(operands) else { return 0 };
        let [q, _, l, c] = [0, 1, 2, 3].map(|i| operands[i]);
        let product = |left: &TensorType, result: &TensorType| MatMul.flops(&[left], result);
        biased_flops(q, &ty.scores, operands.len() == 7)
            + product(c, &ty.generated)
            + product(l, &ty.transformed)
            + attend_flops(&ty.scores, &ty.summary)
            + product(&ty.summary, &ty.shift)
            + result.elements() as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let ty = types(&operands.iter().map(|o| &o.ty).collect::<Vec<_>>())?;
        let [q, k, l, c, g, shift] = [0, 1, 2, 3, 4, 5].map(|i| operands[i]);
        let generated = products(c, g, true, &ty.generated);
        let (a, b) = (l.ty.shape[l.ty.rank() - 1], shift.ty.shape[0]);
        let matrices = Tensor::new(per_row(&ty.generated, [a, b]), generated.data);
        let rows = Tensor::new(per_row(&l.ty, [1, a]), l.data.clone());
        let transformed = products(&rows, &matrices, false, &per_row(&ty.transformed, [1, b]));
        let scores = biased_scores([q, k], operands.get(6), self.scale, &ty.scores);
        let axis = ty.scores.axis(-2)?;
        let summary = attend(scores, c, axis, &ty.summary);
        let shift = products(&summary, shift, true, &ty.shift);
        let transformed = Tensor::new(ty.transformed, transformed.data);
        super::Binary { op: super::BinaryOp::Add }.eval(&[&transformed, &shift], result)
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let ty = types(operands).ok()?;
        let (l, shift) = (operands[2], operands[5]);
        let (scores, sum) = biased(operands.get(6));
        let (a, b) = (l.shape[l.rank() - 1], shift.shape[0]);
        let (scale, narrow) = (self.scale, narrowed(common_float(NAME, &operands[..6]).ok()?));
        let list = |ty: &TensorType| ty.shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let row = list(&per_row(l, [1, a]));
        let matrices = list(&per_row(&ty.generated, [a, b]));
        let transformed = list(&ty.transformed);
        Some(format!(
            "  %columns = transpose %g {{ order = [-1, -2] }}
  %generated = matmul %c, %columns
  %w = reshape %generated {{ shape = [{matrices}] }}
  %row = reshape %l {{ shape = [{row}] }}
  %product = matmul %row, %w
  %transformed = reshape %product {{ shape = [{transformed}] }}
  %s = scores %q, %k
  %scaled = mul %s, {scale}{sum}
  %summary = attend %{scores}, %c {{ axis = -2 }}
  %shifts = transpose %b {{ order = [-1, -2] }}
  %shift = matmul %summary, %shifts
  %y = add %transformed, %shift{narrow}"
        ))
    }
}
