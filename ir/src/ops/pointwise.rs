//! Element by element: operands broadcast from the last axis, each pair of dimensions equal or one of them 1.

use super::{
    OpDef,
    shape::{broadcast_all, common_dtype, float, sized},
    special::erf,
    walk::{Walk, broadcast_strides},
};
use crate::{
    graph::Tensor,
    types::{DType, TensorType},
};

words! {
    /// One operand.
    #[allow(missing_docs)] // the names say it
    pub enum UnaryOp = "op" {
        Neg = "neg",
        Abs = "abs",
        Exp = "exp",
        Log = "log",
        Sqrt = "sqrt",
        Rsqrt = "rsqrt",
        Recip = "recip",
        Floor = "floor",
        Round = "round",
        Erf = "erf",
        Tanh = "tanh",
        Sigmoid = "sigmoid",
        Sin = "sin",
        Cos = "cos",
        Not = "not",
    }
}

op! {
    /// `exp %x` and its like. `Not` takes bool; `Neg`, `Abs` numbers; the rest floats. `Round` is to nearest
    /// even; `Sin`, `Cos` of radians are NaN at infinities.
    pub struct Unary = family unary(x) {
        /// Which.
        pub op: UnaryOp,
    }
}

words! {
    /// Two operands of one element type; floats of several types meet in f32. Comparisons give bool; `And`, `Or` take bool;
    /// `Div` of integers rounds towards minus infinity. Integers wrap around.
    ///
    /// * `Rem` has the sign of the divisor, as PyTorch's `remainder`: of floats it is exact but for one rounding where the
    ///   operands' signs differ, −0 where a negative number is a multiple, and NaN where the divisor is 0.
    /// * `Pow` of floats has the values of C and PyTorch's `pow` of two tensors: `pow(x, 0)` and `pow(1, y)` are 1 for NaN
    ///   too, a negative base has powers with integral exponents only, and `pow(-inf, 0.5)` is infinite. PyTorch's power by
    ///   the number 0.5 or −0.5 is a root, which is NaN there: that is `sqrt` or `rsqrt`.
    /// * `Min`, `Max` of floats are NaN where either operand is, as PyTorch's `minimum` and `maximum`.
    #[allow(missing_docs)] // the names say it
    pub enum BinaryOp = "op" {
        Add = "add",
        Sub = "sub",
        Mul = "mul",
        Div = "div",
        Rem = "rem",
        Pow = "pow",
        Min = "min",
        Max = "max",
        Lt = "lt",
        Le = "le",
        Eq = "eq",
        And = "and",
        Or = "or",
    }
}

op! {
    /// `add %x, %y` and its like.
    pub struct Binary = family binary(x, y) {
        /// Which.
        pub op: BinaryOp,
    }
}

op! {
    /// `select %c, %a, %b`: a where the bool c is set, else b.
    pub struct Select = "select"(condition, a, b);
}

op! {
    /// `cast %x { to = f32 }`: float to integer truncates towards zero and saturates, bool is
    /// 0 or 1, a number is true where it is not 0. Between floats the value stays: rounding to a narrower type
    /// belongs to memory, not to the graph's meaning.
    pub struct Cast = "cast"(x) {
        /// Element type of the result.
        pub to: DType,
    }
}

impl UnaryOp {
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
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let ty = operands[0];
        let numbers = matches!(self.op, UnaryOp::Neg | UnaryOp::Abs);
        let expected = match (self.op, ty.dtype) {
            (UnaryOp::Not, DType::Bool) => return Ok(ty.clone()),
            (UnaryOp::Not, _) => "bool",
            (_, DType::I32) if numbers => return Ok(ty.clone()),
            (_, DType::I32 | DType::Bool) if numbers => "numbers",
            _ => return float(self.op.name(), "operand", ty).map(|()| ty.clone()),
        };
        Err(format!("operand of {} is {ty}, expected {expected}", self.op.name()))
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
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        let dtype = common_dtype(self.op.name(), operands)?;
        if let Some(expected) = self.op.expected(dtype) {
            return Err(format!("operand of {} is {}, expected {expected}", self.op.name(), operands[0]));
        }
        sized(if self.op.is_logical() { DType::Bool } else { dtype }, broadcast_all(self.op.name(), operands)?)
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
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        if operands[0].dtype != DType::Bool {
            return Err(format!("condition of select is {}, expected bool", operands[0]));
        }
        let dtype = common_dtype("select", &operands[1..])?;
        sized(dtype, broadcast_all("select", operands)?)
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
    fn infer(&self, operands: &[&TensorType]) -> Result<TensorType, String> {
        Ok(TensorType::new(self.to, operands[0].shape.clone()))
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
