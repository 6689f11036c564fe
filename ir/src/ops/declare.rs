//! How an op is declared: once, with everything that text, hash, e-graph, table and generators know of it.
//!
//! ```text
//!   op! {
//!       /// `mix_up %a, %b { axis = -1 }`.              what people write
//!       pub struct MixUp = "mix_up"(a, b; bias) {       name, operands; those after `;` may be left out
//!           /// Axis, −1 for the last.
//!           pub axis: i64,                              an attribute: name and type
//!       }
//!   }
//!        │
//!        ├─▶ struct MixUp { axis }                      the op as a value
//!        └─▶ impl Declared for MixUp                    name, operands, attributes both ways
//! ```
//!
//! A family, as `neg`, `abs`, `exp`…, is one struct whose only field is an enum of `words!`; each word is a name.

use super::{
    Op,
    attr::{Attr, AttrReader, Kind},
};

/// What operands an op takes.
#[derive(Clone, Copy, Debug)]
pub struct Operands {
    /// Names, as a definition calls its inputs; those that may be left out come last.
    pub names: &'static [&'static str],
    /// How many must be given.
    pub least: usize,
    /// Whether further ones may follow, each like the last.
    pub variadic: bool,
}

impl Operands {
    /// Smallest and largest number.
    pub fn arity(&self) -> (usize, usize) {
        (self.least, if self.variadic { usize::MAX } else { self.names.len() })
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

/// Declares an op; see the header of `ir/src/ops/declare.rs`.
macro_rules! op {
    ($(#[$doc:meta])* pub struct $op:ident = family $family:ident($($operand:ident),*) { $(#[$about:meta])* pub op: $member:ty $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $op {
            $(#[$about])*
            pub op: $member,
        }

        impl $crate::ops::declare::Declared for $op {
            const NAMES: &'static [&'static str] = <$member>::NAMES;
            const OPERANDS: $crate::ops::declare::Operands = operands!($($operand),*);
            const ATTRS: &'static [(&'static str, $crate::ops::attr::Kind)] = &[];
            fn name(&self) -> &'static str {
                self.op.name()
            }
            fn attrs(&self) -> Vec<(&'static str, $crate::ops::attr::Attr)> {
                Vec::new()
            }
            fn read(name: &str, _: &mut $crate::ops::attr::AttrReader) -> Result<Self, String> {
                let op = <$member>::from_name(name).ok_or_else(|| format!("`{name}` is no {}", stringify!($family)))?;
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

/// Names of operands, then, after `;`, those that may be left out, or `..` where further ones may follow.
macro_rules! operands {
    ($($name:ident),*; ..) => {
        $crate::ops::declare::Operands {
            names: &[$(stringify!($name)),*],
            least: <[&str]>::len(&[$(stringify!($name)),*]),
            variadic: true,
        }
    };
    ($($name:ident),* $(; $($optional:ident),+)?) => {
        $crate::ops::declare::Operands {
            names: &[$(stringify!($name),)* $($(stringify!($optional)),+)?],
            least: <[&str]>::len(&[$(stringify!($name)),*]),
            variadic: false,
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
