//! Signatures: what the variables of a rule are.
//!
//! ```text
//!   x: B n k; const g: G; map r: G -> B n k; const w: k m; axis a: B n k; number c: 0.5 2.0; type t: B n k
//!   stride s: 1 2; mode m: bilinear nearest
//! ```
//!
//! A lower-case letter is one dimension, `h*d` the product of two that are known, a digit that many, a capital any
//! number of dimensions; `B'` is anything that broadcasts with B. The same letter is the same extent everywhere. `const x`
//! depends on no input, `var x` on some, plain `x` may be either; trials draw one type for all,
//! mostly f32, but for `bool x` and `half x` truth values and f16. `map` is the attribute of a view from one shape to another, `axis` an axis of a tensor of that shape,
//! `type` the type of a constant, `number` its finite value (what follows are the values that trials draw). `word`
//! and `mode` are attributes that are words; `size`, `stride`, `padding` and `dilation` are pairs, of rows and columns.
//!
//! The signature documents the rule, guards it ([`Signature::admits`]) and is what trials draw operands from.

use super::term::Fact;
use regard_ir::{
    ops::Attr,
    types::{DType, broadcast},
};
use std::collections::BTreeMap;

/// What all variables of a rule are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signature {
    /// Variables, in order.
    pub items: Vec<(String, Kind)>,
}

/// What one variable is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A tensor; `Some(true)` where it must be constant, `Some(false)` where it must not. The element type is
    /// for trials only.
    Tensor(Dims, Option<bool>, DType),
    /// The type of a constant.
    Type(Dims),
    /// A view from the first shape to the second.
    Map(Dims, Dims),
    /// An axis.
    Axis(Dims),
    /// A number, finite or any; trials draw these and a few more.
    Number(Vec<f64>, bool),
    /// The attribute of that name, a word; trials draw these.
    Word(&'static str, Vec<String>),
    /// The attribute of that name, a pair of sizes; trials draw these.
    Pair(&'static str, Vec<i64>),
}

/// A shape pattern.
pub(crate) type Dims = Vec<Dim>;

/// Part of a shape pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dim {
    /// `n`
    One(char),
    /// `1`
    Fixed(usize),
    /// `h*d`, letters of earlier variables
    Product(char, char),
    /// `B`, in front only
    Many(char),
    /// `B'`, in front only
    Like(char),
}

/// What the letters stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters {
    one: BTreeMap<char, usize>,
    many: BTreeMap<char, Vec<usize>>,
}

impl Signature {
    /// Reads a signature. Panics where it is malformed: rules are written by us.
    pub(crate) fn parse(text: &str) -> Signature {
        let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
        Signature { items: items.map(item).collect() }
    }

    /// Whether the variables are what the signature says; `fact` tells what each is.
    pub(crate) fn admits<'a>(&self, fact: impl Fn(&str) -> Option<&'a Fact>) -> bool {
        let mut letters = Letters::default();
        self.items.iter().all(|(name, kind)| match (kind, fact(name)) {
            (Kind::Tensor(dims, wanted, _), Some(Fact::Tensor { ty, constant, .. })) => {
                wanted.is_none_or(|w| w == *constant) && letters.unify(dims, &ty.shape)
            }
            (Kind::Type(dims), Some(Fact::Type(ty))) => letters.unify(dims, &ty.shape),
            (Kind::Map(from, to), Some(Fact::Attr(_, Attr::View(map)))) => {
                letters.unify(to, &map.shape)
                    && letters.shape(from).is_none_or(|from| from.iter().product::<usize>() == map.len)
            }
            (Kind::Axis(_), Some(Fact::Attr(_, Attr::Int(_)))) => true,
            (Kind::Number(_, finite), Some(Fact::Attr(_, Attr::Real(x)))) => !finite || x.get().is_finite(),
            (Kind::Word(..), Some(Fact::Attr(_, Attr::Word(_)))) => true,
            (Kind::Pair(..), Some(Fact::Attr(_, Attr::Ints(_)))) => true,
            _ => false,
        })
    }
}

fn item(text: &str) -> (String, Kind) {
    let (head, body) = text.split_once(':').unwrap_or_else(|| panic!("`{text}` lacks a colon"));
    let words: Vec<&str> = head.split_whitespace().collect();
    let (keys, name) = words.split_at(words.len() - 1);
    let list = || body.split_whitespace();
    let sizes = || list().map(|n| n.parse().expect("sizes are listed")).collect();
    let tensor = |wanted| Kind::Tensor(dims(body), wanted, DType::F32);
    let kind = match keys {
        [] => tensor(None),
        ["const"] => tensor(Some(true)),
        ["var"] => tensor(Some(false)),
        ["bool"] => Kind::Tensor(dims(body), None, DType::Bool),
        ["half"] => Kind::Tensor(dims(body), None, DType::F16),
        ["type"] => Kind::Type(dims(body)),
        ["axis"] => Kind::Axis(dims(body)),
        ["number"] => Kind::Number(list().map(|x| x.parse().expect("numbers are listed")).collect(), true),
        ["word"] => Kind::Word("to", list().map(str::to_string).collect()),
        ["mode"] => Kind::Word("mode", list().map(str::to_string).collect()),
        ["size"] => Kind::Pair("size", sizes()),
        ["stride"] => Kind::Pair("stride", sizes()),
        ["padding"] => Kind::Pair("padding", sizes()),
        ["dilation"] => Kind::Pair("dilation", sizes()),
        ["map"] => {
            let (from, to) = body.split_once("->").expect("a map has two shapes");
            Kind::Map(dims(from), dims(to))
        }
        _ => panic!("`{head}` is not a kind of variable"),
    };
    (name[0].to_string(), kind)
}

fn dims(text: &str) -> Dims {
    let dim = |word: &str| match word.chars().collect::<Vec<char>>()[..] {
        [c] if c.is_ascii_uppercase() => Dim::Many(c),
        [c, '\''] if c.is_ascii_uppercase() => Dim::Like(c),
        [c] if c.is_ascii_lowercase() => Dim::One(c),
        [a, '*', b] => Dim::Product(a, b),
        _ => Dim::Fixed(word.parse().unwrap_or_else(|_| panic!("`{word}` is not a dimension"))),
    };
    text.split_whitespace().map(dim).collect()
}

impl Letters {
    /// Whether the shape fits the pattern; binds letters not yet bound.
    pub(crate) fn unify(&mut self, dims: &[Dim], shape: &[usize]) -> bool {
        let open = matches!(dims.first(), Some(Dim::Many(_) | Dim::Like(_)));
        let fixed = dims.len() - usize::from(open);
        if shape.len() < fixed || (!open && shape.len() != fixed) {
            return false;
        }
        let (lead, rest) = shape.split_at(shape.len() - fixed);
        let head = match dims.first() {
            Some(Dim::Many(c)) => *self.many.entry(*c).or_insert_with(|| lead.to_vec()) == lead,
            Some(Dim::Like(c)) => self.many.get(c).is_none_or(|other| broadcast(other, lead).is_some()),
            _ => true,
        };
        head && dims[usize::from(open)..].iter().zip(rest).all(|(dim, &extent)| match dim {
            Dim::One(c) => *self.one.entry(*c).or_insert(extent) == extent,
            Dim::Fixed(n) => *n == extent,
            Dim::Product(..) => self.shape(&[*dim]).is_some_and(|whole| whole == [extent]),
            Dim::Many(_) | Dim::Like(_) => panic!("a capital stands in front only"),
        })
    }

    /// The shape, where all its letters are bound.
    pub(crate) fn shape(&self, dims: &[Dim]) -> Option<Vec<usize>> {
        let mut shape = Vec::new();
        for dim in dims {
            match dim {
                Dim::One(c) => shape.push(*self.one.get(c)?),
                Dim::Fixed(n) => shape.push(*n),
                Dim::Product(a, b) => shape.push(self.one.get(a)? * self.one.get(b)?),
                Dim::Many(c) => shape.extend(self.many.get(c)?),
                Dim::Like(_) => return None,
            }
        }
        Some(shape)
    }
}
