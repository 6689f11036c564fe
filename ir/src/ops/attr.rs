//! The attribute codec shared by text, hash and e-graph.

use crate::{
    types::{DType, Real, TensorType},
    view::View,
};
use std::{fmt, sync::Arc};

/// An attribute value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attr {
    /// `3`
    Int(i64),
    /// `0.5`
    Real(Real),
    /// `[-1, -2]`
    Ints(Vec<i64>),
    /// `mean`, or `"quoted"` where it is not one identifier.
    Word(String),
    /// A view; its text is a quoted word, and a word that reads as a view stands for it.
    View(Arc<View>),
}

impl Attr {
    /// A view.
    pub fn view(view: View) -> Attr {
        Attr::View(Arc::new(view))
    }
    /// Sizes as a list of integers.
    pub fn sizes(sizes: &[usize]) -> Attr {
        Attr::Ints(sizes.iter().map(|&n| n as i64).collect())
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attr::Int(i) => write!(f, "{i}"),
            Attr::Real(r) => write!(f, "{r}"),
            Attr::Ints(list) => {
                f.write_str("[")?;
                for (i, x) in list.iter().enumerate() {
                    write!(f, "{}{x}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Attr::Word(w) if is_identifier(w) => f.write_str(w),
            Attr::Word(w) => write!(f, "\"{w}\""),
            Attr::View(view) => write!(f, "\"{view}\""),
        }
    }
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Hands an op its attributes by name and remembers which were taken, so that extra ones are reported.
/// Leaf ops also take the type written after the colon.
#[derive(Clone, Debug, Default)]
pub struct AttrReader {
    attrs: Vec<(String, Attr)>,
    ty: Option<TensorType>,
    asked: Option<String>,
}

impl AttrReader {
    /// A reader over attributes as written and the written type, if any.
    pub fn new(attrs: Vec<(String, Attr)>, ty: Option<TensorType>) -> Self {
        Self { attrs, ty, asked: None }
    }
    /// The written type; leaf ops need it.
    pub fn ty(&self) -> Result<TensorType, String> {
        self.ty.clone().ok_or_else(|| "expected a type, for example `: f32[2, 49, 32]`".to_string())
    }
    fn take(&mut self, name: &str) -> Result<Attr, String> {
        self.optional(name).ok_or_else(|| format!("expected attribute `{name}`"))
    }
    /// An attribute that may be absent.
    pub fn optional(&mut self, name: &str) -> Option<Attr> {
        self.asked = Some(name.to_string());
        let at = self.attrs.iter().position(|(n, _)| n == name)?;
        Some(self.attrs.remove(at).1)
    }
    /// A word or quoted text.
    pub fn word(&mut self, name: &str) -> Result<String, String> {
        match self.take(name)? {
            Attr::Word(w) => Ok(w),
            other => Err(format!("attribute `{name}` is {other}, expected a word")),
        }
    }
    /// The attribute asked for last, which is what an error is about.
    pub fn asked(&self) -> Option<&str> {
        self.asked.as_deref()
    }
    /// Names of attributes nobody took.
    pub fn rest(&self) -> impl Iterator<Item = &str> {
        self.attrs.iter().map(|(n, _)| n.as_str())
    }
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An integer, an axis for example.
    Int,
    /// An integer of 0 or more.
    Size,
    /// 0 or 1.
    Flag,
    /// Two sizes, for rows and columns; one number stands for both.
    Pair,
    /// A number.
    Real,
    /// A list of integers.
    Ints,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A view.
    View,
    /// The type written after the colon, not between braces.
    Type,
}

/// A type of Rust that an attribute can have.
pub trait Attribute: Sized {
    /// What it holds, as data.
    const KIND: Kind;
    /// The value; `None` for the written type.
    fn attr(&self) -> Option<Attr>;
    /// Takes the attribute of that name.
    fn read(attrs: &mut AttrReader, name: &str) -> Result<Self, String>;
}

/// Implements [`Attribute`]: the kind, the value of `self`, and what each form of value reads back to.
macro_rules! attribute {
    ($ty:ty, $kind:ident, $expected:literal, |$value:ident| $attr:expr, { $($form:pat => $read:expr),+ $(,)? }) => {
        impl Attribute for $ty {
            const KIND: Kind = Kind::$kind;
            fn attr(&self) -> Option<Attr> {
                let $value = self;
                Some($attr)
            }
            fn read(attrs: &mut AttrReader, name: &str) -> Result<Self, String> {
                let found = attrs.take(name)?;
                let wrong = || format!("attribute `{name}` is {found}, expected {}", $expected);
                match &found {
                    $($form => Option::ok_or_else($read, wrong),)+
                    #[allow(unreachable_patterns)] // of attributes that take every form
                    _ => Err(wrong()),
                }
            }
        }
    };
}

attribute!(i64, Int, "an integer", |x| Attr::Int(*x), { Attr::Int(i) => Some(*i) });
attribute!(usize, Size, "0 or more", |x| Attr::Int(*x as i64), { Attr::Int(i) => usize::try_from(*i).ok() });
attribute!(bool, Flag, "0 or 1", |x| Attr::Int(i64::from(*x)), { Attr::Int(0) => Some(false), Attr::Int(1) => Some(true) });
attribute!(Real, Real, "a number", |x| Attr::Real(*x), {
    Attr::Int(i) => Some(Real::new(*i as f64)),
    Attr::Real(r) => Some(*r),
});
attribute!(Vec<i64>, Ints, "a list of integers", |x| Attr::Ints(x.clone()), { Attr::Ints(list) => Some(list.clone()) });
attribute!([usize; 2], Pair, "one or two numbers of 0 or more", |x| Attr::sizes(x), {
    Attr::Int(both) => usize::try_from(*both).ok().map(|both| [both; 2]),
    Attr::Ints(list) => match list[..] {
        [rows, columns] => usize::try_from(rows).ok().zip(usize::try_from(columns).ok()).map(<[usize; 2]>::from),
        _ => None,
    },
});

impl Attribute for View {
    const KIND: Kind = Kind::View;
    fn attr(&self) -> Option<Attr> {
        Some(Attr::view(self.clone()))
    }
    fn read(attrs: &mut AttrReader, name: &str) -> Result<Self, String> {
        match attrs.take(name)? {
            Attr::View(view) => Ok(Arc::unwrap_or_clone(view)),
            Attr::Word(text) => text.parse::<View>().map_err(|error| error.to_string()),
            other => Err(format!("attribute `{name}` is {other}, expected a word")),
        }
    }
}

impl Attribute for DType {
    const KIND: Kind = Kind::Word(&["f32", "bf16", "f16", "i32", "bool"]);
    fn attr(&self) -> Option<Attr> {
        Some(Attr::Word(self.name().to_string()))
    }
    fn read(attrs: &mut AttrReader, name: &str) -> Result<Self, String> {
        let (word, Kind::Word(names)) = (attrs.word(name)?, Self::KIND) else { unreachable!("its kind is a word") };
        DType::from_name(&word).ok_or_else(|| unknown_word(&word, "element type", names))
    }
}

impl Attribute for TensorType {
    const KIND: Kind = Kind::Type;
    fn attr(&self) -> Option<Attr> {
        None
    }
    fn read(attrs: &mut AttrReader, _: &str) -> Result<Self, String> {
        attrs.ty()
    }
}

/// The sentence about a word that is not one of `names`.
pub(super) fn unknown_word(word: &str, what: &str, names: &[&str]) -> String {
    let (last, rest) = names.split_last().expect("an enum has members");
    let names = if rest.is_empty() { last.to_string() } else { format!("{} or {last}", rest.join(", ")) };
    let article = if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("`{word}` is not {article} {what}, expected {names}")
}
