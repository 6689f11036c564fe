//! Any movement in normal form, as the optimiser writes it.

use crate::view::View;

/// `view %x { map = "…" }`: result element i is the operand's element `map(i)`, or the map's fill value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewOp {
    /// Where each element comes from.
    pub map: View,
}
