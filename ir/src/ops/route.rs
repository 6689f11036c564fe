//! Which regions each region attends to: bi-level routing.
//!
//! ```text
//!   q̄_r = mean of region r's queries      k̄_s = mean of region s's keys          over all tokens and channels
//!   ℓ_rs = q̄_r · k̄_s                      y_r = indices of the k largest of row r
//! ```
//!
//! A map is cut into S×S regions; the means are plain, padding included, and heads are not separated.
//! A positive scale of the logits changes no choice, so there is none. Zhu et al., "BiFormer", 2023.

use super::{
    OpDef,
    shape::{common_float, sized},
    top_k::TopK,
};
use crate::types::{ShapeText, TensorType};

op! {
    /// `route %q, %k { k = 4 }`: q `[…, r, n, c]`, k `[…, s, m, c]` with equal leading axes → i32 `[…, r, k]`, the
    /// regions of k that each region of q attends to, the best one first.
    pub struct Route = "route"(q, k) {
        /// Regions chosen by each.
        pub k: usize,
    }
}

/// Leading axes, regions, tokens, channels.
fn regions<'a>(role: &str, ty: &'a TensorType) -> Result<(&'a [usize], [usize; 3]), String> {
    match &ty.shape[..] {
        [lead @ .., r, n, c] => Ok((lead, [*r, *n, *c])),
        _ => Err(format!("{role} of route are {ty}, expected 3 axes or more: regions, tokens, channels")),
    }
}

impl OpDef for Route {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        common_float("route", operands)?;
        let (lead, [r, _, c]) = regions("queries", operands[0])?;
        let (key_lead, [s, _, key_c]) = regions("keys", operands[1])?;
        if lead != key_lead || c != key_c {
            let [q, k] = [operands[0], operands[1]];
            return Err(format!("route has queries {q} and keys {k}, expected equal leading axes and channels"));
        }
        if self.k == 0 || self.k > s {
            return Err(format!("route has k = {}, expected 1 to {s}, the regions of {}", self.k, operands[1]));
        }
        let logits = sized(operands[0].dtype, [lead, &[r, s]].concat())?;
        TopK { k: self.k }.infer(&[&logits]).map_err(|message| format!("route: {message}"))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [q, k] = [operands[0], operands[1]];
        let (lead, [r, _, c]) = regions("queries", q).ok()?;
        let (_, [s, ..]) = regions("keys", k).ok()?;
        let [queries, keys] = [r, s].map(|regions| [lead, &[regions, c]].concat());
        let (queries, keys, count) = (ShapeText(&queries), ShapeText(&keys), self.k);
        Some(format!(
            "  %mean_q = reduce %q {{ op = mean, axis = -2 }}
  %mean_k = reduce %k {{ op = mean, axis = -2 }}
  %queries = reshape %mean_q {{ shape = {queries} }}
  %keys = reshape %mean_k {{ shape = {keys} }}
  %logits = scores %queries, %keys
  %y = top_k %logits {{ k = {count} }}"
        ))
    }
}
