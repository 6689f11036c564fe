//! Memory asked for before it is needed, so that what a file declares ends in a sentence and never in an abort.
//!
//! Inputs and outputs of a graph are made as f32, held as f64 where they are compared, and passed on as bytes of their
//! own type. The sum of that is reserved once and given back; a system that refuses it would refuse it later, in the
//! middle of something.

use crate::errors::{Error, Result};
use regard_ir::{
    graph::Graph,
    program::{Port, Program},
    types::TensorType,
};

/// Below that many bytes nothing is asked.
const SMALL: u64 = 64 << 20;

/// Whether the system would give the inputs and outputs of a graph.
///
/// # Errors
/// Where it would not; the sentence names the largest and its bytes.
pub(crate) fn afford(graph: &Graph) -> Result<()> {
    let ports = graph.inputs().into_iter().chain(graph.outputs.iter().copied());
    afford_all(ports.map(|id| (graph.text_name(id), graph.ty(id))))
}

/// The same of a program.
///
/// # Errors
/// Where it would not; the sentence names the largest and its bytes.
pub fn afford_ports<K>(program: &Program<K>) -> Result<()> {
    let ports = program.inputs.iter().chain(&program.outputs);
    afford_all(ports.map(|Port { name, ty, .. }| (name.clone(), ty)))
}

fn afford_all<'a>(tensors: impl Iterator<Item = (String, &'a TensorType)>) -> Result<()> {
    let taken = |ty: &TensorType| (ty.elements() as u64).saturating_mul(12).saturating_add(ty.bytes() as u64);
    let (mut total, mut largest) = (0u64, None::<(u64, String)>);
    for (name, ty) in tensors {
        let bytes = taken(ty);
        total = total.saturating_add(bytes);
        if largest.as_ref().is_none_or(|(most, _)| bytes > *most) {
            largest = Some((bytes, format!("%{name} is {ty} and has {} bytes", ty.bytes())));
        }
    }
    match largest {
        Some((_, largest)) if !is_given(total) => Err(Error::Failed(format!(
            "{largest}; with all inputs and outputs as f64 beside their bytes {total} are needed, which the system refuses"
        ))),
        _ => Ok(()),
    }
}

/// Whether the system would give so many bytes.
pub(crate) fn is_given(bytes: u64) -> bool {
    bytes < SMALL || usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use regard_ir::graph::Builder;

    #[test]
    fn what_no_system_gives_is_refused_by_name() {
        let mut b = Builder::new("g");
        let small = b.input("x", TensorType::f32([4]));
        afford(&b.clone().finish(&[small])).unwrap();
        let large = b.input("huge", TensorType::f32([1 << 20, 1 << 20]));
        let large = b.neg(large);
        let why = afford(&b.finish(&[small, large])).unwrap_err().to_string();
        assert!(why.contains("%huge is f32[1048576, 1048576] and has 4398046511104 bytes"), "{why}");
        assert!(is_given(1 << 20) && !is_given(u64::MAX));
    }
}
