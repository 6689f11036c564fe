//! Binding: moved constants have the bits that the interpreter gives, in panels and dense; constants that are NaN name their weights.

use super::*;
use crate::pipeline::{self, Trace};
use proptest::prelude::*;
use regard_ir::{
    id::IdVec,
    program::{BufferDecl, MAX_FACTOR},
    random::{fnv1a, number},
    target::Target,
    types::TensorType,
};
use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Weights whose elements are all the same, by name.
struct Same(&'static [(&'static str, f32)]);

impl Weights for Same {
    fn describe(&self) -> String {
        "weights of a test".into()
    }
    fn check(&self, _: &Graph) -> Result<()> {
        Ok(())
    }
    fn floats(&self, name: &str, _: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        let value = self.0.iter().find(|(other, _)| *other == name).map_or(1.0, |(_, value)| *value);
        Ok(vec![value; range.len()])
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        Ok(self.floats(name, ty, range)?.into_iter().map(f64::from).collect())
    }
}

fn refusal(values: &'static [(&'static str, f32)]) -> String {
    let text = "graph g {
        %x = input : f32[2, 4]
        %scale = weight : f32[4]
        %var = weight : f32[4]
        %positive = add %var, 1e-5
        %root = rsqrt %positive
        %factor = mul %scale, %root
        %y = mul %x, %factor
        return %y
    }";
    let graph: Graph = text.parse().expect("it can be read");
    let target = Target::named("x86-64-v3").expect("it is a row");
    let program = pipeline::lower_to_kernels(&graph, target, &mut Trace::new()).expect("it compiles");
    match bind(&program, &Same(values)) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn constants_that_are_nan_name_their_weights() {
    assert_eq!(refusal(&[]), "");
    assert_eq!(refusal(&[("var", -1.0)]), "rsqrt of weight `var` is NaN at position 0 of f32[4], expected a number");
    assert_eq!(
        refusal(&[("var", f32::INFINITY), ("scale", f32::INFINITY)]),
        "mul of weights `var` and `scale` is NaN at position 0 of f32[4], of operands that hold infinities, \
         expected a number"
    );
}

/// Weights with all kinds of mantissas, of which no more than `most` elements are asked for at once.
#[derive(Default)]
struct Spans {
    most: AtomicUsize,
}

impl Weights for Spans {
    fn describe(&self) -> String {
        "weights of a test".into()
    }
    fn check(&self, _: &Graph) -> Result<()> {
        Ok(())
    }
    fn floats(&self, name: &str, _: &TensorType, range: Range<usize>) -> Result<Vec<f32>> {
        self.most.fetch_max(range.len(), Ordering::Relaxed);
        let value = |i| {
            let bits = number(fnv1a(name.as_bytes()), i as u64);
            let exponent = 60 + (bits >> 32) as u32 % 120;
            f32::from_bits(bits as u32 & 0x807f_ffff | exponent << 23)
        };
        Ok(range.map(value).collect())
    }
    fn values(&self, name: &str, ty: &TensorType, range: Range<usize>) -> Result<Vec<f64>> {
        Ok(self.floats(name, ty, range)?.into_iter().map(f64::from).collect())
    }
}

/// The bytes of a graph's first output as a constant: as lowering says where it comes from, or computed.
fn bytes(graph: &Graph, layout: Layout, computed: bool, weights: &Spans) -> Vec<u8> {
    let root = graph.outputs[0];
    let moved = ConstantSource::moved(graph, root, View::identity(&graph.ty(root).shape));
    let source = if computed { ConstantSource::Computed { output: 0 } } else { moved.expect("it is moved") };
    let len = layout.stored() as u64;
    let storage = Storage::Constant(0);
    let buffers: IdVec<_, _> = [BufferDecl { name: "c".into(), dtype: DType::F32, len, storage }].into_iter().collect();
    let buffer = buffers.ids().next().expect("one buffer");
    let program: Program<()> = Program {
        name: "constants".into(),
        kernels: IdVec::new(),
        buffers,
        launches: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        constant_graph: graph.clone(),
        constants: vec![Constant { buffer, source, layout }],
        arena_bytes: 0,
        constant_bytes: 4 * len,
    };
    assert_eq!(program.faults(), Vec::<String>::new());
    bind(&program, weights).expect("the weights can be read").bytes().to_vec()
}

fn graph(lines: &str) -> Graph {
    format!("graph g {{\n{lines}\n}}").parse().expect("it can be read")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Copied from f32 to f32 is what the f64 interpreter gives, bit for bit.
    #[test]
    fn moved_constants_are_those_of_the_interpreter(
        rows in 1usize..400, cols in 1usize..400, width in 1usize..70, swap: bool, scaled in 0usize..4, dense: bool,
    ) {
        let (outer, inner) = if swap { (cols, rows) } else { (rows, cols) };
        let moved = if swap { "transpose %w { order = [-1, -2] }".into() } else { format!("reshape %w {{ shape = [{rows}, {cols}] }}") };
        let scale = ["".into(), format!("[{cols}]"), format!("[{rows}, 1]"), format!("[{rows}, {cols}]")];
        let lines = format!("%w = weight : f32[{outer}, {inner}]\n%m = {moved}\n");
        let graph = graph(&match &scale[scaled][..] {
            _ if scaled == 0 || scaled == 3 && rows * cols > MAX_FACTOR => format!("{lines}return %m"),
            shape => format!("{lines}%g = weight : f32{shape}\n%y = mul %m, %g\nreturn %y"),
        });
        let weights = Spans::default();
        let values = eval_nodes(&graph, &graph.outputs, &mut leaf(&graph, &weights, |_, _| None)).expect("it has a value");
        let layout = if dense { Layout::dense(&[rows, cols]) } else { Layout::panels(&[rows, cols], width) };
        let found = bytes(&graph, layout, false, &weights);
        let width = layout.width;
        prop_assert_eq!(found.len(), 4 * cols.div_ceil(width) * rows * width);
        for (at, found) in found.as_chunks::<4>().0.iter().enumerate() {
            let (panel, row, column) = (at / (rows * width), at / width % rows, at % width);
            let column = panel * width + column;
            let wanted = if column < cols { values[0].data[row * cols + column] as f32 } else { 0.0 };
            prop_assert_eq!(found, &wanted.to_le_bytes(), "row {}, column {}", row, column);
        }
        prop_assert!(found == bytes(&graph, layout, true, &weights));
    }
}

#[test]
fn weights_are_read_one_span_at_a_time() {
    let (n, k) = (500, 300);
    let most = |read: &dyn Fn(&Spans)| {
        let weights = Spans::default();
        read(&weights);
        weights.most.into_inner()
    };
    let transposed = format!("%w = weight : f32[{n}, {k}]\n%m = transpose %w {{ order = [-1, -2] }}\n");
    let panels = graph(&format!("{transposed}return %m"));
    assert_eq!(most(&|weights| drop(bytes(&panels, Layout::panels(&[k, n], 48), false, weights))), 48 * k);
    let dense = graph(&format!("%m = weight : f32[{n}, {k}]\nreturn %m"));
    assert_eq!(most(&|weights| drop(bytes(&dense, Layout::dense(&[n, k]), false, weights))), 65536 / k * k);
    let product = graph(&format!("{transposed}%r = weight : f32[1, {k}]\n%y = matmul %r, %m\nreturn %y"));
    assert_eq!(most(&|weights| drop(bytes(&product, Layout::dense(&[1, n]), true, weights))), 65536 / k * k);
}
