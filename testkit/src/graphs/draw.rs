//! Drawing ops and operands.

use super::range::{Range, range};
use regard_ir::{
    graph::{Graph, NodeId},
    id::{Id, IdVec},
    ops::{
        Attend, Attention, Attr, AttrReader, Binary, BinaryOp, Cast, Concat, Const, Expand, Gather, Input,
        InverseAttention, Iota, Kind, MatMul, Op, Operand, Pad, Reduce, ReduceOp, Reshape, Roll, Row, Scores, Select,
        Slice, Transpose, Unary, UnaryOp, Unfold, ViewOp, Weight, table,
    },
    random::Random,
    types::{DType, Real, TensorType},
    view::View,
};
use std::collections::BTreeMap;

/// Largest tensor of a random graph.
pub(crate) const MOST_ELEMENTS: usize = 600;
const MOST_AXES: usize = 5;

/// Whether random graphs draw an op by its declaration alone: all of its operands say what they are.
pub(crate) fn is_drawn(row: &Row) -> bool {
    row.composite && row.operands.all.iter().all(|operand| operand.pattern.is_some())
}

/// A graph that grows.
pub(crate) struct Grower {
    pub random: Random,
    pub graph: Graph,
    ranges: IdVec<NodeId, Range>,
    allow: fn(&Op, &[&TensorType]) -> bool,
}

impl Grower {
    pub(crate) fn new(seed: u64, allow: fn(&Op, &[&TensorType]) -> bool) -> Self {
        let mut grower = Self {
            random: Random::new(seed),
            graph: Graph::new(format!("random_{seed}")),
            ranges: IdVec::new(),
            allow,
        };
        let shape = [2, grower.dim(), 4];
        grower.leaf(TensorType::f32(shape));
        grower
    }

    /// Tries one node of a random kind; kinds that are listed more than once are drawn more often.
    pub(crate) fn step(&mut self) {
        const KINDS: &[fn(&mut Grower)] = &[
            Grower::any_leaf,
            Grower::unary,
            Grower::unary,
            Grower::binary,
            Grower::binary,
            Grower::binary,
            Grower::binary,
            Grower::select,
            Grower::cast,
            Grower::product,
            Grower::product,
            Grower::reduce,
            Grower::reduce,
            Grower::gather,
            Grower::movement,
            Grower::movement,
            Grower::movement,
            Grower::movement,
            Grower::movement,
            Grower::movement,
            Grower::movement,
            Grower::concat,
            Grower::concat,
            Grower::attention,
            Grower::attention,
            Grower::attend,
            Grower::inverse_attention,
            Grower::convolution,
            Grower::batch_norm,
            Grower::pool,
            Grower::resize,
            Grower::declared,
            Grower::declared,
            Grower::declared,
            Grower::declared,
            Grower::declared,
            Grower::label,
        ];
        self.random.one(KINDS)(self);
    }

    /// The graph with one to three outputs, the last node among them.
    pub(crate) fn finish(mut self) -> Graph {
        let last = self.graph.nodes.len() - 1;
        let more = self.random.below(3);
        self.graph.outputs = (0..more).map(|_| NodeId::new(self.random.below(last + 1))).collect();
        self.graph.outputs.push(NodeId::new(last));
        self.graph
    }

    /// Keeps the node if the op accepts the operands and its values stay tame.
    pub(super) fn keep(&mut self, op: impl Into<Op>, operands: &[NodeId]) -> Option<NodeId> {
        let op = op.into();
        let types: Vec<&TensorType> = operands.iter().map(|&o| self.graph.ty(o)).collect();
        let ty = op.infer(&types).ok()?;
        if ty.elements() > MOST_ELEMENTS || ty.rank() > MOST_AXES || !(self.allow)(&op, &types) {
            return None;
        }
        let range = range(&op, &types, &operands.iter().map(|&o| self.ranges[o]).collect::<Vec<_>>())?;
        self.ranges.push(range);
        Some(self.graph.push(op, operands).expect("the op accepted these types"))
    }

    fn any(&mut self) -> NodeId {
        let n = self.graph.nodes.len();
        NodeId::new(self.random.below(n))
    }

    fn of_type(&mut self, dtype: DType) -> Option<NodeId> {
        let all: Vec<NodeId> = self.graph.nodes.ids().filter(|&id| self.graph.ty(id).dtype == dtype).collect();
        (!all.is_empty()).then(|| self.random.one(&all))
    }

    pub(super) fn with_rank(&mut self, least: usize) -> Option<NodeId> {
        let all: Vec<NodeId> = self.graph.nodes.ids().filter(|&id| self.graph.ty(id).rank() >= least).collect();
        (!all.is_empty()).then(|| self.random.one(&all))
    }

    pub(super) fn dim(&mut self) -> usize {
        self.random.one(&[1, 2, 2, 3, 4, 4, 5, 6])
    }

    pub(super) fn axis(&mut self, ty: &TensorType) -> i64 {
        let rank = ty.rank().max(1);
        let axis = self.random.below(rank) as i64;
        if self.random.below(2) == 0 { axis } else { axis - rank as i64 }
    }

    pub(super) fn leaf(&mut self, ty: TensorType) -> NodeId {
        let name = format!("leaves.{}.weight", self.graph.nodes.len());
        let op: Op = if self.random.below(2) == 0 { Input { ty }.into() } else { Weight { ty }.into() };
        let node = self.graph.push(op.clone(), &[]).expect("a leaf of small dimensions is valid");
        self.ranges.push(range(&op, &[], &[]).expect("leaves are tame"));
        self.graph.set_label(node, name);
        node
    }

    fn any_leaf(&mut self) {
        let dtypes = [DType::F32, DType::F32, DType::I32, DType::Bool, DType::Bf16, DType::F16];
        let (rank, dtype) = (self.random.below(4), self.random.one(&dtypes));
        let shape: Vec<usize> = (0..rank).map(|_| self.dim()).collect();
        let ty = TensorType::new(dtype, shape);
        match self.random.below(4) {
            0 => {
                let value = if dtype == DType::Bool { 1.0 } else { self.random.below(5) as f64 - 2.0 };
                self.keep(Const { ty, value: Real::new(value) }, &[]);
            }
            1 => {
                let axis = self.axis(&ty);
                self.keep(Iota { ty, axis }, &[]);
            }
            _ if dtype == DType::F32 || (self.allow)(&Input { ty: ty.clone() }.into(), &[]) => {
                self.leaf(ty);
            }
            _ => {}
        }
    }

    fn unary(&mut self) {
        let op = self.random.one(&UnaryOp::ALL).0;
        let mut x = self.any();
        if matches!(op, UnaryOp::Log | UnaryOp::Sqrt | UnaryOp::Rsqrt | UnaryOp::Recip) {
            let Some(apart) = self.apart(x) else { return };
            x = apart;
        }
        self.keep(Unary { op }, &[x]);
    }

    /// |x| + 1: most ranges contain 0, and this does not.
    fn apart(&mut self, x: NodeId) -> Option<NodeId> {
        let one = Const { ty: TensorType::new(self.graph.ty(x).dtype, []), value: Real::new(1.0) };
        let size = self.keep(Unary { op: UnaryOp::Abs }, &[x])?;
        let one = self.keep(one, &[])?;
        self.keep(Binary { op: BinaryOp::Add }, &[size, one])
    }

    fn binary(&mut self) {
        let op = self.random.one(&BinaryOp::ALL).0;
        let dtype = match op {
            BinaryOp::And | BinaryOp::Or => DType::Bool,
            BinaryOp::Pow => DType::F32,
            _ => self.random.one(&DType::ALL),
        };
        let mut x = self.of_type(dtype).unwrap_or_else(|| self.any());
        if op == BinaryOp::Pow && self.random.below(2) == 0 {
            let Some(apart) = self.apart(x) else { return };
            x = apart;
        }
        let dtype = self.graph.ty(x).dtype;
        let value = Real::new(if dtype == DType::Bool { 1.0 } else { 1.0 + self.random.below(3) as f64 });
        let y = match self.random.below(2) {
            0 => self.keep(Const { ty: TensorType::new(dtype, []), value }, &[]),
            _ => self.of_type(dtype),
        };
        if let Some(y) = y {
            self.keep(Binary { op }, &[x, y]);
        }
    }

    fn select(&mut self) {
        let a = self.any();
        if let (Some(c), Some(b)) = (self.of_type(DType::Bool), self.of_type(self.graph.ty(a).dtype)) {
            self.keep(Select, &[c, a, b]);
        }
    }

    fn cast(&mut self) {
        let (x, to) = (self.any(), self.random.one(&DType::ALL));
        self.keep(Cast { to }, &[x]);
    }

    /// A weight `[rows, cols]`, sometimes with the leading axes of `like`.
    fn matrix(&mut self, like: &TensorType, rows: usize, cols: usize) -> NodeId {
        let lead = if self.random.below(2) == 0 { &like.shape[..like.rank() - 2] } else { &[] };
        let ty = TensorType::new(like.dtype, [lead, &[rows, cols]].concat());
        self.leaf(ty)
    }

    fn product(&mut self) {
        let Some(a) = self.with_rank(2) else { return };
        let ty = self.graph.ty(a).clone();
        if ty.dtype.is_float() {
            let cols = self.dim();
            let b = self.matrix(&ty, ty.shape[ty.rank() - 1], cols);
            self.keep(MatMul, &[a, b]);
        }
    }

    fn reduce(&mut self) {
        let Some(x) = self.with_rank(1) else { return };
        let (op, axis) = (self.random.one(&ReduceOp::ALL).0, self.axis(&self.graph.ty(x).clone()));
        self.keep(Reduce { op, axis }, &[x]);
    }

    fn gather(&mut self) {
        let Some(table) = self.with_rank(1) else { return };
        let rows = 1 + self.random.below(self.graph.ty(table).shape[0]);
        let index = match self.random.below(2) {
            0 => self.keep(Iota { ty: TensorType::new(DType::I32, [rows, 2]), axis: 0 }, &[]),
            _ => self.of_type(DType::I32),
        };
        let Some(index) = index else { return };
        let (low, high) = self.ranges[index];
        if low >= 0.0 && (high as usize) < self.graph.ty(table).shape[0] {
            self.keep(Gather, &[table, index]);
        }
    }

    fn movement(&mut self) {
        let Some(x) = self.with_rank(1) else { return };
        let ty = self.graph.ty(x).clone();
        if let Some(op) = self.movement_op(&ty) {
            self.keep(op, &[x]);
        }
    }

    fn movement_op(&mut self, ty: &TensorType) -> Option<Op> {
        let axis = self.axis(ty);
        let extent = ty.shape[ty.axis(axis).ok()?];
        let signed = |shape: &[usize]| shape.iter().map(|&d| d as i64).collect::<Vec<_>>();
        Some(match self.random.below(8) {
            0 => Reshape { shape: signed(&self.factors(ty.elements())) }.into(),
            1 => Transpose { order: self.order(ty.rank()) }.into(),
            2 => {
                let widened: Vec<usize> = ty.shape.iter().map(|&d| if d == 1 { self.dim() } else { d }).collect();
                let lead = vec![2; self.random.below(2)];
                Expand { shape: signed(&[lead, widened].concat()) }.into()
            }
            3 => {
                let start = self.random.below(extent);
                let stop = start + 1 + self.random.below(extent - start);
                Slice { axis, start, stop, step: 1 + self.random.below(2) }.into()
            }
            4 => {
                let value = if ty.dtype == DType::Bool { 1.0 } else { self.random.below(5) as f64 - 2.0 };
                Pad { axis, low: self.random.below(3), high: self.random.below(3), value: Real::new(value) }.into()
            }
            5 => {
                let size = 1 + self.random.below(extent.min(3));
                Unfold { axis, size, stride: 1 + self.random.below(2), dilation: 1 + self.random.below(2) }.into()
            }
            6 => Roll { axis, shift: self.random.below(13) as i64 - 6 }.into(),
            _ => {
                let first = self.movement_op(ty)?;
                let middle = TensorType::new(ty.dtype, first.infer(&[ty]).ok()?.shape);
                let second = self.movement_op(&middle)?;
                ViewOp { map: View::of_op(&first, ty)?.then(&View::of_op(&second, &middle)?)? }.into()
            }
        })
    }

    fn factors(&mut self, n: usize) -> Vec<usize> {
        let mut rest = n;
        let mut shape = Vec::new();
        for _ in 0..self.random.below(3) {
            let divisors: Vec<usize> = (1..=rest).filter(|d| rest.is_multiple_of(*d)).collect();
            shape.push(self.random.one(&divisors));
            rest /= shape[shape.len() - 1];
        }
        shape.push(rest);
        shape
    }

    /// A permutation of the last axes, counted from the end.
    fn order(&mut self, rank: usize) -> Vec<i64> {
        let moved = 1 + self.random.below(rank);
        let mut order: Vec<i64> = (1..=moved as i64).rev().map(|a| -a).collect();
        for i in (1..moved).rev() {
            order.swap(i, self.random.below(i + 1));
        }
        order
    }

    fn concat(&mut self) {
        let Some(x) = self.with_rank(1) else { return };
        let ty = self.graph.ty(x).clone();
        let axis = self.axis(&ty);
        let mut operands = vec![x];
        for _ in 0..1 + self.random.below(2) {
            let like: Vec<NodeId> = self.graph.nodes.ids().filter(|&id| *self.graph.ty(id) == ty).collect();
            operands.push(self.random.one(&like));
        }
        self.keep(Concat { axis }, &operands);
    }

    fn attention(&mut self) {
        let Some(q) = self.with_rank(2) else { return };
        let ty = self.graph.ty(q).clone();
        if !ty.dtype.is_float() {
            return;
        }
        let (keys, width) = (self.dim(), self.dim());
        let k = self.matrix(&ty, keys, ty.shape[ty.rank() - 1]);
        if self.random.below(2) == 0 {
            self.keep(Scores, &[q, k]);
            return;
        }
        let v = self.matrix(&ty, keys, width);
        let mut operands = vec![q, k, v];
        if self.random.below(2) == 0 {
            operands.push(self.leaf(TensorType::f32([ty.shape[ty.rank() - 2], keys])));
        }
        self.keep(Attention { scale: Real::new(0.5) }, &operands);
    }

    fn attend(&mut self) {
        let Some(s) = self.with_rank(2) else { return };
        let ty = self.graph.ty(s).clone();
        if ty.dtype.is_float() {
            let width = self.dim();
            let v = self.matrix(&ty, ty.shape[ty.rank() - 1], width);
            let axis = self.random.one(&[-1, -2]);
            self.keep(Attend { axis }, &[s, v]);
        }
    }

    fn inverse_attention(&mut self) {
        let Some(context) = self.with_rank(2) else { return };
        let ty = self.graph.ty(context).clone();
        let [.., tokens, e] = ty.shape[..] else { return };
        if !ty.dtype.is_float() || tokens * tokens > MOST_ELEMENTS {
            return;
        }
        let (d, a, b) = (self.dim(), self.random.one(&[1, 2, 3]), self.random.one(&[1, 2, 3]));
        let [q, k, l] = [d, d, a].map(|width| self.matrix(&ty, tokens, width));
        let [g, shift] = [a * b, b].map(|rows| self.leaf(TensorType::f32([rows, e])));
        let mut operands = vec![q, k, l, context, g, shift];
        if self.random.below(2) == 0 {
            operands.push(self.leaf(TensorType::f32([tokens, tokens])));
        }
        self.keep(InverseAttention { scale: Real::new(0.5) }, &operands);
    }

    /// Any op whose declaration says what its operands are.
    fn declared(&mut self) {
        let rows: Vec<&Row> = table().values().filter(|row| is_drawn(row)).collect();
        let row = self.random.one(&rows);
        let Some(first) = self.with_rank(1) else { return };
        let ty = self.graph.ty(first).clone();
        if !ty.dtype.is_float() {
            return;
        }
        let attrs = row.attrs.iter().map(|&(name, kind)| (name.to_string(), self.attr(kind, &ty))).collect();
        let Ok(op) = row.read(&mut AttrReader::new(attrs, None)) else { return };
        let mut extents = BTreeMap::new();
        let operands: Vec<NodeId> = (row.operands.all.iter().enumerate())
            .map(|(at, operand)| self.operand(operand, (at == 0).then_some(first), &ty, &mut extents))
            .collect();
        self.keep(op, &operands);
    }

    /// An operand that its pattern fits: `given`, whose extents the letters then stand for, a node of the same type, or
    /// a new leaf.
    fn operand<'a>(
        &mut self,
        operand: &'a Operand,
        given: Option<NodeId>,
        like: &TensorType,
        letters: &mut BTreeMap<&'a str, usize>,
    ) -> NodeId {
        let (further, wanted) = operand.extents().unwrap_or_default();
        if let Some(given) = given {
            letters.extend(wanted.iter().rev().copied().zip(like.shape.iter().rev().copied()));
            return given;
        }
        if further && wanted.is_empty() && self.random.below(2) == 0 {
            return self.of_type(like.dtype).expect("there is one");
        }
        let mut extent = |letter: &&'a str| match letter.parse() {
            Ok(number) => number,
            Err(_) => *letters.entry(letter).or_insert_with(|| self.random.one(&[1, 2, 3, 4])),
        };
        let shape: Vec<usize> = wanted.iter().map(&mut extent).collect();
        self.leaf(TensorType::new(like.dtype, shape))
    }

    /// A value for an attribute of an op applied to `ty`.
    fn attr(&mut self, kind: Kind, ty: &TensorType) -> Attr {
        match kind {
            Kind::Int => Attr::Int(self.axis(ty)),
            Kind::Size => Attr::Int(1 + self.random.below(3) as i64),
            Kind::Flag => Attr::Int(self.random.below(2) as i64),
            Kind::Real => Attr::Real(Real::new(self.random.one(&[0.25, 0.5, 1.0, 2.0]))),
            Kind::Word(words) => Attr::Word(self.random.one(words).to_string()),
            Kind::Pair => Attr::Ints(vec![1 + self.random.below(3) as i64; 2]),
            Kind::Ints | Kind::View | Kind::Type => Attr::Ints(Vec::new()),
        }
    }

    /// Names a node that has none.
    fn label(&mut self) {
        let node = self.any();
        if self.graph.node(node).label.is_none() {
            let n = node.index();
            let names = [format!("t{n}"), format!("blocks.{n}.attn"), format!("{n}"), format!("odd name \"{n}\" é")];
            let name = names[self.random.below(names.len())].clone();
            self.graph.set_label(node, name);
        }
    }
}
