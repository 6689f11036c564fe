//! Instructions that move data between lanes.
//!
//! Lanes 4p..4p+4 are piece p. A transpose of L×L lanes is a transpose of blocks, and each 4×4 block is
//! eight interleavings:
//!
//! ```text
//!   a0 a1 a2 a3      a0 b0 a1 b1      a0 b0 c0 d0
//!   b0 b1 b2 b3  ▶   c0 d0 c1 d1  ▶   a1 b1 c1 d1
//!   c0 c1 c2 c3      a2 b2 a3 b3      a2 b2 c2 d2
//!   d0 d1 d2 d3      c2 d2 c3 d3      a3 b3 c3 d3
//! ```

use super::function::{Bound, Emitter};
use cranelift_codegen::ir::{ConstantData, InstBuilder, Value, condcodes::IntCC, types};
use regard_ir::kernel::{BinOp, Elem, ReduceOp, Val};

impl Emitter<'_, '_> {
    /// Lane numbers.
    pub(crate) fn lane(&mut self) -> Vec<Value> {
        (0..self.kernel.lanes).step_by(4).map(|l| self.lanes_const(types::I32X4, [l, l + 1, l + 2, l + 3])).collect()
    }

    /// All lanes combined: i with i + L/2, then halves of that.
    pub(crate) fn reduce(&mut self, op: ReduceOp, a: Val) -> Vec<Value> {
        let mut pieces = self.values(a);
        while pieces.len() > 1 {
            let high = pieces.split_off(pieces.len() / 2);
            pieces = pieces.iter().zip(&high).map(|(&x, &y)| self.combine(op, x, y)).collect();
        }
        let four = pieces[0];
        let high = self.shuffle_two(four, four, [2, 3, 2, 3]);
        let two = self.combine(op, four, high);
        let second = self.shuffle_two(two, two, [1, 1, 1, 1]);
        let one = self.combine(op, two, second);
        vec![self.b.ins().extractlane(one, 0)]
    }

    fn combine(&mut self, op: ReduceOp, x: Value, y: Value) -> Value {
        let op = match op {
            ReduceOp::Sum => BinOp::Add,
            ReduceOp::Max => BinOp::Max,
            ReduceOp::Min => BinOp::Min,
        };
        let float = self.b.func.dfg.value_type(x) == types::F32X4;
        if float { self.float(op, x, y) } else { self.int(op, x, y) }.expect("sums and extrema exist for both")
    }

    /// One lane as a scalar.
    pub(crate) fn extract(&mut self, a: Val, lane: u32) -> Vec<Value> {
        let piece = self.values(a)[lane as usize / 4];
        let value = self.b.ins().extractlane(piece, lane as u8 % 4);
        if self.elem(a) != Elem::Bool {
            return vec![value];
        }
        vec![self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0)]
    }

    /// Lane l takes lane `perm[l]`.
    pub(crate) fn shuffle(&mut self, a: Val, perm: &[u8]) -> Vec<Value> {
        let pieces = self.values(a);
        perm.chunks_exact(4).map(|lanes| self.pick(&pieces, [lanes[0], lanes[1], lanes[2], lanes[3]])).collect()
    }

    /// Four lanes from anywhere: the first two source pieces in one shuffle, each further one into its lanes.
    fn pick(&mut self, pieces: &[Value], lanes: [u8; 4]) -> Value {
        let mut sources: Vec<u8> = lanes.iter().map(|l| l / 4).collect();
        sources.sort_unstable();
        sources.dedup();
        let first = sources[0];
        let second = sources.get(1).copied().unwrap_or(first);
        let place = |source: u8, l: u8| if source == first { l % 4 } else { 4 + l % 4 };
        let start = lanes.map(|l| if [first, second].contains(&(l / 4)) { place(l / 4, l) } else { 0 });
        let mut picked = self.shuffle_two(pieces[usize::from(first)], pieces[usize::from(second)], start);
        for &source in sources.iter().skip(2) {
            let mut merge = [0, 1, 2, 3];
            for (at, &l) in lanes.iter().enumerate().filter(|(_, l)| **l / 4 == source) {
                merge[at] = 4 + l % 4;
            }
            picked = self.shuffle_two(picked, pieces[usize::from(source)], merge);
        }
        picked
    }

    /// Lanes of `x` (0 to 3) and `y` (4 to 7).
    pub(crate) fn shuffle_two(&mut self, x: Value, y: Value, lanes: [u8; 4]) -> Value {
        if lanes == [0, 1, 2, 3] {
            return x;
        }
        let ty = self.b.func.dfg.value_type(x);
        let bytes: Vec<u8> = lanes.iter().flat_map(|l| (0..4).map(move |byte| l * 4 + byte)).collect();
        let mask = self.b.func.dfg.immediates.push(ConstantData::from(bytes));
        let (x, y) = (self.cast(types::I8X16, x), self.cast(types::I8X16, y));
        let shuffled = self.b.ins().shuffle(x, y, mask);
        self.cast(ty, shuffled)
    }

    /// Result r, lane c = operand c, lane r.
    pub(crate) fn transpose(&mut self, rows: &[Val], results: &[Val]) -> Result<(), String> {
        let rows: Vec<Vec<Value>> = rows.iter().map(|&r| self.values(r)).collect();
        let pieces = self.pieces();
        let mut columns = vec![Vec::with_capacity(pieces); rows.len()];
        for across in 0..pieces {
            for down in 0..pieces {
                let block = [0, 1, 2, 3].map(|r| rows[4 * down + r][across]);
                for (c, column) in self.transpose_block(block).into_iter().enumerate() {
                    columns[4 * across + c].push(column);
                }
            }
        }
        for (&result, values) in results.iter().zip(columns) {
            self.bind(result, Bound { values, ..Bound::default() });
        }
        Ok(())
    }

    fn transpose_block(&mut self, [a, b, c, d]: [Value; 4]) -> [Value; 4] {
        let ab = [[0, 4, 1, 5], [2, 6, 3, 7]].map(|lanes| self.shuffle_two(a, b, lanes));
        let cd = [[0, 4, 1, 5], [2, 6, 3, 7]].map(|lanes| self.shuffle_two(c, d, lanes));
        let (low, high) = ([0, 1, 4, 5], [2, 3, 6, 7]);
        [(0, low), (0, high), (1, low), (1, high)].map(|(half, lanes)| self.shuffle_two(ab[half], cd[half], lanes))
    }

    /// Shifts of four lanes by four amounts; machines shift all lanes alike.
    pub(crate) fn shift_lanes(&mut self, op: BinOp, x: Value, by: Value) -> Result<Value, String> {
        let mut shifted = x;
        for lane in 0..4u8 {
            let (element, amount) = (self.b.ins().extractlane(x, lane), self.b.ins().extractlane(by, lane));
            let element = self.int(op, element, amount)?;
            shifted = self.b.ins().insertlane(shifted, element, lane);
        }
        Ok(shifted)
    }
}
