//! Every rule on operands drawn from its signature.
//!
//! A draw gives each letter an extent, each variable a leaf or an attribute, and the left side becomes a graph.
//! Where the rule then applies, the right side must have the same value. Views are drawn from all movements that fit,
//! suitable or not, so a condition that is too weak meets its counterexample.

use super::super::{
    rules::{self, Rule, instantiate, variables},
    signature::{Dim, Dims, Kind, Letters},
    term::{Fact, Leaf, Term, decode, fact_of},
};
use egg::{Id, RecExpr};
use regard_ir::{
    graph::{Graph, NodeId, Tensor, eval, random::Random},
    ops::{Attr, Input},
    types::{DType, Real, TensorType, broadcast},
    view::View,
};
use std::collections::BTreeMap;

/// A left side and what its variables are.
struct Draw {
    leaves: Vec<Leaf>,
    terms: BTreeMap<String, Term>,
    random: Random,
    letters: Letters,
    shapes: Vec<Vec<usize>>,
}

impl Draw {
    fn new(seed: u64) -> Draw {
        let (leaves, terms) = (Vec::new(), BTreeMap::new());
        Draw { leaves, terms, random: Random::new(seed), letters: Letters::default(), shapes: Vec::new() }
    }

    fn extent(&mut self) -> usize {
        1 + self.random.below(6)
    }

    fn lead(&mut self) -> Vec<usize> {
        (0..self.random.below(3)).map(|_| 1 + self.random.below(3)).collect()
    }

    /// A shape that fits the pattern; letters not yet bound are drawn.
    fn shape(&mut self, dims: &Dims) -> Option<Vec<usize>> {
        let mut shape = Vec::new();
        for (at, dim) in dims.iter().enumerate() {
            match *dim {
                Dim::Fixed(n) => shape.push(n),
                Dim::One(_) => match self.letters.shape(&[*dim]) {
                    Some(one) => shape.extend(one),
                    None => {
                        let extent = self.extent();
                        shape.push(extent);
                        self.letters.unify(&[*dim], &[extent]);
                    }
                },
                Dim::Many(_) => match self.letters.shape(&[*dim]) {
                    Some(many) => shape.extend(many),
                    None if dims.len() == 1 && at == 0 => shape.extend(self.whole()),
                    None => shape.extend(self.lead()),
                },
                Dim::Like(c) => {
                    let other = self.letters.shape(&[Dim::Many(c)]).unwrap_or_default();
                    shape.extend(self.narrowed(&other));
                }
            }
        }
        self.letters.unify(dims, &shape).then_some(shape)
    }

    /// Any shape, often one that broadcasts to a shape drawn before.
    fn whole(&mut self) -> Vec<usize> {
        if self.shapes.is_empty() || self.random.below(4) == 0 {
            return (0..1 + self.random.below(3)).map(|_| self.extent()).collect();
        }
        let other = self.shapes[self.random.below(self.shapes.len())].clone();
        self.narrowed(&other)
    }

    /// A shape that broadcasts to another.
    fn narrowed(&mut self, shape: &[usize]) -> Vec<usize> {
        let from = if self.random.below(2) == 0 { 0 } else { self.random.below(shape.len() + 1) };
        let keep = |d: usize, random: &mut Random| if random.below(4) == 0 { 1 } else { d };
        shape[from..].iter().map(|&d| keep(d, &mut self.random)).collect()
    }

    /// A map out of a source of that shape to a result that fits, if any does.
    fn map(&mut self, from: &Dims, to: &Dims) -> Option<View> {
        let source = match self.letters.shape(from) {
            Some(source) => source,
            None => {
                let source = self.letters.shape(to).map(|to| self.narrowed(&to))?;
                self.letters.unify(from, &source).then_some(source)?
            }
        };
        let wanted = self.letters.shape(to);
        for _ in 0..12 {
            let map = self.any_map(&source, wanted.as_deref());
            if let Some(map) = map
                && wanted.as_ref().is_none_or(|w| *w == map.shape)
                && self.letters.unify(to, &map.shape)
            {
                self.shapes.push(map.shape.clone());
                return Some(map);
            }
        }
        None
    }

    fn any_map(&mut self, source: &[usize], wanted: Option<&[usize]>) -> Option<View> {
        let start = View::identity(source);
        let target = wanted.unwrap_or(source);
        let n = target.iter().product::<usize>();
        match self.random.below(6) {
            0 | 1 => (broadcast(source, target).as_deref() == Some(target)).then(|| View::expand(source, target)),
            2 => (start.len == n).then(|| View::reshape(source, target)),
            3 => {
                // A vector down the rows of a matrix.
                let [.., rows, _] = *target else { return None };
                (start.len == rows)
                    .then(|| View::reshape(source, &[rows, 1]).then(&View::expand(&[rows, 1], target)))?
            }
            _ => {
                let mut map = start;
                for _ in 0..1 + self.random.below(3) {
                    let step = self.movement(&map.shape)?;
                    map = map.then(&step)?;
                }
                match broadcast(&map.shape, target) {
                    Some(both) if both == target => map.then(&View::expand(&map.shape, target)),
                    _ => Some(map),
                }
            }
        }
    }

    fn movement(&mut self, shape: &[usize]) -> Option<View> {
        let rank = shape.len();
        let axis = self.random.below(rank.max(1));
        if rank == 0 {
            return Some(View::expand(shape, &[2]));
        }
        let extent = shape[axis];
        Some(match self.random.below(7) {
            0 => View::roll(shape, axis, 1),
            1 if extent > 1 => View::slice(shape, axis, 1, extent, 1),
            2 => View::pad(shape, axis, 1, 0, Real::new(0.0)).then(&View::slice(
                &grown(shape, axis),
                axis,
                0,
                extent,
                1,
            ))?,
            3 => View::reshape(shape, &merged(shape, axis)),
            4 => View::expand(shape, &[&[2], shape].concat()),
            5 => View::reshape(shape, &split(shape, axis, 1 + self.random.below(extent))),
            _ => {
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(axis, self.random.below(rank));
                View::transpose(shape, &order)
            }
        })
    }

    /// Draws one variable.
    fn variable(&mut self, name: &str, kind: &Kind) -> Option<()> {
        let term = match kind {
            Kind::Tensor(dims, wanted, dtype) => {
                let shape = self.shape(dims)?;
                self.shapes.push(shape.clone());
                let constant = wanted.unwrap_or_else(|| self.random.below(3) == 0);
                self.leaves.push(Leaf { ty: TensorType::new(*dtype, shape), constant });
                Term::Leaf(self.leaves.len() as u32 - 1)
            }
            Kind::Type(dims) => Term::Type(TensorType::f32(self.shape(dims)?)),
            Kind::Map(from, to) => Term::Attr("map", Attr::Word(self.map(from, to)?.to_string())),
            Kind::Axis(dims) => {
                let rank = self.letters.shape(dims).map_or(3, |s| s.len().max(1));
                let axis = self.random.below(2 * rank) as i64 - rank as i64;
                Term::Attr("axis", Attr::Int(axis))
            }
            Kind::Number(list) => Term::Attr("value", Attr::Real(Real::new(list[self.random.below(list.len())]))),
            Kind::Word(list) => Term::Attr("to", Attr::Word(list[self.random.below(list.len())].clone())),
        };
        self.terms.insert(name.to_string(), term);
        Some(())
    }
}

fn grown(shape: &[usize], axis: usize) -> Vec<usize> {
    shape.iter().enumerate().map(|(a, &d)| d + usize::from(a == axis)).collect()
}

/// The shape with an axis split in two, the first of `parts`, where that divides it.
fn split(shape: &[usize], axis: usize, parts: usize) -> Vec<usize> {
    let parts = if shape[axis].is_multiple_of(parts) { parts } else { 1 };
    [&shape[..axis], &[parts, shape[axis] / parts], &shape[axis + 1..]].concat()
}

/// The shape with an axis merged into the next.
fn merged(shape: &[usize], axis: usize) -> Vec<usize> {
    let mut out = shape.to_vec();
    if axis + 1 < shape.len() {
        out[axis] *= out.remove(axis + 1);
    }
    out
}

/// The facts of an expression's terms; `None` where it is ill-typed.
fn facts(expr: &RecExpr<Term>, leaves: &[Leaf]) -> Option<Vec<Fact>> {
    let mut facts: Vec<Fact> = Vec::new();
    for term in expr.as_ref() {
        let fact = fact_of(term, leaves, |id| &facts[usize::from(id)]).ok()?;
        facts.push(fact);
    }
    Some(facts)
}

/// What a rule says about one draw: both sides, where it applies.
pub struct Case {
    /// What the leaves are.
    pub leaves: Vec<Leaf>,
    /// The left side.
    pub left: RecExpr<Term>,
    /// The right side.
    pub right: RecExpr<Term>,
}

/// A draw on which the rule applies, if this seed gives one.
pub fn case(rule: &Rule, seed: u64) -> Option<Case> {
    let mut draw = Draw::new(seed);
    for (name, kind) in &rule.signature.items {
        draw.variable(name, kind)?;
    }
    let expression = |pattern, extra: &BTreeMap<String, Term>| {
        let mut placed: BTreeMap<String, Id> = BTreeMap::new();
        let mut expr = RecExpr::default();
        let mut bind = |expr: &mut RecExpr<Term>, name: &str| {
            let term =
                || extra.get(name).or(draw.terms.get(name)).unwrap_or_else(|| panic!("{name} is in the signature"));
            *placed.entry(name.to_string()).or_insert_with(|| expr.add(term().clone()))
        };
        instantiate(pattern, &mut expr, &mut bind);
        expr
    };
    let left = expression(&rule.left, &BTreeMap::new());
    let left_facts = facts(&left, &draw.leaves)?;
    let root = left_facts.last()?.tensor()?.clone();
    let known: BTreeMap<&String, Fact> = draw
        .terms
        .iter()
        .map(|(name, term)| Some((name, fact_of(term, &draw.leaves, |_| panic!("variables have no children")).ok()?)))
        .collect::<Option<_>>()?;
    let bindings = rule.bind(&|name| known.get(&name.to_string()), &root)?;
    let extra = bindings.into_iter().map(|(name, term)| (name.to_string(), term)).collect();
    let right = expression(&rule.right, &extra);
    Some(Case { leaves: draw.leaves, left, right })
}

/// The value of an expression; leaves hold dyadic numbers that depend on the seed.
fn value(expr: &RecExpr<Term>, leaves: &[Leaf], seed: u64) -> Result<Tensor, String> {
    let mut graph = Graph::new("side");
    let nodes: Vec<NodeId> =
        leaves.iter().map(|l| graph.push(Input { ty: l.ty.clone() }, &[])).collect::<Result<_, _>>()?;
    let terms = decode(expr.as_ref(), &mut graph, |i| nodes[i as usize])?;
    graph.outputs = vec![terms.last().copied().flatten().ok_or("the root is a tensor")?];
    let mut random = Random::new(seed);
    let mut leaf = |ty: &TensorType| {
        Tensor::from_fn(ty.clone(), |_| match ty.dtype {
            DType::Bool => random.below(2) as f64,
            _ => random.below(33) as f64 / 8.0 - 2.0,
        })
    };
    let values: BTreeMap<NodeId, Tensor> = nodes.iter().zip(leaves).map(|(&n, l)| (n, leaf(&l.ty))).collect();
    let result = eval(&graph, &mut |id, _| Ok(values[&id].clone())).map_err(|e| e.to_string())?;
    Ok(result[0].clone())
}

/// Where two values differ by more than rounding in f64 explains: sums of at most 6³ products of values near 2³.
fn difference(a: &Tensor, b: &Tensor) -> Option<String> {
    let same =
        |x: f64, y: f64| (x.is_nan() && y.is_nan()) || x == y || (x - y).abs() <= 1e-12 * (1.0 + x.abs().max(y.abs()));
    let at = a.data.iter().zip(&b.data).position(|(&x, &y)| !same(x, y))?;
    Some(format!("element {at} of {} is {} on the left, {} on the right", a.ty, a.data[at], b.data[at]))
}

/// The first counterexample among `wanted` applications of the rule, or how many there were.
fn refute(rule: &Rule, wanted: usize) -> Result<usize, String> {
    let mut applied = 0;
    for seed in 0..6000 {
        let Some(case) = case(rule, seed) else { continue };
        applied += 1;
        let (left, right) = (value(&case.left, &case.leaves, seed)?, value(&case.right, &case.leaves, seed)?);
        if let Some(difference) = difference(&left, &right) {
            return Err(format!("{}: {difference}\n  {}\n  {}", rule.name, case.left, case.right));
        }
        if applied == wanted {
            break;
        }
    }
    Ok(applied)
}

#[test]
fn both_sides_of_every_rule_have_one_value() {
    let mut failures = Vec::new();
    for rule in rules::all() {
        match refute(rule, 40) {
            Ok(applied) if applied >= 20 => {}
            Ok(applied) => failures.push(format!("{} applied to {applied} draws only", rule.name)),
            Err(counterexample) => failures.push(counterexample),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn names_are_unique_and_signatures_complete() {
    let mut names: Vec<&str> = rules::all().iter().map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for rule in rules::all() {
        let mut declared: Vec<&String> = rule.signature.items.iter().map(|(name, _)| name).collect();
        let left = variables(&rule.left);
        let mut used: Vec<&String> = left.iter().collect();
        declared.sort();
        used.sort();
        assert_eq!(declared, used, "{}", rule.name);
    }
}

#[test]
fn wrong_rules_are_refuted() {
    let wrong = [
        rules::rule("axis", "x: S; axis a: S", "(softmax ?a ?x)", "(softmax axis=-1 ?x)"),
        rules::rule("order", "x: S; y: S", "(sub ?x ?y)", "(sub ?y ?x)"),
        rules::rule("any-view", "x: S; map m: S -> S", "(view ?m ?x)", "?x"),
        // A padded zero is not exp(0).
        rules::rule("fill", "x: S; map m: S -> T", "(view ?m (exp ?x))", "(exp (view ?m ?x))"),
        // True where the view repeats a row, not where it runs down the columns.
        rules::rule_with(
            "columns",
            "x: n n; const g: G; map r: G -> n n; const w: n n",
            "(matmul (mul ?x (view ?r ?g)) ?w)",
            "(matmul ?x (mul ?w (view ?r ?g)))",
            |_| Some(Vec::new()),
        ),
        // The mean of a sum with a term, not of a sum.
        rules::rule("extent", "x: S; axis a: S", "(reduce op=sum ?a ?x)", "(reduce op=mean ?a ?x)"),
    ];
    for rule in &wrong {
        assert!(refute(rule, 200).is_err(), "{} was not refuted", rule.name);
    }
}

#[test]
fn both_sides_meet_in_the_e_graph() {
    use super::super::{Rules, region::Problem, saturate, term::Egraph};
    for rule in rules::all() {
        let case = (0..6000).find_map(|seed| case(rule, seed)).expect("the rule applies to some draw");
        let problem = Problem { expr: case.left, leaves: case.leaves, terms: Vec::new() };
        let (mut egraph, _): (Egraph, _) = saturate(&problem, &[rule.rewrite()], &Rules::default());
        let left = egraph.lookup_expr(&problem.expr).expect("the left side was added");
        let right = egraph.add_expr(&case.right);
        assert_eq!(egraph.find(left), egraph.find(right), "{}", rule.name);
    }
}
