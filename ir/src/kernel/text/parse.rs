//! Text → kernel, with the place of the first mistake.
//!
//! Recursive descent over shared tokens: one method per kind of operand, one arm per instruction. Names are
//! resolved and types inferred on the way, so `add v1, v9` is refused where it stands. Whether values are
//! defined before they are used, on every path, is the verifier's question.

use super::super::{inst::*, typing::Typing};
use crate::{
    diagnostic::SourceError,
    id::{Id, IdVec},
    lexer::{Lexer, Token},
    types::{DType, Real},
};
use std::{collections::BTreeMap, ops::Range};

type Parsed<T> = Result<T, SourceError>;

/// How deep loops and branches may nest in text.
const MAX_DEPTH: usize = 64;

/// Reads one kernel that makes up the whole text.
pub fn parse(text: &str) -> Result<Kernel, SourceError> {
    let mut lexer = Lexer::new(text)?;
    let kernel = parse_from(&mut lexer)?;
    if lexer.at_end() { Ok(kernel) } else { Err(lexer.unexpected("the end of the text")) }
}

/// Reads one kernel and leaves the lexer after its closing brace.
pub fn parse_from(lexer: &mut Lexer<'_>) -> Result<Kernel, SourceError> {
    let kernel = header(lexer)?;
    let mut parser = Parser { lexer, kernel, values: Vec::new(), buffers: BTreeMap::new(), depth: 0 };
    parser.buffers()?;
    parser.unused()?;
    let body = parser.body()?;
    if let Some(v) = body.yields.first() {
        return Err(SourceError::new(parser.values[v.index()].span.clone(), "only loops and branches yield"));
    }
    parser.finish(body)
}

fn header(lexer: &mut Lexer<'_>) -> Parsed<Kernel> {
    lexer.expect("kernel")?;
    let name = lexer.name("the kernel's name")?.0.into_owned();
    let unit = word(lexer, Unit::from_name, "`core`, `warp` or `warpgroup`")?;
    lexer.expect("lanes")?;
    let lanes = lexer.integer("the number of lanes")?;
    let units = if lexer.eat("units") { lexer.integer("the number of units")? } else { 1 };
    lexer.expect("grid")?;
    let start = lexer.span().start;
    let grid = lexer.list("[", "]", |lexer| lexer.integer("a number of blocks"))?;
    let span = lexer.span_from(start);
    let grid = <[u64; 3]>::try_from(grid)
        .map_err(|g| SourceError::new(span, format!("this grid has {} axes", g.len())).expecting("three"))?;
    lexer.expect("{")?;
    Ok(Kernel { name, unit, lanes, units, grid, buffers: IdVec::new(), types: IdVec::new(), body: Body::default() })
}

fn word<T>(lexer: &mut Lexer<'_>, from_name: impl Fn(&str) -> Option<T>, what: &str) -> Parsed<T> {
    let found = match lexer.peek() {
        Token::Ident(name) => from_name(name),
        _ => None,
    };
    let Some(found) = found else { return Err(lexer.unexpected(what)) };
    lexer.advance();
    Ok(found)
}

/// The number of a value's name: `v` and digits without leading zeros.
fn value_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('v')?;
    let canonical = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| canonical)
}

#[derive(Clone, Default)]
struct Slot {
    ty: Option<Type>,
    span: Range<usize>,
}

struct Parser<'l, 'a> {
    lexer: &'l mut Lexer<'a>,
    kernel: Kernel,
    values: Vec<Slot>,
    buffers: BTreeMap<String, Buf>,
    depth: usize,
}

/// A value's name where it is defined.
struct Definition {
    v: Val,
    span: Range<usize>,
    written: Option<Type>,
}

impl Parser<'_, '_> {
    fn buffers(&mut self) -> Parsed<()> {
        while let Token::Ident(space @ ("param" | "scratch")) = *self.lexer.peek() {
            self.lexer.advance();
            let (name, span) = self.lexer.name("the buffer's name")?;
            if self.buffers.contains_key(&*name) {
                return Err(SourceError::new(span, format!("there already is a buffer `{name}`")));
            }
            self.lexer.expect(":")?;
            let dtype = self.dtype()?;
            self.lexer.expect("[")?;
            let len = self.lexer.integer("the buffer's length in elements")?;
            self.lexer.expect("]")?;
            let space = Space::from_name(space).expect("the words of spaces");
            let id = self.kernel.buffers.push(Buffer { name: name.clone().into_owned(), dtype, space, len });
            self.buffers.insert(name.into_owned(), id);
        }
        Ok(())
    }
    fn unused(&mut self) -> Parsed<()> {
        if !self.lexer.eat("unused") {
            return Ok(());
        }
        loop {
            let definition = self.definition()?;
            let Some(ty) = definition.written else { return Err(self.lexer.unexpected("`:` and a type")) };
            self.define(&definition, ty)?;
            if !self.lexer.eat(",") {
                return Ok(());
            }
        }
    }
    /// Statements, an optional `yield`, and the closing brace.
    fn body(&mut self) -> Parsed<Body> {
        if self.depth == MAX_DEPTH {
            let message = format!("loops and branches nest deeper than {MAX_DEPTH}");
            return Err(SourceError::new(self.lexer.span(), message));
        }
        self.depth += 1;
        let mut body = Body::default();
        while !self.lexer.sees("}") && !self.lexer.sees("yield") {
            body.stmts.push(self.statement()?);
        }
        if self.lexer.eat("yield") {
            body.yields = self.values()?;
        }
        self.lexer.expect("}")?;
        self.depth -= 1;
        Ok(body)
    }
    fn finish(mut self, body: Body) -> Parsed<Kernel> {
        for (number, slot) in self.values.iter().enumerate() {
            let Some(ty) = slot.ty else {
                let message = format!("v{number} is never defined, but values are numbered without gaps");
                let end = self.lexer.span_from(0).end;
                return Err(
                    SourceError::new(end - 1..end, message).expecting(format!("a line `unused v{number} : TYPE`"))
                );
            };
            self.kernel.types.push(ty);
        }
        self.kernel.body = body;
        Ok(self.kernel)
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        let start = self.lexer.span().start;
        let is_definition = matches!(self.lexer.peek(), Token::Ident(name) if value_number(name).is_some());
        let mut definitions = Vec::new();
        if is_definition {
            definitions.push(self.definition()?);
            while self.lexer.eat(",") {
                definitions.push(self.definition()?);
            }
            self.lexer.expect("=")?;
        }
        let keyword = self.lexer.span();
        let inst = self.inst()?;
        let span = if inst.bodies().next().is_none() { self.lexer.span_from(keyword.start) } else { keyword };
        let types = self.typing().results(&inst).map_err(|message| SourceError::new(span.clone(), message))?;
        if types.len() != definitions.len() {
            let message = format!("{} gives {} values but {} are named", inst.name(), types.len(), definitions.len());
            return Err(SourceError::new(start..span.end, message));
        }
        for (definition, &ty) in definitions.iter().zip(&types) {
            self.define(definition, ty)?;
        }
        Ok(Stmt { results: definitions.iter().map(|d| d.v).collect(), inst })
    }
    fn typing(&self) -> Typing<'_, impl Fn(Val) -> Option<Type> + '_> {
        let ty = |v: Val| self.values.get(v.index()).and_then(|slot| slot.ty);
        Typing { lanes: self.kernel.lanes, unit: self.kernel.unit, buffers: &self.kernel.buffers, ty }
    }
    fn inst(&mut self) -> Parsed<Inst> {
        let (name, span) = self.lexer.ident("an instruction")?;
        Ok(match name {
            "for" => return self.for_loop(),
            "if" => return self.branch(),
            "id" => Inst::Id(self.word(IdAxis::from_name, "`g0`, `g1`, `g2` or `unit`")?),
            "lane" => Inst::Lane,
            "barrier" => Inst::Barrier,
            "const" => Inst::Const(self.constant()?),
            "splat" => Inst::Splat(self.value()?),
            "fma" => {
                let [a, b, c] = self.three()?;
                Inst::Fma(a, b, c)
            }
            "select" => {
                let [cond, a, b] = self.three()?;
                Inst::Select(cond, a, b)
            }
            "cast" => Inst::Cast(self.word(CastOp::from_name, "a conversion such as `i32_to_f32`")?, self.value()?),
            "reduce" => Inst::Reduce(self.word(ReduceOp::from_name, "`sum`, `max` or `min`")?, self.value()?),
            "approx" => Inst::Approx(self.word(ApproxOp::from_name, "`exp2`, `rcp` or `rsqrt`")?, self.value()?),
            "extract" => Inst::Extract(self.value_comma()?, self.lexer.integer("a lane")?),
            "shuffle" => {
                let a = self.value_comma()?;
                Inst::Shuffle(a, self.lexer.list("[", "]", |lexer| lexer.integer("a lane"))?)
            }
            "transpose" => Inst::Transpose(self.values()?),
            "load" => {
                let addr = self.addr()?;
                let (active, stride) = self.access()?;
                Inst::Load { addr, active, stride }
            }
            "store" => {
                let (value, addr) = (self.value_comma()?, self.addr()?);
                let (active, stride) = self.access()?;
                Inst::Store { value, addr, active, stride }
            }
            "bcast" => Inst::Bcast(self.addr()?),
            "load_scalar" => Inst::LoadScalar(self.addr()?),
            "store_scalar" => Inst::StoreScalar { value: self.value_comma()?, addr: self.addr()? },
            "gather" => {
                let addr = self.addr()?;
                self.lexer.expect(",")?;
                Inst::Gather { addr, idx: self.value_comma()?, mask: self.value()? }
            }
            "tile_zero" => {
                let [rows, cols] = self.rows_cols()?;
                Inst::TileZero { rows, cols }
            }
            "tile_load" => return self.tile_load(),
            "tile_store" => {
                let (value, addr) = (self.value_comma()?, self.addr()?);
                Inst::TileStore { value, addr, row_stride: self.row_stride()? }
            }
            "tile_mma" => {
                let [acc, a, b] = self.three()?;
                Inst::TileMma { acc, a, b }
            }
            _ => return self.operation(name, span),
        })
    }
    fn operation(&mut self, name: &str, span: Range<usize>) -> Parsed<Inst> {
        if let Some(op) = BinOp::from_name(name) {
            return Ok(Inst::Bin(op, self.value_comma()?, self.value()?));
        }
        if let Some(op) = CmpOp::from_name(name) {
            return Ok(Inst::Cmp(op, self.value_comma()?, self.value()?));
        }
        match UnOp::from_name(name) {
            Some(op) => Ok(Inst::Un(op, self.value()?)),
            None => Err(SourceError::new(span, format!("found `{name}`")).expecting("an instruction")),
        }
    }
    fn for_loop(&mut self) -> Parsed<Inst> {
        let index = self.definition()?;
        self.define(&index, Type::Scalar(Elem::I64))?;
        self.lexer.expect("in")?;
        let lo = self.value()?;
        self.lexer.expect("..")?;
        let hi = self.value()?;
        let step = if self.lexer.eat("step") { self.lexer.integer("the step")? } else { 1 };
        let unroll = if self.lexer.eat("unroll") { self.lexer.integer("the number of copies")? } else { 1 };
        let (mut params, mut init) = (Vec::new(), Vec::new());
        if self.lexer.eat("(") {
            while !self.lexer.eat(")") {
                let param = self.definition()?;
                self.lexer.expect("=")?;
                let from = self.value()?;
                let ty = self.values[from.index()].ty.expect("a value that was looked up");
                self.define(&param, ty)?;
                params.push(param.v);
                init.push(from);
                if !self.lexer.eat(",") && !self.lexer.sees(")") {
                    return Err(self.lexer.unexpected("`,` or `)`"));
                }
            }
        }
        self.lexer.expect("{")?;
        Ok(Inst::For { lo, hi, step, unroll, init, index: index.v, params, body: self.body()? })
    }
    fn branch(&mut self) -> Parsed<Inst> {
        let cond = self.value()?;
        self.lexer.expect("{")?;
        let then = self.body()?;
        let mut otherwise = Body::default();
        if self.lexer.eat("else") {
            self.lexer.expect("{")?;
            otherwise = self.body()?;
        }
        Ok(Inst::If { cond, then, otherwise })
    }
    fn tile_load(&mut self) -> Parsed<Inst> {
        let start = self.lexer.span().start;
        let Type::Tile { rows, cols, dtype, role } = self.ty()? else {
            let error = SourceError::new(self.lexer.span_from(start), "this is not the type of a tile");
            return Err(error.expecting("a type such as `tile.a.f32[16, 16]`"));
        };
        self.lexer.expect(",")?;
        let addr = self.addr()?;
        let row_stride = self.row_stride()?;
        let transposed = self.lexer.eat("transposed");
        Ok(Inst::TileLoad { addr, row_stride, transposed, rows, cols, dtype, role })
    }

    fn word<T>(&mut self, from_name: impl Fn(&str) -> Option<T>, what: &str) -> Parsed<T> {
        word(self.lexer, from_name, what)
    }
    fn dtype(&mut self) -> Parsed<DType> {
        self.word(DType::from_name, "`f32`, `bf16`, `f16`, `i32` or `bool`")
    }
    fn ty(&mut self) -> Parsed<Type> {
        let expected = "a type such as `i64`, `v.f32` or `tile.acc.f32[16, 16]`";
        let Token::Ident(name) = *self.lexer.peek() else { return Err(self.lexer.unexpected(expected)) };
        if let Some(tile) = name.strip_prefix("tile.") {
            let parts = tile.split_once('.').and_then(|(r, d)| TileRole::from_name(r).zip(DType::from_name(d)));
            let Some((role, dtype)) = parts else { return Err(self.lexer.unexpected(expected)) };
            self.lexer.advance();
            let [rows, cols] = self.rows_cols()?;
            return Ok(Type::Tile { rows, cols, dtype, role });
        }
        let plain = match name.strip_prefix("v.") {
            Some(elem) => Elem::from_name(elem).map(Type::Vector),
            None => Elem::from_name(name).map(Type::Scalar),
        };
        let Some(ty) = plain else { return Err(self.lexer.unexpected(expected)) };
        self.lexer.advance();
        Ok(ty)
    }
    fn rows_cols(&mut self) -> Parsed<[u32; 2]> {
        let start = self.lexer.span().start;
        let sizes = self.lexer.list("[", "]", |lexer| lexer.integer("a number of rows or columns"))?;
        let span = self.lexer.span_from(start);
        sizes.try_into().map_err(|_| SourceError::new(span, "a tile has two axes").expecting("`[ROWS, COLUMNS]`"))
    }
    fn constant(&mut self) -> Parsed<Const> {
        Ok(match self.word(Elem::from_name, "`i64`, `i32`, `f32` or `bool`")? {
            Elem::I64 => Const::I64(self.lexer.integer("an i64")?),
            Elem::I32 => Const::I32(self.lexer.integer("an i32")?),
            Elem::Bool => Const::Bool(self.word(|w| w.parse().ok(), "`true` or `false`")?),
            Elem::F32 => {
                let value = self.lexer.real("a real number")?;
                let has_bits = value.is_nan() && matches!(self.lexer.peek(), Token::Number(_));
                let bits = if has_bits { self.lexer.integer("the bits of a NaN")? } else { value.to_bits() };
                Const::F32(Real::new(f64::from_bits(bits)))
            }
        })
    }

    /// A value's name where it is defined, with the type if one is written.
    fn definition(&mut self) -> Parsed<Definition> {
        let span = self.lexer.span();
        let number = self.word(value_number, "a value such as `v0`")?;
        // Every value is named where it is defined, so a larger number leaves gaps.
        if number >= self.lexer.text().len() {
            return Err(SourceError::new(
                span,
                format!("v{number} skips numbers, but values are numbered without gaps"),
            ));
        }
        let written = if self.lexer.eat(":") { Some(self.ty()?) } else { None };
        Ok(Definition { v: Val::new(number), span, written })
    }
    fn define(&mut self, definition: &Definition, ty: Type) -> Parsed<()> {
        let Definition { v, span, written } = definition;
        if let Some(written) = written.filter(|w| *w != ty) {
            return Err(SourceError::new(span.clone(), format!("{v} is {ty}, not {written}")));
        }
        if self.values.len() <= v.index() {
            self.values.resize(v.index() + 1, Slot::default());
        }
        let slot = &mut self.values[v.index()];
        if slot.ty.is_some() {
            let error = SourceError::new(span.clone(), format!("{v} is defined twice"));
            return Err(error.label(slot.span.clone(), "defined here before"));
        }
        *slot = Slot { ty: Some(ty), span: span.clone() };
        Ok(())
    }
    fn value(&mut self) -> Parsed<Val> {
        let span = self.lexer.span();
        let number = self.word(value_number, "a value such as `v0`")?;
        match self.values.get(number) {
            Some(Slot { ty: Some(_), .. }) => Ok(Val::new(number)),
            _ => Err(SourceError::new(span, format!("v{number} is not defined before this line"))),
        }
    }
    fn value_comma(&mut self) -> Parsed<Val> {
        let v = self.value()?;
        self.lexer.expect(",")?;
        Ok(v)
    }
    fn values(&mut self) -> Parsed<Vec<Val>> {
        let mut values = vec![self.value()?];
        while self.lexer.eat(",") {
            values.push(self.value()?);
        }
        Ok(values)
    }
    fn three(&mut self) -> Parsed<[Val; 3]> {
        Ok([self.value_comma()?, self.value_comma()?, self.value()?])
    }
    /// `name[index + offset]`, `name[index]` or `name[offset]`.
    fn addr(&mut self) -> Parsed<Addr> {
        let (name, span) = self.lexer.name("a buffer")?;
        let found = self.buffers.get(&*name).copied();
        let buf = found.ok_or_else(|| SourceError::new(span, format!("there is no buffer `{name}`")))?;
        self.lexer.expect("[")?;
        let index = matches!(self.lexer.peek(), Token::Ident(_)).then(|| self.value()).transpose()?;
        let signed = self.lexer.sees("+") || self.lexer.sees("-");
        let offset = match index {
            None => self.lexer.integer("an index")?,
            Some(_) if signed => self.signed_offset()?,
            Some(_) => 0,
        };
        if !self.lexer.eat("]") {
            return Err(self.lexer.unexpected(if index.is_some() { "`+`, `-` or `]`" } else { "`]`" }));
        }
        Ok(Addr { buf, index, offset })
    }
    fn signed_offset(&mut self) -> Parsed<i64> {
        let negative = self.lexer.advance().0 == Token::Punct("-");
        let span = self.lexer.span();
        let magnitude: u64 = self.lexer.integer("a constant number of elements")?;
        let offset = if negative { -i128::from(magnitude) } else { i128::from(magnitude) };
        i64::try_from(offset).map_err(|_| SourceError::new(span, format!("{offset} is out of range")))
    }
    fn access(&mut self) -> Parsed<(Option<Val>, i64)> {
        let active = if self.lexer.eat("first") { Some(self.value()?) } else { None };
        let stride = if self.lexer.eat("stride") { self.lexer.integer("a distance in elements")? } else { 1 };
        Ok((active, stride))
    }
    fn row_stride(&mut self) -> Parsed<i64> {
        self.lexer.expect("row_stride")?;
        self.lexer.integer("a distance in elements")
    }
}
