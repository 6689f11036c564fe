//! Kernels written as text, what they compute, and the faults they must be caught in.

mod faults;
mod semantics;

use super::{Fault, run, run_f64};
use crate::{
    kernel::{Kernel, Level, text::parse, verify::verify},
    types::DType,
};

/// A kernel from the text of its declarations and statements; it must pass the verifier.
fn kernel(head: &str, text: &str) -> Kernel {
    let text = format!("kernel test {head} {{\n{text}\n}}\n");
    let kernel = parse(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    let findings = verify(&kernel, &[Level::Core, Level::Tile]);
    assert!(findings.is_empty(), "{findings:?}\n{text}");
    kernel
}

fn bytes_of(dtype: DType, values: &[f64]) -> Vec<u8> {
    let mut bytes = vec![0; values.len() * dtype.bytes()];
    super::Cells::<f32>::from_f64(dtype, values).expect("elements of the type").write_bytes(dtype, &mut bytes);
    bytes
}

fn values_of(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    super::Cells::<f32>::from_bytes(dtype, bytes).expect("elements of the type").into_f64()
}

/// Runs in f32 on values; returns all parameters.
fn values(kernel: &Kernel, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>, Fault> {
    let dtypes: Vec<DType> = kernel.params().map(|(_, b)| b.dtype).collect();
    let mut buffers: Vec<Vec<u8>> = dtypes.iter().zip(inputs).map(|(&d, v)| bytes_of(d, v)).collect();
    run(kernel, &mut buffers)?;
    Ok(dtypes.iter().zip(&buffers).map(|(&d, b)| values_of(d, b)).collect())
}

/// Runs in f64.
fn values_f64(kernel: &Kernel, inputs: &[&[f64]]) -> Result<Vec<Vec<f64>>, Fault> {
    let mut buffers: Vec<Vec<f64>> = inputs.iter().map(|v| v.to_vec()).collect();
    run_f64(kernel, &mut buffers)?;
    Ok(buffers)
}
