//! Movement: results hold the operand's elements elsewhere. Inside the optimiser all of it becomes views.

use super::{
    Attr, OpDef,
    shape::{common_dtype, representable, shape_of, sized},
    walk::{around, broadcast_strides, collect},
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{Real, ShapeText, TensorType, broadcast, strides},
};

op! {
    /// `reshape %x { shape = [2, 1568] }`: the same elements in row-major order.
    pub struct Reshape = "reshape"(x) {
        /// New dimensions; the product must not change.
        pub shape: Vec<i64>,
    }
}

op! {
    /// `transpose %x { order = [-1, -2] }`: permutes the last axes; result axis i (of the last `order.len()`)
    /// is operand axis `order[i]`.
    pub struct Transpose = "transpose"(x) {
        /// Axes counted from the end, a permutation of −1 … −n.
        pub order: Vec<i64>,
    }
}

op! {
    /// `expand %x { shape = [8, 49, 49] }`: broadcasts to a shape.
    pub struct Expand = "expand"(x) {
        /// The dimensions broadcast to.
        pub shape: Vec<i64>,
    }
}

op! {
    /// `slice %x { axis = -1, start = 0, stop = 32, step = 1 }`.
    pub struct Slice = "slice"(x) {
        /// Axis, −1 for the last.
        pub axis: i64,
        /// First index taken.
        pub start: usize,
        /// One past the last index.
        pub stop: usize,
        /// Distance, ≥ 1.
        pub step: usize,
    }
}

op! {
    /// `pad %x { axis = -1, low = 1, high = 1, value = 0.0 }`.
    pub struct Pad = "pad"(x) {
        /// Axis, −1 for the last.
        pub axis: i64,
        /// Elements put before.
        pub low: usize,
        /// Elements put after.
        pub high: usize,
        /// What they are.
        pub value: Real,
    }
}

op! {
    /// `roll %x { axis = -2, shift = -3 }`: `result[(i + shift) mod n] = x[i]`, as in NumPy.
    pub struct Roll = "roll"(x) {
        /// Axis, −1 for the last.
        pub axis: i64,
        /// How far elements move towards higher indices.
        pub shift: i64,
    }
}

op! {
    /// `concat %x, %y { axis = -1 }`: one after the other; two or more operands.
    pub struct Concat = "concat"(x, y; ..) {
        /// Axis, −1 for the last.
        pub axis: i64,
    }
}

/// The type with one extent replaced.
fn with_extent(ty: &TensorType, axis: usize, extent: usize) -> Result<TensorType, String> {
    let mut shape = ty.shape.clone();
    shape[axis] = extent;
    sized(ty.dtype, shape)
}

impl OpDef for Reshape {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let result = sized(operands[0].dtype, shape_of(&self.shape)?)?;
        if result.elements() != operands[0].elements() {
            let (found, expected) = (result.elements(), operands[0].elements());
            return Err(format!(
                "reshape of {} to {result} has {}, expected {expected}",
                operands[0],
                counted(found, "element")
            ));
        }
        Ok(result)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::new(result.clone(), operands[0].data.clone()))
    }
}

impl Transpose {
    /// For each result axis, the operand's axis, both counted from 0.
    pub fn axes(&self, rank: usize) -> Result<Vec<usize>, String> {
        let n = self.order.len();
        let wrong = || format!("order {} is not a permutation of -1 to -{n}", Attr::Ints(self.order.clone()));
        if n > rank {
            return Err(format!("order {} has {n} axes, the operand has {rank}", Attr::Ints(self.order.clone())));
        }
        let mut axes: Vec<usize> = (0..rank - n).collect();
        for &from in &self.order {
            let axis = (-(n as i64)..0).contains(&from).then(|| (rank as i64 + from) as usize);
            axes.push(axis.filter(|a| !axes.contains(a)).ok_or_else(wrong)?);
        }
        Ok(axes)
    }
}

impl OpDef for Transpose {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let axes = self.axes(operands[0].rank()).map_err(|e| format!("transpose of {}: {e}", operands[0]))?;
        Ok(TensorType::new(operands[0].dtype, axes.iter().map(|&a| operands[0].shape[a]).collect::<Vec<_>>()))
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let dense = strides(&operands[0].ty.shape);
        let strides: Vec<usize> = self.axes(result.rank())?.iter().map(|&a| dense[a]).collect();
        Ok(Tensor::new(result.clone(), collect(&operands[0].data, 0, &result.shape, &strides)))
    }
}

impl OpDef for Expand {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let shape = shape_of(&self.shape)?;
        if broadcast(&operands[0].shape, &shape).as_ref() != Some(&shape) {
            return Err(format!("{} does not broadcast to {}", operands[0], ShapeText(&shape)));
        }
        sized(operands[0].dtype, shape)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let strides = broadcast_strides(&operands[0].ty.shape, &result.shape);
        Ok(Tensor::new(result.clone(), collect(&operands[0].data, 0, &result.shape, &strides)))
    }
}

impl OpDef for Slice {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let axis = operands[0].axis(self.axis)?;
        let extent = operands[0].shape[axis];
        if self.start >= self.stop || self.stop > extent || self.step == 0 {
            return Err(format!(
                "slice of {} takes {} to {} by {} on axis {}, expected start < stop <= {extent} and a step of 1 or more",
                operands[0], self.start, self.stop, self.step, self.axis
            ));
        }
        with_extent(operands[0], axis, (self.stop - self.start).div_ceil(self.step))
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let axis = result.axis(self.axis)?;
        let mut strides = strides(&operands[0].ty.shape);
        let first = self.start * strides[axis];
        strides[axis] *= self.step;
        Ok(Tensor::new(result.clone(), collect(&operands[0].data, first, &result.shape, &strides)))
    }
}

impl OpDef for Pad {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let axis = operands[0].axis(self.axis)?;
        representable(self.value.get(), operands[0].dtype)?;
        let extent = operands[0].shape[axis].saturating_add(self.low).saturating_add(self.high);
        with_extent(operands[0], axis, extent)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&operands[0].ty.shape, result.axis(self.axis)?);
        let mut data = Vec::with_capacity(result.elements());
        for block in operands[0].data.chunks(extent * inner) {
            data.resize(data.len() + self.low * inner, self.value.get());
            data.extend_from_slice(block);
            data.resize(data.len() + self.high * inner, self.value.get());
        }
        Ok(Tensor::new(result.clone(), data))
    }
}

impl OpDef for Roll {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        operands[0].axis(self.axis).map(|_| operands[0].clone())
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&result.shape, result.axis(self.axis)?);
        let shift = self.shift.rem_euclid(extent as i64) as usize * inner;
        let mut data = operands[0].data.clone();
        data.chunks_mut(extent * inner).for_each(|block| block.rotate_right(shift));
        Ok(Tensor::new(result.clone(), data))
    }
}

impl OpDef for Concat {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let dtype = common_dtype("concat", operands)?;
        let first = &TensorType { dtype, ..operands[0].clone() };
        let axis = first.axis(self.axis)?;
        let fits = |ty: &TensorType| {
            ty.rank() == first.rank() && (0..ty.rank()).all(|i| i == axis || ty.shape[i] == first.shape[i])
        };
        if let Some(ty) = operands.iter().find(|ty| !fits(ty)) {
            return Err(format!("concat has {first} and {ty}, which may differ on axis {} only", self.axis));
        }
        let extent = operands.iter().fold(0usize, |n, ty| n.saturating_add(ty.shape[axis]));
        with_extent(first, axis, extent)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (outer, ..) = around(&result.shape, result.axis(self.axis)?);
        let blocks: Vec<usize> = operands.iter().map(|t| t.data.len() / outer).collect();
        let mut data = Vec::with_capacity(result.elements());
        for row in 0..outer {
            for (tensor, &block) in operands.iter().zip(&blocks) {
                data.extend_from_slice(&tensor.data[row * block..][..block]);
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
}
