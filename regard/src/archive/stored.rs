//! A tensor as a part of a block, and how its elements become row-major bytes.
//!
//! ```text
//!   row-major    one run of bytes, piece by piece
//!   strided      the stretch that holds it, read once as it lies on disk; elements are gathered in memory
//!   sparse       where that stretch would be much longer than the tensor: run by run
//! ```

use super::{
    Fault,
    blocks::Blocks,
    strided::{self, Layout},
};
use ::safetensors::Dtype;
use std::ops::Range;

/// Bytes read at a time.
const PIECE: usize = 256 << 10;
/// Bytes gathered at a time, where elements do not lie one after the other.
const GATHERED: usize = 2 << 20;
/// A stretch of so many bytes is always read as a whole.
const STRETCH: u64 = 16 << 20;
/// Runs are read together where the gap between them is at most that, in bytes.
const GAP: usize = 16 << 10;
/// Bytes that are read together at most.
const TOGETHER: usize = 4 << 20;

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Element type in the file.
    pub dtype: Dtype,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Number of the block.
    pub(super) block: usize,
    /// First byte in the block.
    pub(super) start: u64,
    /// Elements from one index to the next, per axis; nothing for row-major tensors.
    pub(super) strides: Option<Vec<usize>>,
    /// Whether the file says that every element is to be negated.
    pub(super) negated: bool,
    /// Whether the elements are big-endian.
    pub(super) swapped: bool,
}

impl Stored {
    /// A row-major tensor of little-endian elements.
    pub(super) fn plain(dtype: Dtype, shape: Vec<usize>, block: usize, start: u64) -> Stored {
        Stored { dtype, shape, block, start, strides: None, negated: false, swapped: false }
    }
    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
    /// How many bytes those elements are; a byte that is begun counts.
    pub fn bytes(&self) -> u64 {
        (self.elements() as u64).saturating_mul(self.dtype.bitsize() as u64).div_ceil(8)
    }
    /// The same tensor with its last axis split into axes of those extents and these in another order:
    /// new axis i is old axis `order[i]`, counted after the split. It has as many axes as `extents` more, less one.
    pub(crate) fn reordered(&self, split: usize, extents: &[usize], order: &[usize]) -> Stored {
        let mut shape = self.shape.clone();
        let mut strides = self.strides.clone().unwrap_or_else(|| strided::row_major(&shape));
        let (last, step) = (shape.remove(split), strides.remove(split));
        debug_assert_eq!(last, extents.iter().product::<usize>());
        let inner = strided::row_major(extents);
        shape.splice(split..split, extents.iter().copied());
        strides.splice(split..split, inner.into_iter().map(|stride| stride * step));
        let pick = |list: &[usize]| order.iter().map(|&axis| list[axis]).collect();
        Stored { shape: pick(&shape), strides: Some(pick(&strides)), ..self.clone() }
    }
    fn element_bytes(&self) -> usize {
        self.dtype.bitsize() / 8
    }

    /// Passes the bytes of elements `range`, which exist, piece by piece in row-major order, little-endian. Where
    /// elements are not whole bytes, `range` is everything.
    pub(super) fn read(
        &self,
        blocks: &Blocks,
        range: Range<usize>,
        piece: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let size = self.element_bytes();
        if !self.dtype.bitsize().is_multiple_of(8) {
            return self.read_plain(blocks, 0..self.bytes(), piece);
        }
        let mut ordered = |bytes: &mut [u8]| {
            self.put_in_order(bytes);
            piece(bytes)
        };
        let Some(strides) = &self.strides else {
            let bytes = (range.start * size) as u64..(range.end * size) as u64;
            return self.each_plain(blocks, bytes, &mut ordered);
        };
        let layout = Layout::new(&self.shape, strides);
        let stretch = (layout.reach() * size) as u64;
        let whole = stretch <= STRETCH.max(self.bytes().saturating_mul(4));
        let held = match whole && !range.is_empty() {
            true => Some(blocks.stretch((self.block, self.start, stretch as usize))?),
            false => None,
        };
        let most = if whole { GATHERED } else { PIECE } / size;
        let mut buffer = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let part = at..range.end.min(at + most);
            at = part.end;
            buffer.resize(part.len() * size, 0);
            match &held {
                Some(held) => layout.gather(held, size, part, &mut buffer),
                None => self.collect(blocks, &layout.positions(part), &mut buffer)?,
            }
            ordered(&mut buffer)?;
        }
        Ok(())
    }

    fn read_plain(
        &self,
        blocks: &Blocks,
        bytes: Range<u64>,
        piece: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.each_plain(blocks, bytes, &mut |bytes| piece(bytes))
    }
    /// Passes a run of bytes, piece by piece.
    fn each_plain(
        &self,
        blocks: &Blocks,
        bytes: Range<u64>,
        piece: &mut dyn FnMut(&mut [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut buffer = Vec::new();
        let mut at = bytes.start;
        while at < bytes.end {
            let part = (bytes.end - at).min(PIECE as u64);
            buffer.resize(part as usize, 0);
            blocks.read_at(self.block, self.start + at, &mut buffer)?;
            piece(&mut buffer)?;
            at += part;
        }
        Ok(())
    }
    /// Fills `to` with the elements at `positions`, counted in elements from the tensor's first: what lies close
    /// together is read together.
    fn collect(&self, blocks: &Blocks, positions: &[usize], to: &mut [u8]) -> Result<(), Fault> {
        let size = self.element_bytes();
        let mut order: Vec<usize> = (0..positions.len()).collect();
        order.sort_by_key(|&i| positions[i]);
        let mut bytes = Vec::new();
        let mut rest = &order[..];
        while let Some(&first) = rest.first() {
            let begin = positions[first];
            let near = |pair: &[usize]| {
                (positions[pair[1]] - positions[pair[0]]) * size <= GAP
                    && (positions[pair[1]] - begin) * size < TOGETHER
            };
            let count = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
            let end = positions[rest[count - 1]] + 1;
            bytes.resize((end - begin) * size, 0);
            blocks.read_at(self.block, self.start + (begin * size) as u64, &mut bytes)?;
            for &i in &rest[..count] {
                let from = (positions[i] - begin) * size;
                to[i * size..][..size].copy_from_slice(&bytes[from..from + size]);
            }
            rest = &rest[count..];
        }
        Ok(())
    }
    /// Makes elements little-endian, and negates them where the file says so.
    fn put_in_order(&self, bytes: &mut [u8]) {
        let size = self.element_bytes();
        if self.swapped && size > 1 {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        if self.negated {
            bytes.chunks_exact_mut(size).for_each(|element| negate(self.dtype, element));
        }
    }
}

/// Negates one little-endian element.
fn negate(dtype: Dtype, element: &mut [u8]) {
    match dtype {
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16 => {
            if let Some(high) = element.last_mut() {
                *high ^= 0x80;
            }
        }
        // Two's complement: all bits inverted, plus one.
        _ => {
            let mut carry = true;
            for byte in element {
                let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, over);
            }
        }
    }
}
