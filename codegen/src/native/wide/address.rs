//! Strength reduction: addresses that advance instead of being computed.
//!
//! An i64 value that follows a loop is a sum `Σ coefficient·root + constant` of loop indices and of values
//! that follow none. The constant goes into the address, where it is free, and the sum is built once,
//! outer roots first:
//!
//! ```text
//!   for k { … A[m·512 + k + 3] … B[k·48 + n] … }         m·512 + k:   after m: t = m·512
//!                                                                     in for k: carried, starts t, step 1
//!                                                        n + k·48:    carried, starts n, step 48
//! ```
//!
//! A sum that ends in a loop's index becomes a value which that loop carries, so it costs one addition per
//! iteration; any other sum is computed right after its last root. Addresses that differ by constants
//! share one sum.

use crate::affine::Affine;
use regard_ir::{
    id::{Id, IdVec},
    kernel::{Addr, BinOp, Body, Const, Elem, Inst, Kernel, Stmt, Type, UnOp, Val},
};
use std::collections::{BTreeMap, BTreeSet};

/// Longer sums stay as they are.
const MAX_TERMS: usize = 6;
/// A loop that would carry more sums than this carries none: there are 15 registers, and advancing a sum on
/// the stack costs more than an addition at its use.
const MAX_CARRIED: usize = 6;

type Terms = Vec<(Val, i64)>;

/// The same kernel with every address built from carried and shared sums. Values are numbered in the order of their
/// definition, as simplification leaves them; those that only the old addresses used stay, unused.
pub(crate) fn reduce(mut kernel: Kernel) -> Kernel {
    let mut forms = Forms::new(&kernel);
    forms.read(&kernel.body);
    forms.choose();
    let indices = vec![None; kernel.types.len()];
    let mut rebuild = Rebuild { types: kernel.types, sums: BTreeMap::new(), indices, forms };
    kernel.body = rebuild.body(kernel.body, &[]);
    kernel.types = rebuild.types;
    kernel
}

/// What every i64 value is, and which sums its users want.
struct Forms {
    of: Vec<Option<Affine>>,
    types: IdVec<Val, Type>,
    loops: BTreeSet<Val>,
    /// Which values are indices of addresses.
    indexes: Vec<bool>,
    /// The sums that addresses are, by their last root.
    asked: BTreeMap<Val, BTreeSet<Terms>>,
    /// The sums to be built, by their last root.
    wanted: BTreeMap<Val, BTreeSet<Terms>>,
}

impl Forms {
    fn new(kernel: &Kernel) -> Self {
        let values = kernel.types.len();
        Forms {
            of: vec![None; values],
            types: kernel.types.clone(),
            loops: BTreeSet::new(),
            indexes: vec![false; values],
            asked: BTreeMap::new(),
            wanted: BTreeMap::new(),
        }
    }
    fn define(&mut self, v: Val, form: Option<Affine>) {
        if self.types[v] == Type::Scalar(Elem::I64) {
            self.of[v.index()] = form.filter(|f| self.advances(f)).or_else(|| Some(Affine::atom(v)));
        }
    }
    /// Whether a value is worth taking apart: it follows a loop, or differs from its root by a constant.
    fn advances(&self, form: &Affine) -> bool {
        match form.terms[..] {
            [] | [(_, 1)] => true,
            _ => form.terms.len() <= MAX_TERMS && form.terms.iter().any(|t| self.loops.contains(&t.0)),
        }
    }
    fn form(&self, v: Val) -> &Affine {
        self.of[v.index()].as_ref().expect("an i64 that is defined before its use")
    }
    fn constant(&self, v: Val) -> Option<i64> {
        self.of[v.index()].as_ref()?.as_constant()
    }
    fn compute(&self, inst: &Inst) -> Option<Affine> {
        match *inst {
            Inst::Const(Const::I64(constant)) => Some(Affine::constant(constant)),
            Inst::Un(UnOp::Neg, a) => Some(self.form(a).scaled(-1)),
            Inst::Bin(op, a, b) => Affine::bin(op, self.form(a), self.form(b)),
            _ => None,
        }
    }
    fn read(&mut self, body: &Body) {
        for stmt in body.walk() {
            if let Inst::For { index, .. } = stmt.inst {
                self.loops.insert(index);
            }
            if let Some(addr) = stmt.inst.address() {
                self.want(addr);
            }
            let form = match stmt.results.first() {
                Some(&v) if self.types[v] == Type::Scalar(Elem::I64) => self.compute(&stmt.inst),
                _ => None,
            };
            stmt.definitions().for_each(|v| self.define(v, form.clone()));
        }
    }
    fn want(&mut self, addr: &Addr) {
        let Some(index) = addr.index else { return };
        if !std::mem::replace(&mut self.indexes[index.index()], true) {
            let terms = self.form(index).terms.clone();
            if let Some(&(root, _)) = terms.last() {
                self.asked.entry(root).or_default().insert(terms);
            }
        }
    }
    /// Wants what addresses ask for, and the sums that those start from, but no crowd in one loop.
    fn choose(&mut self) {
        for (root, sums) in std::mem::take(&mut self.asked) {
            let carried = sums.iter().filter(|s| s[..] != [(root, 1)]).count();
            if self.loops.contains(&root) && carried > MAX_CARRIED {
                continue;
            }
            for (terms, end) in sums.iter().flat_map(|s| (1..=s.len()).map(move |end| (s, end))) {
                self.wanted.entry(terms[end - 1].0).or_default().insert(terms[..end].to_vec());
            }
        }
    }
}

struct Rebuild {
    types: IdVec<Val, Type>,
    sums: BTreeMap<Terms, Val>,
    /// What each index became: a sum and a constant.
    indices: Vec<Option<(Option<Val>, i64)>>,
    forms: Forms,
}

impl Rebuild {
    fn body(&mut self, body: Body, roots: &[Val]) -> Body {
        let mut out = Body { stmts: Vec::with_capacity(body.stmts.len()), yields: body.yields };
        roots.iter().for_each(|&r| self.sums_after(r, &mut out.stmts));
        for Stmt { mut results, mut inst } in body.stmts {
            let known = results.len();
            inst = match inst {
                Inst::For { .. } => self.for_loop(inst, &mut results, &mut out.stmts),
                Inst::If { cond, then, otherwise } => {
                    Inst::If { cond, then: self.body(then, &[]), otherwise: self.body(otherwise, &[]) }
                }
                other => other,
            };
            if let Some(addr) = inst.address_mut() {
                self.rewrite(addr);
            }
            let defined: Vec<Val> =
                results[..known].iter().copied().filter(|r| self.forms.wanted.contains_key(r)).collect();
            out.stmts.push(Stmt { results, inst });
            defined.into_iter().for_each(|r| self.sums_after(r, &mut out.stmts));
        }
        out
    }

    /// Puts the constant part of the address into the offset and its sum into one value.
    fn rewrite(&mut self, addr: &mut Addr) {
        let Some(index) = addr.index else { return };
        let (sum, constant) = match self.indices[index.index()] {
            Some(known) => known,
            None => {
                let Affine { terms, constant } = self.forms.form(index);
                match (&terms[..], self.known_sum(terms)) {
                    ([], _) => (None, *constant),
                    (_, Some(sum)) => (Some(sum), *constant),
                    (_, None) => (Some(index), 0),
                }
            }
        };
        self.indices[index.index()] = Some((sum, constant));
        addr.index = sum;
        addr.offset = addr.offset.wrapping_add(constant);
    }

    fn known_sum(&self, terms: &[(Val, i64)]) -> Option<Val> {
        match terms {
            [(v, 1)] => Some(*v),
            _ => self.sums.get(terms).copied(),
        }
    }
    fn sum(&self, terms: &[(Val, i64)]) -> Val {
        self.known_sum(terms).expect("sums are built outer roots first")
    }

    fn sums_after(&mut self, root: Val, out: &mut Vec<Stmt>) {
        if self.forms.loops.contains(&root) {
            return;
        }
        for terms in self.forms.wanted.get(&root).cloned().unwrap_or_default() {
            if terms != [(root, 1)] {
                let value = self.sum_from(root, &terms, out);
                self.sums.insert(terms, value);
            }
        }
    }

    /// `rest + coefficient·last`, where `terms` is `rest` and the last term, whose root has value `last`.
    fn sum_from(&mut self, last: Val, terms: &[(Val, i64)], out: &mut Vec<Stmt>) -> Val {
        let (&(_, coefficient), rest) = terms.split_last().expect("a sum has terms");
        let scaled = match coefficient {
            1 => last,
            _ => {
                let by = self.emit(Inst::Const(Const::I64(coefficient)), out);
                self.emit(Inst::Bin(BinOp::Mul, last, by), out)
            }
        };
        if rest.is_empty() {
            return scaled;
        }
        self.emit(Inst::Bin(BinOp::Add, self.sum(rest), scaled), out)
    }

    /// The sum `terms` before the first iteration of the loop whose index comes last in it.
    fn start(&mut self, lo: Val, terms: &[(Val, i64)], out: &mut Vec<Stmt>) -> Val {
        let (&(_, coefficient), rest) = terms.split_last().expect("a sum has terms");
        match (self.forms.constant(lo), rest) {
            (Some(0), [_, ..]) => self.sum(rest),
            (Some(lo), []) => self.emit(Inst::Const(Const::I64(lo.wrapping_mul(coefficient))), out),
            _ => self.sum_from(lo, terms, out),
        }
    }

    fn for_loop(&mut self, inst: Inst, results: &mut Vec<Val>, out: &mut Vec<Stmt>) -> Inst {
        let Inst::For { lo, hi, step, unroll, mut init, index, mut params, body } = inst else {
            unreachable!("a loop")
        };
        let roots = params.clone();
        let mut steps = Vec::new();
        for terms in self.forms.wanted.get(&index).cloned().unwrap_or_default() {
            if terms == [(index, 1)] {
                continue;
            }
            init.push(self.start(lo, &terms, out));
            let carried = self.types.push(Type::Scalar(Elem::I64));
            params.push(carried);
            results.push(self.types.push(Type::Scalar(Elem::I64)));
            steps.push((carried, terms[terms.len() - 1].1.wrapping_mul(step)));
            self.sums.insert(terms, carried);
        }
        let mut body = self.body(body, &roots);
        for (carried, by) in steps {
            let by = self.emit(Inst::Const(Const::I64(by)), &mut body.stmts);
            let next = self.emit(Inst::Bin(BinOp::Add, carried, by), &mut body.stmts);
            body.yields.push(next);
        }
        Inst::For { lo, hi, step, unroll, init, index, params, body }
    }

    fn emit(&mut self, inst: Inst, out: &mut Vec<Stmt>) -> Val {
        let v = self.types.push(Type::Scalar(Elem::I64));
        out.push(Stmt { results: vec![v], inst });
        v
    }
}
