//! Any movement in normal form, as the optimiser writes it.

use super::{
    OpDef,
    shape::{representable, sized},
};
use crate::count::counted;
use crate::{graph::Tensor, types::TensorType, view::View};

op! {
    /// `view %x { map = "…" }`: result element i is the operand's element `map(i)`, or the map's fill value.
    pub struct ViewOp = "view"(x) {
        /// Where each element comes from.
        pub map: View,
    }
}

impl OpDef for ViewOp {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if self.map.len != operands[0].elements() {
            let (found, expected) = (operands[0].elements(), self.map.len);
            return Err(format!(
                "view of {} has {}, its map expects {expected}",
                operands[0],
                counted(found, "element")
            ));
        }
        representable(self.map.fill.get(), operands[0].dtype)?;
        sized(operands[0].dtype, self.map.shape.clone())
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let data = self.map.gather(&operands[0].data, self.map.fill.get());
        data.map(|data| Tensor::new(result.clone(), data))
            .ok_or_else(|| format!("the map {} leaves its source of {}", self.map, counted(self.map.len, "element")))
    }
}
