//! Constants: what lowering recognises as a moved weight, what the verifier refuses, and one packing rule for all layouts.

use super::*;
use crate::{
    graph::{Tensor, eval_nodes},
    id::{Id, IdVec},
    program::{BufferDecl, constant_values},
    types::Real,
};
use proptest::prelude::*;

fn graph(lines: &str) -> Graph {
    let text = format!("graph g {{\n{lines}\n}}");
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Where the first output of a graph comes from.
fn source(lines: &str) -> Option<ConstantSource> {
    let graph = graph(lines);
    let root = graph.outputs[0];
    ConstantSource::moved(&graph, root, View::identity(&graph.ty(root).shape))
}

/// A program of one constant and no kernels.
fn program(graph: Graph, source: ConstantSource, layout: Layout) -> Program<()> {
    let mut buffers = IdVec::new();
    let len = layout.stored() as u64;
    let buffer = buffers.push(BufferDecl { name: "c".into(), dtype: DType::F32, len, storage: Storage::Constant(0) });
    Program {
        name: "constants".into(),
        kernels: IdVec::new(),
        buffers,
        launches: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        constant_graph: graph,
        constants: vec![Constant { buffer, source, layout }],
        arena_bytes: 0,
        constant_bytes: 4 * len,
    }
}

#[test]
fn moved_weights_are_found() {
    let moved = |lines: &str| match source(lines) {
        Some(ConstantSource::Moved { weight, factor }) => {
            Some((weight.view.to_string(), factor.map(|factor| factor.view.to_string())))
        }
        _ => None,
    };
    let w = "%w = weight : f32[3, 4]\n%g = weight : f32[4]\n%t = transpose %w { order = [-1, -2] }\n";
    let found = |line: &str| moved(&format!("{w}{line}"));
    let transposed = || "[4, 3] of 12: 4*i1 + i0".to_owned();
    assert_eq!(found("return %t"), Some((transposed(), None)));
    let factor = Some("[4, 3] of 4: i0".to_owned());
    let column = "%c = reshape %g { shape = [4, 1] }\n";
    assert_eq!(found(&format!("{column}%y = mul %t, %c\nreturn %y")), Some((transposed(), factor.clone())));
    assert_eq!(found(&format!("{column}%y = mul %c, %t\nreturn %y")), Some((transposed(), factor)));
    let rolled = "%y = roll %w { axis = -2, shift = 1 }\nreturn %y";
    assert!(found(rolled).is_some(), "rows may be rolled");
    for more in [
        "%y = roll %w { axis = -1, shift = 1 }\nreturn %y",
        "%y = pad %w { axis = -2, low = 1, high = 0, value = 0.0 }\nreturn %y",
        "%y = add %w, %g\nreturn %y",
        "%a = mul %w, %g\n%y = mul %a, %g\nreturn %y",
        "%y = mul %w, 2.0\nreturn %y",
    ] {
        assert_eq!(found(more), None, "{more}");
    }
    assert_eq!(moved("%w = weight : bf16[3, 4]\nreturn %w"), None);
    assert_eq!(moved("%w = weight : f32[]\nreturn %w"), None, "a number has no rows");
    let large = |n: usize| format!("%w = weight : f32[2, {n}]\n%g = weight : f32[{n}]\n%y = mul %w, %g\nreturn %y");
    assert!(moved(&large(MAX_FACTOR)).is_some());
    assert_eq!(moved(&large(MAX_FACTOR + 1)), None, "a factor is held as a whole");
}

#[test]
fn constants_that_do_not_fit_are_faults() {
    let lines = "%w = weight : f32[3, 5]\n%h = weight : bf16[3, 5]\n%s = add %w, 1.0\nreturn %s";
    let weight = |name: &str, view: View| {
        let weight = graph(lines).labelled(name).expect("a weight of the graph");
        MovedWeight { weight, view }
    };
    let w = |view| weight("w", view);
    let identity = || View::identity(&[3, 5]);
    let moved = |weight, factor| ConstantSource::Moved { weight, factor };
    let valid = |source| program(graph(lines), source, Layout::panels(&[3, 5], 4));
    for source in
        [moved(w(identity()), None), moved(w(identity()), Some(w(identity()))), ConstantSource::Computed { output: 0 }]
    {
        assert_eq!(valid(source).faults(), Vec::<String>::new());
    }
    let missing = MovedWeight { weight: NodeId::new(99), view: identity() };
    let sum = MovedWeight { weight: graph(lines).outputs[0], view: identity() };
    let leaves = View { len: 15, ..View::identity(&[4, 5]) };
    for source in [
        moved(missing, None),
        moved(sum, None),
        moved(weight("h", identity()), None),
        moved(w(View::identity(&[2, 5])), None),
        moved(w(View::identity(&[15])), None),
        moved(w(View::transpose(&[3, 5], &[1, 0])), None),
        moved(w(View::roll(&[3, 5], 1, 2)), None),
        moved(w(leaves), None),
        moved(w(identity()), Some(w(View::identity(&[15])))),
        moved(w(identity()), Some(w(View::identity(&[3, 4])))),
        ConstantSource::Computed { output: 1 },
    ] {
        let faults = valid(source.clone()).faults();
        assert!(matches!(&faults[..], [one] if one.contains("does not fit where")), "{source:?}: {faults:?}");
    }
    let fault = |change: fn(&mut Program<()>)| {
        let mut program = valid(ConstantSource::Computed { output: 0 });
        change(&mut program);
        let faults = program.faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.into_iter().next().expect("there is one")
    };
    assert!(fault(|p| p.constants[0].buffer = BufferId::new(7)).contains("fills buffer m7, which is none"));
    assert!(fault(|p| p.constants[0].layout.width = 0).contains("of 24 is not"));
    assert!(fault(|p| p.constants[0].layout.width = 3).contains("of 24 is not"));
    assert!(fault(|p| p.constants[0].layout.rows = usize::MAX).contains("of 24 is not"));
    assert!(fault(|p| p.constants[0].layout = Layout::panels(&[6, 4], 4)).contains("does not fit where"));
}

#[test]
fn a_moved_weight_lies_in_the_constants_only_as_f32() {
    let graph = graph("%w = weight : f32[3, 4]\nreturn %w");
    let weight = MovedWeight { weight: graph.outputs[0], view: View::identity(&[3, 4]) };
    let mut program = program(graph, ConstantSource::Moved { weight, factor: None }, Layout::dense(&[3, 4]));
    program.buffers.values_mut().for_each(|buffer| buffer.dtype = DType::Bf16);
    assert!(program.faults()[0].contains("of 3×4 bf16 does not fit where"), "{:?}", program.faults());
    let fill = View::pad(&[2, 4], 0, 1, 0, Real::new(0.0));
    assert!(!fill.is_separable());
}

proptest! {
    /// What a moved weight is said to be, packed, is the value of the node in the layout's own words.
    #[test]
    fn moved_weights_have_the_values_of_their_node(
        rows in 1usize..12, cols in 1usize..12, width in 1usize..8, swap: bool, scaled in 0usize..4, dense: bool,
    ) {
        let (outer, inner) = if swap { (cols, rows) } else { (rows, cols) };
        let moved = if swap { "%m = transpose %w { order = [-1, -2] }" } else { "%m = reshape %w { shape = [R, C] }" };
        let shape = ["", "[C]", "[R, 1]", "[R, C]"][scaled];
        let mut lines = format!("%w = weight : f32[{outer}, {inner}]\n{moved}\n");
        match shape {
            "" => lines += "return %m",
            shape => lines += &format!("%g = weight : f32{shape}\n%y = mul %m, %g\nreturn %y"),
        }
        let graph = graph(&lines.replace('R', &rows.to_string()).replace('C', &cols.to_string()));
        let root = graph.outputs[0];
        let mut leaf = |id: NodeId, node: &crate::graph::Node| {
            let value = |i: usize| (i as f64 + 1.0) / 8.0 - id.index() as f64;
            Ok(Tensor::new(node.ty.clone(), (0..node.ty.elements()).map(value).collect()))
        };
        let wanted = eval_nodes(&graph, &[root], &mut leaf).expect("it has a value").remove(0).data;
        let source = ConstantSource::moved(&graph, root, View::identity(&[rows, cols])).expect("it is moved");
        let layout = if dense { Layout::dense(&[rows, cols]) } else { Layout::panels(&[rows, cols], width) };
        let program = program(graph, source, layout);
        prop_assert_eq!(program.faults(), Vec::<String>::new());
        let found = constant_values(&program, &program.constants[0], &mut leaf).expect("it has values");
        let width = if dense { cols } else { width };
        prop_assert_eq!(found.len(), cols.div_ceil(width) * rows * width);
        for (at, &value) in found.iter().enumerate() {
            let (panel, row, column) = (at / (rows * width), at / width % rows, at % width);
            let column = panel * width + column;
            let wanted = if column < cols { wanted[row * cols + column] } else { 0.0 };
            prop_assert_eq!(value, wanted, "row {}, column {}", row, column);
        }
    }
}
