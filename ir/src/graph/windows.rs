//! Patches and windows: cutting a map into pieces, and what attention inside a shifted window adds.
//!
//! A map `[B, H, W, C]` is cut into windows of w×w tokens, row-major over windows and inside each. Before
//! that it may be rolled by σ, new[i, j] = old[(i+σ) mod H, (j+σ) mod W], so that the windows of one block
//! straddle those of the block before:
//!
//! ```text
//!   ┌───┬───┐   roll up and left by σ   ┌───┬─┬─┐   the last row and column of windows hold pieces from
//!   │   │   │   ────────────────────▶   │   │ │ │   opposite borders; a mask of −100 keeps tokens of
//!   ├───┼───┤                           ├───┼─┼─┤   different pieces apart
//!   │   │   │                           ├───┼─┼─┤
//!   └───┴───┘                           └───┴─┴─┘
//! ```

use super::{Builder, NodeId};
use crate::types::{DType, TensorType};

/// Tokens of a window to its rows and columns: exchanges the two middle axes of `[…, H/w, w, W/w, w, C]`.
const SWAP_WINDOW_AXES: [i64; 5] = [-5, -3, -4, -2, -1];

/// Patches, windows and their score terms.
impl Builder {
    /// A convolution whose kernel and stride are both k: image `[B, C, H, W]`, weight `[out, C, k, k]`, bias
    /// `[out]` → `[B, H/k, W/k, out]`. H and W are multiples of k.
    pub fn patch_embedding(&mut self, image: NodeId, weight: NodeId, bias: Option<NodeId>) -> NodeId {
        let [b, c, h, w] = self.axes(image);
        let [out, _, k, _] = self.axes(weight);
        let cut = self.reshape(image, &[b, c, h / k, k, w / k, k]);
        let patches = self.transpose(cut, &[-4, -2, -5, -3, -1]);
        let rows = self.reshape(patches, &[b, h / k, w / k, c * k * k]);
        let weight = self.reshape(weight, &[out, c * k * k]);
        self.linear(rows, weight, bias)
    }

    /// Puts each 2×2 patch into channels: `[B, H, W, C]` → `[B, H/2, W/2, 4·C]`, in the order (row even, column
    /// even), (odd, even), (even, odd), (odd, odd). H and W are even.
    pub fn patch_merging(&mut self, x: NodeId) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let cut = self.reshape(x, &[b, h / 2, 2, w / 2, 2, c]);
        let patches = self.transpose(cut, &[-5, -3, -2, -4, -1]);
        self.reshape(patches, &[b, h / 2, w / 2, 4 * c])
    }

    /// Rolls a map `[B, H, W, C]` by `shift` and cuts it: → `[B·H/w·W/w, w·w, C]`.
    pub fn window_partition(&mut self, x: NodeId, window: usize, shift: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let rolled = self.roll_map(x, -(shift as i64));
        let cut = self.reshape(rolled, &[b, h / window, window, w / window, window, c]);
        let windows = self.transpose(cut, &SWAP_WINDOW_AXES);
        self.reshape(windows, &[b * (h / window) * (w / window), window * window, c])
    }

    /// The inverse of [`window_partition`](Self::window_partition): `[B·H/w·W/w, w·w, C]` → `[B, H, W, C]`, where
    /// `[B, H, W]` is `map`.
    pub fn window_reverse(&mut self, windows: NodeId, map: [usize; 3], window: usize, shift: usize) -> NodeId {
        let [b, h, w] = map;
        let [.., c] = self.axes::<3>(windows);
        let cut = self.reshape(windows, &[b, h / window, w / window, window, window, c]);
        let rows = self.transpose(cut, &SWAP_WINDOW_AXES);
        let rolled = self.reshape(rows, &[b, h, w, c]);
        self.roll_map(rolled, shift as i64)
    }

    /// Tokens that lie H/g rows and W/g columns apart: `[B, H, W, C]` → `[B·H/g·W/g, g·g, C]`, row-major over the places
    /// of a grid and inside each. H and W are multiples of g.
    pub fn grid_partition(&mut self, x: NodeId, side: usize) -> NodeId {
        let [b, h, w, c] = self.axes(x);
        let cut = self.reshape(x, &[b, side, h / side, side, w / side, c]);
        let grids = self.transpose(cut, &[-4, -2, -5, -3, -1]);
        self.reshape(grids, &[b * (h / side) * (w / side), side * side, c])
    }

    /// The inverse of [`grid_partition`](Self::grid_partition): `[B·H/g·W/g, g·g, C]` → `[B, H, W, C]`, where `[B, H, W]`
    /// is `map`.
    pub fn grid_reverse(&mut self, grids: NodeId, map: [usize; 3], side: usize) -> NodeId {
        let [b, h, w] = map;
        let [.., c] = self.axes::<3>(grids);
        let cut = self.reshape(grids, &[b, h / side, w / side, side, side, c]);
        let rows = self.transpose(cut, &[-3, -5, -2, -4, -1]);
        self.reshape(rows, &[b, h, w, c])
    }

    /// A score term `[heads, w², w²]` plus the mask of shifted windows of a map `[B, H, W]`: →
    /// `[B·H/w·W/w, heads, w², w²]`, the windows of every image alike.
    pub fn masked_shifted_windows(&mut self, bias: NodeId, map: [usize; 3], window: usize, shift: usize) -> NodeId {
        self.masked_windows_shifted_by(bias, map, window, [shift; 2])
    }

    /// The same where rows and columns are rolled by `shifts`, one of which may be 0.
    pub fn masked_windows_shifted_by(
        &mut self,
        bias: NodeId,
        map: [usize; 3],
        window: usize,
        shifts: [usize; 2],
    ) -> NodeId {
        let [batch, height, width] = map;
        let (windows, tokens) = ((height / window) * (width / window), window * window);
        let mask = self.window_mask([height, width], window, shifts);
        let mask = self.reshape(mask, &[1, windows, 1, tokens, tokens]);
        let all = self.expand(mask, &[batch, windows, 1, tokens, tokens]);
        let mask = self.reshape(all, &[batch * windows, 1, tokens, tokens]);
        self.add(bias, mask)
    }

    /// 0 where two tokens of a shifted window come from the same piece of the map, else −100:
    /// `[H/w·W/w, w·w, w·w]`.
    pub fn shifted_window_mask(&mut self, height: usize, width: usize, window: usize, shift: usize) -> NodeId {
        self.window_mask([height, width], window, [shift; 2])
    }

    fn window_mask(&mut self, [height, width]: [usize; 2], window: usize, shifts: [usize; 2]) -> NodeId {
        let [down, across] = [height / window, width / window];
        let tokens = window * window;
        let row = self.piece([down, window], height, shifts[0]);
        let row = self.reshape(row, &[down, 1, window, 1]);
        let column = self.piece([across, window], width, shifts[1]);
        let column = self.reshape(column, &[1, across, 1, window]);
        let row = self.scale(row, 3.0);
        let piece = self.add(row, column);
        let query = self.reshape(piece, &[down * across, tokens, 1]);
        let key = self.reshape(piece, &[down * across, 1, tokens]);
        let same = self.eq(query, key);
        let [zero, masked] = [0.0, -100.0].map(|value| self.constant(value, DType::F32));
        self.select(same, zero, masked)
    }

    /// Which of the three pieces along one axis each position of the rolled map belongs to: 0 below
    /// extent − window, 1 below extent − shift, else 2; as i32 `[windows, window]`.
    fn piece(&mut self, [windows, window]: [usize; 2], extent: usize, shift: usize) -> NodeId {
        let start = self.iota(&[windows, 1], -2);
        let start = self.scale(start, window as f64);
        let inside = self.iota(&[1, window], -1);
        let position = self.add(start, inside);
        let from = |b: &mut Self, bound: usize| {
            let bound = b.constant(bound as f64, DType::I32);
            let beyond = b.le(bound, position);
            b.cast(beyond, DType::I32)
        };
        let last_window = from(self, extent - window);
        let wrapped = from(self, extent - shift);
        self.add(last_window, wrapped)
    }

    /// Rolls rows and columns of `[B, H, W, C]` alike; nothing where `shift` is 0.
    fn roll_map(&mut self, x: NodeId, shift: i64) -> NodeId {
        if shift == 0 {
            return x;
        }
        let rows = self.roll(x, -3, shift);
        self.roll(rows, -2, shift)
    }

    /// The dimensions of a node that must have N of them.
    fn axes<const N: usize>(&self, node: NodeId) -> [usize; N] {
        let ty: &TensorType = self.ty(node);
        ty.shape.as_slice().try_into().unwrap_or_else(|_| panic!("{node} is {ty}, expected {N} axes"))
    }
}
