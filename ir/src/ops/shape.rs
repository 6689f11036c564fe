//! Checks that the shape rules of several ops share; every error is one sentence.

use crate::types::{DType, ShapeText, TensorType, broadcast};

/// Most elements a tensor may have; keeps every product of extents inside 64 bits.
const MAX_ELEMENTS: u64 = 1 << 40;

/// A type whose extents are at least 1 and whose size can be counted.
pub(crate) fn sized(dtype: DType, shape: Vec<usize>) -> Result<TensorType, String> {
    let ty = TensorType::new(dtype, shape);
    if let Some(axis) = ty.shape.iter().position(|&d| d == 0) {
        return Err(format!("{ty} has extent 0 on axis {axis}, expected 1 or more"));
    }
    let elements = ty.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64)).filter(|&n| n <= MAX_ELEMENTS);
    elements.map(|_| ()).ok_or_else(|| format!("{ty} has more than 2^40 elements"))?;
    Ok(ty)
}

/// Demands that a tensor which the op `name` of `ty` passes through can be counted: the padded map, all patches.
pub(crate) fn countable(name: &str, ty: &TensorType, through: &[usize]) -> Result<(), String> {
    let elements = through.iter().try_fold(1u64, |n, &d| n.checked_mul(d as u64));
    if elements.is_some_and(|n| n <= MAX_ELEMENTS) {
        return Ok(());
    }
    Err(format!("{name} of {ty} reads {}, which has more than 2^40 elements", ShapeText(through)))
}

/// Demands that places along an axis of `ty` are numbers of i32.
pub(crate) fn places_fit(name: &str, ty: &TensorType, axis: usize) -> Result<(), String> {
    let (extent, most) = (ty.shape[axis], 1usize << 31);
    if extent <= most {
        return Ok(());
    }
    Err(format!("{name} of {ty} has {extent} places on axis {axis}, expected at most {most}, which i32 counts"))
}

/// The dimensions of an attribute as a shape.
pub(crate) fn shape_of(dims: &[i64]) -> Result<Vec<usize>, String> {
    dims.iter()
        .map(|&d| usize::try_from(d).map_err(|_| format!("dimension {d} is negative, expected 1 or more")))
        .collect()
}

/// The shape that all operands broadcast to.
pub(crate) fn broadcast_all(name: &str, operands: &[&TensorType]) -> Result<Vec<usize>, String> {
    let mut shape = Vec::new();
    for ty in operands {
        shape = broadcast(&shape, &ty.shape).ok_or_else(|| {
            format!(
                "{name} has {ty} beside {}, which do not broadcast: from the last axis, dimensions must be equal or 1",
                ShapeText(&shape)
            )
        })?;
    }
    Ok(shape)
}

/// Demands a float operand.
pub(crate) fn float(name: &str, role: &str, ty: &TensorType) -> Result<(), String> {
    if ty.dtype.is_float() { Ok(()) } else { Err(format!("{role} of {name} is {ty}, expected f32, bf16 or f16")) }
}

/// Demands operands of one element type and returns it; where floats of several types meet, that is f32.
pub(crate) fn common_dtype(name: &str, operands: &[&TensorType]) -> Result<DType, String> {
    match operands.iter().find(|ty| ty.dtype != operands[0].dtype) {
        None => Ok(operands[0].dtype),
        Some(_) if operands.iter().all(|ty| ty.dtype.is_float()) => Ok(DType::F32),
        Some(ty) => Err(format!("{name} has {} and {ty}, expected one element type", operands[0])),
    }
}

/// Demands float operands and returns their common type.
pub(crate) fn common_float(name: &str, operands: &[&TensorType]) -> Result<DType, String> {
    operands.iter().try_for_each(|ty| float(name, "operand", ty))?;
    common_dtype(name, operands)
}

/// The line that hands out a result `y`, which is f32, in that type.
pub(crate) fn narrowed(dtype: DType) -> String {
    if dtype == DType::F32 { String::new() } else { format!("\n  %narrow = cast %y {{ to = {dtype} }}") }
}

/// Leading shape, rows and columns of a matrix operand.
pub(crate) fn matrix<'a>(name: &str, role: &str, ty: &'a TensorType) -> Result<(&'a [usize], usize, usize), String> {
    match ty.shape.as_slice() {
        [lead @ .., rows, cols] => Ok((lead, *rows, *cols)),
        _ => Err(format!("{role} of {name} is {ty}, expected 2 axes or more")),
    }
}

/// Broadcasts the leading axes of two matrix operands and appends the result's rows and columns.
pub(crate) fn batched(
    name: &str,
    leads: [&[usize]; 2],
    rows: usize,
    cols: usize,
    dtype: DType,
) -> Result<TensorType, String> {
    let mut shape = broadcast(leads[0], leads[1]).ok_or_else(|| {
        format!("{name} has leading axes {} and {}, which do not broadcast", ShapeText(leads[0]), ShapeText(leads[1]))
    })?;
    shape.extend([rows, cols]);
    sized(dtype, shape)
}

/// Whether elements of `dtype` can have this value.
pub(crate) fn representable(value: f64, dtype: DType) -> Result<(), String> {
    let ok = match dtype {
        DType::F32 | DType::Bf16 | DType::F16 => true,
        DType::I32 => value == f64::from(value as i32),
        DType::Bool => value == 0.0 || value == 1.0,
    };
    if ok { Ok(()) } else { Err(format!("{value:?} is not a value of type {dtype}")) }
}
