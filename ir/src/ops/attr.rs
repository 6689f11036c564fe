//! The attribute codec shared by text, hash and e-graph.

use crate::{
    types::{DType, Real},
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

/// Hands an op its attributes by name and remembers which were taken, so that surplus ones are reported.
/// Leaf ops also take the type written behind the colon.
#[derive(Clone, Debug, Default)]
pub struct AttrReader {
    attrs: Vec<(String, Attr)>,
    ty: Option<crate::types::TensorType>,
    asked: Option<String>,
}

impl AttrReader {
    /// A reader over attributes as written and the written type, if any.
    pub fn new(attrs: Vec<(String, Attr)>, ty: Option<crate::types::TensorType>) -> Self {
        Self { attrs, ty, asked: None }
    }
    /// The written type; leaf ops need it.
    pub fn ty(&self) -> Result<crate::types::TensorType, String> {
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
    /// An integer.
    pub fn int(&mut self, name: &str) -> Result<i64, String> {
        match self.take(name)? {
            Attr::Int(i) => Ok(i),
            other => Err(format!("attribute `{name}` is {other}, expected an integer")),
        }
    }
    /// An integer ≥ 0.
    pub fn size(&mut self, name: &str) -> Result<usize, String> {
        let i = self.int(name)?;
        usize::try_from(i).map_err(|_| format!("attribute `{name}` is {i}, expected 0 or more"))
    }
    /// A real number; an integer is one too.
    pub fn real(&mut self, name: &str) -> Result<Real, String> {
        match self.take(name)? {
            Attr::Int(i) => Ok(Real::new(i as f64)),
            Attr::Real(r) => Ok(r),
            other => Err(format!("attribute `{name}` is {other}, expected a number")),
        }
    }
    /// A list of integers.
    pub fn ints(&mut self, name: &str) -> Result<Vec<i64>, String> {
        match self.take(name)? {
            Attr::Ints(list) => Ok(list),
            other => Err(format!("attribute `{name}` is {other}, expected a list of integers")),
        }
    }
    /// Two sizes, for rows and columns; one number stands for both.
    pub fn pair(&mut self, name: &str) -> Result<[usize; 2], String> {
        let wrong = |found: &Attr| format!("attribute `{name}` is {found}, expected one or two numbers of 0 or more");
        let found = self.take(name)?;
        let list = match &found {
            Attr::Int(both) => vec![*both; 2],
            Attr::Ints(list) => list.clone(),
            other => return Err(wrong(other)),
        };
        let sizes: Vec<usize> = list.iter().filter_map(|&i| usize::try_from(i).ok()).collect();
        if list.len() == 2 { sizes.try_into().map_err(|_| wrong(&found)) } else { Err(wrong(&found)) }
    }
    /// A word or quoted text.
    pub fn word(&mut self, name: &str) -> Result<String, String> {
        match self.take(name)? {
            Attr::Word(w) => Ok(w),
            other => Err(format!("attribute `{name}` is {other}, expected a word")),
        }
    }
    /// A view, as a value or as its text.
    pub fn view(&mut self, name: &str) -> Result<View, String> {
        match self.take(name)? {
            Attr::View(view) => Ok(Arc::unwrap_or_clone(view)),
            Attr::Word(text) => text.parse::<View>().map_err(|error| error.to_string()),
            other => Err(format!("attribute `{name}` is {other}, expected a word")),
        }
    }
    /// An element type.
    pub fn dtype(&mut self, name: &str) -> Result<DType, String> {
        let word = self.word(name)?;
        DType::from_name(&word)
            .ok_or_else(|| format!("`{word}` is no element type, expected f32, bf16, f16, i32 or bool"))
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
