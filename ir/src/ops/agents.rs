//! Agents: a few points of a map, sampled where learned offsets have moved them.
//!
//! ```text
//!   channels of group γ:   y[b, i, j, γ] = bilinear sample of map[b, ·, ·, γ] at positions[b, γ, i, j]
//! ```
//!
//! Each group of channels has its own points. Positions are normalised with −1 and 1 on the first and the
//! last row or column; what lies outside counts as 0.

use super::{
    OpDef,
    grid_sample::MOST,
    shape::{common_float, sized},
};
use crate::types::TensorType;

op! {
    /// `agents %map, %positions`: map `[b, h, w, c]`, positions `[b, g, i, j, 2]` → `[b, i, j, c]`, where g divides c;
    /// floats, the result of their common type.
    pub struct Agents = "agents"(map, positions);
}

impl OpDef for Agents {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let [map, positions] = [operands[0], operands[1]];
        let dtype = common_float("agents", operands)?;
        let [b, h, w, c] = map.shape[..] else {
            return Err(format!("map of agents is {map}, expected axes batch, height, width, channels"));
        };
        if h.saturating_mul(w) > MOST {
            return Err(format!("map of agents is {map}, expected at most 2^24 places"));
        }
        match positions.shape[..] {
            [batch, g, i, j, 2] if batch == b && c.is_multiple_of(g) => sized(dtype, vec![b, i, j, c]),
            _ => Err(format!("positions of agents are {positions}, expected [{b}, a divisor of {c}, …, …, 2]")),
        }
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let [map, positions] = [operands[0], operands[1]];
        let (&[b, h, w, c], &[_, g, i, j, _]) = (&map.shape[..], &positions.shape[..]) else { return None };
        let (maps, points, width) = (b * g, i * j, c / g);
        Some(format!(
            "  %cut = reshape %map {{ shape = [{b}, {h}, {w}, {g}, {width}] }}
  %grouped = transpose %cut {{ order = [-2, -4, -3, -1] }}
  %maps = reshape %grouped {{ shape = [{maps}, {h}, {w}, {width}] }}
  %row = slice %positions {{ axis = -1, start = 0, stop = 1, step = 1 }}
  %column = slice %positions {{ axis = -1, start = 1, stop = 2, step = 1 }}
  %rows = reshape %row {{ shape = [{maps}, {points}] }}
  %columns = reshape %column {{ shape = [{maps}, {points}] }}
  %sampled = grid_sample %maps, %rows, %columns {{ align = corners }}
  %groups = reshape %sampled {{ shape = [{b}, {g}, {i}, {j}, {width}] }}
  %last = transpose %groups {{ order = [-3, -2, -4, -1] }}
  %y = reshape %last {{ shape = [{b}, {i}, {j}, {c}] }}"
        ))
    }
}
