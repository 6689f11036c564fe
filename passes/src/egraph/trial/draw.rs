//! Operands drawn from a signature.
//!
//! A draw gives each letter an extent, each variable a leaf or an attribute; the seed alone decides. Views are drawn
//! from all movements that fit, suitable or not, numbers with a few that nobody asked for, so that a condition
//! that is too weak meets its counterexample:
//!
//! ```text
//!   x: B n k       f32[2, 3, 3]          extents 1 to 5, often 1 or one drawn before
//!   const g: G     f32[3]                often one that broadcasts to a shape drawn before
//!   map r: G -> B n k                    repeats, reshapes, rolls, slices, pads, transposes…
//!   number c: 0.5                        0.5, −0.5, 0.3, or 0, 1, −3, ∞; in one draw of seven 10^±25 or 3·10³⁸
//! ```
//!
//! Two draws of eleven are of half precision, bf16 and f16.

use crate::{
    egraph::{
        signature::{Dim, Dims, Kind, Letters, Signature},
        term::{Leaf, Term},
    },
    memory::is_half,
};
use regard_ir::{
    ops::Attr,
    random::Random,
    types::{DType, Real, TensorType, broadcast},
    view::View,
};
use std::collections::{BTreeMap, BTreeSet};

/// What the variables of a left side are.
#[derive(Clone)]
pub(crate) struct Draw {
    /// The tensors.
    pub leaves: Vec<Leaf>,
    /// What each variable stands for; a tensor is one of the leaves.
    pub terms: BTreeMap<String, Term>,
    /// The stream that goes on where the draw ended.
    pub random: Random,
    dtype: DType,
    /// Whether numbers are near the ends of what f32 holds.
    extreme: bool,
    letters: Letters,
    shapes: Vec<Vec<usize>>,
    /// Letters of axes that a map cuts in two.
    cut: BTreeSet<char>,
    leads: Vec<Vec<usize>>,
}

/// Numbers that f32 holds, but not all of their products, sums and quotients.
const EXTREMES: [f64; 8] = [1e-25, 1e25, 3e38, -1e-25, 3e38, -1e25, 1e-25, 3e38];

/// From `B n m` to `B g n d`: the last axis is cut in two.
fn cuts(from: &Dims, to: &Dims) -> bool {
    to.len() == from.len() + 1 && to.first() == from.first()
}

fn cut_letter(kind: &Kind) -> Option<char> {
    match kind {
        Kind::Map(from, to) if cuts(from, to) => match from.last() {
            Some(Dim::One(letter)) => Some(*letter),
            _ => None,
        },
        _ => None,
    }
}

/// The draw of that seed; `None` where nothing fits.
pub(crate) fn draw(signature: &Signature, seed: u64) -> Option<Draw> {
    let mut random = Random::new(seed);
    let dtype = match random.below(16) {
        0 | 1 => DType::I32,
        2 => DType::Bf16,
        3 => DType::Bool,
        _ if seed % 11 == 5 => DType::F16,
        _ if seed % 11 == 8 => DType::Bf16,
        _ => DType::F32,
    };
    let mut draw = Draw {
        leaves: Vec::new(),
        terms: BTreeMap::new(),
        random,
        dtype,
        extreme: seed % 7 == 3 && dtype.is_float(),
        letters: Letters::default(),
        shapes: Vec::new(),
        cut: signature.items.iter().filter_map(|(_, kind)| cut_letter(kind)).collect(),
        leads: Vec::new(),
    };
    for (name, kind) in &signature.items {
        draw.variable(name, kind)?;
    }
    Some(draw)
}

impl Draw {
    fn variable(&mut self, name: &str, kind: &Kind) -> Option<()> {
        let term = match kind {
            Kind::Tensor(dims, wanted, dtype) => {
                let shape = self.shape(dims)?;
                self.shapes.push(shape.clone());
                let constant = wanted.unwrap_or_else(|| self.random.below(3) == 0);
                let dtype = if *dtype == DType::F32 { self.dtype } else { *dtype };
                self.leaves.push(Leaf { ty: TensorType::new(dtype, shape), constant });
                Term::Leaf(self.leaves.len() as u32 - 1)
            }
            Kind::Type(dims) => Term::Type(TensorType::new(self.dtype, self.shape(dims)?)),
            Kind::Map(from, to) => Term::Attr("map", Attr::view(self.map(from, to)?)),
            Kind::Axis(dims) => {
                let rank = self.letters.shape(dims).map_or(3, |s| s.len().max(1));
                let axis = self.random.below(2 * rank) as i64 - rank as i64;
                Term::Attr("axis", Attr::Int(axis))
            }
            Kind::Number(list, _) => Term::Attr("value", Attr::Real(Real::new(self.number(list)))),
            Kind::Word(name, list) => Term::Attr(name, Attr::Word(list[self.random.below(list.len())].clone())),
            Kind::Pair(name, list) => Term::Attr(name, Attr::Ints([0; 2].map(|_| self.random.one(list)).to_vec())),
        };
        self.terms.insert(name.to_string(), term);
        Some(())
    }

    /// A number of the list, its negative, or a special one.
    fn number(&mut self, list: &[f64]) -> f64 {
        let listed = list[self.random.below(list.len())];
        if self.extreme {
            return self.random.one(&EXTREMES);
        }
        match self.random.below(8) {
            // Half a bf16 is a bf16, three tenths of one are not.
            0..4 if is_half(self.dtype) => 0.3,
            0 => -listed,
            1 => self.random.one(&[0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]),
            2 => self.random.one(&[2.0, -3.0]),
            _ if self.dtype == DType::I32 && listed.fract() != 0.0 => self.random.one(&[2.0, -3.0, 5.0]),
            _ => listed,
        }
    }

    /// An extent from 1 to 5; one in three is an extent drawn before, so that square matrices occur.
    fn extent(&mut self) -> usize {
        let drawn: Vec<usize> = self.shapes.iter().flatten().copied().collect();
        if !drawn.is_empty() && self.random.below(3) == 0 { self.random.one(&drawn) } else { 1 + self.random.below(5) }
    }

    /// Axes of a batch, one or two in three the same as all batches before together.
    fn lead(&mut self) -> Vec<usize> {
        let fresh: Vec<usize> = (0..self.random.below(3)).map(|_| 1 + self.random.below(3)).collect();
        let known = self.leads.iter().try_fold(Vec::new(), |all, lead| broadcast(&all, lead));
        let lead = if self.random.below(2) == 0 { fresh } else { known.unwrap_or(fresh) };
        self.leads.push(lead.clone());
        lead
    }

    /// A shape that fits the pattern; letters not yet bound are drawn.
    fn shape(&mut self, dims: &Dims) -> Option<Vec<usize>> {
        let mut shape = Vec::new();
        for (at, dim) in dims.iter().enumerate() {
            match *dim {
                Dim::Fixed(n) => shape.push(n),
                Dim::Product(..) => shape.extend(self.letters.shape(&[*dim])?),
                Dim::One(letter) => match self.letters.shape(&[*dim]) {
                    Some(one) => shape.extend(one),
                    None => {
                        let extent = match self.cut.contains(&letter) {
                            true => (1 + self.random.below(3)) * (1 + self.random.below(3)),
                            false => self.extent(),
                        };
                        self.shapes.push(vec![extent]);
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
                let source = match self.letters.shape(to) {
                    Some(to) => self.narrowed(&to),
                    None if from.iter().any(|dim| matches!(dim, Dim::Product(..))) => {
                        self.shape(to)?;
                        self.letters.shape(from)?
                    }
                    None => self.whole(),
                };
                self.letters.unify(from, &source).then_some(source)?
            }
        };
        let wanted = self.letters.shape(to).or_else(|| if to.len() > 1 { self.shape(to) } else { None });
        for _ in 0..12 {
            let map = match cuts(from, to) && self.random.below(2) == 0 {
                true => self.heads(&source, wanted.as_deref()),
                false => self.any_map(&source, wanted.as_deref()),
            };
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

    /// The last axis cut in parts, which stay where they are or go in front of the rows.
    fn heads(&mut self, source: &[usize], wanted: Option<&[usize]>) -> Option<View> {
        let [lead @ .., rows, columns] = source else { return None };
        let known = wanted.and_then(|wanted| wanted.get(lead.len()).copied());
        let parts = known.unwrap_or_else(|| 1 + self.random.below(*columns));
        let parts = if columns.is_multiple_of(parts) { parts } else { 1 };
        let cut = [lead, &[*rows, parts, columns / parts]].concat();
        let map = View::reshape(source, &cut);
        let mut order: Vec<usize> = (0..cut.len()).collect();
        if self.random.below(4) > 0 {
            order.swap(lead.len(), lead.len() + 1);
        }
        map.then(&View::transpose(&cut, &order))
    }

    fn any_map(&mut self, source: &[usize], wanted: Option<&[usize]>) -> Option<View> {
        let start = View::identity(source);
        let target = wanted.unwrap_or(source);
        let n = target.iter().product::<usize>();
        match self.random.below(7) {
            0 | 1 => (broadcast(source, target).as_deref() == Some(target)).then(|| View::expand(source, target)),
            2 => (start.len == n).then(|| View::reshape(source, target)),
            3 => {
                // A vector down the rows of a matrix.
                let [.., rows, _] = *target else { return None };
                (start.len == rows)
                    .then(|| View::reshape(source, &[rows, 1]).then(&View::expand(&[rows, 1], target)))?
            }
            4 => {
                // Columns cut in heads, which move before the rows.
                let [ref lead @ .., heads, rows, d] = *target else { return None };
                let split = [lead, &[rows, heads, d]].concat();
                let order: Vec<usize> = (0..lead.len()).chain([1, 0, 2].map(|a| lead.len() + a)).collect();
                (start.len == n).then(|| View::reshape(source, &split).then(&View::transpose(&split, &order)))?
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
        if rank == 0 {
            return Some(View::expand(shape, &[2]));
        }
        let axis = self.random.below(rank);
        let extent = shape[axis];
        Some(match self.random.below(7) {
            0 => View::roll(shape, axis, 1),
            1 if extent > 1 => View::slice(shape, axis, 1, extent, 1),
            2 => {
                let fill = self.random.one(&[0.0, 1.0, -1.5]);
                let grown: Vec<usize> = shape.iter().enumerate().map(|(a, d)| d + usize::from(a == axis)).collect();
                View::pad(shape, axis, 1, 0, Real::new(fill)).then(&View::slice(&grown, axis, 0, extent, 1))?
            }
            3 if axis + 1 < rank => {
                let mut merged = shape.to_vec();
                merged[axis] *= merged.remove(axis + 1);
                View::reshape(shape, &merged)
            }
            4 => View::expand(shape, &[&[2], shape].concat()),
            5 => {
                let parts = 1 + self.random.below(extent);
                let parts = if extent.is_multiple_of(parts) { parts } else { 1 };
                View::reshape(shape, &[&shape[..axis], &[parts, extent / parts], &shape[axis + 1..]].concat())
            }
            _ => {
                let mut order: Vec<usize> = (0..rank).collect();
                order.swap(axis, self.random.below(rank));
                View::transpose(shape, &order)
            }
        })
    }
}
