//! Neighbourhood attention: every pixel attends to the k × k pixels around it.
//!
//! ```text
//!   l(a, b) = scale · q(i, j) · k(i+a, j+b) + q_low(i, j) · row[a] + q_high(i, j) · column[b]       |a|, |b| ≤ p = (k−1)/2
//!   y(i, j) = Σ softmax(l)(a, b) · v(i+a, j+b)
//!
//!   border   zero                    mask                    clamp
//!            outside are zeros,      outside is not seen     the window moves inside:
//!            which take part                                 it starts at min(max(i−p, 0), H−k)
//! ```
//!
//! Heads are contiguous channels. q_low is the first half of a head's query, q_high the second, so a pixel needs 2·k
//! short products for its relative terms, not k². The definition reads the neighbourhood of keys and values through a
//! view, which the kernel's readers follow: k² copies of a map are never stored.
//!
//! "Stand-Alone Self-Attention in Vision Models", Ramachandran et al. 2019 (zero, the tables `[k, d/2]`); Hassani
//! et al. 2023, arXiv 2204.07143 (clamp, the tables `[2k−1, d/2]`, as a window that moved sees other offsets).

use super::{
    OpDef,
    declare::Declared,
    definition,
    shape::{common_float, countable, narrowed, sized},
    softmax,
};
use crate::{
    count::counted,
    graph::Tensor,
    types::{Real, TensorType},
};

words! {
    /// What lies around the map.
    pub enum Border = "border" {
        /// Keys and values of zero, whose scores are the relative terms alone.
        Zero = "zero",
        /// Nothing.
        Mask = "mask",
        /// More of the map on the other side: the window moves inside.
        Clamp = "clamp",
    }
}

op! {
    /// `neighbourhood_attention %q, %k, %v, %row, %column { heads = 8, size = 7, scale = 1.0, border = zero }`: q and k
    /// `[B, C, H, W]`, v `[B, D, H, W]` → `[B, D, H, W]`, floats of any types, the result of their common one; the tables `[size, C/heads/2]`, `[2·size − 1, C/heads/2]` with
    /// `clamp`. Without the tables there are no relative terms; without k (four operands) there are no others.
    pub struct NeighbourhoodAttention = "neighbourhood_attention"(q, k, v; row, column) {
        /// Heads, each with as many channels.
        pub heads: usize,
        /// Rows and columns of a neighbourhood, odd.
        pub size: usize,
        /// Multiplies q·k.
        pub scale: Real,
        /// What lies around the map.
        pub border: Border,
    }
}

/// The operands by their roles.
struct Roles<T> {
    q: T,
    k: Option<T>,
    v: T,
    tables: Option<[T; 2]>,
}

impl<T: Copy> Roles<T> {
    fn of(operands: &[T]) -> Self {
        match *operands {
            [q, k, v] => Roles { q, k: Some(k), v, tables: None },
            [q, v, row, column] => Roles { q, k: None, v, tables: Some([row, column]) },
            [q, k, v, row, column] => Roles { q, k: Some(k), v, tables: Some([row, column]) },
            _ => panic!("neighbourhood_attention has three to five operands"),
        }
    }
}

/// All extents.
struct Extents {
    batch: usize,
    heads: usize,
    head_dim: usize,
    value_dim: usize,
    map: [usize; 2],
    size: usize,
}

impl Extents {
    fn pixels(&self) -> usize {
        self.batch * self.map[0] * self.map[1]
    }
    fn taps(&self) -> usize {
        self.size * self.size
    }
    fn reach(&self) -> usize {
        (self.size - 1) / 2
    }
}

impl NeighbourhoodAttention {
    fn extents(&self, operands: &[&TensorType]) -> Result<Extents, String> {
        let name = self.name();
        let roles = Roles::of(operands);
        common_float(name, operands)?;
        let axes = |role: &str, ty: &TensorType| -> Result<[usize; 4], String> {
            ty.shape.clone().try_into().map_err(|_| format!("{role} of {name} is {ty}, expected 4 axes"))
        };
        let ([batch, channels, height, width], value) = (axes("query", roles.q)?, axes("value", roles.v)?);
        let Self { heads, size, .. } = *self;
        if heads == 0 || channels % heads != 0 || value[1] % heads != 0 {
            return Err(format!(
                "{name} has {heads} heads for {} and {}, expected a divisor of their channels",
                roles.q, roles.v
            ));
        }
        if size % 2 == 0 {
            return Err(format!("{name} has size {size}, expected an odd number"));
        }
        if self.border == Border::Clamp && (size > height || size > width) {
            return Err(format!(
                "{name} with border clamp has size {size}, expected at most the map's {height}x{width}"
            ));
        }
        if let Some(k) = roles.k
            && k.shape != roles.q.shape
        {
            return Err(format!("{name} has queries {} and keys {k}, expected the same shape", roles.q));
        }
        if value != [batch, value[1], height, width] {
            return Err(format!(
                "{name} has queries {} and values {}, expected the same batch and map",
                roles.q, roles.v
            ));
        }
        let head_dim = channels / heads;
        let logits = [batch, heads, height, width, size, size];
        countable(name, roles.q, &[&logits[..], &[head_dim.max(value[1] / heads)]].concat())?;
        countable(
            name,
            roles.q,
            &[batch, channels.max(value[1]), height.saturating_add(size), width.saturating_add(size)],
        )?;
        if let Some(tables) = roles.tables {
            let expected = [self.offsets(), head_dim / 2];
            if head_dim % 2 != 0 {
                return Err(format!(
                    "{name} with tables has {} per head, expected an even number",
                    counted(head_dim, "channel")
                ));
            }
            if let Some(table) = tables.iter().find(|table| table.shape != expected) {
                return Err(format!("{name} has the table {table}, expected f32[{}, {}]", expected[0], expected[1]));
            }
        }
        Ok(Extents { batch, heads, head_dim, value_dim: value[1] / heads, map: [height, width], size })
    }

    /// Rows of a table: the offsets between a pixel and those it sees.
    fn offsets(&self) -> usize {
        if self.border == Border::Clamp { 2 * self.size - 1 } else { self.size }
    }

    /// The pixel, or none, at tap `a` of the neighbourhood of `i` on an axis of `extent`, and its row of a table.
    fn tap(&self, i: usize, a: usize, extent: usize) -> (Option<usize>, usize) {
        let reach = (self.size - 1) / 2;
        match self.border {
            Border::Clamp => {
                let at = i.saturating_sub(reach).min(extent - self.size) + a;
                (Some(at), at + self.size - 1 - i)
            }
            _ => ((i + a).checked_sub(reach).filter(|&at| at < extent), a),
        }
    }
}

/// Text that makes `%out` `[B, heads, H, W, taps, d]` of the map `%x` `[B, heads·d, H, W]` by a view.
fn unfolded(e: &Extents, x: &str, out: &str, dim: usize) -> String {
    let (Extents { batch, heads, map: [height, width], size, .. }, p) = (e, e.reach());
    format!(
        "
  %{out}_rows = pad %{x} {{ axis = -2, low = {p}, high = {p}, value = 0.0 }}
  %{out}_map = pad %{out}_rows {{ axis = -1, low = {p}, high = {p}, value = 0.0 }}
  %{out}_down = unfold %{out}_map {{ axis = -2, size = {size}, stride = 1, dilation = 1 }}
  %{out}_taps = unfold %{out}_down {{ axis = -1, size = {size}, stride = 1, dilation = 1 }}
  %{out}_heads = reshape %{out}_taps {{ shape = [{batch}, {heads}, {dim}, {height}, {size}, {width}, {size}] }}
  %{out}_last = transpose %{out}_heads {{ order = [-4, -2, -3, -1, -5] }}
  %{out} = reshape %{out}_last {{ shape = [{batch}, {heads}, {height}, {width}, {}, {dim}] }}",
        e.taps()
    )
}

/// The same where the window moves inside: pixels gathered by their number.
fn gathered(e: &Extents, x: &str, out: &str, dim: usize) -> String {
    let (Extents { batch, heads, map: [height, width], .. }, taps) = (e, e.taps());
    format!(
        "
  %{out}_flat = reshape %{x} {{ shape = [{}, {}] }}
  %{out}_pixels = transpose %{out}_flat {{ order = [-1, -2] }}
  %{out}_first = reshape %{out}_pixels {{ shape = [{}, {batch}, {heads}, {dim}] }}
  %{out}_taken = gather %{out}_first, %pixel
  %{out}_lead = reshape %{out}_taken {{ shape = [{}, {}, {dim}] }}
  %{out}_swap = transpose %{out}_lead {{ order = [-2, -3, -1] }}
  %{out} = reshape %{out}_swap {{ shape = [{batch}, {heads}, {height}, {width}, {taps}, {dim}] }}",
        batch * heads * dim,
        height * width,
        height * width,
        height * width * taps,
        batch * heads,
    )
}

/// Text that makes `%down` `[H, k]` and `%across` `[W, k]`, the pixels seen on either axis, and `%pixel`
/// `[H·W·k²]`, their numbers.
fn moved_windows(e: &Extents) -> String {
    let (Extents { map: [height, width], size, .. }, p, taps) = (e, e.reach(), e.taps());
    let axis = |name: &str, extent: usize| {
        format!(
            "
  %{name}_at = iota {{ axis = 0 }} : i32[{extent}, {size}]
  %{name}_tap = iota {{ axis = 1 }} : i32[{extent}, {size}]
  %{name}_low = sub %{name}_at, {p}
  %{name}_first = max %{name}_low, 0
  %{name}_start = min %{name}_first, {}
  %{name} = add %{name}_start, %{name}_tap",
            extent - size
        )
    };
    format!(
        "{}{}
  %r = reshape %down {{ shape = [{height}, 1, {size}, 1] }}
  %c = reshape %across {{ shape = [1, {width}, 1, {size}] }}
  %r_number = mul %r, {width}
  %number = add %r_number, %c
  %pixel = reshape %number {{ shape = [{}] }}",
        axis("down", *height),
        axis("across", *width),
        height * width * taps
    )
}

/// Text that makes `%relative` `[B, heads, H, W, 1, taps]` of the queries and the two tables.
fn relative(e: &Extents, clamp: bool) -> String {
    let (Extents { batch, heads, map: [height, width], size, .. }, half) = (e, e.head_dim / 2);
    let lead = format!("{batch}, {heads}, {height}, {width}");
    let tables = if clamp {
        // Offsets from the pixel to what its window shows, per row and per column of the map.
        format!(
            "
  %down_offset = sub %down, %down_at
  %down_row = add %down_offset, {last}
  %row_seen = gather %row, %down_row
  %rows = reshape %row_seen {{ shape = [{height}, 1, {size}, {half}] }}
  %across_offset = sub %across, %across_at
  %across_row = add %across_offset, {last}
  %columns = gather %column, %across_row",
            last = size - 1
        )
    } else {
        format!(
            "
  %rows = reshape %row {{ shape = [{size}, {half}] }}
  %columns = reshape %column {{ shape = [{size}, {half}] }}"
        )
    };
    format!(
        "{tables}
  %low = slice %queries {{ axis = -1, start = 0, stop = {half}, step = 1 }}
  %high = slice %queries {{ axis = -1, start = {half}, stop = {}, step = 1 }}
  %by_row = scores %low, %rows
  %by_column = scores %high, %columns
  %row_terms = reshape %by_row {{ shape = [{lead}, {size}, 1] }}
  %column_terms = reshape %by_column {{ shape = [{lead}, 1, {size}] }}
  %terms = add %row_terms, %column_terms
  %relative = reshape %terms {{ shape = [{lead}, 1, {}] }}",
        2 * half,
        e.taps()
    )
}

/// Text that makes `%masked` of `%logits`: pixels outside the map are not seen.
fn masked(e: &Extents) -> String {
    let (Extents { map: [height, width], size, .. }, p) = (e, e.reach());
    format!(
        "
  %ones = const {{ value = 1 }} : i32[{height}, {width}]
  %ones_rows = pad %ones {{ axis = -2, low = {p}, high = {p}, value = 0 }}
  %ones_map = pad %ones_rows {{ axis = -1, low = {p}, high = {p}, value = 0 }}
  %ones_down = unfold %ones_map {{ axis = -2, size = {size}, stride = 1, dilation = 1 }}
  %ones_taps = unfold %ones_down {{ axis = -1, size = {size}, stride = 1, dilation = 1 }}
  %ones_last = transpose %ones_taps {{ order = [-4, -2, -3, -1] }}
  %inside = reshape %ones_last {{ shape = [{height}, {width}, 1, {}] }}
  %seen = eq %inside, 1
  %hidden = const {{ value = -inf }} : f32[]
  %masked = select %seen, %logits, %hidden",
        e.taps()
    )
}

impl OpDef for NeighbourhoodAttention {
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let e = self.extents(operands)?;
        let dtype = common_float(self.name(), operands)?;
        sized(dtype, vec![e.batch, e.heads * e.value_dim, e.map[0], e.map[1]])
    }
    /// Scores and their scaling, relative terms by row and column and their two sums, softmax, values.
    fn flops(&self, operands: &[&TensorType], _: &TensorType) -> u64 {
        let (roles, Ok(e)) = (Roles::of(operands), self.extents(operands)) else { return 0 };
        let (content, tables) = (roles.k.is_some(), roles.tables.is_some());
        let logits = e.heads * e.taps();
        let scores = if content { 2 * logits * e.head_dim + logits } else { 0 };
        let relative = if tables { 2 * e.size * e.heads * (e.head_dim / 2) * 2 + logits } else { 0 };
        let sum = if content && tables { logits } else { 0 };
        let values = 2 * logits * e.value_dim;
        (e.pixels() * (scores + relative + sum + values)) as u64 + softmax::FLOPS * (e.pixels() * logits) as u64
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let roles = Roles::of(operands);
        let types: Vec<&TensorType> = operands.iter().map(|operand| &operand.ty).collect();
        let e = self.extents(&types)?;
        let mut out = Tensor::new(result.clone(), vec![0.0; result.elements()]);
        for image in 0..e.batch {
            for head in 0..e.heads {
                for i in 0..e.map[0] {
                    for j in 0..e.map[1] {
                        self.pixel(&e, &roles, [image, head, i, j], &mut out.data);
                    }
                }
            }
        }
        Ok(out)
    }
    fn body(&self, operands: &[&TensorType]) -> Option<String> {
        let (roles, e) = (Roles::of(operands), self.extents(operands).ok()?);
        let clamp = self.border == Border::Clamp;
        let (batch, heads, [height, width], dim) = (e.batch, e.heads, e.map, e.head_dim);
        let mut text = format!(
            "
  %q_heads = reshape %q {{ shape = [{batch}, {heads}, {dim}, {height}, {width}] }}
  %q_last = transpose %q_heads {{ order = [-2, -1, -3] }}
  %queries = reshape %q_last {{ shape = [{batch}, {heads}, {height}, {width}, 1, {dim}] }}"
        );
        if clamp {
            text += &moved_windows(&e);
        }
        let read = if clamp { gathered } else { unfolded };
        let logits = match (roles.k, roles.tables) {
            (Some(_), tables) => {
                text += &read(&e, "k", "keys", dim);
                text += &format!(
                    "\n  %products = scores %queries, %keys\n  %scaled = mul %products, {:?}",
                    self.scale.get()
                );
                match tables {
                    None => "scaled",
                    Some(_) => {
                        text += &relative(&e, clamp);
                        text += "\n  %logits = add %scaled, %relative";
                        "logits"
                    }
                }
            }
            (None, _) => {
                text += &relative(&e, clamp);
                "relative"
            }
        };
        let logits = match self.border {
            Border::Mask => {
                text += &masked(&e).replace("%logits", &format!("%{logits}"));
                "masked"
            }
            _ => logits,
        };
        text += &read(&e, "v", "values", e.value_dim);
        let narrow = narrowed(common_float(self.name(), operands).ok()?);
        text += &format!(
            "
  %sums = attend %{logits}, %values {{ axis = -1 }}
  %pixels = reshape %sums {{ shape = [{batch}, {heads}, {height}, {width}, {vd}] }}
  %channels = transpose %pixels {{ order = [-1, -3, -2] }}
  %y = reshape %channels {{ shape = [{batch}, {}, {height}, {width}] }}{narrow}",
            heads * e.value_dim,
            vd = e.value_dim
        );
        Some(text)
    }
    /// With four operands there are no keys.
    fn definition(&self, operands: &[&TensorType]) -> Option<String> {
        let keyless = operands.len() == 4;
        let names = Self::OPERANDS.all.iter().map(|operand| operand.name).filter(|&name| !keyless || name != "k");
        Some(definition::text(self.name(), names, operands, &self.body(operands)?))
    }
}

impl NeighbourhoodAttention {
    /// One pixel of one head.
    fn pixel(&self, e: &Extents, roles: &Roles<&Tensor>, [image, head, i, j]: [usize; 4], out: &mut [f64]) {
        let [height, width] = e.map;
        let at = |channels: usize, channel: usize, i: usize, j: usize| {
            ((image * channels + channel) * height + i) * width + j
        };
        let (channels, values) = (e.heads * e.head_dim, e.heads * e.value_dim);
        let query: Vec<f64> =
            (0..e.head_dim).map(|c| roles.q.data[at(channels, head * e.head_dim + c, i, j)]).collect();
        let dot = |table: &Tensor, row: usize, part: &[f64]| -> f64 {
            part.iter().zip(&table.data[row * part.len()..]).map(|(x, y)| x * y).sum()
        };
        let (mut logits, mut seen) = (Vec::new(), Vec::new());
        for (a, b) in (0..e.size).flat_map(|a| (0..e.size).map(move |b| (a, b))) {
            let ((row, row_offset), (column, column_offset)) = (self.tap(i, a, height), self.tap(j, b, width));
            let pixel = row.zip(column);
            if self.border == Border::Mask && pixel.is_none() {
                continue;
            }
            let mut logit = 0.0;
            if let (Some(k), Some((r, c))) = (roles.k, pixel) {
                let key = (0..e.head_dim).map(|d| k.data[at(channels, head * e.head_dim + d, r, c)]);
                logit += self.scale.get() * query.iter().zip(key).map(|(x, y)| x * y).sum::<f64>();
            }
            if let Some([rows, columns]) = roles.tables {
                let (low, high) = query.split_at(e.head_dim / 2);
                logit += dot(rows, row_offset, low) + dot(columns, column_offset, high);
            }
            logits.push(logit);
            seen.push(pixel);
        }
        let count = logits.len();
        softmax::normalise(&mut logits, count, 1);
        for d in 0..e.value_dim {
            let value = |pixel: &Option<(usize, usize)>| {
                pixel.map_or(0.0, |(r, c)| roles.v.data[at(values, head * e.value_dim + d, r, c)])
            };
            out[at(values, head * e.value_dim + d, i, j)] = logits.iter().zip(&seen).map(|(w, p)| w * value(p)).sum();
        }
    }
}
