//! JPEG: whether a file holds all the blocks that its header promises.
//!
//! ```text
//!   FFD8  …  frame: size, components  …  scan: entropy-coded blocks  …  FFD9  anything
//! ```
//!
//! Decoders fill what is missing with grey and say nothing, so a file that was cut off, or one whose header claims more
//! than it has, would be classified by its grey part. Here the Huffman codes of every first scan are counted block by
//! block, without computing a pixel. In a progressive file only the first scan of each component counts: the others
//! refine what is there. What follows the end of the image does not matter. Features that this does not know, such as
//! arithmetic coding, are left to the decoder.

use regard_ir::count::{agree, counted};

/// How many blocks of 64 coefficients a decoder must hold at once; 0 where it goes row by row.
pub(crate) type HeldBlocks = u64;

/// Checks a file that begins as JPEG does; the error is a clause about the file.
pub(crate) fn check(bytes: &[u8]) -> Result<HeldBlocks, String> {
    let mut walk = Walk { bytes, at: 2, frame: None, dc: Default::default(), ac: Default::default(), interval: 0 };
    let mut held = false;
    loop {
        let Some(marker) = walk.marker() else { return Err("its end is missing".into()) };
        match marker {
            0xd8 | 0x01 | 0xd0..=0xd7 => {}
            0xd9 => break,
            _ => {
                let Some(segment) = walk.segment() else { return Err("its end is missing".into()) };
                match marker {
                    0xc0..=0xc2 => walk.frame = Some(Frame::new(segment, marker == 0xc2).ok_or("its header is wrong")?),
                    0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Ok(0),
                    0xc4 => walk.tables(segment).ok_or("its Huffman tables are wrong")?,
                    0xdd if segment.len() >= 2 => {
                        walk.interval = usize::from(segment[0]) << 8 | usize::from(segment[1])
                    }
                    0xda => held |= walk.scan(segment)?,
                    _ => {}
                }
            }
        }
    }
    let Some(frame) = walk.frame else { return Err("it holds no image".into()) };
    match frame.components.iter().filter(|component| !component.seen).count() {
        0 => Ok(if held || frame.progressive { frame.blocks() } else { 0 }),
        missing => Err(format!(
            "{missing} of its {} {} missing",
            counted(frame.components.len(), "component"),
            agree(missing, "is", "are")
        )),
    }
}

struct Frame {
    progressive: bool,
    width: usize,
    height: usize,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    across: usize,
    down: usize,
    /// Whether its first scan was counted.
    seen: bool,
}

impl Frame {
    fn new(segment: &[u8], progressive: bool) -> Option<Frame> {
        let &[_, h1, h0, w1, w0, count, ref rest @ ..] = segment else { return None };
        let component = |c: &[u8]| Component {
            id: c[0],
            across: usize::from(c[1] >> 4),
            down: usize::from(c[1] & 15),
            seen: false,
        };
        let components: Vec<Component> = rest.chunks_exact(3).take(usize::from(count)).map(component).collect();
        let sound = components.len() == usize::from(count) && (1..=4).contains(&count);
        let sampled = components.iter().all(|c| (1..=4).contains(&c.across) && (1..=4).contains(&c.down));
        let [width, height] = [[w1, w0], [h1, h0]].map(|bytes| usize::from(u16::from_be_bytes(bytes)));
        (sound && sampled).then_some(Frame { progressive, width, height, components })
    }
    fn largest(&self, side: impl Fn(&Component) -> usize) -> usize {
        self.components.iter().map(side).max().unwrap_or(1)
    }
    /// Units of a scan and blocks per unit: all components of the frame's grid together, or one alone.
    fn units(&self, scanned: &[usize]) -> (usize, Vec<usize>) {
        let (across, down) = (self.largest(|c| c.across), self.largest(|c| c.down));
        if let [one] = scanned {
            let c = &self.components[*one];
            let columns = (self.width * c.across).div_ceil(across).div_ceil(8);
            let rows = (self.height * c.down).div_ceil(down).div_ceil(8);
            return (columns * rows, vec![1]);
        }
        let units = self.width.div_ceil(8 * across) * self.height.div_ceil(8 * down);
        (units, scanned.iter().map(|&i| self.components[i].across * self.components[i].down).collect())
    }
    fn blocks(&self) -> u64 {
        let all: Vec<usize> = (0..self.components.len()).collect();
        let (across, down) = (self.largest(|c| c.across), self.largest(|c| c.down));
        let units = self.width.div_ceil(8 * across) * self.height.div_ceil(8 * down);
        all.iter().map(|&i| (units * self.components[i].across * self.components[i].down) as u64).sum()
    }
}

/// The length and the symbol of the code that 16 bits begin with; length 0 where none does.
type Table = Vec<(u8, u8)>;

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    frame: Option<Frame>,
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
    /// Units from one restart to the next; 0 for no restarts.
    interval: usize,
}

impl<'a> Walk<'a> {
    /// The next marker, whatever comes before it.
    fn marker(&mut self) -> Option<u8> {
        loop {
            self.at += self.bytes.get(self.at..)?.iter().position(|&byte| byte == 0xff)? + 1;
            self.at += self.bytes.get(self.at..)?.iter().position(|&byte| byte != 0xff)?;
            self.at += 1;
            match self.bytes[self.at - 1] {
                0 => {}
                marker => return Some(marker),
            }
        }
    }
    /// What a marker is followed by.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let &[high, low] = self.bytes.get(self.at..self.at + 2)? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = self.bytes.get(self.at + 2..self.at + length.max(2))?;
        self.at += length.max(2);
        Some(segment)
    }

    fn tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_at_checked(16)?;
            let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            let tables = if kind & 0x10 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(kind & 15))? = Some(table(counts, symbols)?);
            segment = rest;
        }
        Some(())
    }

    /// Counts the blocks of a scan where it is the first of its components; whether it leaves out others.
    fn scan(&mut self, header: &[u8]) -> Result<bool, String> {
        let wrong = || "the header of a scan is wrong".to_owned();
        let frame = self.frame.as_mut().ok_or_else(wrong)?;
        let count = usize::from(*header.first().ok_or_else(wrong)?);
        let rest = header.get(1..1 + 2 * count + 3).ok_or_else(wrong)?;
        let (first, successive) = (rest[2 * count], rest[2 * count + 2]);
        let find = |id: u8| frame.components.iter().position(|c| c.id == id);
        let scanned = rest[..2 * count].chunks_exact(2).map(|c| Some((find(c[0])?, c[1])));
        let scanned: Vec<(usize, u8)> = scanned.collect::<Option<_>>().ok_or_else(wrong)?;
        if frame.progressive && (first != 0 || successive >> 4 != 0) {
            return Ok(false);
        }
        let indices: Vec<usize> = scanned.iter().map(|s| s.0).collect();
        indices.iter().for_each(|&i| frame.components[i].seen = true);
        let (units, blocks) = frame.units(&indices);
        let (progressive, partial) = (frame.progressive, indices.len() < frame.components.len());
        let mut coded = Vec::new();
        for (&(_, tables), &blocks) in scanned.iter().zip(&blocks) {
            let dc = self.dc.get(usize::from(tables >> 4)).and_then(Option::as_ref);
            let ac = self.ac.get(usize::from(tables & 15)).and_then(Option::as_ref);
            match (dc, ac) {
                (Some(dc), _) if progressive => coded.push((blocks, dc, None)),
                (Some(dc), Some(ac)) => coded.push((blocks, dc, Some(ac))),
                // The decoder may know tables that are not written down.
                _ => return Ok(partial),
            }
        }
        let mut bits = Bits { bytes: self.bytes, at: self.at, held: 0, count: 0 };
        for unit in 0..units {
            let restart = self.interval > 0 && unit > 0 && unit % self.interval == 0;
            let whole = (!restart || bits.restart())
                && coded.iter().all(|&(blocks, dc, ac)| (0..blocks).all(|_| bits.block(dc, ac).is_some()));
            if !whole {
                return Err(format!("its data ends after {unit} of {}", counted(units, "part")));
            }
        }
        self.at = bits.at;
        Ok(partial)
    }
}

/// The codes of a table, in canonical order, by the 16 bits that begin with them.
fn table(counts: &[u8], symbols: &[u8]) -> Option<Table> {
    let mut table = Vec::with_capacity(1 << 16);
    let mut symbols = symbols.iter();
    for (length, &count) in (1u8..).zip(counts) {
        for symbol in symbols.by_ref().take(usize::from(count)) {
            table.resize(table.len() + (1 << (16 - length)), (length, *symbol));
        }
    }
    (table.len() <= 1 << 16).then(|| {
        table.resize(1 << 16, (0, 0));
        table
    })
}

/// The bits of a scan, up to the next marker.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 48 {
            let (byte, length) = match self.bytes.get(self.at..) {
                Some([0xff, 0, ..]) => (0xff, 2),
                Some(&[byte @ ..=0xfe, ..]) => (byte, 1),
                _ => return,
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
            self.at += length;
        }
    }
    fn skip(&mut self, bits: u32) -> Option<()> {
        self.count = self.count.checked_sub(bits)?;
        Some(())
    }
    fn symbol(&mut self, table: &Table) -> Option<u8> {
        self.fill();
        let next = match self.count {
            0..16 => self.held << (16 - self.count),
            count => self.held >> (count - 16),
        };
        let (length, symbol) = table[(next & 0xffff) as usize];
        if length == 0 {
            return None;
        }
        self.skip(length.into()).map(|()| symbol)
    }
    /// Passes a block: its mean and, unless other scans bring them, its other coefficients.
    fn block(&mut self, dc: &Table, ac: Option<&Table>) -> Option<()> {
        let size = self.symbol(dc)?;
        self.skip(u32::from(size.min(16)))?;
        let Some(ac) = ac else { return Some(()) };
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (symbol >> 4, symbol & 15);
            self.skip(size.into())?;
            at += match (run, size) {
                (15, 0) => 16,
                (_, 0) => 64,
                _ => usize::from(run) + 1,
            };
        }
        Some(())
    }
    /// Goes on after the next restart marker, if that is the next marker.
    fn restart(&mut self) -> bool {
        (self.held, self.count) = (0, 0);
        while let Some([first, second, ..]) = self.bytes.get(self.at..) {
            match (first, second) {
                (0xff, 0xd0..=0xd7) => {
                    self.at += 2;
                    return true;
                }
                (0xff, 0 | 0xff) | (..0xff, _) => self.at += 1,
                _ => return false,
            }
        }
        false
    }
}
