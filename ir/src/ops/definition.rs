//! Definitions as graphs: parsed once for an op and its operand types, then shared by everything that follows from them.
//!
//! ```text
//!   OpDef::body ─▶ text ─▶ graph ─┬─▶ type of the result, operations, value     where an op does not say its own
//!                                      └─▶ what inlining puts in the place of the node
//! ```
//!
//! A model has dozens of equal layers; parsing is the same work for each. The table holds a bounded number of graphs and
//! is emptied when it is full, so what anyone asks for never depends on what was asked before.

use super::Op;
use crate::{
    graph::{EvalError, Graph, Tensor, eval},
    text,
    types::TensorType,
};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// Most graphs that are kept.
const KEPT: usize = 512;

/// The definition of an op for operand types, or the sentence of the line that does not fit them.
type Parsed = Result<Arc<Graph>, String>;

type Table = HashMap<(Op, Vec<TensorType>), Parsed>;

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

impl Op {
    /// A composite's definition as a graph whose inputs are the operands, in order; `None` for a primitive. The error says which line
    /// of it does not fit the operands.
    pub fn defined(&self, operands: &[&TensorType]) -> Option<Result<Arc<Graph>, String>> {
        if !self.is_composite() {
            return None;
        }
        let key = (self.clone(), operands.iter().map(|&ty| ty.clone()).collect::<Vec<_>>());
        let table = || TABLE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = table().get(&key) {
            return Some(found.clone());
        }
        let source = self.definition(operands)?;
        let wrong = |message| format!("{} of {}: {message}", self.name(), list(operands));
        let parsed = text::parse(&source).map(Arc::new).map_err(|error| wrong(error.message));
        let mut table = table();
        if table.len() >= KEPT {
            table.clear();
        }
        table.insert(key, parsed.clone());
        Some(parsed)
    }
}

/// The type that a definition gives, of operands that fit their patterns.
pub(super) fn infer(op: &Op, operands: &[&TensorType]) -> Result<TensorType, String> {
    op.operands().fit(op.name(), operands)?;
    let graph = op.defined(operands).unwrap_or_else(|| Err(unfit(op, operands)))?;
    Ok(graph.ty(graph.outputs[0]).clone())
}

/// Operations of a definition; of a primitive without a count of its own none.
pub(super) fn flops(op: &Op, operands: &[&TensorType]) -> u64 {
    op.defined(operands).and_then(Result::ok).map_or(0, |graph| graph.flops())
}

/// The value of a definition.
pub(super) fn value(op: &Op, operands: &[&Tensor]) -> Result<Tensor, String> {
    let types: Vec<&TensorType> = operands.iter().map(|operand| &operand.ty).collect();
    let graph = op.defined(&types).unwrap_or_else(|| Err(unfit(op, &types)))?;
    let inputs = graph.inputs();
    let given = |id| inputs.iter().position(|&input| input == id).map(|at| operands[at].clone());
    let mut leaf = |id, _: &_| given(id).ok_or_else(|| EvalError::new(&graph, id, "is not an operand"));
    let mut values = eval(&graph, &mut leaf).map_err(|error| error.message)?;
    values.pop().ok_or_else(|| format!("{} has no result", op.name()))
}

fn unfit(op: &Op, operands: &[&TensorType]) -> String {
    format!("{} has no meaning for {}", op.name(), list(operands))
}

fn list(operands: &[&TensorType]) -> String {
    operands.iter().map(|ty| ty.to_string()).collect::<Vec<_>>().join(", ")
}

/// The text of a definition: operands as inputs, the lines, and the last of them as the result.
pub(super) fn text<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    operands: &[&TensorType],
    lines: &str,
) -> String {
    let lines = lines.trim_matches('\n');
    let inputs: String =
        names.into_iter().zip(operands).map(|(name, ty)| format!("  %{name} = input : {ty}\n")).collect();
    let last = lines.lines().last().and_then(|line| line.split_whitespace().next()).unwrap_or("%x");
    format!("graph {name} {{\n{inputs}{lines}\n  return {last}\n}}\n")
}
