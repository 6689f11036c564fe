//! Element by element: operands broadcast from the last axis, each pair of dimensions equal or one of them 1.

use super::{
    Attr, AttrReader, OpDef,
    shape::{broadcast_all, common_dtype, float, named, sized},
    special::erf,
    walk::{Walk, broadcast_strides},
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

/// One operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum UnaryOp {
    Neg,
    Abs,
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Recip,
    Floor,
    Round,
    Erf,
    Tanh,
    Sigmoid,
    Sin,
    Cos,
    Not,
}

/// `exp %x` and its like. `Not` takes bool; `Neg`, `Abs` numbers; the rest floats. `Round` is to nearest
/// even; `Sin`, `Cos` of radians are NaN at infinities.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unary {
    /// Which.
    pub op: UnaryOp,
}

/// Two operands of one element type; floats of several types meet in f32. Comparisons give bool; `And`, `Or` take bool;
/// `Div` of integers rounds towards minus infinity. Integers wrap around.
///
/// * `Rem` has the sign of the divisor, as PyTorch's `remainder`: of floats it is exact but for one rounding where the
///   operands' signs differ, −0 where a negative number is a multiple, and NaN where the divisor is 0.
/// * `Pow` of floats has the values of C and PyTorch's `pow` of two tensors: `pow(x, 0)` and `pow(1, y)` are 1 for NaN
///   too, a negative base has powers with integral exponents only, and `pow(-inf, 0.5)` is infinite. PyTorch's power by
///   the number 0.5 or −0.5 is a root, which is NaN there: that is `sqrt` or `rsqrt`.
/// * `Min`, `Max` of floats are NaN where either operand is, as PyTorch's `minimum` and `maximum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // the names say it
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
    Min,
    Max,
    Lt,
    Le,
    Eq,
    And,
    Or,
}

/// `add %x, %y` and its like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
}

/// `select %c, %a, %b`: a where the bool c is set, else b.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Select;

/// `cast %x { to = f32 }`: float to integer truncates towards zero and saturates, bool is
/// 0 or 1, a number is true where it is not 0. Between floats the value stays: rounding to a narrower type
/// belongs to memory, not to the graph's meaning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cast {
    /// Element type of the result.
    pub to: DType,
}

impl UnaryOp {
    /// Every member with its name.
    pub const ALL: [(UnaryOp, &'static str); 15] = [
        (UnaryOp::Neg, "neg"),
        (UnaryOp::Abs, "abs"),
        (UnaryOp::Exp, "exp"),
        (UnaryOp::Log, "log"),
        (UnaryOp::Sqrt, "sqrt"),
        (UnaryOp::Rsqrt, "rsqrt"),
        (UnaryOp::Recip, "recip"),
        (UnaryOp::Floor, "floor"),
        (UnaryOp::Round, "round"),
        (UnaryOp::Erf, "erf"),
        (UnaryOp::Tanh, "tanh"),
        (UnaryOp::Sigmoid, "sigmoid"),
        (UnaryOp::Sin, "sin"),
        (UnaryOp::Cos, "cos"),
        (UnaryOp::Not, "not"),
    ];

    /// The value for one element; truth values are 0 and 1.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            UnaryOp::Neg => -x,
            UnaryOp::Abs => x.abs(),
            UnaryOp::Exp => x.exp(),
            UnaryOp::Log => x.ln(),
            UnaryOp::Sqrt => x.sqrt(),
            UnaryOp::Rsqrt => 1.0 / x.sqrt(),
            UnaryOp::Recip => 1.0 / x,
            UnaryOp::Floor => x.floor(),
            UnaryOp::Round => x.round_ties_even(),
            UnaryOp::Erf => erf(x),
            UnaryOp::Tanh => x.tanh(),
            UnaryOp::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            UnaryOp::Sin => x.sin(),
            UnaryOp::Cos => x.cos(),
            UnaryOp::Not => 1.0 - x,
        }
    }
}

impl BinaryOp {
    /// Every member with its name.
    pub const ALL: [(BinaryOp, &'static str); 13] = [
        (BinaryOp::Add, "add"),
        (BinaryOp::Sub, "sub"),
        (BinaryOp::Mul, "mul"),
        (BinaryOp::Div, "div"),
        (BinaryOp::Rem, "rem"),
        (BinaryOp::Pow, "pow"),
        (BinaryOp::Min, "min"),
        (BinaryOp::Max, "max"),
        (BinaryOp::Lt, "lt"),
        (BinaryOp::Le, "le"),
        (BinaryOp::Eq, "eq"),
        (BinaryOp::And, "and"),
        (BinaryOp::Or, "or"),
    ];

    /// Whether the result is a truth value.
    pub fn is_logical(self) -> bool {
        matches!(self, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Eq | BinaryOp::And | BinaryOp::Or)
    }

    /// What the operands must be, where they are not.
    fn expected(self, dtype: DType) -> Option<&'static str> {
        match self {
            BinaryOp::Eq => None,
            BinaryOp::And | BinaryOp::Or => (dtype != DType::Bool).then_some("bool"),
            BinaryOp::Pow => (!dtype.is_float()).then_some("f32, bf16 or f16"),
            _ => (dtype == DType::Bool).then_some("numbers"),
        }
    }

    fn zip(self, a: &Tensor, b: &Tensor, shape: &[usize]) -> Vec<f64> {
        let truth = |t: bool| f64::from(u8::from(t));
        match self {
            BinaryOp::Add => zip(a, b, shape, |x, y| x + y),
            BinaryOp::Sub => zip(a, b, shape, |x, y| x - y),
            BinaryOp::Mul => zip(a, b, shape, |x, y| x * y),
            BinaryOp::Div => zip(a, b, shape, |x, y| x / y),
            BinaryOp::Rem => zip(a, b, shape, remainder),
            BinaryOp::Pow => zip(a, b, shape, f64::powf),
            BinaryOp::Min => zip(a, b, shape, lesser),
            BinaryOp::Max => zip(a, b, shape, greater),
            BinaryOp::Lt => zip(a, b, shape, |x, y| truth(x < y)),
            BinaryOp::Le => zip(a, b, shape, |x, y| truth(x <= y)),
            BinaryOp::Eq => zip(a, b, shape, |x, y| truth(x == y)),
            BinaryOp::And => zip(a, b, shape, |x, y| x * y),
            BinaryOp::Or => zip(a, b, shape, f64::max),
        }
    }

    /// Integers of 32 bits that wrap around; quotients round towards minus infinity.
    fn zip_integers(self, a: &Tensor, b: &Tensor, shape: &[usize]) -> Result<Vec<f64>, String> {
        if matches!(self, BinaryOp::Div | BinaryOp::Rem) && b.data.contains(&0.0) {
            return Err("an integer is divided by zero".to_string());
        }
        let wrap = |x: i64| f64::from(x as i32);
        let floor_div = |x: i64, y: i64| x / y - i64::from(x % y != 0 && (x < 0) != (y < 0));
        Ok(match self {
            BinaryOp::Add => zip(a, b, shape, |x, y| wrap(x as i64 + y as i64)),
            BinaryOp::Sub => zip(a, b, shape, |x, y| wrap(x as i64 - y as i64)),
            BinaryOp::Mul => zip(a, b, shape, |x, y| wrap(x as i64 * y as i64)),
            BinaryOp::Div => zip(a, b, shape, |x, y| wrap(floor_div(x as i64, y as i64))),
            BinaryOp::Rem => zip(a, b, shape, |x, y| wrap(x as i64 - y as i64 * floor_div(x as i64, y as i64))),
            _ => self.zip(a, b, shape),
        })
    }
}

/// The smaller, NaN where either is.
pub(crate) fn lesser(x: f64, y: f64) -> f64 {
    if x < y || x.is_nan() { x } else { y }
}

/// The greater, NaN where either is.
pub(crate) fn greater(x: f64, y: f64) -> f64 {
    if y < x || x.is_nan() { x } else { y }
}

/// x less a multiple of y, with the sign of y.
pub(crate) fn remainder(x: f64, y: f64) -> f64 {
    let rest = x % y;
    if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }
}

/// `f` over two operands broadcast to `shape`; one loop per way of walking a row.
fn zip(a: &Tensor, b: &Tensor, shape: &[usize], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let mut out = Vec::with_capacity(shape.iter().product());
    let strides = [broadcast_strides(&a.ty.shape, shape), broadcast_strides(&b.ty.shape, shape)];
    let (a, b) = (&a.data, &b.data);
    Walk::new(shape, [&strides[0], &strides[1]]).rows(|[i, j], strides, len| match strides {
        [1, 1] => out.extend(a[i..i + len].iter().zip(&b[j..j + len]).map(|(&x, &y)| f(x, y))),
        [1, 0] => out.extend(a[i..i + len].iter().map(|&x| f(x, b[j]))),
        [0, 1] => out.extend(b[j..j + len].iter().map(|&y| f(a[i], y))),
        [s, t] => out.extend((0..len).map(|k| f(a[i + k * s], b[j + k * t]))),
    });
    out
}

/// One operation per element where the operand is a float.
fn float_flops(operand: &TensorType, result: &TensorType) -> u64 {
    if operand.dtype.is_float() { result.elements() as u64 } else { 0 }
}

impl OpDef for Unary {
    fn name(&self) -> &'static str {
        UnaryOp::ALL[self.op as usize].1
    }
    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        UnaryOp::ALL.iter().find(|(_, n)| *n == name).map(|&(op, _)| Ok(Self { op }))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let ty = operands[0];
        let numbers = matches!(self.op, UnaryOp::Neg | UnaryOp::Abs);
        let expected = match (self.op, ty.dtype) {
            (UnaryOp::Not, DType::Bool) => return Ok(ty.clone()),
            (UnaryOp::Not, _) => "bool",
            (_, DType::I32) if numbers => return Ok(ty.clone()),
            (_, DType::I32 | DType::Bool) if numbers => "numbers",
            _ => return float(self.name(), "operand", ty).map(|()| ty.clone()),
        };
        Err(format!("operand of {} is {ty}, expected {expected}", self.name()))
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        float_flops(operands[0], result)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let op = self.op;
        let value =
            |x: f64| if result.dtype == DType::I32 { f64::from(op.apply(x) as i64 as i32) } else { op.apply(x) };
        Ok(Tensor::new(result.clone(), operands[0].data.iter().map(|&x| value(x)).collect()))
    }
}

impl OpDef for Binary {
    fn name(&self) -> &'static str {
        BinaryOp::ALL[self.op as usize].1
    }
    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        BinaryOp::ALL.iter().find(|(_, n)| *n == name).map(|&(op, _)| Ok(Self { op }))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let dtype = common_dtype(self.name(), operands)?;
        if let Some(expected) = self.op.expected(dtype) {
            return Err(format!("operand of {} is {}, expected {expected}", self.name(), operands[0]));
        }
        sized(if self.op.is_logical() { DType::Bool } else { dtype }, broadcast_all(self.name(), operands)?)
    }
    fn flops(&self, operands: &[&TensorType], result: &TensorType) -> u64 {
        float_flops(operands[0], result)
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let [a, b] = [operands[0], operands[1]];
        let data = match a.ty.dtype {
            DType::I32 => self.op.zip_integers(a, b, &result.shape)?,
            _ => self.op.zip(a, b, &result.shape),
        };
        Ok(Tensor::new(result.clone(), data))
    }
}

impl OpDef for Select {
    fn name(&self) -> &'static str {
        "select"
    }
    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        Vec::new()
    }
    fn from_attrs(name: &str, _: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "select", || Ok(Self))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if operands[0].dtype != DType::Bool {
            return Err(format!("condition of select is {}, expected bool", operands[0]));
        }
        let dtype = common_dtype("select", &operands[1..])?;
        sized(dtype, broadcast_all("select", operands)?)
    }
    fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
        0
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let strides: Vec<_> = operands.iter().map(|o| broadcast_strides(&o.ty.shape, &result.shape)).collect();
        let [c, a, b] = [&operands[0].data, &operands[1].data, &operands[2].data];
        let mut out = Vec::with_capacity(result.elements());
        Walk::new(&result.shape, [&strides[0], &strides[1], &strides[2]]).rows(|[h, i, j], [r, s, t], len| {
            out.extend((0..len).map(|k| if c[h + k * r] != 0.0 { a[i + k * s] } else { b[j + k * t] }));
        });
        Ok(Tensor::new(result.clone(), out))
    }
}

impl OpDef for Cast {
    fn name(&self) -> &'static str {
        "cast"
    }
    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }
    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        vec![("to", Attr::Word(self.to.name().to_string()))]
    }
    fn from_attrs(name: &str, attrs: &mut AttrReader) -> Option<Result<Self, String>> {
        named(name == "cast", || Ok(Self { to: attrs.dtype("to")? }))
    }
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        Ok(TensorType::new(self.to, operands[0].shape.clone()))
    }
    fn flops(&self, _: &[&TensorType], _: &TensorType) -> u64 {
        0
    }
    fn eval(&self, operands: &[&Tensor], result: &TensorType) -> Result<Tensor, String> {
        let value = |&x: &f64| match self.to {
            DType::F32 | DType::Bf16 | DType::F16 => x,
            DType::I32 => f64::from(x as i32),
            DType::Bool => f64::from(u8::from(x != 0.0)),
        };
        Ok(Tensor::new(result.clone(), operands[0].data.iter().map(value).collect()))
    }
}
