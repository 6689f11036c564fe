//! Sinusoidal position encoding: sinusoids of a pixel's row and column, added to its channels.
//!
//! ```text
//!   y[c, i, j] = x[c, i, j] + wave(c, i)            c < C/2: the row
//!              = x[c, i, j] + wave(c − C/2, j)      else the column
//!
//!   wave(c, t) = sin(t · base^(−2⌊c/2⌋/(C/2)) + (c mod 2)·π/2)         sine and cosine in turn
//! ```
//!
//! Nothing here depends on the input but the sum, so the waves are a constant. Their sine is spelled out for the
//! definition: sin(x) = (−1)ⁿ·sin(x − nπ), and ten terms of the series for an argument of at most π/2.
//!
//! Vaswani et al., "Attention Is All You Need", 2017, once for each axis; the absolute encoding of "Stand-Alone
//! Self-Attention in Vision Models", Ramachandran et al. 2019, Table 5.

use super::{
    OpDef,
    shape::{float, narrowed, sized},
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{Real, TensorType},
};
use std::f64::consts::{FRAC_1_PI, FRAC_PI_2, PI};

op! {
    /// `sinusoid %x { base = 10000.0 }`: x a float `[B, C, H, W]` with an even number of channels → the same type.
    pub struct Sinusoid = "sinusoid"(x) {
        /// Ratio of the longest wave to the shortest; above 1.
        pub base: Real,
    }
}

/// Terms of the series: at π/2 the next one is below 10⁻¹⁷.
const TERMS: usize = 11;

impl Sinusoid {
    /// The logarithm of what frequencies of one channel are times those of the channel two before it.
    fn decay(&self, half: usize) -> f64 {
        -2.0 * self.base.get().ln() / half as f64
    }
    fn wave(&self, half: usize, channel: usize, at: usize) -> f64 {
        let frequency = ((channel / 2) as f64 * self.decay(half)).exp();
        (at as f64 * frequency + (channel % 2) as f64 * FRAC_PI_2).sin()
    }
}

impl OpDef for Sinusoid {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let x = operands[0];
        float("sinusoid", "operand", x)?;
        let [_, channels, _, _] = x.shape[..] else {
            return Err(format!("operand of sinusoid is {x}, expected axes batch, channels, height and width"));
        };
        if channels % 2 != 0 {
            return Err(format!("sinusoid has {}, expected an even number", counted(channels, "channel")));
        }
        if !(self.base.get() > 1.0 && self.base.get().is_finite()) {
            return Err(format!("sinusoid has base {}, expected a number above 1", self.base));
        }
        sized(x.dtype, x.shape.clone())
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [_, channels, height, width] = result.shape[..] else { return Err(format!("a map is {result}")) };
        let half = channels / 2;
        Ok(Tensor::from_fn(result.clone(), |i| {
            let (channel, row, column) = (i / (height * width) % channels, i / width % height, i % width);
            let wave = match channel < half {
                true => self.wave(half, channel, row),
                false => self.wave(half, channel - half, column),
            };
            operands[0].data[i] + wave
        }))
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let x = operands[0];
        let &[_, channels, height, width] = &x.shape[..] else { return None };
        let half = channels / 2;
        let mut text = String::new();
        for (axis, place, spread) in [("row", -2, format!("{height}, 1")), ("column", -1, format!("1, {width}"))] {
            text += &self.axis(axis, half, place, &spread);
        }
        let narrow = narrowed(x.dtype);
        text += &format!(
            "
  %row_waves = expand %row {{ shape = [{half}, {height}, {width}] }}
  %column_waves = expand %column {{ shape = [{half}, {height}, {width}] }}
  %waves = concat %row_waves, %column_waves {{ axis = 0 }}
  %y = add %x, %waves{narrow}"
        );
        Some(text)
    }
}

impl Sinusoid {
    /// Text that makes `%axis` `[C/2, …]`, the waves along one axis.
    fn axis(&self, axis: &str, half: usize, place: i64, spread: &str) -> String {
        let factor = |k: usize| -1.0 / (2 * k * (2 * k + 1)) as f64;
        let mut text = format!(
            "
  %{axis}_channel = iota {{ axis = 0 }} : i32[{half}, 1, 1]
  %{axis}_pair = div %{axis}_channel, 2
  %{axis}_turn = rem %{axis}_channel, 2
  %{axis}_power = cast %{axis}_pair {{ to = f32 }}
  %{axis}_exponent = mul %{axis}_power, {:?}
  %{axis}_frequency = exp %{axis}_exponent
  %{axis}_at = iota {{ axis = {place} }} : f32[1, {spread}]
  %{axis}_angle = mul %{axis}_frequency, %{axis}_at
  %{axis}_turned = cast %{axis}_turn {{ to = f32 }}
  %{axis}_phase = mul %{axis}_turned, {FRAC_PI_2:?}
  %{axis}_whole = add %{axis}_angle, %{axis}_phase
  %{axis}_halves = mul %{axis}_whole, {FRAC_1_PI:?}
  %{axis}_n = round %{axis}_halves
  %{axis}_over = mul %{axis}_n, {PI:?}
  %{axis}_small = sub %{axis}_whole, %{axis}_over
  %{axis}_square = mul %{axis}_small, %{axis}_small
  %{axis}_half_n = mul %{axis}_n, 0.5
  %{axis}_even = floor %{axis}_half_n
  %{axis}_odd = sub %{axis}_half_n, %{axis}_even
  %{axis}_four = mul %{axis}_odd, -4.0
  %{axis}_sign = add %{axis}_four, 1.0
  %{axis}_s0 = mul %{axis}_square, {:?}
  %{axis}_t0 = add %{axis}_s0, 1.0",
            self.decay(half),
            factor(TERMS - 1)
        );
        // From the innermost: 1 − x²/((2k)(2k + 1)) · (…).
        for (step, k) in (1..TERMS - 1).rev().enumerate() {
            text += &format!(
                "
  %{axis}_p{step} = mul %{axis}_square, {:?}
  %{axis}_s{next} = mul %{axis}_p{step}, %{axis}_t{step}
  %{axis}_t{next} = add %{axis}_s{next}, 1.0",
                factor(k),
                next = step + 1
            );
        }
        text + &format!(
            "
  %{axis}_signed = mul %{axis}_small, %{axis}_sign
  %{axis} = mul %{axis}_signed, %{axis}_t{}",
            TERMS - 2
        )
    }
}
