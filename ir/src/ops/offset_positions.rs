//! Positions of deformed points: a reference grid plus learned offsets.
//!
//! ```text
//!   reference of cell i of n      (i + ½)/n·2 − 1  centres        (i + ½)/(n − 1)·2 − 1  stretched
//!   limit = clamp                 clip(reference + o, −1, 1)
//!   limit = tanh                  tanh(reference + o)
//!   limit = range                 reference + tanh(o)·factor/n          n − 1 where stretched; not clipped
//! ```
//!
//! One offset channel moves a point along the diagonal, in normalised units; of two the first is the row's.
//! DAT of 2022 has centres, tanh or range; DAT of 2023 stretched, clamp or range; DeBiFormer centres, clamp
//! and one channel. The quotient 1/n is an f32 in the authors' code, and here.

use super::{
    OpDef,
    shape::{float, sized},
};
use crate::{
    graph::Tensor,
    types::{DType, Real, TensorType},
};

words! {
    /// Where points are before they are moved.
    pub enum Reference = "reference" {
        /// Centres of n cells.
        Centres = "centres",
        /// The same divided by n − 1: the last one lies beyond 1.
        Stretched = "stretched",
    }
}

words! {
    /// What keeps points in place.
    pub enum Limit = "limit" {
        /// The sum is clipped.
        Clamp = "clamp",
        /// The hyperbolic tangent of the sum.
        Tanh = "tanh",
        /// The offset is at most so many cells.
        Range = "range",
    }
}

op! {
    /// `offset_positions %o { reference = centres, limit = clamp, factor = 0.0 }`: o `[b, h, w, 1]` or `[b, h, w, 2]` →
    /// `[b, h, w, 2]`, row and column of each point, normalised.
    pub struct OffsetPositions = "offset_positions"(o) {
        /// Where points are before they are moved.
        pub reference: Reference,
        /// What keeps them in place.
        pub limit: Limit,
        /// Cells by which a point moves at most, where the limit is a range; else 0.
        pub factor: Real,
    }
}

impl OffsetPositions {
    /// Extent that references and ranges are divided by.
    fn divisor(&self, extent: usize) -> f64 {
        (if self.reference == Reference::Centres { extent } else { extent - 1 }) as f64
    }
    /// Factor of tanh for an axis.
    fn reach(&self, extent: usize) -> f64 {
        f64::from((1.0 / self.divisor(extent)) as f32) * self.factor.get()
    }
    fn place(&self, index: usize, extent: usize, offset: f64) -> f64 {
        let reference = (index as f64 + 0.5) / self.divisor(extent) * 2.0 - 1.0;
        match self.limit {
            Limit::Clamp => (reference + offset).clamp(-1.0, 1.0),
            Limit::Tanh => (reference + offset).tanh(),
            Limit::Range => reference + offset.tanh() * self.reach(extent),
        }
    }
}

impl OpDef for OffsetPositions {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let o = operands[0];
        float("offset_positions", "operand", o)?;
        let [b, h, w, 1 | 2] = o.shape[..] else {
            return Err(format!("operand of offset_positions is {o}, expected axes batch, height, width and 1 or 2"));
        };
        if self.reference == Reference::Stretched && (h == 1 || w == 1) {
            return Err(format!("offset_positions of {o} is stretched, expected 2 rows and columns or more"));
        }
        if (self.limit == Limit::Range) != (self.factor.get() != 0.0) {
            return Err(format!("offset_positions has factor {}, expected one for limit = range only", self.factor));
        }
        sized(DType::F32, vec![b, h, w, 2])
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [_, h, w, channels] = operands[0].ty.shape[..] else {
            return Err(format!("offsets are {}", operands[0].ty));
        };
        let value = |i: usize| {
            let (cell, axis) = (i / 2, i % 2);
            let offset = operands[0].data[cell * channels + axis.min(channels - 1)];
            if axis == 0 { self.place(cell / w % h, h, offset) } else { self.place(cell % w, w, offset) }
        };
        Ok(Tensor::from_fn(result.clone(), value))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let &[_, h, w, _] = &operands[0].shape[..] else { return None };
        let mut text = "
  %axis = iota { axis = -1 } : i32[2]
  %is_row = eq %axis, 0"
            .to_owned();
        for (axis, extent, shape, place) in [("row", h, format!("{h}, 1, 1"), -3), ("column", w, format!("{w}, 1"), -2)]
        {
            let double = 2.0 / self.divisor(extent);
            let first = 0.5 * double - 1.0;
            text += &format!(
                "
  %{axis} = iota {{ axis = {place} }} : f32[{shape}]
  %{axis}_scaled = mul %{axis}, {double:?}
  %{axis}_at = add %{axis}_scaled, {first:?}"
            );
        }
        text += "\n  %reference = select %is_row, %row_at, %column_at";
        text += &match self.limit {
            Limit::Clamp => String::from(
                "
  %sum = add %o, %reference
  %least = max %sum, -1.0
  %positions = min %least, 1.0",
            ),
            Limit::Tanh => String::from(
                "
  %sum = add %o, %reference
  %positions = tanh %sum",
            ),
            Limit::Range => format!(
                "
  %reach = select %is_row, {:?}, {:?}
  %soft = tanh %o
  %moved = mul %soft, %reach
  %positions = add %moved, %reference",
                self.reach(h),
                self.reach(w)
            ),
        };
        Some(text)
    }
}
