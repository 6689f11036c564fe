//! Any movement in normal form, as the optimiser writes it.

use super::{
    Attr, AttrReader, OpDef,
    shape::{named, representable, sized},
};
use crate::{
    graph::Tensor,
    types::TensorType,
    view::{Coord, View},
};

/// `view %x { map = "…" }`: result element i is the operand's element `map(i)`, or the map's fill value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewOp {
    /// Where each element comes from.
    pub map: View,
}

impl OpDef for ViewOp {
    fn name(&self) -> &'static str {
        "view"
    }
    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("map", Attr::Word(self.map.to_string()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "view", || {
            let map = attrs.word("map")?.parse::<View>().map_err(|e| e.to_string())?;
            Ok(Self { map })
        })
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if self.map.len != operands[0].elements() {
            let (found, expected) = (operands[0].elements(), self.map.len);
            return Err(format!("view of {} has {found} elements, its map expects {expected}", operands[0]));
        }
        representable(self.map.fill.get(), operands[0].dtype)?;
        sized(operands[0].dtype, self.map.shape.clone())
    }
    fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
        0
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let data = Rows::new(&self.map).read(&self.map, &operands[0].data);
        data.map(|data| Tensor::new(result.clone(), data))
            .ok_or_else(|| format!("the map {} leaves its source of {} elements", self.map, self.map.len))
    }
}

/// A map cut into rows along the last axis. A plain coordinate is a sum, so its digits of that axis are the
/// same in every row and are tabulated once; the rest of the map places the row.
struct Rows {
    /// Source distance of each element of a row from its first; `None` where it differs between rows.
    steps: Option<Vec<usize>>,
    /// Whether the steps count up by one.
    dense: bool,
}

impl Rows {
    fn new(map: &View) -> Self {
        let last = map.shape.len().wrapping_sub(1);
        let moves = |c: &Coord| c.digits.iter().any(|d| d.axis == last);
        if map.shape.is_empty() || map.coords.iter().any(|c| moves(c) && !c.is_plain()) {
            return Self { steps: None, dense: false };
        }
        let mut index = vec![0; map.shape.len()];
        let mut step = |i| {
            index[last] = i;
            let moved = |c: &Coord| -> i64 {
                c.digits.iter().filter(|d| d.axis == last).map(|d| d.mul * d.at(&index) as i64).sum()
            };
            map.coords.iter().map(|c| c.stride * moved(c) as usize).sum()
        };
        let steps: Vec<usize> = (0..map.shape[last]).map(&mut step).collect();
        let dense = steps.iter().enumerate().all(|(i, &s)| s == i);
        Self { steps: Some(steps), dense }
    }

    /// The result's elements; `None` where the map leaves `source`.
    fn read(&self, map: &View, source: &[f64]) -> Option<Vec<f64>> {
        let fill = map.fill.get();
        let mut index = vec![0; map.shape.len()];
        let mut data = Vec::with_capacity(map.elements());
        while data.len() < map.elements() {
            let first = map.source(&index);
            match (first, &self.steps) {
                (None, Some(steps)) => data.resize(data.len() + steps.len(), fill),
                (Some(first), Some(steps)) if self.dense => {
                    data.extend_from_slice(source.get(first..first + steps.len())?)
                }
                (Some(first), Some(steps)) => {
                    for step in steps {
                        data.push(*source.get(first + step)?);
                    }
                }
                (first, None) => data.push(match first {
                    Some(first) => *source.get(first)?,
                    None => fill,
                }),
            }
            let row = if self.steps.is_some() { index.len() - 1 } else { index.len() };
            advance(&mut index[..row], &map.shape[..row]);
        }
        Some(data)
    }
}

/// The next index in row-major order.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < extent {
            return;
        }
        *i = 0;
    }
}
