//! Tile sizes of a group, as data: the template, and a number for each of its sizes.

use super::{TEMPLATES, Template};
use std::fmt;

/// A number for each size of a template, in its order; zeros after the last.
pub(crate) type Sizes = [usize; 5];

/// How one group is tiled: by which template, and with which sizes. Its text form is the template's name, then each
/// size after its own name: `product rows 196 panels 6 depth 96 mr 7 nv 3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tiles {
    template: usize,
    sizes: Sizes,
}

impl Tiles {
    /// Tiles of the template with that name; nothing where there is none, or where it has another number of sizes.
    pub fn new(template: &str, sizes: &[usize]) -> Option<Self> {
        let index = TEMPLATES.iter().position(|t| t.name == template)?;
        let mut tiles = Self { template: index, sizes: [0; 5] };
        (sizes.len() == tiles.words().len()).then(|| tiles.sizes[..sizes.len()].copy_from_slice(sizes))?;
        Some(tiles)
    }

    /// The name of the template.
    pub fn name(&self) -> &'static str {
        self.template().name
    }

    /// Each size with its name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.words().iter().copied().zip(self.sizes)
    }

    pub(crate) fn of(template: usize, sizes: Sizes) -> Self {
        Self { template, sizes }
    }

    pub(crate) fn index(&self) -> usize {
        self.template
    }

    pub(crate) fn template(&self) -> &'static Template {
        &TEMPLATES[self.template]
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The template and the sizes of the register tile.
    pub(crate) fn register_tile(&self) -> (usize, Vec<usize>) {
        (self.template, self.sizes[self.template().register_tile.clone()].to_vec())
    }

    fn words(&self) -> &'static [&'static str] {
        self.template().sizes
    }
}

impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.named().try_for_each(|(word, size)| write!(f, " {word} {size}"))
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Declares the sizes of a template as a struct whose fields are called as in the text of schedules.
macro_rules! tile_sizes {
    ($(#[$doc:meta])* $name:ident { $($(#[$size_doc:meta])* $size:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct $name { $($(#[$size_doc])* pub $size: usize,)+ }

        impl $name {
            /// What the sizes are called.
            pub(crate) const WORDS: &[&str] = &[$(stringify!($size)),+];
        }

        impl From<$crate::templates::Sizes> for $name {
            fn from(sizes: $crate::templates::Sizes) -> Self {
                let mut sizes = sizes.into_iter();
                Self { $($size: sizes.next().unwrap_or_default()),+ }
            }
        }

        impl From<$name> for $crate::templates::Sizes {
            fn from(tiles: $name) -> Self {
                let mut sizes = [0; 5];
                sizes.iter_mut().zip([$(tiles.$size),+]).for_each(|(place, size)| *place = size);
                sizes
            }
        }
    };
}
pub(crate) use tile_sizes;
