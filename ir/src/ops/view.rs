//! Any movement in normal form, as the optimiser writes it.

use super::{
    Attr, AttrReader, OpDef,
    shape::{named, representable, sized},
};
use crate::{graph::Tensor, types::TensorType, view::View};

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
        vec![("map", Attr::view(self.map.clone()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "view", || Ok(Self { map: attrs.view("map")? }))
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
        let data = self.map.gather(&operands[0].data, self.map.fill.get());
        data.map(|data| Tensor::new(result.clone(), data))
            .ok_or_else(|| format!("the map {} leaves its source of {} elements", self.map, self.map.len))
    }
}
