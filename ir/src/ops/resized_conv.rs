//! A convolution of a resized map, with its products at the size before resizing.
//!
//! ```text
//!   conv(resize x)  =  Σ_taps shift_tap(resize(W_tap x))
//!
//!                 x  h·w × C  ─ one product ─▶  z  h·w × taps × O      every tap's channels mixed, at the coarse size
//!   y[i, j]  =  Σ_{p, q}  inside(s·i + d·p − pad, s·j + d·q − pad) · mix of 4 pixels of z[·, ·, p, q]
//! ```
//!
//! Both are linear: mixing channels is the same for all pixels, mixing pixels the same for all channels, so they commute.
//! Zeros stand around the *resized* map, which is why a tap outside it counts nothing instead of repeating the edge.
//! Resizing 64×64 to 128×128 under a 3×3 kernel, products fall to a quarter; what is added is 36 multiplications per
//! element. A resized map is never stored: each element reads its 36 from z, lanes along channels.

use super::{Attr, Conv2d, OpDef, Resize, ResizeMode, shape::countable};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

op! {
    /// `resized_conv %x, %w { size = [8, 8], mode = bilinear, stride = [1, 1], padding = [1, 1], dilation = [1, 1] }`: the
    /// convolution, in one group, by w `[O, C, kh, kw]` of x `[B, C, h, w]` resized; f32.
    pub struct ResizedConv = "resized_conv"(x, w) {
        /// Rows and columns of the resized map.
        pub size: [usize; 2],
        /// How it is resized.
        pub mode: ResizeMode,
        /// Distance of neighbouring patches of the resized map.
        pub stride: [usize; 2],
        /// Zeros on either side of the resized map.
        pub padding: [usize; 2],
        /// Distance of taps.
        pub dilation: [usize; 2],
    }
}

impl ResizedConv {
    fn parts(&self) -> (Resize, Conv2d) {
        let Self { size, mode, stride, padding, dilation } = *self;
        (Resize { size, mode }, Conv2d { stride, padding, dilation, groups: 1 })
    }

    fn resized(&self, x: &TensorType) -> Result<TensorType, String> {
        self.parts().0.infer(&[x])
    }

    /// Pixels that are mixed into one, along one axis.
    fn sides(&self) -> usize {
        if self.mode == ResizeMode::Nearest { 1 } else { 2 }
    }

    /// The product by all taps, `[B·h·w, kh·kw·O]`: what lies between its operands and its result.
    pub fn product(&self, operands: &[&TensorType]) -> TensorType {
        let (x, w) = (operands[0], operands[1]);
        TensorType::f32([x.elements() / x.shape[1], w.elements() / w.shape[1]])
    }

    /// The lines that make `%NAMEat` and `%NAMEpart`, `[n, k, sides]`: for each output and tap the sources and what they
    /// count, nothing outside.
    fn lines(&self, name: &str, axis: usize, [out, k, extent]: [usize; 3]) -> String {
        let (n, size, sides) = (name, self.size[axis], self.sides());
        let (stride, padding, dilation) = (self.stride[axis], self.padding[axis], self.dilation[axis]);
        let (factor, term, by) = self.mode.fraction(extent, size);
        let (end, last) = (size - 1, extent - 1);
        let places = format!(
            "  %{n}out = iota {{ axis = 0 }} : i32[{out}, {k}, 1]
  %{n}tap = iota {{ axis = 1 }} : i32[{out}, {k}, 1]
  %{n}first = mul %{n}out, {stride}
  %{n}apart = mul %{n}tap, {dilation}
  %{n}moved = add %{n}first, %{n}apart
  %{n}place = sub %{n}moved, {padding}
  %{n}above = max %{n}place, 0
  %{n}within = min %{n}above, {end}
  %{n}inside = eq %{n}place, %{n}within
  %{n}scaled = mul %{n}within, {factor}
  %{n}shifted = add %{n}scaled, {term}
  %{n}source = max %{n}shifted, 0
  %{n}low = div %{n}source, {by}
"
        );
        if sides == 1 {
            return format!(
                "{places}  %{n}at = reshape %{n}low {{ shape = [{out}, {k}, 1] }}
  %{n}part = select %{n}inside, 1.0, 0.0
"
            );
        }
        let one = 1.0 / by as f64;
        format!(
            "{places}  %{n}next = add %{n}low, 1
  %{n}high = min %{n}next, {last}
  %{n}rest = rem %{n}source, {by}
  %{n}real = cast %{n}rest {{ to = f32 }}
  %{n}upper = mul %{n}real, {one:?}
  %{n}lower = sub 1.0, %{n}upper
  %{n}side = iota {{ axis = 2 }} : i32[1, 1, {sides}]
  %{n}isfirst = eq %{n}side, 0
  %{n}at = select %{n}isfirst, %{n}low, %{n}high
  %{n}share = select %{n}isfirst, %{n}lower, %{n}upper
  %{n}part = select %{n}inside, %{n}share, 0.0
"
        )
    }
}

/// The longest stride, padding and dilation.
const MOST: usize = 1 << 14;

impl OpDef for ResizedConv {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if operands.iter().any(|ty| ty.dtype != DType::F32) {
            return Err(format!("resized_conv has {} and {}, expected f32", operands[0], operands[1]));
        }
        let (x, w) = (operands[0], operands[1]);
        let result = self.parts().1.infer(&[&self.resized(x)?, w])?;
        // Bounds keep places of taps, and of their products in one table, inside 32 bits.
        let [stride, padding, dilation] = [self.stride, self.padding, self.dilation];
        if [stride, padding, dilation].iter().flatten().any(|&n| n > MOST) {
            let [stride, padding, dilation] = [stride, padding, dilation].map(|pair| Attr::sizes(&pair));
            return Err(format!(
                "resized_conv has stride {stride}, padding {padding} and dilation {dilation}, expected at most {MOST}"
            ));
        }
        let [_, out, rows, columns] = result.shape[..] else { return Ok(result) };
        let [batch, _, height, width] = x.shape[..] else { return Ok(result) };
        let (kh, kw, sides) = (w.shape[2], w.shape[3], self.sides());
        countable("resized_conv", x, &[batch, height, width, kh, kw, out])?;
        countable("resized_conv", x, &[batch, rows, columns, kh, kw, sides, sides, out])?;
        if batch * height * width * kh * kw > 1 << 31 {
            return Err(format!("resized_conv of {x} by {w} has more than 2^31 pixels times taps"));
        }
        Ok(result)
    }
    /// The product at the size before; per element a mixture of some pixels of every tap. Shares of rows and columns are
    /// a product and a difference each, and a product of both.
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let (x, w) = (operands[0], operands[1]);
        let [_, _, rows, columns] = result.shape[..] else { return 0 };
        let (kh, kw, sides) = (w.shape[2], w.shape[3], self.sides());
        let mixed = sides * sides * kh * kw;
        let shares = if sides == 1 { 0 } else { 2 * (rows * kh + columns * kw) };
        let products = 2 * self.product(operands).elements() * x.shape[1];
        (products + result.elements() * 2 * mixed + shares + rows * columns * mixed) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let (resize, conv) = self.parts();
        let resized = resize.eval(&operands[..1], &self.resized(&operands[0].ty)?)?;
        conv.eval(&[&resized, operands[1]], result)
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (x, w) = (operands[0], operands[1]);
        let result = self.infer(operands).ok()?;
        let ([b, c, h, wide], [o, _, kh, kw]) =
            (<[usize; 4]>::try_from(x.shape.clone()).ok()?, <[usize; 4]>::try_from(w.shape.clone()).ok()?);
        let [_, _, rows, columns] = result.shape[..] else { return None };
        let (pixels, taps, sides) = (b * h * wide, kh * kw, self.sides());
        let (mixed, each, all, table) = (sides * sides * taps, rows * columns, taps * o, pixels * taps);
        Some(format!(
            "  %last = transpose %x {{ order = [-2, -1, -3] }}
  %rows = reshape %last {{ shape = [{pixels}, {c}] }}
  %columns = transpose %w {{ order = [-3, -2, -1, -4] }}
  %matrix = reshape %columns {{ shape = [{c}, {all}] }}
  %mixed = matmul %rows, %matrix
  %table = reshape %mixed {{ shape = [{table}, {o}] }}
{}{}  %image = iota {{ axis = 0 }} : i32[{b}, 1, 1, 1, 1, 1, 1]
  %images = mul %image, {h}
  %ats = reshape %downat {{ shape = [1, {rows}, 1, {kh}, {sides}, 1, 1] }}
  %line = add %images, %ats
  %lines = mul %line, {wide}
  %places = reshape %acrossat {{ shape = [1, 1, {columns}, 1, 1, {kw}, {sides}] }}
  %pixel = add %lines, %places
  %first = mul %pixel, {taps}
  %tapdown = iota {{ axis = 3 }} : i32[1, 1, 1, {kh}, 1, 1, 1]
  %tapline = mul %tapdown, {kw}
  %tapacross = iota {{ axis = 5 }} : i32[1, 1, 1, 1, 1, {kw}, 1]
  %tap = add %tapline, %tapacross
  %entry = add %first, %tap
  %index = reshape %entry {{ shape = [{b}, {each}, {mixed}] }}
  %gathered = gather %table, %index
  %partsdown = reshape %downpart {{ shape = [{rows}, 1, {kh}, {sides}, 1, 1] }}
  %partsacross = reshape %acrosspart {{ shape = [1, {columns}, 1, 1, {kw}, {sides}] }}
  %parts = mul %partsdown, %partsacross
  %counts = reshape %parts {{ shape = [{each}, {mixed}, 1] }}
  %weighted = mul %gathered, %counts
  %sum = reduce %weighted {{ op = sum, axis = -2 }}
  %pixels = reshape %sum {{ shape = [{b}, {rows}, {columns}, {o}] }}
  %y = transpose %pixels {{ order = [-1, -3, -2] }}",
            self.lines("down", 0, [rows, kh, h]),
            self.lines("across", 1, [columns, kw, wide]),
        ))
    }
}
