//! Templates: the ways in which a group of a plan becomes one kernel. A folder each, and a row of [`TEMPLATES`].
//!
//! ```text
//!   elementwise/    maps and reductions over rows                          any group of the kind `row`
//!   matmul/         pack, multiply, finish                                 `matmul`
//!   attention/      one head at a time, scores never leave the core        `attend`
//!   neighbourhood/  the window around each pixel, lanes along pixels       `attend`, where keys are such windows
//! ```
//!
//! A template says which groups it can compute. Its instance for a group then says all that a
//! schedule needs to know: how large each tile size may be, which sizes are allowed, which are worth a look, what
//! they cost; and it emits the kernel. Nothing outside a folder knows its sizes: schedules, their text and lowering
//! see a name and a few numbers.
//!
//! What several templates share is here, too: evaluating fused expressions (`expression/`), register tiles of a
//! matmul (`register_tile.rs`), counted work (`cost.rs`).

mod attention;
pub(crate) mod cost;
mod elementwise;
pub(crate) mod expression;
mod matmul;
mod neighbourhood;
mod register_tile;
mod tiles;

pub use tiles::Tiles;
pub(crate) use tiles::{Sizes, tile_sizes};

use crate::plan::Body;
use cost::{CostContext, Work};
use expression::Context;
use regard_ir::{
    graph::NodeId,
    kernel::{Buf, Builder, Unit},
    target::{Backend, Target, UnitKind},
};
use std::ops::Range;

/// All templates. Where several fit a group, their tiles compete.
pub(crate) static TEMPLATES: [Template; 4] =
    [elementwise::TEMPLATE, matmul::TEMPLATE, attention::TEMPLATE, neighbourhood::TEMPLATE];

/// A way to compute groups.
pub(crate) struct Template {
    /// As schedules call it.
    pub name: &'static str,
    /// What its tile sizes are called, in order; at most five.
    pub sizes: &'static [&'static str],
    /// Which of the sizes are those of the register tile: alternatives that are offered differ in them.
    pub register_tile: Range<usize>,
    /// The execution unit that its multiply-adds run on; a target without one does without the template.
    pub unit: UnitKind,
    /// The template for a group of a plan; nothing where it cannot compute it.
    fit: for<'a> fn(&'a Body, &'a Target) -> Option<Box<dyn Instance<'a> + 'a>>,
}

impl Template {
    /// The template for a group of a plan; nothing where it cannot compute it, or not on this target.
    fn instance<'a>(&self, body: &'a Body, target: &'a Target) -> Option<Box<dyn Instance<'a> + 'a>> {
        target.unit(self.unit).and_then(|_| (self.fit)(body, target))
    }
}

/// A template for one group.
pub(crate) trait Instance<'a> {
    /// The name of the kernel, and its blocks along three axes.
    fn kernel(&self, sizes: Sizes) -> (String, [u64; 3]);
    /// The most that each size can be: what it divides, rounded up to whole tiles.
    fn limits(&self) -> Sizes;
    /// The first inequality that sizes within their limits break, as a sentence.
    fn check(&self, sizes: Sizes) -> Result<(), String>;
    /// Every point of the search space; all of them are allowed, and the smallest sizes are among them.
    fn search(&self, found: &mut dyn FnMut(Sizes));
    /// Prices the group's expressions.
    fn pricing(&self, setting: &CostContext<'a>) -> Box<dyn Pricing + 'a>;
    /// The constant matrix that is read in panels, and their width.
    fn panels(&self, _: Sizes) -> Option<(NodeId, usize)> {
        None
    }
    /// Emits the body of the kernel.
    fn emit(&self, context: &Context, b: &mut Builder, parameters: Parameters, sizes: Sizes);
}

/// Buffers of a kernel that its expressions do not name.
#[derive(Clone, Copy)]
pub(crate) struct Parameters {
    /// Where there are any.
    pub panels: Option<Buf>,
    /// What is written.
    pub output: Buf,
}

/// What a group's kernel costs.
pub(crate) trait Pricing {
    /// Counted work of these tiles.
    fn work(&self, sizes: Sizes) -> Work;
    /// All that work and search space depend on, where groups with equal work are frequent enough to look for: they
    /// share one search.
    fn key(&self) -> Option<Vec<u64>> {
        None
    }
}

/// The templates that can compute a group, with their place among all.
pub(crate) fn fitting<'a>(body: &'a Body, target: &'a Target) -> Vec<(usize, Box<dyn Instance<'a> + 'a>)> {
    let instance = |(index, template): (usize, &Template)| Some((index, template.instance(body, target)?));
    TEMPLATES.iter().enumerate().filter_map(instance).collect()
}

/// The template that tiles are of, for a group.
pub(crate) fn instance<'a>(
    body: &'a Body,
    tiles: &Tiles,
    target: &'a Target,
) -> Result<Box<dyn Instance<'a> + 'a>, String> {
    tiles.template().instance(body, target).ok_or_else(|| {
        let names: Vec<String> =
            fitting(body, target).iter().map(|&(index, _)| format!("`{}`", TEMPLATES[index].name)).collect();
        format!("`{tiles}` does not fit the group, expected {}", names.join(" or "))
    })
}

/// The first inequality that tiles for a group break, as a sentence.
pub(crate) fn check(body: &Body, tiles: &Tiles, target: &Target) -> Result<(), String> {
    let instance = instance(body, tiles, target)?;
    for ((word, size), most) in tiles.named().zip(instance.limits()) {
        if !(1..=most).contains(&size) {
            return Err(format!("{word} is {size}, expected 1 to {most}"));
        }
    }
    instance.check(tiles.sizes())
}

/// What executes one block of a kernel.
pub(crate) fn unit_of(target: &Target) -> Unit {
    if target.backend == Backend::Ptx { Unit::Warp } else { Unit::Core }
}

/// Numbers up to `most`: each, then by halves of a doubling (1, 2, 3, 4, 6, 8, 12, …). Numbers of blocks run through
/// it, so that a search stays a few thousand points however large the tensors are.
fn ladder(most: usize) -> impl Iterator<Item = usize> {
    let steps = (0..usize::BITS - 2).flat_map(|power| [1 << power, 3 << power]);
    steps.take_while(move |&n| n <= most.saturating_mul(2)).filter(move |&n| n <= most)
}

/// Sizes of the parts when `whole` is cut into numbers of parts from the ladder, largest first.
fn parts(whole: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = ladder(whole).map(|parts| whole.div_ceil(parts)).collect();
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Canonical, plan};
    use regard_ir::{graph::Builder, types::TensorType};

    #[test]
    fn a_target_without_the_unit_does_without_the_template() {
        let mut b = Builder::new("double");
        let x = b.input("x", TensorType::f32([2, 3]));
        let y = b.add(x, x);
        let [target, matrices] = [Target::ROWS[0].units, &[]].map(|units| Target { units, ..Target::ROWS[0].clone() });
        let graph = Canonical::of(&b.finish(&[y])).expect("a canonical form");
        let plan = plan(&graph, &target).expect("a plan");
        let body = &plan.groups[0].body;
        let names = |target: &Target| -> Vec<&str> {
            fitting(body, target).iter().map(|&(index, _)| TEMPLATES[index].name).collect()
        };
        assert_eq!(names(&target), ["row"]);
        assert!(names(&matrices).is_empty());
    }
}
