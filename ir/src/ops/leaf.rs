//! Leaves: what a graph is given, and what it can say without being given anything.

use super::{
    Attr, AttrReader, OpDef,
    shape::{named, places_fit, representable, sized},
    walk::around,
};
use crate::{
    graph::Tensor,
    types::{DType, Real, TensorType},
};

/// A tensor passed at every run. Its label is its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Input {
    /// Its type.
    pub ty: TensorType,
}

/// A parameter, fixed when the program is compiled. Its label is its name in the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight {
    /// Its type.
    pub ty: TensorType,
}

/// The same value in every element.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Const {
    /// Its type.
    pub ty: TensorType,
    /// The value.
    pub value: Real,
}

/// The index along one axis: element = position on `axis`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Iota {
    /// Its type.
    pub ty: TensorType,
    /// The axis, −1 for the last.
    pub axis: i64,
}

/// `input` and `weight` differ in name only.
macro_rules! given {
    ($($op:ident $name:literal $article:literal),*) => {$(
        impl OpDef for $op {
            fn name(&self) -> &'static str {
                $name
            }
            fn arity(&self) -> (usize, usize) {
                (0, 0)
            }
            fn attrs(&self) -> Vec<(&'static str, Attr)> {
                Vec::new()
            }
            fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
                named(name == $name, || Ok(Self { ty: attrs.ty()? }))
            }
            fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
                sized(self.ty.dtype, self.ty.shape.clone())
            }
            fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
                0
            }
            fn eval(&self, _: &[&Tensor], _: &TensorType) -> Result<Tensor, String> {
                Err(concat!($article, " ", $name, " has no value of its own").to_string())
            }
        }
    )*};
}

given!(Input "input" "an", Weight "weight" "a");

impl OpDef for Const {
    fn name(&self) -> &'static str {
        "const"
    }
    fn arity(&self) -> (usize, usize) {
        (0, 0)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("value", Attr::Real(self.value))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "const", || Ok(Self { value: attrs.real("value")?, ty: attrs.ty()? }))
    }
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        representable(self.value.get(), self.ty.dtype)?;
        sized(self.ty.dtype, self.ty.shape.clone())
    }
    fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
        0
    }
    fn eval(&self, _: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        Ok(Tensor::from_fn(result.clone(), |_| self.value.get()))
    }
}

impl OpDef for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }
    fn arity(&self) -> (usize, usize) {
        (0, 0)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("axis", Attr::Int(self.axis))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "iota", || Ok(Self { axis: attrs.int("axis")?, ty: attrs.ty()? }))
    }
    fn infer(&self, _: &[&TensorType]) -> Result<TensorType, String> {
        let axis = self.ty.axis(self.axis)?;
        match self.ty.dtype {
            DType::I32 => places_fit("iota", &self.ty, axis).and_then(|()| sized(DType::I32, self.ty.shape.clone())),
            DType::Bool => Err(format!("iota has type {}, expected numbers", self.ty)),
            dtype => sized(dtype, self.ty.shape.clone()),
        }
    }
    fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
        0
    }
    fn eval(&self, _: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (_, extent, inner) = around(&result.shape, result.axis(self.axis)?);
        Ok(Tensor::from_fn(result.clone(), |i| (i / inner % extent) as f64))
    }
}
