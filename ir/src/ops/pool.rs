//! Pooling of maps `[B, C, H, W]`, as PyTorch's `max_pool2d`, `avg_pool2d` and `adaptive_avg_pool2d`.
//!
//! ```text
//!   max_pool            greatest of each patch; what lies outside the map is not a candidate
//!   avg_pool            mean of each patch; zeros outside count, or the mean is of what lies inside
//!   adaptive_avg_pool   n bins of a length L: bin i is ⌊i·L/n⌋ … ⌈(i+1)·L/n⌉ − 1; bins may overlap
//!
//!     L = 16, n = 6     └──┘  └───┘  └──┘          0–2 2–5 5–7 8–10 10–13 13–15
//!                         └───┘  …
//! ```
//!
//! Patches are a view, reduced with lanes along channels. Unequal bins are two products with matrices of bins, one
//! for rows and one for columns: means are linear.

use super::{
    Attr, OpDef,
    pointwise::greater,
    shape::{float, sized},
    unfold::{fit_patches, pieces},
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

op! {
    /// `max_pool %x { kernel = [3, 3], stride = [2, 2], padding = [1, 1] }`: `[B, C, H, W]` → `[B, C, OH, OW]`.
    pub struct MaxPool = "max_pool"(x) {
        /// Rows and columns of a patch.
        pub kernel: [usize; 2],
        /// Distance of neighbouring patches.
        pub stride: [usize; 2],
        /// Places on either side of the map, at most half a patch.
        pub padding: [usize; 2],
    }
}

op! {
    /// `avg_pool %x { kernel = [2, 2], stride = [2, 2], padding = [0, 0], count_padding = 1 }`.
    pub struct AvgPool = "avg_pool"(x) {
        /// Rows and columns of a patch.
        pub kernel: [usize; 2],
        /// Distance of neighbouring patches.
        pub stride: [usize; 2],
        /// Zeros on either side of the map, at most half a patch.
        pub padding: [usize; 2],
        /// Whether those zeros count as elements of the mean; 1 or 0 in text.
        pub count_padding: bool,
    }
}

op! {
    /// `adaptive_avg_pool %x { size = [6, 6] }`: `[B, C, H, W]` → `[B, C, 6, 6]`.
    pub struct AdaptiveAvgPool = "adaptive_avg_pool"(x) {
        /// Rows and columns of the result.
        pub size: [usize; 2],
    }
}

/// The extents of a map.
pub(super) fn map_axes(name: &str, ty: &TensorType) -> Result<[usize; 4], String> {
    float(name, "operand", ty)?;
    ty.shape.clone().try_into().map_err(|_| format!("operand of {name} is {ty}, expected 4 axes"))
}

/// Kernel, stride and padding of a pool.
struct Patches<'a> {
    name: &'a str,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Patches<'_> {
    fn infer(&self, x: &TensorType) -> Result<TensorType, String> {
        let [batch, channels, height, width] = map_axes(self.name, x)?;
        let (kernel, padding) = (self.kernel, self.padding);
        if (0..2).any(|i| padding[i].saturating_mul(2) > kernel[i]) {
            let [kernel, padding] = [kernel, padding].map(|p| Attr::sizes(&p));
            return Err(format!("{} has patches of {kernel}, padding {padding} is more than half of them", self.name));
        }
        let count =
            |n: usize, i: usize| pieces(n.saturating_add(padding[i].saturating_mul(2)), kernel[i], self.stride[i], 1);
        let (rows, columns) = (count(height, 0), count(width, 1));
        if rows == 0 || columns == 0 {
            let [kernel, stride] = [kernel, self.stride].map(|p| Attr::sizes(&p));
            return Err(format!("{} of {x} has no room for one patch of {kernel} at stride {stride}", self.name));
        }
        fit_patches(self.name, x, padding, kernel, [rows, columns])?;
        sized(x.dtype, vec![batch, channels, rows, columns])
    }

    /// The lines that make `%PREFIXpatches`, `[pixels, taps, channels]`, a view of a map `%PREFIX` of `channels`.
    fn lines(&self, prefix: &str, fill: &str, [pixels, channels]: [usize; 2]) -> String {
        let ([kh, kw], [sh, sw], [ph, pw]) = (self.kernel, self.stride, self.padding);
        let (p, taps) = (prefix, kh * kw);
        format!(
            "  %{p}rows = pad %{p} {{ axis = -2, low = {ph}, high = {ph}, value = {fill} }}
  %{p}map = pad %{p}rows {{ axis = -1, low = {pw}, high = {pw}, value = {fill} }}
  %{p}down = unfold %{p}map {{ axis = -2, size = {kh}, stride = {sh}, dilation = 1 }}
  %{p}across = unfold %{p}down {{ axis = -1, size = {kw}, stride = {sw}, dilation = 1 }}
  %{p}taps = transpose %{p}across {{ order = [-4, -2, -3, -1, -5] }}
  %{p}patches = reshape %{p}taps {{ shape = [{pixels}, {taps}, {channels}] }}
"
        )
    }

    /// Calls `each` with the values of every patch that lie inside the map.
    fn values(&self, x: &Tensor, result: &TensorType, each: impl Fn(&[f64]) -> f64) -> Tensor {
        let ([height, width], [rows, columns]) = ([x.ty.shape[2], x.ty.shape[3]], [result.shape[2], result.shape[3]]);
        let range = |i: usize, at: usize, extent: usize| {
            let start = at * self.stride[i];
            let end = (start + self.kernel[i]).saturating_sub(self.padding[i]).min(extent);
            start.saturating_sub(self.padding[i]).min(end)..end
        };
        let mut data = Vec::with_capacity(result.elements());
        let mut patch = Vec::new();
        for map in x.data.chunks(height * width) {
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                patch.clear();
                let across = range(1, j, width);
                range(0, i, height).for_each(|row| patch.extend_from_slice(&map[row * width..][across.clone()]));
                data.push(each(&patch));
            }
        }
        Tensor::new(result.clone(), data)
    }
}

/// The lines that put `[pixels, 1, channels]` back: `%y` of `%pooled`.
fn back(result: &TensorType) -> String {
    let [b, c, h, w] = result.shape[..] else { panic!("a map has four axes") };
    format!(
        "  %pixels = reshape %pooled {{ shape = [{b}, {h}, {w}, {c}] }}
  %y = transpose %pixels {{ order = [-1, -3, -2] }}
"
    )
}

impl MaxPool {
    fn patches(&self) -> Patches<'static> {
        Patches { name: "max_pool", kernel: self.kernel, stride: self.stride, padding: self.padding }
    }
}

impl OpDef for MaxPool {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        self.patches().infer(operands[0])
    }
    fn flops(&self, _: &[&TensorType], result: &TensorType) -> u64 {
        (result.elements() * self.kernel[0] * self.kernel[1]) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let most = |patch: &[f64]| patch.iter().copied().fold(f64::NEG_INFINITY, greater);
        Ok(self.patches().values(operands[0], result, most))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, result) = (operands[0], self.infer(operands).ok()?);
        let channels = x.shape[1];
        let patches = self.patches().lines("x", "-inf", [result.elements() / channels, channels]);
        Some(patches + "  %pooled = reduce %xpatches { op = max, axis = -2 }\n" + &back(&result))
    }
}

impl AvgPool {
    fn patches(&self) -> Patches<'static> {
        Patches { name: "avg_pool", kernel: self.kernel, stride: self.stride, padding: self.padding }
    }
    /// Whether all means are of equally many elements.
    fn is_even(&self) -> bool {
        self.count_padding || self.padding == [0, 0]
    }
}

impl OpDef for AvgPool {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        self.patches().infer(operands[0])
    }
    /// Sums; where patches differ also their sizes, once per pixel, and a product with one over them.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let (taps, pixels) = (self.kernel[0] * self.kernel[1], result.shape[2] * result.shape[3]);
        let _ = operands;
        let sums = result.elements() * taps;
        (if self.is_even() { sums } else { sums + pixels * taps + pixels + result.elements() }) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let taps = (self.kernel[0] * self.kernel[1]) as f64;
        let count = |patch: &[f64]| if self.count_padding { taps } else { patch.len() as f64 };
        let mean = |patch: &[f64]| patch.iter().sum::<f64>() / count(patch);
        Ok(self.patches().values(operands[0], result, mean))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, result) = (operands[0], self.infer(operands).ok()?);
        let [batch, channels, height, width] = x.shape[..] else { return None };
        let pixels = result.elements() / channels;
        let patches = self.patches().lines("x", "0.0", [pixels, channels]);
        let mean = if self.is_even() {
            "  %pooled = reduce %xpatches { op = mean, axis = -2 }\n".to_string()
        } else {
            let each = pixels / batch;
            let ones = self.patches().lines("one", "0.0", [each, 1]);
            let (dtype, c) = (x.dtype, channels);
            format!(
                "  %sum = reduce %xpatches {{ op = sum, axis = -2 }}
  %one = const {{ value = 1.0 }} : {dtype}[1, 1, {height}, {width}]
{ones}  %count = reduce %onepatches {{ op = sum, axis = -2 }}
  %part = recip %count
  %images = reshape %sum {{ shape = [{batch}, {each}, 1, {c}] }}
  %pooled = mul %images, %part
"
            )
        };
        Some(patches + &mean + &back(&result))
    }
}

/// Bin `i` of `n` on an axis of `extent`.
fn bin(i: usize, n: usize, extent: usize) -> std::ops::Range<usize> {
    i * extent / n..((i + 1) * extent).div_ceil(n)
}

impl AdaptiveAvgPool {
    fn is_even(&self, x: &TensorType) -> bool {
        x.shape[2].is_multiple_of(self.size[0]) && x.shape[3].is_multiple_of(self.size[1])
    }

    /// The lines that make `%NAMEbins`, `[n, extent]`: each row is the mean of its bin.
    fn bins(name: &str, n: usize, extent: usize) -> String {
        let up = n - 1;
        format!(
            "  %{name}bin = iota {{ axis = 0 }} : i32[{n}, 1]
  %{name}scaled = mul %{name}bin, {extent}
  %{name}start = div %{name}scaled, {n}
  %{name}next = add %{name}scaled, {extent}
  %{name}raised = add %{name}next, {up}
  %{name}end = div %{name}raised, {n}
  %{name}place = iota {{ axis = 1 }} : i32[1, {extent}]
  %{name}from = le %{name}start, %{name}place
  %{name}to = lt %{name}place, %{name}end
  %{name}inside = and %{name}from, %{name}to
  %{name}length = sub %{name}end, %{name}start
  %{name}count = cast %{name}length {{ to = f32 }}
  %{name}part = recip %{name}count
  %{name}bins = select %{name}inside, %{name}part, 0.0
"
        )
    }
}

impl OpDef for AdaptiveAvgPool {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        let [batch, channels, height, width] = map_axes("adaptive_avg_pool", x)?;
        // Bounds keep the numbers of bins and places inside 32 bits.
        if [height, width].iter().zip(self.size).any(|(&extent, n)| n == 0 || n > 1 << 15 || extent > 1 << 15) {
            let size = Attr::sizes(&self.size);
            return Err(format!("adaptive_avg_pool of {x} to {size}, expected extents and bins from 1 to 32768"));
        }
        sized(x.dtype, vec![batch, channels, self.size[0], self.size[1]])
    }
    /// Means of equal bins; otherwise two products, and one over the length of each bin.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let (x, [n, m]) = (operands[0], self.size);
        if self.is_even(x) {
            return x.elements() as u64;
        }
        let rows = 2 * n * x.elements();
        (rows + 2 * result.elements() * x.shape[3] + n + m) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let x = operands[0];
        let [height, width] = [x.ty.shape[2], x.ty.shape[3]];
        let mut data = Vec::with_capacity(result.elements());
        for map in x.data.chunks(height * width) {
            for i in 0..self.size[0] {
                for j in 0..self.size[1] {
                    let (rows, columns) = (bin(i, self.size[0], height), bin(j, self.size[1], width));
                    let count = (rows.len() * columns.len()) as f64;
                    let sum: f64 = rows.flat_map(|r| &map[r * width..][columns.clone()]).sum();
                    data.push(sum / count);
                }
            }
        }
        Ok(Tensor::new(result.clone(), data))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, result) = (operands[0], self.infer(operands).ok()?);
        let ([b, c, h, w], [n, m]) = (map_axes("adaptive_avg_pool", x).ok()?, self.size);
        let lines = if self.is_even(x) {
            let (rows, columns, pixels) = (h / n, w / m, b * n * m);
            let taps = rows * columns;
            format!(
                "  %cut = reshape %x {{ shape = [{b}, {c}, {n}, {rows}, {m}, {columns}] }}
  %taps = transpose %cut {{ order = [-4, -2, -3, -1, -5] }}
  %patches = reshape %taps {{ shape = [{pixels}, {taps}, {c}] }}
  %pooled = reduce %patches {{ op = mean, axis = -2 }}
"
            )
        } else {
            let (down, across) = (Self::bins("row", n, h), Self::bins("column", m, w));
            // Products are f32; a narrow map is widened and narrowed again.
            let narrow = x.dtype != DType::F32;
            let widen = if narrow { "  %wide = cast %x { to = f32 }\n" } else { "" };
            let narrowed =
                if narrow { format!("  %pooled = cast %means {{ to = {} }}\n", x.dtype) } else { String::new() };
            let (x, means) = if narrow { ("wide", "means") } else { ("x", "pooled") };
            let (line, lines) = (w * c, b * n);
            format!(
                "{down}{across}{widen}  %last = transpose %{x} {{ order = [-2, -1, -3] }}
  %rows = reshape %last {{ shape = [{b}, {h}, {line}] }}
  %sums = matmul %rowbins, %rows
  %columns = reshape %sums {{ shape = [{lines}, {w}, {c}] }}
  %{means} = matmul %columnbins, %columns
{narrowed}"
            )
        };
        Some(lines + &back(&result))
    }
}
