//! Fused expressions, the holes of every template: how one is evaluated at a point, and what that costs.

pub(crate) mod index;
mod integer;
pub(crate) mod price;
pub(crate) mod rows;
pub(crate) mod value;

pub(crate) use value::{Context, Scope};
