//! Attention of each region to the regions that it was routed to.
//!
//! ```text
//!   keys of region r      K_r = k[y_r1] ∪ … ∪ k[y_rt]             t·m tokens
//!   head h                P = softmax_j( scale · ⟨q_ri^h, K_rj^h⟩ ),   out_ri^h = Σ_j P_ij V_rj^h
//! ```
//!
//! Heads are contiguous slices of channels. The definition gathers regions of keys and values; a gather
//! below an attend is read inside its kernel, region by region, so the copies are never in memory.

use super::{
    OpDef,
    shape::{common_float, countable, sized},
    softmax,
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{DType, Real, TensorType},
};

op! {
    /// `routed_attention %q, %k, %v, %y { heads = 2, scale = 0.125 }`: q `[b, r, n, c]`, k `[b, s, m, c]`,
    /// v `[b, s, m, e]`, floats, and regions y i32 `[b, r, t]` with numbers below s → `[b, r, n, e]` of the common type of
    /// q, k and v.
    pub struct RoutedAttention = "routed_attention"(q, k, v, y) {
        /// Heads; divides the channels of keys and values.
        pub heads: usize,
        /// Multiplies q·k.
        pub scale: Real,
    }
}

/// Batch, regions, tokens or choices, channels.
fn four(role: &str, ty: &TensorType) -> Result<[usize; 4], String> {
    match ty.shape[..] {
        [b, r, n, c] if ty.dtype.is_float() => Ok([b, r, n, c]),
        _ => Err(format!(
            "{role} of routed_attention are {ty}, expected floats with axes batch, regions, tokens, channels"
        )),
    }
}

impl OpDef for RoutedAttention {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [q, k, v, y] = [operands[0], operands[1], operands[2], operands[3]];
        let [b, r, n, c] = four("queries", q)?;
        let [_, _, _, e] = four("values", v)?;
        let [key_b, s, m, key_c] = four("keys", k)?;
        if (key_b, key_c) != (b, c) || v.shape[..3] != [b, s, m] {
            return Err(format!(
                "routed_attention has queries {q}, keys {k} and values {v}, expected one batch, equal channels of queries and keys, as many values as keys"
            ));
        }
        if self.heads == 0 || !c.is_multiple_of(self.heads) || !e.is_multiple_of(self.heads) {
            return Err(format!(
                "routed_attention has {}, expected a divisor of {c} and {}",
                counted(self.heads, "head"),
                counted(e, "channel")
            ));
        }
        match (y.dtype, &y.shape[..]) {
            (DType::I32, &[batch, regions, chosen]) if [batch, regions] == [b, r] => {
                countable("routed_attention", q, &[b, r, self.heads, n, chosen, m])?;
                countable("routed_attention", v, &[b, r, chosen, m, c.max(e)])?;
                sized(common_float("routed_attention", &operands[..3])?, vec![b, r, n, e])
            }
            _ => Err(format!("regions of routed_attention are {y}, expected i32[{b}, {r}, …]")),
        }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [q, k, v, y] = [operands[0], operands[1], operands[2], operands[3]];
        let [_, r, n, c] = four("queries", &q.ty)?;
        let [_, s, m, e] = four("values", &v.ty)?;
        let choices = y.ty.shape[2];
        let (head, value) = (c / self.heads, e / self.heads);
        let mut data = vec![0.0; result.elements()];
        for (region, chosen) in y.data.chunks(choices).enumerate() {
            if let Some(&wrong) = chosen.iter().find(|&&i| !(0.0..s as f64).contains(&i)) {
                return Err(format!("routed_attention has region {wrong}, expected 0 to {}", s - 1));
            }
            let first = |i: f64| (region / r * s + i as usize) * m;
            let tokens: Vec<usize> = chosen.iter().flat_map(|&i| first(i)..first(i) + m).collect();
            for (query, h) in (region * n..(region + 1) * n).flat_map(|q| (0..self.heads).map(move |h| (q, h))) {
                let row = &q.data[query * c + h * head..][..head];
                let dot = |&t: &usize| -> f64 { row.iter().zip(&k.data[t * c + h * head..]).map(|(x, y)| x * y).sum() };
                let mut weights: Vec<f64> = tokens.iter().map(|t| dot(t) * self.scale.get()).collect();
                softmax::normalise(&mut weights, tokens.len(), 1);
                let out = &mut data[query * e + h * value..][..value];
                for (w, t) in weights.iter().zip(&tokens) {
                    out.iter_mut().zip(&v.data[t * e + h * value..]).for_each(|(o, x)| *o += w * x);
                }
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [q, v, y] = [operands[0], operands[2], operands[3]];
        let [b, r, n, c] = four("queries", q).ok()?;
        let [_, s, m, e] = four("values", v).ok()?;
        let (t, h, scale) = (y.shape[2], self.heads, self.scale);
        let (rows, keys, head, value) = (b * s, t * m, c / h, e / h);
        let (numbers, chosen) = match b {
            1 => (String::new(), "y"),
            _ => (
                format!(
                    "
  %image = iota {{ axis = -3 }} : i32[{b}, 1, 1]
  %before = mul %image, {s}
  %least = max %y, 0
  %region = min %least, {}
  %row = add %region, %before",
                    s - 1
                ),
                "row",
            ),
        };
        Some(format!(
            "{numbers}
  %key_table = reshape %k {{ shape = [{rows}, {m}, {c}] }}
  %value_table = reshape %v {{ shape = [{rows}, {m}, {e}] }}
  %key_regions = gather %key_table, %{chosen}
  %value_regions = gather %value_table, %{chosen}
  %query_heads = reshape %q {{ shape = [{b}, {r}, {n}, {h}, {head}] }}
  %key_heads = reshape %key_regions {{ shape = [{b}, {r}, {keys}, {h}, {head}] }}
  %value_heads = reshape %value_regions {{ shape = [{b}, {r}, {keys}, {h}, {value}] }}
  %queries = transpose %query_heads {{ order = [-2, -3, -1] }}
  %keys = transpose %key_heads {{ order = [-2, -3, -1] }}
  %values = transpose %value_heads {{ order = [-2, -3, -1] }}
  %attended = attention %queries, %keys, %values {{ scale = {scale} }}
  %tokens = transpose %attended {{ order = [-2, -3, -1] }}
  %out = reshape %tokens {{ shape = [{b}, {r}, {n}, {e}] }}"
        ))
    }
}
