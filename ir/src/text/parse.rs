//! The parser: statement by statement, each node checked by its op before the next is read.

use super::nearest::{nearest, nearest_ops};
use crate::{
    count::{agree, counted},
    diagnostic::SourceError,
    graph::{Graph, NodeId},
    lexer::{Lexer, Token, quote},
    ops::{Attr, AttrReader, Const, Op},
    types::{DType, Real, TensorType, fits_f32},
    view::View,
};
use std::{collections::BTreeMap, fmt, ops::Range};

/// Most axes of a tensor in text.
pub(crate) const MAX_RANK: usize = 32;
const MAX_ELEMENTS: usize = 1 << 40;

type Result<T> = std::result::Result<T, SourceError>;
type Span = Range<usize>;

/// Reads `graph name { … }` where the lexer stands.
pub(crate) fn graph(lexer: &mut Lexer) -> Result<Graph> {
    lexer.expect("graph")?;
    let (name, _) = lexer.name("the graph's name")?;
    lexer.expect("{")?;
    let mut parser = Parser { lexer, graph: Graph::new(name), names: BTreeMap::new() };
    while !parser.lexer.eat("return") {
        if !parser.lexer.sees("%") {
            return Err(parser.lexer.unexpected("a statement `%name = op …` or `return`"));
        }
        parser.statement()?;
    }
    while parser.lexer.sees("%") {
        let (output, _) = parser.reference()?;
        parser.graph.outputs.push(output);
        if !parser.lexer.eat(",") {
            break;
        }
    }
    parser.lexer.expect("}")?;
    Ok(parser.graph)
}

/// Reads a type, for example `f32[2, 49, 32]`; a scalar is `f32[]`.
pub(crate) fn tensor_type(lexer: &mut Lexer) -> Result<TensorType> {
    let (name, span) = lexer.ident("a type such as `f32[2, 49, 32]`")?;
    let dtype = DType::from_name(name).ok_or_else(|| {
        SourceError::new(span.clone(), format!("`{name}` is not an element type"))
            .expecting("f32, bf16, f16, i32 or bool")
    })?;
    let shape = lexer.list("[", "]", |l| {
        let span = l.span();
        match l.integer::<usize>("a dimension")? {
            0 => Err(SourceError::new(span, "a dimension is 0").expecting("1 or more")),
            n => Ok(n),
        }
    })?;
    let span = lexer.span_from(span.start);
    if shape.len() > MAX_RANK {
        return Err(SourceError::new(span, format!("a type of {} axes", shape.len())).expecting("32 at most"));
    }
    let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        return Err(SourceError::new(span, "a type of more than 2^40 elements"));
    }
    Ok(TensorType::new(dtype, shape))
}

/// Reads a real number that f32, in which kernels compute, holds; `what` is expected there.
pub(crate) fn real_in_f32(lexer: &mut Lexer, what: &str) -> Result<f64> {
    if let Token::Number(digits) = *lexer.peek()
        && digits != "-inf"
        && let Ok(value) = digits.parse::<f64>()
        && (value.is_infinite() || !fits_f32(value))
    {
        let (least, most) = (f32::MIN_POSITIVE, f32::MAX);
        let size = if value.abs() < 1.0 { "small" } else { "large" };
        let error = SourceError::new(lexer.span(), format!("{digits} is too {size} for f32"));
        return Err(error.expecting(format!("0 or a magnitude from {least:e} to {most:e}")));
    }
    lexer.real(what)
}

/// What stands after `%`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Number(u32),
    Label(String),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Number(n) => write!(f, "%{n}"),
            Name::Label(label) => write!(f, "%{}", quote(label)),
        }
    }
}

enum Operand {
    Node(NodeId),
    Literal(f64),
}

struct AttrText {
    name: String,
    value: Attr,
    name_span: Span,
    value_span: Span,
}

/// The right side of a statement, as written.
struct Written<'a> {
    op: &'a str,
    op_span: Span,
    operands: Vec<(Operand, Span)>,
    attrs: Vec<AttrText>,
    /// From the op to the end of operands and attributes.
    span: Span,
    ty: Option<(TensorType, Span)>,
}

struct Parser<'a, 'l> {
    lexer: &'l mut Lexer<'a>,
    graph: Graph,
    names: BTreeMap<Name, (NodeId, Span)>,
}

impl<'a> Parser<'a, '_> {
    fn statement(&mut self) -> Result<()> {
        let (name, name_span) = self.name()?;
        if let Some((_, first)) = self.names.get(&name) {
            let error = SourceError::new(name_span, format!("{name} is defined twice"));
            return Err(error.expecting("a new name").label(first.clone(), "first defined here"));
        }
        self.lexer.expect("=")?;
        let written = self.right_side()?;
        let node = self.node(&written)?;
        if let Name::Label(label) = &name {
            self.graph.set_label(node, label.clone());
        }
        self.names.insert(name, (node, name_span));
        Ok(())
    }

    fn name(&mut self) -> Result<(Name, Span)> {
        let start = self.lexer.expect("%")?.start;
        let what = "a name such as `%q` or `%12`";
        let name = match *self.lexer.peek() {
            Token::Number(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Name::Number(self.lexer.integer(what)?)
            }
            _ => Name::Label(self.lexer.name(what)?.0.into_owned()),
        };
        Ok((name, self.lexer.span_from(start)))
    }

    fn reference(&mut self) -> Result<(NodeId, Span)> {
        let (name, span) = self.name()?;
        if let Some(&(node, _)) = self.names.get(&name) {
            return Ok((node, span));
        }
        let error = SourceError::new(span, format!("{name} is not defined above"));
        let labels = self.names.keys().filter_map(|n| if let Name::Label(l) = n { Some(l.as_str()) } else { None });
        let near = match &name {
            Name::Label(label) => nearest(label, labels),
            Name::Number(_) => Vec::new(),
        };
        let near: Vec<String> = near.into_iter().map(|l| format!("%{}", quote(l))).collect();
        Err(if near.is_empty() {
            error.expecting("the name of an earlier node")
        } else {
            error.expecting(either(&near))
        })
    }

    fn right_side(&mut self) -> Result<Written<'a>> {
        let (op, op_span) = self.lexer.ident("an op")?;
        let mut operands = Vec::new();
        let mut more = !self.lexer.starts_line() && self.at_operand();
        while more {
            operands.push(self.operand()?);
            more = self.lexer.eat(",");
        }
        let mut attrs: Vec<AttrText> = Vec::new();
        if self.lexer.sees("{") {
            attrs = self.lexer.list("{", "}", attr)?;
        }
        let mut given: BTreeMap<&str, &Span> = BTreeMap::new();
        for a in &attrs {
            if let Some(first) = given.insert(&a.name, &a.name_span) {
                let error = SourceError::new(a.name_span.clone(), format!("attribute `{}` is given twice", a.name));
                return Err(error.label(first.clone(), "first given here"));
            }
        }
        let span = self.lexer.span_from(op_span.start);
        let mut ty = None;
        if self.lexer.eat(":") {
            let start = self.lexer.span().start;
            ty = Some((tensor_type(self.lexer)?, self.lexer.span_from(start)));
        }
        Ok(Written { op, op_span, operands, attrs, span, ty })
    }

    fn at_operand(&self) -> bool {
        matches!(self.lexer.peek(), Token::Punct("%") | Token::Number(_) | Token::Ident("inf" | "nan" | "NaN"))
    }

    fn operand(&mut self) -> Result<(Operand, Span)> {
        if self.lexer.sees("%") {
            let (node, span) = self.reference()?;
            return Ok((Operand::Node(node), span));
        }
        let span = self.lexer.span();
        Ok((Operand::Literal(real_in_f32(self.lexer, "an operand: a name such as `%q` or a number")?), span))
    }

    fn node(&mut self, written: &Written) -> Result<NodeId> {
        let op = self.op(written)?;
        self.check_arity(&op, written)?;
        let operands = self.operands(&op, written)?;
        let node = self.graph.push(op, &operands).map_err(|message| {
            let error = located(&written.span, written.op, &message);
            let types = written.operands.iter().zip(&operands).take(3);
            types.fold(error, |e, ((_, span), &o)| e.label(span.clone(), format!("this is {}", self.graph.ty(o))))
        })?;
        let ty = self.graph.ty(node);
        if ty.rank() > MAX_RANK {
            let message =
                format!("{} gives {}", written.op, ty.rank().to_string() + agree(ty.rank(), " axis", " axes"));
            return Err(SourceError::new(written.span.clone(), message).expecting("32 at most"));
        }
        match &written.ty {
            Some((found, span)) if found != ty => {
                let error = SourceError::new(span.clone(), format!("found {found}")).expecting(ty.to_string());
                Err(error.label(written.span.clone(), format!("this gives {ty}")))
            }
            _ => Ok(node),
        }
    }

    fn op(&self, written: &Written) -> Result<Op> {
        let name = written.op;
        let attrs = written.attrs.iter().map(|a| (a.name.clone(), a.value.clone())).collect();
        let mut reader = AttrReader::new(attrs, written.ty.as_ref().map(|(ty, _)| ty.clone()));
        let op = match Op::from_attrs(name, &mut reader) {
            Some(Ok(op)) => op,
            Some(Err(message)) => return Err(attr_error(written, reader.asked(), &message)),
            None => {
                let near = nearest_ops(name);
                let error = SourceError::new(written.op_span.clone(), format!("there is no op `{name}`"));
                return Err(if near.is_empty() { error } else { error.expecting(either(&near)) });
            }
        };
        let extra = reader.rest().next().and_then(|rest| written.attrs.iter().find(|a| a.name == rest));
        let Some(extra) = extra else { return Ok(op) };
        let error = SourceError::new(extra.name_span.clone(), format!("{name} has no attribute `{}`", extra.name));
        let known: Vec<String> = op.attrs().into_iter().map(|(name, _)| name.to_string()).collect();
        Err(if known.is_empty() { error.expecting("none") } else { error.expecting(either(&known)) })
    }

    fn check_arity(&self, op: &Op, written: &Written) -> Result<()> {
        let (least, most) = op.arity();
        let found = written.operands.len();
        let span = match written.operands.get(most) {
            Some((_, span)) => span.clone(),
            None if found < least => {
                written.op_span.start..written.operands.last().map_or(written.op_span.end, |(_, span)| span.end)
            }
            None => return Ok(()),
        };
        let expected = match (least, most) {
            (0, 0) => "none".to_string(),
            (_, usize::MAX) => format!("{least} or more"),
            _ if least == most => least.to_string(),
            _ => format!("{least} to {most}"),
        };
        Err(SourceError::new(span, format!("{} has {}", written.op, counted(found, "operand"))).expecting(expected))
    }

    /// The operands as nodes; a number becomes a constant of the element type of the operand it stands beside.
    fn operands(&mut self, op: &Op, written: &Written) -> Result<Vec<NodeId>> {
        let condition = usize::from(matches!(op, Op::Select(_)));
        let beside = written.operands.iter().skip(condition).rev();
        let dtype = beside
            .into_iter()
            .find_map(|(o, _)| if let Operand::Node(n) = o { Some(self.graph.ty(*n).dtype) } else { None });
        let ty = TensorType::new(dtype.unwrap_or(DType::F32), []);
        let operand = |(operand, span): &(Operand, Span)| match *operand {
            Operand::Node(node) => Ok(node),
            Operand::Literal(value) => {
                let constant = Const { ty: ty.clone(), value: Real::new(value) };
                self.graph.push(constant, &[]).map_err(|message| located(span, "const", &message))
            }
        };
        written.operands.iter().map(operand).collect()
    }
}

fn attr(lexer: &mut Lexer) -> Result<AttrText> {
    let (name, name_span) = lexer.ident("an attribute `name = value`")?;
    lexer.expect("=")?;
    let start = lexer.span().start;
    let what = "a value: a number, a list of integers, a word or a quoted string";
    let value = match lexer.peek().clone() {
        Token::Number(n) if n == "-inf" || n.contains(['.', 'e', 'E']) && !n.contains("0x") => {
            Attr::Real(Real::new(real_in_f32(lexer, what)?))
        }
        Token::Number(_) => Attr::Int(lexer.integer(what)?),
        Token::Ident("inf" | "nan" | "NaN") => Attr::Real(Real::new(lexer.real(what)?)),
        Token::Punct("[") => Attr::Ints(lexer.list("[", "]", |l| l.integer("an integer"))?),
        _ => Attr::Word(lexer.name(what)?.0.into_owned()),
    };
    let value_span = lexer.span_from(start);
    if matches!(&value, Attr::Ints(list) if list.len() > MAX_RANK) {
        return Err(SourceError::new(value_span, "this list is too long").expecting("32 integers at most"));
    }
    Ok(AttrText { name: name.to_string(), value, name_span, value_span })
}

/// An attribute is missing or wrong: point at its value, inside it for a view, or at the op.
fn attr_error(written: &Written, asked: Option<&str>, message: &str) -> SourceError {
    let Some(attr) = written.attrs.iter().find(|a| Some(a.name.as_str()) == asked && !message.starts_with("expected"))
    else {
        return located(&written.span, written.op, message);
    };
    let error = located(&attr.value_span, written.op, message);
    match &attr.value {
        Attr::Word(word) if written.op == "view" => match word.parse::<View>() {
            // Without escapes, places in the string are places in the text.
            Err(inner) if attr.value_span.len() == word.len() + 2 => {
                let start = attr.value_span.start + 1;
                SourceError { span: start + inner.span.start..start + inner.span.end, ..error }
            }
            _ => error,
        },
        _ => error,
    }
}

/// An op's sentence as an error; "…, expected …" is taken apart.
fn located(span: &Span, op: &str, message: &str) -> SourceError {
    if let Some(expected) = message.strip_prefix("expected ") {
        return SourceError::new(span.clone(), format!("{op} is incomplete")).expecting(expected);
    }
    match message.rsplit_once(", expected ") {
        Some((found, expected)) => SourceError::new(span.clone(), found).expecting(expected),
        None => SourceError::new(span.clone(), message),
    }
}

/// `a`, `b` or `c`.
fn either(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}
