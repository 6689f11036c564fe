//! Resizing of maps `[B, C, H, W]`, as PyTorch's `interpolate`.
//!
//! ```text
//!   output index t of n, input extent L, source s = p/q:
//!     bilinear            s = max((2t+1)·L − n, 0) / 2n      pixels are areas          (align_corners = false)
//!     bilinear_corners    s = t·(L−1) / (n−1)                the first and last agree  (align_corners = true)
//!     nearest             s = t·L / n                        ⌊s⌋ is taken
//!
//!   y = (1−f)·x[⌊s⌋] + f·x[min(⌊s⌋+1, L−1)],  f = s − ⌊s⌋,  along rows and along columns
//! ```
//!
//! Sources are fractions of integers, so ⌊s⌋ is exact. The definition gathers whole pixels, lanes along channels;
//! which ones is constant.

use super::{Attr, OpDef, pool::map_axes, shape::sized};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

words! {
    /// Which element or mean of elements a new one is.
    #[allow(missing_docs)] // the header says it
    pub enum ResizeMode = "mode" {
        Bilinear = "bilinear",
        BilinearCorners = "bilinear_corners",
        Nearest = "nearest",
    }
}

op! {
    /// `resize %x { size = [128, 128], mode = bilinear }`: `[B, C, H, W]` → `[B, C, 128, 128]`.
    pub struct Resize = "resize"(x) {
        /// Rows and columns of the result.
        pub size: [usize; 2],
        /// How.
        pub mode: ResizeMode,
    }
}

impl ResizeMode {
    /// The source of index t on an axis from `extent` to `size`, as max(factor·t + term, 0) over a denominator.
    pub(super) fn fraction(self, extent: usize, size: usize) -> (i64, i64, i64) {
        let (extent, size) = (extent as i64, size as i64);
        match self {
            ResizeMode::Bilinear => (2 * extent, extent - size, 2 * size),
            ResizeMode::BilinearCorners => (extent - 1, 0, (size - 1).max(1)),
            ResizeMode::Nearest => (extent, 0, size),
        }
    }

    /// Lower and upper source of index `t`, and the share of the upper one.
    pub fn source(self, t: usize, extent: usize, size: usize) -> (usize, usize, f64) {
        let (factor, term, by) = self.fraction(extent, size);
        let at = (factor * t as i64 + term).max(0);
        let (low, rest) = ((at / by) as usize, (at % by) as f64);
        let share = if self == ResizeMode::Nearest { 0.0 } else { rest / by as f64 };
        (low, (low + 1).min(extent - 1), share)
    }

    /// The lines that make `%NAMElow`, `%NAMEhigh` and `%NAMEshare`, of that extent on one of three axes.
    fn lines(self, name: &str, extent: usize, (axis, size): (usize, usize)) -> String {
        let (n, last) = (name, extent - 1);
        let (factor, term, by) = self.fraction(extent, size);
        let mut shape = [1; 3];
        shape[axis] = size;
        let shape = Attr::sizes(&shape);
        let low = format!(
            "  %{n}place = iota {{ axis = {axis} }} : i32{shape}
  %{n}scaled = mul %{n}place, {factor}
  %{n}moved = add %{n}scaled, {term}
  %{n}at = max %{n}moved, 0
  %{n}low = div %{n}at, {by}
"
        );
        if self == ResizeMode::Nearest {
            return low;
        }
        let one = 1.0 / by as f64;
        format!(
            "{low}  %{n}next = add %{n}low, 1
  %{n}high = min %{n}next, {last}
  %{n}rest = rem %{n}at, {by}
  %{n}part = cast %{n}rest {{ to = f32 }}
  %{n}share = mul %{n}part, {one:?}
"
        )
    }
}

/// The lines that mix `%low` and `%high` into `%out` by `%share`.
fn mix(out: &str, [low, high]: [&str; 2], share: &str) -> String {
    format!(
        "  %{out}step = sub %{high}, %{low}
  %{out}part = mul %{out}step, %{share}
  %{out} = add %{low}, %{out}part
"
    )
}

impl Resize {
    /// Pixels of the corners, mixed in f32.
    fn bilinear(&self, dtype: DType) -> String {
        let narrow = dtype != DType::F32;
        let mut lines = String::new();
        let corners = [("a", "low", "low"), ("b", "low", "high"), ("c", "high", "low"), ("d", "high", "high")];
        for (corner, row, column) in corners {
            lines += &format!("  %index{corner} = add %line{row}, %column{column}\n");
            let pixel = if narrow { "narrow" } else { "corner" };
            lines += &format!("  %{pixel}{corner} = gather %table, %index{corner}\n");
            if narrow {
                lines += &format!("  %corner{corner} = cast %narrow{corner} {{ to = f32 }}\n");
            }
        }
        let [rows, columns] = self.size;
        lines += &format!("  %across = reshape %columnshare {{ shape = [{columns}, 1] }}\n");
        lines += &format!("  %along = reshape %rowshare {{ shape = [{rows}, 1, 1] }}\n");
        lines += &mix("top", ["cornera", "cornerb"], "across");
        lines += &mix("bottom", ["cornerc", "cornerd"], "across");
        lines += &mix(if narrow { "wide" } else { "pixels" }, ["top", "bottom"], "along");
        if narrow {
            lines += &format!("  %pixels = cast %wide {{ to = {dtype} }}\n");
        }
        lines
    }
}

impl OpDef for Resize {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        let [batch, channels, height, width] = map_axes("resize", x)?;
        // Bounds keep numerators inside 32 bits.
        if [height, width].iter().zip(self.size).any(|(&extent, n)| n == 0 || n > 1 << 14 || extent > 1 << 14) {
            let size = Attr::sizes(&self.size);
            return Err(format!("resize of {x} to {size}, expected extents from 1 to 16384"));
        }
        sized(x.dtype, vec![batch, channels, self.size[0], self.size[1]])
    }
    /// Three mixtures of a difference, a product and a sum; a share per row and column.
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        let shares = self.size[0] + self.size[1];
        if self.mode == ResizeMode::Nearest { 0 } else { (9 * result.elements() + shares) as u64 }
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let x = operands[0];
        let [height, width] = [x.ty.shape[2], x.ty.shape[3]];
        let sources = |extent: usize, size: usize| (0..size).map(move |t| self.mode.source(t, extent, size));
        let across: Vec<(usize, usize, f64)> = sources(width, self.size[1]).collect();
        let mut data = Vec::with_capacity(result.elements());
        for map in x.data.chunks(height * width) {
            for (low, high, share) in sources(height, self.size[0]) {
                let (upper, lower) = (&map[low * width..], &map[high * width..]);
                data.extend(across.iter().map(|&(i, j, part)| {
                    if self.mode == ResizeMode::Nearest {
                        return upper[i];
                    }
                    let line = |row: &[f64]| row[i] + (row[j] - row[i]) * part;
                    line(upper) + (line(lower) - line(upper)) * share
                }));
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let x = operands[0];
        let [b, c, h, w] = map_axes("resize", x).ok()?;
        let ([rows, columns], pixels) = (self.size, b * h * w);
        let (down, across) = (self.mode.lines("row", h, (1, rows)), self.mode.lines("column", w, (2, columns)));
        let mut lines = format!("  %image = iota {{ axis = 0 }} : i32[{b}, 1, 1]\n  %first = mul %image, {h}\n");
        let sides: &[&str] = if self.mode == ResizeMode::Nearest { &["low"] } else { &["low", "high"] };
        for side in sides {
            lines += &format!("  %row{side}s = add %first, %row{side}\n  %line{side} = mul %row{side}s, {w}\n");
        }
        lines += &match self.mode {
            ResizeMode::Nearest => {
                "  %index = add %linelow, %columnlow\n  %pixels = gather %table, %index\n".to_string()
            }
            _ => self.bilinear(x.dtype),
        };
        Some(format!(
            "  %last = transpose %x {{ order = [-2, -1, -3] }}
  %table = reshape %last {{ shape = [{pixels}, {c}] }}
{down}{across}{lines}  %y = transpose %pixels {{ order = [-1, -3, -2] }}"
        ))
    }
}
