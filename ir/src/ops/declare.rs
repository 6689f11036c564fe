//! How an op is declared: once, with everything that text, hash, e-graph, table and generators know of it.
//!
//! ```text
//!   op! {
//!       /// `mix_up %a, %b { axis = -1 }`.              what users write
//!       pub struct MixUp = "mix_up"(a: float[.., c], b: float[c]; bias) {
//!                                                       name, operands; those after `;` may be left out
//!           /// Axis, −1 for the last.
//!           pub axis: i64,                              an attribute: name and type
//!       }
//!   }
//!        │
//!        ├─▶ struct MixUp { axis }                      the op as a value
//!        └─▶ impl Declared for MixUp                    name, operands, attributes both ways
//! ```
//!
//! An operand may say what it must be: `float[.., c]` is a tensor of f32, bf16 or f16 whose last extent is c, the same c
//! wherever the letter occurs, after any number of axes. That is the shape rule of a composite that has no other.
//!
//! A family, as `neg`, `abs`, `exp`…, is one struct whose only field is an enum of `words!`; each word is a name.

use super::{
    Op,
    attr::{Attr, AttrReader, Kind},
    shape::{common_dtype, float},
};
use crate::types::{DType, TensorType};
use std::collections::BTreeMap;

/// What a declared operand is.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// Its name, as a definition calls its input.
    pub name: &'static str,
    /// What it must be, where the declaration says so: `float` or an element type, and its extents.
    pub pattern: Option<(&'static str, &'static str)>,
}

impl Operand {
    /// Extents of the pattern from the last axis on: a number or a letter each; and whether further axes may precede them.
    pub fn extents(&self) -> Option<(bool, Vec<&'static str>)> {
        let (_, extents) = self.pattern?;
        let all: Vec<&str> = extents.split(',').map(str::trim).filter(|extent| !extent.is_empty()).collect();
        Some(match all.split_first() {
            Some((&"..", rest)) => (true, rest.to_vec()),
            _ => (false, all),
        })
    }
}

/// What operands an op takes.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// Those that may be left out come last.
    pub all: &'static [Operand],
    /// How many must be given.
    pub least: usize,
    /// Whether further ones may follow, each like the last.
    pub variadic: bool,
}

impl Operands {
    /// Smallest and largest number.
    pub fn arity(&self) -> (usize, usize) {
        (self.least, if self.variadic { usize::MAX } else { self.all.len() })
    }

    /// Demands what the patterns say of the operands of the op `name`.
    pub(super) fn fit(&self, name: &str, types: &[&TensorType]) -> Result<(), String> {
        let mut extents: BTreeMap<&str, usize> = BTreeMap::new();
        let mut floats: Vec<&TensorType> = Vec::new();
        for (operand, &ty) in self.all.iter().zip(types) {
            let (Some((elem, pattern)), Some((further, wanted))) = (operand.pattern, operand.extents()) else {
                continue;
            };
            match DType::from_name(elem) {
                None => float(name, operand.name, ty).map(|()| floats.push(ty))?,
                Some(dtype) if ty.dtype != dtype => {
                    return Err(format!("{} of {name} is {ty}, expected {elem}[{pattern}]", operand.name));
                }
                Some(_) => {}
            }
            let rank = ty.rank();
            let mut fits = rank == wanted.len() || (further && rank > wanted.len());
            for (&letter, &found) in wanted.iter().rev().zip(ty.shape.iter().rev()) {
                fits &= match letter.parse() {
                    Ok(number) => found == number,
                    Err(_) => *extents.entry(letter).or_insert(found) == found,
                };
            }
            if !fits {
                let mut expected: Vec<String> = if further { vec!["…".to_string()] } else { Vec::new() };
                expected.extend(wanted.iter().map(|&letter| match extents.get(letter) {
                    Some(extent) if rank >= wanted.len() => extent.to_string(),
                    _ => letter.to_string(),
                }));
                return Err(format!("{} of {name} is {ty}, expected {elem}[{}]", operand.name, expected.join(", ")));
            }
        }
        common_dtype(name, &floats).map(|_| ())
    }
}

/// What `op!` writes: an op as text, hash and e-graph see it.
pub(crate) trait Declared: Clone + Into<Op> {
    /// The name, or one name per member of a family.
    const NAMES: &'static [&'static str];
    /// What it is applied to.
    const OPERANDS: Operands;
    /// Attributes in canonical order.
    const ATTRS: &'static [(&'static str, Kind)];
    /// The name of this member.
    fn name(&self) -> &'static str;
    /// The values of the attributes; with the name they determine the op.
    fn attrs(&self) -> Vec<(&'static str, Attr)>;
    /// The op of that name, one of [`NAMES`](Self::NAMES), with these attributes.
    fn read(name: &str, attrs: &mut AttrReader) -> Result<Self, String>;
}

/// Declares an op; see the header of this file.
macro_rules! op {
    ($(#[$doc:meta])* pub struct $op:ident = family $family:ident($($operands:tt)*) { $(#[$about:meta])* pub op: $member:ty $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $op {
            $(#[$about])*
            pub op: $member,
        }

        impl $crate::ops::declare::Declared for $op {
            const NAMES: &'static [&'static str] = <$member>::NAMES;
            const OPERANDS: $crate::ops::declare::Operands = operands!($($operands)*);
            const ATTRS: &'static [(&'static str, $crate::ops::attr::Kind)] = &[];
            fn name(&self) -> &'static str {
                self.op.name()
            }
            fn attrs(&self) -> Vec<(&'static str, $crate::ops::attr::Attr)> {
                Vec::new()
            }
            fn read(name: &str, _: &mut $crate::ops::attr::AttrReader) -> Result<Self, String> {
                let op = <$member>::from_name(name).ok_or_else(|| format!("`{name}` is not a {}", stringify!($family)))?;
                Ok(Self { op })
            }
        }
    };
    ($(#[$doc:meta])* pub struct $op:ident = $name:literal($($operands:tt)*);) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $op;
        declared!($op, $name, ($($operands)*), );
    };
    ($(#[$doc:meta])* pub struct $op:ident = $name:literal($($operands:tt)*) {
        $($(#[$about:meta])* pub $field:ident: $ty:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $op {
            $($(#[$about])* pub $field: $ty),+
        }
        declared!($op, $name, ($($operands)*), $($field: $ty),+);
    };
}

/// The codec of an op with one name.
macro_rules! declared {
    ($op:ident, $name:literal, ($($operands:tt)*), $($field:ident: $ty:ty),*) => {
        impl $crate::ops::declare::Declared for $op {
            const NAMES: &'static [&'static str] = &[$name];
            const OPERANDS: $crate::ops::declare::Operands = operands!($($operands)*);
            const ATTRS: &'static [(&'static str, $crate::ops::attr::Kind)] =
                &[$((stringify!($field), <$ty as $crate::ops::attr::Attribute>::KIND)),*];
            fn name(&self) -> &'static str {
                $name
            }
            fn attrs(&self) -> Vec<(&'static str, $crate::ops::attr::Attr)> {
                let written: Vec<(&'static str, Option<$crate::ops::attr::Attr>)> =
                    vec![$((stringify!($field), $crate::ops::attr::Attribute::attr(&self.$field))),*];
                written.into_iter().filter_map(|(name, attr)| Some((name, attr?))).collect()
            }
            fn read(_: &str, _attrs: &mut $crate::ops::attr::AttrReader) -> Result<Self, String> {
                Ok(Self { $($field: $crate::ops::attr::Attribute::read(_attrs, stringify!($field))?),* })
            }
        }
    };
}

/// Operands, then, after `;`, those that may be left out, or `..` where further ones may follow.
macro_rules! operands {
    ($($name:ident $(: $elem:ident[$($extents:tt)*])?),*; ..) => {
        $crate::ops::declare::Operands {
            all: &[$(operand!($name $(: $elem[$($extents)*])?)),*],
            least: <[&str]>::len(&[$(stringify!($name)),*]),
            variadic: true,
        }
    };
    ($($name:ident $(: $elem:ident[$($extents:tt)*])?),* $(; $($optional:ident $(: $other:ident[$($others:tt)*])?),+)?) => {
        $crate::ops::declare::Operands {
            all: &[
                $(operand!($name $(: $elem[$($extents)*])?),)*
                $($(operand!($optional $(: $other[$($others)*])?)),+)?
            ],
            least: <[&str]>::len(&[$(stringify!($name)),*]),
            variadic: false,
        }
    };
}

macro_rules! operand {
    ($name:ident) => {
        $crate::ops::declare::Operand { name: stringify!($name), pattern: None }
    };
    ($name:ident: $elem:ident[$($extents:tt)*]) => {
        $crate::ops::declare::Operand {
            name: stringify!($name),
            pattern: Some((stringify!($elem), stringify!($($extents)*))),
        }
    };
}

/// Declares an enum whose members have a word each: an attribute, or the names of a family.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident = $what:literal { $($(#[$about:meta])* $member:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$about])* $member),+ }

        impl $name {
            /// Every member with its word.
            pub const ALL: [($name, &'static str); <[&str]>::len(&[$($word),+])] = [$(($name::$member, $word)),+];
            /// The words.
            pub const NAMES: &'static [&'static str] = &[$($word),+];
            /// The word.
            pub fn name(self) -> &'static str {
                Self::NAMES[self as usize]
            }
            /// The member of that word.
            pub fn from_name(word: &str) -> Option<$name> {
                Self::ALL.iter().find(|(_, name)| *name == word).map(|&(member, _)| member)
            }
        }

        impl $crate::ops::attr::Attribute for $name {
            const KIND: $crate::ops::attr::Kind = $crate::ops::attr::Kind::Word($name::NAMES);
            fn attr(&self) -> Option<$crate::ops::attr::Attr> {
                Some($crate::ops::attr::Attr::Word(self.name().to_string()))
            }
            fn read(attrs: &mut $crate::ops::attr::AttrReader, name: &str) -> Result<Self, String> {
                let word = attrs.word(name)?;
                $name::from_name(&word).ok_or_else(|| $crate::ops::attr::unknown_word(&word, $what, $name::NAMES))
            }
        }
    };
}
