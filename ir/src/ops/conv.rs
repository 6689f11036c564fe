//! Convolution of maps, as PyTorch's `conv2d`: cross-correlation with zero padding.
//!
//! ```text
//!   y[b, o, i, j] = bias[o] + Σ_{c, p, q} w[o, c, p, q] · x[b, g·C/G + c, s·i + d·p − pad, s·j + d·q − pad]
//!
//!            C                   kh·kw·C/G
//!   x  ▒▒▒▒▒ H·W   ─ unfold ─▶   ▒▒▒▒▒▒▒▒▒▒ B·OH·OW   ×   ▒▒ kh·kw·C/G   =   ▒▒ B·OH·OW
//!                    a view      patches: never stored    O/G                channels last
//! ```
//!
//! Axes are batch, channels, rows, columns; that order is a name, not a place in memory. The definition multiplies
//! patches by weights, the result has channels last, and a view puts them back: between two convolutions the views
//! cancel. With one channel per group there is nothing to multiply by: a sum over taps, lanes along channels.

use super::{
    Attr, OpDef,
    gemm::products,
    shape::{common_float, sized},
    unfold::{fit_patches, pieces},
    walk::collect,
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{DType, TensorType, strides},
};

op! {
    /// `conv2d %x, %w, %b { stride = [2, 2], padding = [1, 1], dilation = [1, 1], groups = 1 }`: x `[B, C, H, W]`,
    /// w `[O, C/groups, kh, kw]`, b `[O]` or absent, all floats → f32 `[B, O, OH, OW]`.
    pub struct Conv2d = "conv2d"(x, w; b) {
        /// Distance of neighbouring patches in rows and columns.
        pub stride: [usize; 2],
        /// Zeros on either side, above and below, left and right.
        pub padding: [usize; 2],
        /// Distance of taps in rows and columns.
        pub dilation: [usize; 2],
        /// Independent groups of channels.
        pub groups: usize,
    }
}

/// All extents of a convolution.
struct Extents {
    batch: usize,
    channels: usize,
    map: [usize; 2],
    kernel: [usize; 2],
    out: usize,
    rows: usize,
    columns: usize,
    groups: usize,
}

impl Extents {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
    /// Channels that one output channel sees.
    fn seen(&self) -> usize {
        self.channels / self.groups
    }
    fn is_depthwise(&self) -> bool {
        self.seen() == 1 && self.out == self.channels && self.channels > 1
    }
}

impl Conv2d {
    /// The same stride and padding for rows and columns; taps are neighbours, one group.
    pub fn new(stride: usize, padding: usize) -> Self {
        Self { stride: [stride; 2], padding: [padding; 2], dilation: [1; 2], groups: 1 }
    }
    /// The same with that many groups of channels.
    pub fn in_groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    fn extents(&self, operands: &[&TensorType]) -> Result<Extents, String> {
        let [x, w] = [operands[0], operands[1]];
        let axes = |role: &str, ty: &TensorType| -> Result<[usize; 4], String> {
            let wrong = |_| format!("{role} of conv2d is {ty}, expected 4 axes");
            ty.shape.clone().try_into().map_err(wrong)
        };
        let ([batch, channels, height, width], [out, seen, kh, kw]) = (axes("operand", x)?, axes("weight", w)?);
        let groups = self.groups;
        if groups == 0 || channels % groups != 0 || out % groups != 0 {
            return Err(format!(
                "conv2d of {x} by {w} has {groups} groups, which divide {channels} and {out} not evenly"
            ));
        }
        if seen != channels / groups {
            let expected = channels / groups;
            return Err(format!("conv2d of {x} in {groups} groups has weight {w}, expected {expected} input channels"));
        }
        let padded = |extent: usize, i: usize| extent.saturating_add(2usize.saturating_mul(self.padding[i]));
        let count = |extent, i: usize, k| pieces(padded(extent, i), k, self.stride[i], self.dilation[i]);
        let (rows, columns) = (count(height, 0, kh), count(width, 1, kw));
        if rows == 0 || columns == 0 {
            let [stride, padding, dilation] = [self.stride, self.padding, self.dilation].map(|p| Attr::sizes(&p));
            return Err(format!(
                "conv2d of {x} by {w} with stride {stride}, padding {padding} and dilation {dilation} has no room for \
                 one patch"
            ));
        }
        fit_patches("conv2d", x, self.padding, [kh, kw], [rows, columns])?;
        Ok(Extents { batch, channels, map: [height, width], kernel: [kh, kw], out, rows, columns, groups })
    }

    /// The lines that make `%taps`, `[B, OH, OW, kh, kw, C]`, a view of `%x`.
    fn taps(&self, e: &Extents) -> String {
        let [kh, kw] = e.kernel;
        let ([ph, pw], [sh, sw], [dh, dw]) = (self.padding, self.stride, self.dilation);
        format!(
            "  %rows = pad %x {{ axis = -2, low = {ph}, high = {ph}, value = 0.0 }}
  %map = pad %rows {{ axis = -1, low = {pw}, high = {pw}, value = 0.0 }}
  %down = unfold %map {{ axis = -2, size = {kh}, stride = {sh}, dilation = {dh} }}
  %across = unfold %down {{ axis = -1, size = {kw}, stride = {sw}, dilation = {dw} }}
  %taps = transpose %across {{ order = [-4, -2, -3, -1, -5] }}
"
        )
    }

    /// Patches times weights.
    fn dense(&self, e: &Extents) -> String {
        let (pixels, length, out) = (e.batch * e.rows * e.columns, e.taps() * e.seen(), e.out);
        format!(
            "{}  %patches = reshape %taps {{ shape = [{pixels}, {length}] }}
  %columns = transpose %w {{ order = [-2, -1, -3, -4] }}
  %matrix = reshape %columns {{ shape = [{length}, {out}] }}
  %sums = matmul %patches, %matrix
",
            self.taps(e)
        )
    }

    /// One product per group.
    fn grouped(&self, e: &Extents) -> String {
        let (pixels, length, out) = (e.batch * e.rows * e.columns, e.taps() * e.seen(), e.out);
        let (g, seen, each) = (e.groups, e.seen(), e.out / e.groups);
        let ([kh, kw], taps) = (e.kernel, e.taps());
        format!(
            "{}  %split = reshape %taps {{ shape = [{pixels}, {taps}, {g}, {seen}] }}
  %first = transpose %split {{ order = [-2, -4, -3, -1] }}
  %patches = reshape %first {{ shape = [{g}, {pixels}, {length}] }}
  %weights = reshape %w {{ shape = [{g}, {each}, {seen}, {kh}, {kw}] }}
  %columns = transpose %weights {{ order = [-2, -1, -3, -4] }}
  %matrices = reshape %columns {{ shape = [{g}, {length}, {each}] }}
  %products = matmul %patches, %matrices
  %together = transpose %products {{ order = [-2, -3, -1] }}
  %sums = reshape %together {{ shape = [{pixels}, {out}] }}
",
            self.taps(e)
        )
    }

    /// A weighted sum over taps, lanes along channels.
    fn depthwise(&self, e: &Extents) -> String {
        let (pixels, taps, c) = (e.batch * e.rows * e.columns, e.taps(), e.channels);
        format!(
            "{}  %patches = reshape %taps {{ shape = [{pixels}, {taps}, {c}] }}
  %matrix = reshape %w {{ shape = [{c}, {taps}] }}
  %columns = transpose %matrix {{ order = [-1, -2] }}
  %weighted = mul %patches, %columns
  %summed = reduce %weighted {{ op = sum, axis = -2 }}
  %sums = reshape %summed {{ shape = [{pixels}, {c}] }}
",
            self.taps(e)
        )
    }
}

impl OpDef for Conv2d {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        common_float("conv2d", operands)?;
        let e = self.extents(operands)?;
        if let Some(bias) = operands.get(2)
            && bias.shape != [e.out]
        {
            return Err(format!("conv2d to {} has bias {bias}, expected [{}]", counted(e.out, "channel"), e.out));
        }
        sized(DType::F32, vec![e.batch, e.out, e.rows, e.columns])
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        let length = operands[1].elements() / operands[1].shape[0];
        (2 * length + operands.len() - 2) as u64 * result.elements() as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let e = self.extents(&[&operands[0].ty, &operands[1].ty])?;
        let padded = padded(operands[0], self.padding);
        let mut y = if e.is_depthwise() {
            self.sum_taps(&padded, operands[1], &e, result)
        } else {
            self.multiply(&padded, operands[1], &e, result)
        };
        if let Some(bias) = operands.get(2) {
            for (channel, pixels) in y.data.chunks_mut(e.rows * e.columns).enumerate() {
                pixels.iter_mut().for_each(|y| *y += bias.data[channel % e.out]);
            }
        }
        Ok(y)
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let e = self.extents(operands).ok()?;
        let (x, w) = (operands[0], operands[1]);
        let sums = match e.groups {
            _ if e.is_depthwise() => self.depthwise(&e),
            1 => self.dense(&e),
            _ => self.grouped(&e),
        };
        let (mut finish, mut last) = (String::new(), "sums");
        // Products of a narrow type are f32, sums over taps are not.
        if e.is_depthwise() && common_float("conv2d", &[x, w]).ok()? != DType::F32 {
            finish += "  %wide = cast %sums { to = f32 }\n";
            last = "wide";
        }
        if operands.len() == 3 {
            finish += &format!("  %total = add %{last}, %b\n");
            last = "total";
        }
        let (batch, out, rows, columns) = (e.batch, e.out, e.rows, e.columns);
        Some(format!(
            "{sums}{finish}  %pixels = reshape %{last} {{ shape = [{batch}, {rows}, {columns}, {out}] }}
  %y = transpose %pixels {{ order = [-1, -3, -2] }}"
        ))
    }
}

/// The map with zeros around it.
fn padded(x: &Tensor, [ph, pw]: [usize; 2]) -> Tensor {
    let [lead @ .., height, width] = &x.ty.shape[..] else { panic!("a map has rows and columns") };
    let wide = width + 2 * pw;
    let mut data = Vec::with_capacity(lead.iter().product::<usize>() * (height + 2 * ph) * wide);
    for map in x.data.chunks(height * width) {
        data.resize(data.len() + ph * wide, 0.0);
        for row in map.chunks(*width) {
            data.resize(data.len() + pw, 0.0);
            data.extend_from_slice(row);
            data.resize(data.len() + pw, 0.0);
        }
        data.resize(data.len() + ph * wide, 0.0);
    }
    Tensor::new(TensorType::f32([lead, &[height + 2 * ph, wide]].concat()), data)
}

impl Conv2d {
    /// Weights times patches, some rows of pixels at a time: patches of a whole map may not fit memory.
    fn multiply(&self, x: &Tensor, w: &Tensor, e: &Extents, result: &TensorType) -> Tensor {
        const MOST: usize = 1 << 22;
        let ([kh, kw], [sh, sw], [dh, dw]) = (e.kernel, self.stride, self.dilation);
        let (length, each, pixels) = (e.taps() * e.seen(), e.out / e.groups, e.rows * e.columns);
        let at_once = (MOST / (length * e.columns)).clamp(1, e.rows);
        let dense = strides(&x.ty.shape);
        let steps = [dense[2] * sh, dense[3] * sw, dense[1], dense[2] * dh, dense[3] * dw];
        let mut y = vec![0.0; result.elements()];
        for (batch, group) in (0..e.batch).flat_map(|b| (0..e.groups).map(move |g| (b, g))) {
            let weights = w.data[group * each * length..][..each * length].to_vec();
            let weights = Tensor::new(TensorType::f32([each, length]), weights);
            for row in (0..e.rows).step_by(at_once) {
                let count = at_once.min(e.rows - row);
                let first = batch * dense[0] + group * e.seen() * dense[1] + row * sh * dense[2];
                let patches = collect(&x.data, first, &[count, e.columns, e.seen(), kh, kw], &steps);
                let patches = Tensor::new(TensorType::f32([count * e.columns, length]), patches);
                let part = products(&weights, &patches, true, &TensorType::f32([each, count * e.columns]));
                for (o, line) in part.data.chunks(count * e.columns).enumerate() {
                    let to = (batch * e.out + group * each + o) * pixels + row * e.columns;
                    y[to..][..line.len()].copy_from_slice(line);
                }
            }
        }
        Tensor::new(result.clone(), y)
    }

    /// One channel at a time: each tap adds a multiple of a shifted map.
    fn sum_taps(&self, x: &Tensor, w: &Tensor, e: &Extents, result: &TensorType) -> Tensor {
        let wide = e.map[1] + 2 * self.padding[1];
        let size = (e.map[0] + 2 * self.padding[0]) * wide;
        let mut y = vec![0.0; result.elements()];
        for (map, out) in y.chunks_mut(e.rows * e.columns).enumerate() {
            let x = &x.data[map * size..][..size];
            let w = &w.data[map % e.channels * e.taps()..][..e.taps()];
            for (tap, &factor) in w.iter().enumerate() {
                let (p, q) = (tap / e.kernel[1] * self.dilation[0], tap % e.kernel[1] * self.dilation[1]);
                for (i, line) in out.chunks_mut(e.columns).enumerate() {
                    let from = &x[(i * self.stride[0] + p) * wide + q..];
                    line.iter_mut().zip(from.iter().step_by(self.stride[1])).for_each(|(y, x)| *y += factor * x);
                }
            }
        }
        Tensor::new(result.clone(), y)
    }
}
