//! What a checkpoint's pickle describes, and the few calls that are understood.
//!
//! Values lie in one table and name each other by number, so that a deep or circular structure is as easy to
//! drop as a flat one. A call is looked up by the name of what is called:
//!
//! | called | becomes |
//! |---|---|
//! | `collections.OrderedDict`, `defaultdict`, `builtins.dict` | a dictionary |
//! | `torch._utils._rebuild_tensor`, `_rebuild_tensor_v2` | a tensor: storage, first element, shape, strides |
//! | `torch._utils._rebuild_parameter`, `…_with_state` | the tensor in it |
//! | `torch._tensor._rebuild_from_type_v2` | what the call in it becomes |
//! | names by which programs run, read or load something: `os.system`, `builtins.eval`, … | an error |
//! | every other name | a placeholder that remembers the name |
//!
//! Nothing is imported and nothing runs: a placeholder takes the place of training state, for example of an
//! `argparse.Namespace`, and is an error only where a tensor is expected.

use ::safetensors::Dtype;
use std::{collections::BTreeMap, fmt};

/// The most axes of a tensor.
const MAX_AXES: usize = 32;
/// The most elements of a tensor.
const MAX_ELEMENTS: u64 = 1 << 40;

/// A value's number in the table.
pub type Id = u32;

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Numbers other than integers of 64 bits, bytes, sets, truth values and nothing itself: training state.
    Plain,
    Int(i64),
    Text(&'a str),
    Name(Name<'a>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    /// Later pairs count more than earlier ones.
    Dict(Vec<(Id, Id)>),
    Storage(Storage<'a>),
    Tensor(Box<TensorAt<'a>>),
    /// An object of a class that is not known.
    Placeholder(Name<'a>),
}

/// What a program would import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub module: &'a str,
    pub name: &'a str,
}

/// Numbers that lie one after the other in the file.
#[derive(Clone, Copy, Debug)]
pub struct Storage<'a> {
    pub dtype: Dtype,
    /// Which of the file's storages.
    pub key: &'a str,
    /// How many elements it must have.
    pub elements: u64,
}

/// A tensor as a part of a storage.
#[derive(Clone, Debug)]
pub struct TensorAt<'a> {
    pub storage: Storage<'a>,
    /// Its first element.
    pub first: u64,
    pub shape: Vec<usize>,
    /// Elements from one index to the next, per axis.
    pub strides: Vec<usize>,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}.{}`", self.module.escape_debug(), self.name.escape_debug())
    }
}

impl<'a> Name<'a> {
    /// Whether programs run, read or load something by that name. No checkpoint needs it, so it is refused
    /// wherever it stands.
    pub fn is_hostile(&self) -> bool {
        let package = self.module.split('.').next().unwrap_or_default();
        match package {
            "os" | "posix" | "nt" | "subprocess" | "sys" | "importlib" | "imp" | "runpy" | "pty" | "socket"
            | "shutil" | "ctypes" | "webbrowser" | "pickle" | "_pickle" | "marshal" | "code" | "commands"
            | "asyncio" | "multiprocessing" | "pip" | "bdb" | "pdb" | "timeit" | "cProfile" => true,
            "builtins" | "__builtin__" => !matches!(
                self.name,
                "set"
                    | "frozenset"
                    | "dict"
                    | "list"
                    | "tuple"
                    | "int"
                    | "long"
                    | "float"
                    | "complex"
                    | "bool"
                    | "str"
                    | "unicode"
                    | "bytes"
                    | "bytearray"
                    | "slice"
                    | "range"
                    | "xrange"
                    | "object"
                    | "getattr"
            ),
            "torch" => self.module == "torch.hub" || self.name == "load",
            "numpy" => self.name == "load" || self.name == "runstring",
            _ => false,
        }
    }
    /// The elements of a storage of that class.
    fn storage(&self) -> Option<Dtype> {
        let known = matches!(self.module, "torch" | "torch.cuda" | "torch.storage");
        match self.name.strip_suffix("Storage").filter(|_| known)? {
            "Float" => Some(Dtype::F32),
            "Half" => Some(Dtype::F16),
            "BFloat16" => Some(Dtype::BF16),
            "Double" => Some(Dtype::F64),
            "Long" => Some(Dtype::I64),
            "Int" => Some(Dtype::I32),
            "Short" => Some(Dtype::I16),
            "Char" => Some(Dtype::I8),
            "Byte" => Some(Dtype::U8),
            "Bool" => Some(Dtype::BOOL),
            _ => None,
        }
    }
    fn is_dict(&self) -> bool {
        matches!(
            (self.module, self.name),
            ("collections", "OrderedDict" | "defaultdict") | ("builtins" | "__builtin__", "dict")
        )
    }
}

/// All values of a pickle.
#[derive(Debug, Default)]
pub struct Values<'a>(Vec<Value<'a>>);

impl<'a> Values<'a> {
    /// The most values believed: a hundred times those of a large checkpoint with its training state.
    pub const MOST: usize = 1 << 21;

    /// Adds a value; nothing where there are too many.
    pub fn push(&mut self, value: Value<'a>) -> Option<Id> {
        self.0.push(value);
        (self.0.len() <= Self::MOST).then_some(self.0.len() as Id - 1)
    }
    /// The value of that number, which a push returned.
    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.0[id as usize]
    }
    /// The same, to add elements to it.
    pub fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.0[id as usize]
    }
    /// The value in a dictionary under a text.
    pub fn entry(&self, dict: &[(Id, Id)], key: &str) -> Option<Id> {
        let is_key = |id: Id| matches!(self.get(id), Value::Text(text) if *text == key);
        dict.iter().rev().find(|pair| is_key(pair.0)).map(|pair| pair.1)
    }
    /// All storages by key.
    pub fn storages(&self) -> BTreeMap<&'a str, Storage<'a>> {
        let storage = |value: &Value<'a>| match value {
            Value::Storage(storage) => Some((storage.key, *storage)),
            _ => None,
        };
        self.0.iter().filter_map(storage).collect()
    }
    /// What a value is, for people.
    pub fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::Plain => "a plain value".into(),
            Value::Int(_) => "an integer".into(),
            Value::Text(_) => "a text".into(),
            Value::Name(name) => format!("the name {name}"),
            Value::Tuple(_) => "a tuple".into(),
            Value::List(_) => "a list".into(),
            Value::Dict(_) => "a dictionary".into(),
            Value::Storage(_) => "a storage".into(),
            Value::Tensor(_) => "a tensor".into(),
            Value::Placeholder(name) => format!("an object of {name}"),
        }
    }

    /// What calling `called` with `arguments` gives.
    pub fn call(&self, called: Id, arguments: Id) -> Result<Value<'a>, String> {
        let name = match self.get(called) {
            Value::Name(name) | Value::Placeholder(name) => *name,
            _ => return Err(format!("calls {}, expected a name", self.describe(called))),
        };
        let Value::Tuple(arguments) = self.get(arguments) else {
            return Err(format!("calls {name} with {}, expected a tuple", self.describe(arguments)));
        };
        let placeholder = matches!(self.get(called), Value::Placeholder(_));
        match (name.module, name.name) {
            _ if placeholder => Ok(Value::Placeholder(name)),
            _ if name.is_dict() => self.dict(arguments),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => self.tensor(name, arguments),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => match arguments.first() {
                Some(&data) if matches!(self.get(data), Value::Tensor(_)) => Ok(self.get(data).clone()),
                _ => Ok(Value::Placeholder(name)),
            },
            ("torch._tensor", "_rebuild_from_type_v2") => match arguments[..] {
                [inner, _, inside, _] if matches!(self.get(inner), Value::Name(n) if *n != name) => {
                    self.call(inner, inside)
                }
                _ => Ok(Value::Placeholder(name)),
            },
            _ => Ok(Value::Placeholder(name)),
        }
    }
    /// What a persistent id stands for: `("storage", class, key, place, elements)`.
    pub fn persistent(&self, id: Id) -> Result<Value<'a>, String> {
        let Value::Tuple(parts) = self.get(id) else {
            return Err(format!("has a persistent id that is {}, expected a tuple", self.describe(id)));
        };
        let parts: Vec<&Value> = parts.iter().map(|&part| self.get(part)).collect();
        match parts[..] {
            [
                Value::Text("storage"),
                Value::Name(class),
                Value::Text(key),
                Value::Text(_),
                Value::Int(elements),
                ..,
            ] => {
                let elements = u64::try_from(*elements).ok().filter(|&n| n <= MAX_ELEMENTS);
                let elements = elements.ok_or("has a storage of a negative or absurd length")?;
                match (class.storage(), parts.get(5)) {
                    (_, Some(Value::Tuple(_))) => {
                        Err("has a storage that is a part of another, which is not read".into())
                    }
                    (Some(dtype), _) => Ok(Value::Storage(Storage { dtype, key, elements })),
                    (None, _) => Ok(Value::Placeholder(*class)),
                }
            }
            _ => Err("has a persistent id that is no storage".into()),
        }
    }

    /// A dictionary of the pairs that the only argument lists, where there is one.
    fn dict(&self, arguments: &[Id]) -> Result<Value<'a>, String> {
        let Some(&first) = arguments.first() else { return Ok(Value::Dict(Vec::new())) };
        let Value::List(pairs) = self.get(first) else { return Ok(Value::Dict(Vec::new())) };
        let pair = |&id: &Id| match self.get(id) {
            Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(format!("makes a dictionary of {}, expected pairs", self.describe(id))),
        };
        pairs.iter().map(pair).collect::<Result<_, _>>().map(Value::Dict)
    }
    /// Storage, first element, shape, strides; what follows matters for training only.
    fn tensor(&self, name: Name<'a>, arguments: &[Id]) -> Result<Value<'a>, String> {
        let [storage, first, shape, strides, ..] = *arguments else {
            return Err(format!("calls {name} with {} arguments, expected at least 4", arguments.len()));
        };
        let storage = match self.get(storage) {
            Value::Storage(storage) => *storage,
            Value::Placeholder(class) => return Ok(Value::Placeholder(*class)),
            _ => return Err(format!("makes a tensor of {}, expected a storage", self.describe(storage))),
        };
        let Value::Int(first) = *self.get(first) else {
            return Err(format!("makes a tensor that begins at {}, expected an integer", self.describe(first)));
        };
        let (shape, strides) = (self.lengths(shape)?, self.lengths(strides)?);
        let bad = || format!("makes a tensor of shape {shape:?} and strides {strides:?} from element {first}");
        let first = u64::try_from(first).map_err(|_| bad())?;
        let holds = shape.len() == strides.len() && shape.len() <= MAX_AXES;
        let elements = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
        if !holds || elements.is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(bad());
        }
        let reach = |end: Option<u64>, (&extent, &stride): (&usize, &usize)| {
            end?.checked_add((extent as u64 - 1).checked_mul(stride as u64)?)
        };
        let empty = elements == Some(0);
        let last = if empty { Some(first) } else { shape.iter().zip(&strides).fold(Some(first), reach) };
        if last.is_none_or(|last| last >= storage.elements) && !empty {
            return Err(format!("{}, outside its storage of {} elements", bad(), storage.elements));
        }
        Ok(Value::Tensor(Box::new(TensorAt { storage, first, shape, strides })))
    }
    fn lengths(&self, id: Id) -> Result<Vec<usize>, String> {
        let Value::Tuple(parts) = self.get(id) else {
            return Err(format!("makes a tensor whose shape or strides are {}, expected a tuple", self.describe(id)));
        };
        let length = |&part: &Id| match *self.get(part) {
            Value::Int(n) => usize::try_from(n).map_err(|_| format!("makes a tensor with the length or stride {n}")),
            _ => Err(format!("makes a tensor whose length or stride is {}, expected an integer", self.describe(part))),
        };
        if parts.len() > MAX_AXES {
            return Err(format!("makes a tensor of {} axes, expected at most {MAX_AXES}", parts.len()));
        }
        parts.iter().map(length).collect()
    }
}
