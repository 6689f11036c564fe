//! Movement: results hold the operand's elements elsewhere. Inside the optimiser all of it becomes views.

use super::{
    Attr, AttrReader, OpDef,
    shape::{common_dtype, named, representable, shape_of, sized},
    walk::{around, broadcast_strides, collect},
};
use crate::{
    graph::Tensor,
    types::{Real, ShapeText, TensorType, broadcast, strides},
};

/// `reshape %x { shape = [2, 1568] }`: the same elements in row-major order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reshape {
    /// New dimensions; the product must not change.
    pub shape: Vec<i64>,
}

/// `transpose %x { order = [-1, -2] }`: permutes the last axes; result axis i (of the last `order.len()`)
/// is operand axis `order[i]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Transpose {
    /// Axes counted from the end, a permutation of −1 … −n.
    pub order: Vec<i64>,
}

/// `expand %x { shape = [8, 49, 49] }`: broadcasts to a shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expand {
    /// The dimensions broadcast to.
    pub shape: Vec<i64>,
}

/// `slice %x { axis = -1, start = 0, stop = 32, step = 1 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slice {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// First index taken.
    pub start: usize,
    /// One past the last index.
    pub stop: usize,
    /// Distance, ≥ 1.
    pub step: usize,
}

/// `pad %x { axis = -1, low = 1, high = 1, value = 0.0 }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pad {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// Elements put before.
    pub low: usize,
    /// Elements put behind.
    pub high: usize,
    /// What they are.
    pub value: Real,
}

/// `roll %x { axis = -2, shift = -3 }`: `result[(i + shift) mod n] = x[i]`, as in NumPy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Roll {
    /// Axis, −1 for the last.
    pub axis: i64,
    /// How far elements move towards higher indices.
    pub shift: i64,
}

/// `concat %x, %y { axis = -1 }`: one behind the other; two or more operands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Concat {
    /// Axis, −1 for the last.
    pub axis: i64,
}

/// Writes the parts that every movement op has in common: a name, an arity, no floating-point operations.
macro_rules! movement {
    ($name:literal, $least:expr, $most:expr) => {
        fn name(&self) -> &'static str {
            $name
        }
        fn arity(&self) -> (usize, usize) {
            ($least, $most)
        }
        fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
            0
        }
    };
}

/// The type with one extent replaced.
fn with_extent(ty: &TensorType, axis: usize, extent: usize) -> Result<TensorType, String> {
    let mut shape = ty.shape.clone();
    shape[axis] = extent;
    sized(ty.dtype, shape)
}

impl OpDef for Reshape {
    movement!("reshape", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("shape", Attr::Ints(self.shape.clone()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "reshape", || Ok(Self { shape: attrs.ints("shape")? }))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let result = sized(operands[0].dtype, shape_of(&self.shape)?)?;
        if result.elements() != operands[0].elements() {
            let (found, expected) = (result.elements(), operands[0].elements());
            return Err(format!("reshape of {} to {result} has {found} elements, expected {expected}", operands[0]));
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
        let wrong = || format!("order {} is no permutation of -1 to -{n}", Attr::Ints(self.order.clone()));
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
    movement!("transpose", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("order", Attr::Ints(self.order.clone()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "transpose", || Ok(Self { order: attrs.ints("order")? }))
    }
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
    movement!("expand", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("shape", Attr::Ints(self.shape.clone()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "expand", || Ok(Self { shape: attrs.ints("shape")? }))
    }
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
    movement!("slice", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        let size = |n: usize| Attr::Int(n as i64);
        vec![
            ("axis", Attr::Int(self.axis)),
            ("start", size(self.start)),
            ("stop", size(self.stop)),
            ("step", size(self.step)),
        ]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "slice", || {
            let (axis, start, stop) = (attrs.int("axis")?, attrs.size("start")?, attrs.size("stop")?);
            Ok(Self { axis, start, stop, step: attrs.size("step")? })
        })
    }
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
    movement!("pad", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![
            ("axis", Attr::Int(self.axis)),
            ("low", Attr::Int(self.low as i64)),
            ("high", Attr::Int(self.high as i64)),
            ("value", Attr::Real(self.value)),
        ]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "pad", || {
            let (axis, low, high) = (attrs.int("axis")?, attrs.size("low")?, attrs.size("high")?);
            Ok(Self { axis, low, high, value: attrs.real("value")? })
        })
    }
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
    movement!("roll", 1, 1);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("axis", Attr::Int(self.axis)), ("shift", Attr::Int(self.shift))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "roll", || Ok(Self { axis: attrs.int("axis")?, shift: attrs.int("shift")? }))
    }
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
    movement!("concat", 2, usize::MAX);
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("axis", Attr::Int(self.axis))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "concat", || Ok(Self { axis: attrs.int("axis")? }))
    }
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
