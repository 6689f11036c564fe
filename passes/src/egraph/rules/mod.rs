//! Rules: equations between terms, one row each.
//!
//! ```text
//!   name        scale-into-weights
//!   signature   x: B n k; const w: k m; number c; type t: B n m
//!   left        (mul (matmul ?x ?w) (const ?c ?t))
//!   right       (matmul ?x (mul ?w (const ?c ?u)))          u is computed: the type of w
//! ```
//!
//! Every row is an exact identity of real numbers, directed: the right side costs no more than the left,
//! counting constants as free; where that depends on extents, there is a row for either direction, and the price
//! decides. There is no free commutativity or associativity, no row ranges over attribute values, and no row has two
//! roots. A row is applied where its left side matches, its signature admits what was bound, its `compute` finds the
//! attributes that the right side needs, and the right side has the left side's type.
//!
//! Trials draw operands from each signature and compare both sides, for every row of [`all`]; they also drop each
//! condition that `compute` requires and show that it was needed. `IDENTITIES.md` beside this file says which row
//! serves which identity of the models, and which identities have none.

mod associate;
mod dense;
mod generated;
mod linear;
mod movement;
mod number;
mod raise;
mod shift;

use super::{
    away::Away,
    signature::Signature,
    term::{Egraph, Fact, Facts, Term, fact_of},
    view_queries,
};
use egg::{Applier, ENodeOrVar, Id, Language, Pattern, PatternAst, Rewrite, Subst, Symbol, Var};
use regard_ir::{
    ops::Attr,
    types::{DType, Real, TensorType},
    view::View,
};
use std::{
    cell::Cell,
    collections::HashSet,
    sync::{Arc, LazyLock},
};

/// An equation.
#[derive(Clone)]
pub(crate) struct Rule {
    /// Unique, in words.
    pub name: String,
    /// What the variables are.
    pub signature: Signature,
    /// What is looked for.
    pub left: Pattern<Term>,
    /// What is as good or better.
    pub right: Pattern<Term>,
    compute: Compute,
}

/// Finds the attributes that only the right side has, or says that the row does not apply.
type Compute = fn(&Scope) -> Option<Bindings>;

/// Variables of the right side with what they are.
pub(crate) type Bindings = Vec<(&'static str, Term)>;

/// A condition beyond the signature: of which variable, and what it says.
pub(crate) type Condition = (&'static str, &'static str);

/// What the variables of a left side stand for.
pub(crate) struct Scope<'a> {
    fact: &'a dyn Fn(&str) -> Option<&'a Fact>,
    /// Type of the whole.
    pub root: &'a TensorType,
    /// Told of every condition and whether it holds; its answer counts.
    judge: &'a dyn Fn(Condition, bool) -> bool,
    /// How far the values that the row makes are from written ones: at first what is known of the whole.
    away: Cell<Away>,
}

impl<'a> Scope<'a> {
    /// A condition of the row, by name, so that trials can drop it and see whether it is needed. Every refusal goes
    /// through here.
    fn require(&self, of: &'static str, says: &'static str, holds: bool) -> Option<()> {
        (self.judge)((of, says), holds).then_some(())
    }
    /// The one row `[1, k]` that a view repeats.
    fn row(&self, name: &'static str) -> Option<View> {
        let map = self.map(name)?;
        self.require(name, "repeats a row", view_queries::repeats_a_row(&map))?;
        view_queries::first_row(&map)
    }
    /// The view before `axis` of its result, which it does not depend on.
    fn first_along(&self, name: &'static str, axis: usize) -> Option<View> {
        let map = self.map(name)?;
        self.require(name, "repeats along the axis", view_queries::repeats_along(&map, axis))?;
        view_queries::first_along(&map, axis)
    }
    /// What a view does with the leading axes of a tensor of that shape; it leaves the last `kept` axes alone.
    fn of_leading(&self, name: &'static str, shape: &[usize], kept: usize) -> Option<View> {
        let map = self.map(name)?;
        let blocks = view_queries::restrict_to_leading(&map, shape, kept);
        let whole = |blocks: &View| blocks.of_blocks(&shape[shape.len() - kept..]) == map;
        self.require(name, "leaves the last axes alone", blocks.as_ref().is_some_and(whole))?;
        blocks
    }
    /// The one element that a view reads everywhere, as a view of that shape.
    fn one_number(&self, name: &'static str, shape: &[usize]) -> Option<View> {
        let map = self.filled_by_source(name)?;
        self.require(name, "reads one element", view_queries::reads_one(&map))?;
        view_queries::broadcast_scalar(&map, shape)
    }
    /// A view without fill.
    fn filled_by_source(&self, name: &'static str) -> Option<View> {
        let map = self.map(name)?;
        self.require(name, "fills nothing", !map.has_fill())?;
        Some(map)
    }
    fn fact(&self, name: &str) -> Option<&'a Fact> {
        (self.fact)(name)
    }
    /// Type of a tensor.
    fn ty(&self, name: &str) -> Option<&'a TensorType> {
        self.fact(name)?.tensor()
    }
    /// Dimensions of a tensor.
    fn shape(&self, name: &str) -> Option<&'a [usize]> {
        Some(&self.ty(name)?.shape)
    }
    /// Whether a tensor depends on no input.
    fn is_constant(&self, name: &str) -> bool {
        self.fact(name).is_some_and(Fact::is_constant)
    }
    /// A view.
    fn map(&self, name: &str) -> Option<View> {
        match self.fact(name)? {
            Fact::Attr(_, Attr::View(view)) => Some(View::clone(view)),
            _ => None,
        }
    }
    /// A number.
    fn number(&self, name: &str) -> Option<f64> {
        match self.fact(name)? {
            Fact::Attr(_, Attr::Real(x)) => Some(x.get()),
            _ => None,
        }
    }
    /// A number made of others. It must be one that f32 holds in full: kernels compute in f32, where the numbers it was
    /// made of might have been applied one after the other without leaving its range.
    fn made(&self, of: &'static str, name: &'static str, value: f64) -> Option<(&'static str, Term)> {
        let holds = value == 0.0 || (value as f32).is_normal();
        self.require(of, "makes a number that f32 holds", holds)?;
        Some(number(name, value))
    }
    /// A number that may change places with other factors: what stands between is larger or smaller by it afterwards, and
    /// all that is moved there in turn stays within [`Away::MOST`].
    fn may_move(&self, name: &'static str) -> Option<()> {
        let moved = self.away.get().and(self.number(name)?);
        self.require(name, "is of moderate size", moved.is_some())?;
        self.away.set(moved.unwrap_or(Away::UNKNOWN));
        Some(())
    }
    /// An element type.
    fn dtype(&self, name: &str) -> Option<DType> {
        match self.fact(name)? {
            Fact::Attr(_, Attr::Word(word)) => DType::from_name(word),
            _ => None,
        }
    }
    /// An axis of a tensor of that type, counted from the start.
    fn axis(&self, name: &str, of: &TensorType) -> Option<usize> {
        match self.fact(name)? {
            Fact::Attr(_, Attr::Int(axis)) => of.axis(*axis).ok(),
            _ => None,
        }
    }
}

fn map(name: &'static str, view: &View) -> (&'static str, Term) {
    (name, Term::Attr("map", Attr::view(view.clone())))
}
fn number(name: &'static str, value: f64) -> (&'static str, Term) {
    (name, Term::Attr("value", Attr::Real(Real::new(value))))
}
fn axis(name: &'static str, axis: i64) -> (&'static str, Term) {
    (name, Term::Attr("axis", Attr::Int(axis)))
}
fn ty(name: &'static str, ty: &TensorType) -> (&'static str, Term) {
    (name, Term::Type(ty.clone()))
}

/// A row whose right side has attributes of its own, or a condition beyond the signature.
pub(crate) fn rule_with(name: impl Into<String>, signature: &str, left: &str, right: &str, compute: Compute) -> Rule {
    let name = name.into();
    let pattern = |text: &str| text.parse().unwrap_or_else(|e| panic!("rule {name}: {e}"));
    let (left, right) = (pattern(left), pattern(right));
    Rule { signature: Signature::parse(signature), left, right, compute, name }
}

/// A row of two patterns.
pub(crate) fn rule(name: impl Into<String>, signature: &str, left: &str, right: &str) -> Rule {
    rule_with(name, signature, left, right, |_| Some(Vec::new()))
}

impl Rule {
    /// What the right side's own variables are, where the row applies; `fact` tells what the left side's
    /// variables are and `root` is the type of the whole.
    pub(crate) fn bind<'a>(
        &self,
        fact: &'a dyn Fn(&str) -> Option<&'a Fact>,
        root: &'a TensorType,
    ) -> Option<Bindings> {
        self.bind_at(fact, root, Away::NOTHING).map(|(bindings, _)| bindings)
    }

    /// As [`Rule::bind`], where the whole is that far from a written value; also, how far what the row makes is.
    fn bind_at<'a>(
        &self,
        fact: &'a dyn Fn(&str) -> Option<&'a Fact>,
        root: &'a TensorType,
        away: Away,
    ) -> Option<(Bindings, Away)> {
        let scope = Scope { fact, root, judge: &|_, holds| holds, away: Cell::new(away) };
        let bindings = self.signature.admits(fact).then(|| (self.compute)(&scope))??;
        (self.right_type(fact, &bindings)? == *root).then(|| (bindings, scope.away.get()))
    }

    /// As [`Rule::bind`], but for the right side's type; `judge` decides which conditions count.
    pub(crate) fn bind_where<'a>(
        &self,
        fact: &'a dyn Fn(&str) -> Option<&'a Fact>,
        root: &'a TensorType,
        judge: &'a dyn Fn(Condition, bool) -> bool,
    ) -> Option<Bindings> {
        self.signature
            .admits(fact)
            .then(|| (self.compute)(&Scope { fact, root, judge, away: Cell::new(Away::NOTHING) }))?
    }

    fn right_type<'a>(&self, fact: &dyn Fn(&str) -> Option<&'a Fact>, bindings: &Bindings) -> Option<TensorType> {
        let mut facts: Vec<Fact> = Vec::new();
        for node in self.right.ast.as_ref() {
            let term = match node {
                ENodeOrVar::ENode(term) => term,
                ENodeOrVar::Var(var) => {
                    let name = name_of(*var);
                    match bindings.iter().find(|(n, _)| *n == name) {
                        Some((_, term)) => term,
                        None => {
                            facts.push(fact(&name)?.clone());
                            continue;
                        }
                    }
                }
            };
            let fact = fact_of(term, &[], |id| &facts[usize::from(id)]).ok()?;
            facts.push(fact);
        }
        facts.pop()?.tensor().cloned()
    }

    /// The row as egg runs it.
    pub(crate) fn rewrite(self: &Arc<Self>) -> Rewrite<Term, Facts> {
        Rewrite::new(self.name.as_str(), self.left.clone(), Apply(self.clone())).expect("right sides are bound")
    }
}

/// A variable's name, without the question mark.
pub(crate) fn name_of(var: Var) -> String {
    var.to_string().trim_start_matches('?').to_string()
}

fn var(name: &str) -> Var {
    format!("?{name}").parse().expect("names are words")
}

struct Apply(Arc<Rule>);

impl Applier<Term, Facts> for Apply {
    fn apply_one(
        &self,
        egraph: &mut Egraph,
        class: Id,
        subst: &Subst,
        left: Option<&PatternAst<Term>>,
        name: Symbol,
    ) -> Vec<Id> {
        let bindings = {
            let graph = &*egraph;
            let fact = |name: &str| subst.get(var(name)).map(|&id| &graph[id].data);
            let Fact::Tensor { ty, away, .. } = &graph[class].data else { return Vec::new() };
            self.0.bind_at(&fact, ty, *away)
        };
        egraph.analysis.tried.insert(name, class, subst, bindings.is_some());
        let Some((bindings, away)) = bindings else { return Vec::new() };
        let mut extended = subst.clone();
        for (name, term) in bindings {
            let id = egraph.add(term);
            extended.insert(var(name), id);
        }
        egraph.analysis.away = away;
        let changed = self.0.right.apply_one(egraph, class, &extended, left, name);
        egraph.analysis.away = Away::UNKNOWN;
        changed
    }
}

/// Every row.
pub(crate) fn all() -> &'static [Arc<Rule>] {
    static RULES: LazyLock<Vec<Arc<Rule>>> = LazyLock::new(|| {
        let tables = [
            raise::rules(),
            linear::rules(),
            shift::rules(),
            associate::rules(),
            generated::rules(),
            number::rules(),
            movement::rules(),
            dense::rules(),
        ];
        tables.into_iter().flatten().map(Arc::new).collect()
    });
    &RULES
}

/// Every row as egg runs it.
pub(crate) fn rewrites() -> &'static [Rewrite<Term, Facts>] {
    static REWRITES: LazyLock<Vec<Rewrite<Term, Facts>>> =
        LazyLock::new(|| all().iter().map(|rule| rule.rewrite()).collect());
    &REWRITES
}

/// Whether the right side of a rule has fewer ops than its left side.
pub(crate) fn shrinks(name: Symbol) -> bool {
    static NAMES: LazyLock<HashSet<Symbol>> = LazyLock::new(|| {
        let ops = |pattern: &Pattern<Term>| {
            pattern.ast.iter().filter(|node| matches!(node, ENodeOrVar::ENode(Term::Op(..)))).count()
        };
        let smaller = all().iter().filter(|rule| ops(&rule.right) < ops(&rule.left));
        smaller.map(|rule| Symbol::from(rule.name.as_str())).collect()
    });
    NAMES.contains(&name)
}

/// The variables of a pattern, in order.
#[cfg(test)]
pub(crate) fn variables(pattern: &Pattern<Term>) -> Vec<String> {
    pattern.vars().into_iter().map(name_of).collect()
}

/// A pattern with terms for its variables, as an expression; `bind` appends what a variable stands for.
pub(crate) fn instantiate(
    pattern: &Pattern<Term>,
    expr: &mut egg::RecExpr<Term>,
    bind: &mut dyn FnMut(&mut egg::RecExpr<Term>, &str) -> Id,
) -> Id {
    let mut placed: Vec<Id> = Vec::new();
    for node in pattern.ast.as_ref() {
        let id = match node {
            ENodeOrVar::Var(var) => bind(expr, &name_of(*var)),
            ENodeOrVar::ENode(term) => expr.add(term.clone().map_children(|c| placed[usize::from(c)])),
        };
        placed.push(id);
    }
    *placed.last().expect("a pattern has a root")
}
