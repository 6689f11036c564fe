//! The two neighbours that a bilinear sample reads along one axis, for ops that sample.
//!
//! ```text
//!   −1            position            1          corners: −1 and 1 are the first and the last element
//!    ├──┼──┼──┼──┼┄●┄┼──┼──┼──┼──┼──┼──┤          centres: −1 and 1 are the outer borders of those two
//!              low  high
//!   value = (1 − part)·x[low] + part·x[high],    a neighbour outside 0…n−1 counts as 0
//! ```

words! {
    /// What −1 and 1 mean.
    pub enum Align = "alignment" {
        /// The first and the last element.
        Corners = "corners",
        /// The outer borders of the first and the last element.
        Centres = "centres",
    }
}

impl Align {
    /// Factor and term that turn a position plus 1 into an index of `extent` elements.
    fn line(self, extent: usize) -> (f64, f64) {
        match self {
            Align::Corners => ((extent - 1) as f64 / 2.0, 0.0),
            Align::Centres => (extent as f64 / 2.0, -0.5),
        }
    }
    /// The position of element `index` of `extent`.
    pub(crate) fn position(self, index: f64, extent: usize) -> f64 {
        let (factor, term) = self.line(extent);
        (index - term) / factor - 1.0
    }
}

/// The elements read at a position and their weights; weight 0 where an element is outside.
pub(crate) fn taps(align: Align, position: f64, extent: usize) -> [(usize, f64); 2] {
    let (factor, term) = align.line(extent);
    let at = (position + 1.0) * factor + term;
    let low = at.floor();
    let inside = |index: f64, weight: f64| match (0.0..extent as f64).contains(&index) {
        true => (index as usize, weight),
        false => (0, 0.0),
    };
    [inside(low, 1.0 - (at - low)), inside(low + 1.0, at - low)]
}

/// Lines of `.rg` text that turn positions `%{at}` into `%{axis}_low`, `%{axis}_high`, elements inside the axis as i32,
/// and their weights `%{axis}_near`, `%{axis}_far`.
pub(crate) fn lines(axis: &str, at: &str, align: Align, extent: usize) -> String {
    let (factor, term) = align.line(extent);
    let last = (extent - 1) as f64;
    let mut text = format!(
        "
  %{axis}_ahead = add %{at}, 1.0
  %{axis}_scaled = mul %{axis}_ahead, {factor:?}
  %{axis}_at = add %{axis}_scaled, {term:?}
  %{axis}_floor = floor %{axis}_at
  %{axis}_next = add %{axis}_floor, 1.0
  %{axis}_part = sub %{axis}_at, %{axis}_floor
  %{axis}_rest = sub 1.0, %{axis}_part"
    );
    for (index, weight, place, name) in [("floor", "rest", "low", "near"), ("next", "part", "high", "far")] {
        text += &format!(
            "
  %{axis}_{place}_least = max %{axis}_{index}, 0.0
  %{axis}_{place}_inside = min %{axis}_{place}_least, {last:?}
  %{axis}_{place} = cast %{axis}_{place}_inside {{ to = i32 }}
  %{axis}_{place}_same = eq %{axis}_{place}_inside, %{axis}_{index}
  %{axis}_{name} = select %{axis}_{place}_same, %{axis}_{weight}, 0.0"
        );
    }
    text
}

/// Lines of `.rg` text that put the four taps of rows `y` and columns `x` of a table, whose rows of elements lie
/// `width` apart, into `%sampled`. Indices get `offset` added; weights are reshaped where `spread` says so.
pub(crate) fn corners(table: &str, width: usize, offset: Option<&str>, spread: Option<&str>) -> String {
    let mut text = String::new();
    for (row, row_weight) in [("low", "near"), ("high", "far")] {
        text += &format!("\n  %{row}_line = mul %y_{row}, {width}");
        for (column, column_weight) in [("low", "near"), ("high", "far")] {
            let name = format!("{row}_{column}");
            text += &format!("\n  %{name}_inner = add %{row}_line, %x_{column}");
            let mut index = format!("{name}_inner");
            if let Some(offset) = offset {
                text += &format!("\n  %{name}_index = add %{index}, %{offset}");
                index = format!("{name}_index");
            }
            let mut weight = format!("{name}_weight");
            text += &format!("\n  %{name}_value = gather %{table}, %{index}");
            text += &format!("\n  %{weight} = mul %y_{row_weight}, %x_{column_weight}");
            if let Some(shape) = spread {
                text += &format!("\n  %{name}_spread = reshape %{weight} {{ shape = {shape} }}");
                weight = format!("{name}_spread");
            }
            text += &format!("\n  %{name} = mul %{name}_value, %{weight}");
        }
    }
    text + "
  %low = add %low_low, %low_high
  %high = add %high_low, %high_high
  %sampled = add %low, %high"
}
