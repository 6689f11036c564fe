//! Inputs, weights, constants and iota.

use super::{
    OpDef,
    shape::{places_fit, representable, sized},
    walk::around,
};
use crate::{
    graph::Tensor,
    types::{DType, Real, TensorType},
};

op! {
    /// A tensor passed at every run. Its label is its name.
    pub struct Input = "input"() {
        /// Its type.
        pub ty: TensorType,
    }
}

op! {
    /// A parameter, fixed when the program is compiled. Its label is its name in the checkpoint.
    pub struct Weight = "weight"() {
        /// Its type.
        pub ty: TensorType,
    }
}

op! {
    /// The same value in every element.
    pub struct Const = "const"() {
        /// Its type.
        pub ty: TensorType,
        /// The value.
        pub value: Real,
    }
}

op! {
    /// The index along one axis: element = position on `axis`.
    pub struct Iota = "iota"() {
        /// Its type.
        pub ty: TensorType,
        /// The axis, −1 for the last.
        pub axis: i64,
    }
}

impl OpDef for Input {
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        sized(self.ty.dtype, self.ty.shape.clone())
    }
    fn eval(&self, _: &[&Tensor], _: &TensorType) -> Result<Tensor, String> {
        Err("an input has no value of its own".to_string())
    }
}

impl OpDef for Weight {
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        sized(self.ty.dtype, self.ty.shape.clone())
    }
    fn eval(&self, _: &[&Tensor], _: &TensorType) -> Result<Tensor, String> {
        Err("a weight has no value of its own".to_string())
    }
}

impl OpDef for Const {
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        representable(self.value.get(), self.ty.dtype)?;
        sized(self.ty.dtype, self.ty.shape.clone())
    }
    fn eval(&self, _: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::from_fn(result.clone(), |_| self.value.get()))
    }
}

impl OpDef for Iota {
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        let axis = self.ty.axis(self.axis)?;
        match self.ty.dtype {
            DType::I32 => places_fit("iota", &self.ty, axis).and_then(|()| sized(DType::I32, self.ty.shape.clone())),
            DType::Bool => Err(format!("iota has type {}, expected numbers", self.ty)),
            dtype => sized(dtype, self.ty.shape.clone()),
        }
    }
    fn eval(&self, _: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&result.shape, result.axis(self.axis)?);
        Ok(Tensor::from_fn(result.clone(), |i| (i / inner % extent) as f64))
    }
}
