//! Schedules: how each group's kernel is cut, as a value.
//!
//! A schedule has a text form, so it can be diffed, stored beside a measurement and named in a report:
//!
//! ```text
//!   schedule swin_tiny for x86-64-v4 {
//!     %layers.0.blocks.0.norm1.mean row rows 1 inner 16384
//!     %layers.0.blocks.0.attn.qkv matmul rows 196 panels 6 depth 96 mr 7 nv 3
//!     %layers.0.blocks.0.attn.attend attend queries 49 mr 5 keys 4 values 2
//!     %40 slide rows 14 sums 8
//!   }
//! ```
//!
//! ```text
//!   templates ─▶ space: all tiles that they allow ─▶ estimate ─┬─▶ the least: the choice
//!                                                                   └─▶ a varied dozen or two: candidates to compare
//! ```
//!
//! The choice depends on shapes and target data only, never on the number of threads or on a clock, so the
//! same model gives the same program everywhere.

mod estimate;
pub mod search;
mod text;

pub use crate::templates::{
    Tiles,
    cost::{CostContext, Event, Work},
};
pub use estimate::{Estimate, Estimator};
pub use search::{Candidate, candidates};
pub use text::parse;

use crate::{error::Error, plan::Plan, templates};
use regard_ir::{count::counted, target::Target};

/// Tiles for every group of a plan, in launch order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Name of the model.
    pub model: String,
    /// Name of the target.
    pub target: String,
    /// The name of each group, and its tiles.
    pub groups: Vec<(String, Tiles)>,
}

impl Schedule {
    /// The best schedule by the cost model.
    pub fn best(plan: &Plan, target: &Target) -> Schedule {
        let setting = CostContext::new(plan, target);
        Schedule::of(plan, target, search::chosen(plan, &setting).into_iter())
    }

    /// The schedule with these tiles, one for each group.
    pub fn of(plan: &Plan, target: &Target, tiles: impl Iterator<Item = Tiles>) -> Schedule {
        let groups = plan.names.iter().cloned().zip(tiles).collect();
        Schedule { model: plan.graph.name.clone(), target: target.name.to_string(), groups }
    }

    /// Checks that the schedule is one for this plan and target, and that every tile satisfies its
    /// inequalities; the error names the first that fails.
    pub fn check(&self, plan: &Plan, target: &Target) -> Result<(), Error> {
        if self.target != target.name {
            return Err(Error::unsupported(format!("the schedule is for {}, not for {}", self.target, target.name)));
        }
        if self.groups.len() != plan.groups.len() {
            let (found, expected) = (self.groups.len(), plan.groups.len());
            return Err(Error::unsupported(format!(
                "the schedule has {}, the plan has {expected}",
                counted(found, "group")
            )));
        }
        for (((name, tiles), group), expected) in self.groups.iter().zip(&plan.groups).zip(&plan.names) {
            if name != expected {
                return Err(Error::unsupported(format!("the schedule names %{name} where the plan has %{expected}")));
            }
            templates::check(&group.body, tiles, target)
                .map_err(|why| Error::unsupported(format!("%{name}: {why}")))?;
        }
        Ok(())
    }
}
