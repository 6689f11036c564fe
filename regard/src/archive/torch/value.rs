//! What a checkpoint's pickle describes, and the few calls that are understood.
//!
//! Values lie in one table and name each other by number, so that a deep or circular structure is as easy to
//! drop as a flat one, and what occurs often is stored once: a dictionary made of a list names the list, a tensor
//! names the tuples of its shape and strides. A call is looked up by the name of what is called:
//!
//! | called | becomes |
//! |---|---|
//! | `collections.OrderedDict`, `defaultdict`, `builtins.dict` | a dictionary |
//! | `torch._utils._rebuild_tensor`, `_v2`, `_v3` | a tensor: storage, first element, shape, strides, bits |
//! | `torch._utils._rebuild_parameter`, `…_with_state` | the tensor in it |
//! | `torch._tensor._rebuild_from_type_v2` | what the call in it becomes |
//! | `numpy.core.multiarray._reconstruct`, `numpy.core.numeric._frombuffer`, `numpy.dtype` | an array, see [`super::arrays`] |
//! | names by which programs run, read or load something: `os.system`, `builtins.eval`, … | an error |
//! | every other name | a placeholder that remembers the name |
//!
//! Nothing is imported and nothing runs: a placeholder takes the place of training state, for example of an
//! `argparse.Namespace`, and is an error only where a tensor is expected.

use super::{
    arrays::{Array, Element},
    names::Name,
};
use ::safetensors::Dtype;
use regard_ir::count::counted;
use std::{borrow::Cow, collections::BTreeMap};

/// The most axes of a tensor.
const MAX_AXES: usize = 32;
/// The most elements of a tensor.
const MAX_ELEMENTS: u64 = 1 << 40;

/// A value's number in the table.
pub(crate) type Id = u32;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    /// Numbers other than integers of 64 bits, sets, and nothing itself: training state.
    Plain,
    Bool(bool),
    Int(i64),
    Text(Cow<'a, str>),
    /// Bytes as they lie in the pickle.
    Bytes(&'a [u8]),
    /// The bytes that the characters of a text stand for: protocols before 3 have no bytes.
    Encoded(Id),
    Name(Name<'a>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Dict),
    Storage(Storage),
    Tensor(TensorAt),
    /// The type of the elements of an array.
    Element(Element),
    /// An array of NumPy; nothing before its state is known.
    Array(Option<Array>),
    /// An object of a class that is not known.
    Placeholder(Name<'a>),
}

/// A dictionary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dict {
    /// The list of pairs, or the dictionary, that it was made of.
    base: Option<Id>,
    /// What was added to that; later pairs count more than earlier ones.
    pub added: Vec<(Id, Id)>,
}

/// Numbers that lie one after the other in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storage {
    pub dtype: Dtype,
    /// Which of the file's storages: a text.
    pub key: Id,
    /// How many elements it must have.
    pub elements: u64,
}

/// A tensor as a part of a storage, checked to lie in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorAt {
    storage: Id,
    shape: Id,
    strides: Id,
    /// Its first element.
    pub first: u64,
    /// Its type where that is not its storage's.
    dtype: Option<Dtype>,
    /// Whether its elements are to be negated.
    pub negated: bool,
    /// Whether its elements are to be conjugated.
    pub conjugated: bool,
}

/// The numbers of values that occur in every checkpoint and need no copy.
const NONE: Id = 0;
const TRUE: Id = 1;
const FALSE: Id = 2;

/// All values of a pickle.
#[derive(Debug)]
pub(crate) struct Values<'a>(Vec<Value<'a>>);

impl<'a> Values<'a> {
    /// The most values believed: a hundred times those of a large checkpoint with its training state.
    pub(crate) const MOST: usize = 1 << 21;

    pub(crate) fn new() -> Self {
        Values(vec![Value::Plain, Value::Bool(true), Value::Bool(false)])
    }
    /// Adds a value; nothing where there are too many.
    pub(crate) fn push(&mut self, value: Value<'a>) -> Option<Id> {
        match value {
            Value::Plain => return Some(NONE),
            Value::Bool(true) => return Some(TRUE),
            Value::Bool(false) => return Some(FALSE),
            value => self.0.push(value),
        }
        (self.0.len() <= Self::MOST).then_some(self.0.len() as Id - 1)
    }
    /// Whether one of them is a tensor of PyTorch.
    pub(crate) fn has_torch(&self) -> bool {
        self.0.iter().any(|value| matches!(value, Value::Tensor(_)))
    }
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
    /// The value of that number, which a push returned.
    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        &self.0[id as usize]
    }
    /// The same, to add elements to it.
    pub(crate) fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.0[id as usize]
    }
    /// The text of that number.
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
    /// The pairs of a dictionary, the first added first; nothing for what is not a pair.
    pub(crate) fn pairs<'v>(&'v self, dict: &'v Dict) -> impl DoubleEndedIterator<Item = Option<(Id, Id)>> + 'v {
        let (listed, copied): (&'v [Id], &'v [(Id, Id)]) = match dict.base.map(|base| self.get(base)) {
            Some(Value::List(list)) => (list, &[]),
            Some(Value::Dict(Dict { base: None, added })) => (&[], added),
            _ => (&[], &[]),
        };
        let pair = move |&id: &Id| match self.get(id) {
            Value::Tuple(pair) | Value::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
            _ => None,
        };
        let known = copied.iter().chain(&dict.added).map(|&pair| Some(pair));
        listed.iter().map(pair).chain(known)
    }
    /// The value in a dictionary under a text.
    pub(crate) fn entry(&self, dict: &Dict, key: &str) -> Option<Id> {
        self.pairs(dict).rev().flatten().find(|pair| self.text(pair.0) == Some(key)).map(|pair| pair.1)
    }
    /// All storages by key.
    pub(crate) fn storages(&self) -> BTreeMap<&str, Storage> {
        let storage = |value: &Value<'a>| match value {
            Value::Storage(storage) => Some((self.text(storage.key)?, *storage)),
            _ => None,
        };
        self.0.iter().filter_map(storage).collect()
    }
    /// The storage of a tensor.
    pub(crate) fn storage(&self, tensor: &TensorAt) -> Storage {
        let Value::Storage(storage) = *self.get(tensor.storage) else { unreachable!("a tensor names its storage") };
        storage
    }
    /// The type of a tensor.
    pub(crate) fn dtype(&self, tensor: &TensorAt) -> Dtype {
        tensor.dtype.unwrap_or(self.storage(tensor).dtype)
    }
    /// Shape and strides of a tensor.
    pub(crate) fn layout(&self, tensor: &TensorAt) -> [Vec<usize>; 2] {
        let numbers = |id: Id| self.lengths(id).expect("a tensor was checked when it was made");
        [numbers(tensor.shape), numbers(tensor.strides)]
    }
    /// What a value is, for users.
    pub(crate) fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::Plain | Value::Bool(_) => "a plain value".into(),
            Value::Int(_) => "an integer".into(),
            Value::Text(_) => "a text".into(),
            Value::Bytes(_) | Value::Encoded(_) => "bytes".into(),
            Value::Name(name) => format!("the name {name}"),
            Value::Tuple(_) => "a tuple".into(),
            Value::List(_) => "a list".into(),
            Value::Dict(dict) if self.pairs(dict).next().is_none() => "an empty dictionary".into(),
            Value::Dict(_) => "a dictionary".into(),
            Value::Storage(_) => "a storage".into(),
            Value::Tensor(_) => "a tensor".into(),
            Value::Element(_) => "a type of elements".into(),
            Value::Array(_) => "an array of NumPy".into(),
            Value::Placeholder(name) => name.object(),
        }
    }

    /// What calling `called` with `arguments` gives.
    pub(crate) fn call(&self, called: Id, arguments: Id) -> Result<Value<'a>, String> {
        let name = match self.get(called) {
            Value::Name(name) => *name,
            Value::Placeholder(name) => return Ok(Value::Placeholder(*name)),
            _ => return Err(format!("calls {}, expected a name", self.describe(called))),
        };
        let Value::Tuple(arguments) = self.get(arguments) else {
            return Err(format!("calls {name} with {}, expected a tuple", self.describe(arguments)));
        };
        self.made(name, arguments)
    }
    /// What an object of a class is, made of `arguments`.
    pub(crate) fn made(&self, name: Name<'a>, arguments: &[Id]) -> Result<Value<'a>, String> {
        match (name.module, name.name) {
            _ if name.is_dict() => self.dict(arguments).map(Value::Dict),
            ("_codecs", "encode") | ("builtins" | "__builtin__", "bytes" | "bytearray") => {
                Ok(self.bytes(arguments).unwrap_or(Value::Placeholder(name)))
            }
            _ if name.is_numpy() => Ok(self.numpy(name, arguments).unwrap_or(Value::Placeholder(name))),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
                self.tensor(name, arguments)
            }
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => match arguments.first() {
                Some(&data) if matches!(self.get(data), Value::Tensor(_)) => Ok(self.get(data).clone()),
                _ => Ok(Value::Placeholder(name)),
            },
            ("torch._tensor", "_rebuild_from_type_v2") => match arguments[..] {
                [inner, _, inside, _] => match (self.get(inner), self.get(inside)) {
                    (Value::Name(inner), Value::Tuple(inside)) if *inner != name => self.made(*inner, inside),
                    _ => Ok(Value::Placeholder(name)),
                },
                _ => Ok(Value::Placeholder(name)),
            },
            _ => Ok(Value::Placeholder(name)),
        }
    }
    /// What a persistent id stands for: `("storage", class, key, place, elements)`.
    pub(crate) fn persistent(&self, id: Id) -> Result<Value<'a>, String> {
        let Value::Tuple(parts) = self.get(id) else {
            return Err(format!("has a persistent id that is {}, expected a tuple", self.describe(id)));
        };
        let [word, class, key, place, elements, rest @ ..] = &parts[..] else {
            return Err("has a persistent id that is not a storage".into());
        };
        match (self.text(*word), self.get(*class), self.text(*key), self.text(*place), self.get(*elements)) {
            (Some("storage"), Value::Name(class), Some(_), Some(_), Value::Int(elements)) => {
                let view = rest.first().is_some_and(|&view| matches!(self.get(view), Value::Tuple(_)));
                match view {
                    true => Err("has a storage that is a part of another, which is not read".into()),
                    false => storage(*class, *key, *elements),
                }
            }
            _ => Err("has a persistent id that is not a storage".into()),
        }
    }

    /// A dictionary of what the only argument lists, where there is one.
    fn dict(&self, arguments: &[Id]) -> Result<Dict, String> {
        let base = match arguments.first().map(|&base| (base, self.get(base))) {
            Some((base, Value::List(_))) => Some(base),
            Some((base, Value::Dict(Dict { base: None, .. }))) => Some(base),
            Some((_, Value::Dict(dict))) if dict.added.is_empty() => dict.base,
            Some((_, Value::Dict(_))) => return Err("makes a dictionary of one that was made of another".into()),
            _ => None,
        };
        Ok(Dict { base, added: Vec::new() })
    }
    /// Storage, first element, shape, strides, then what matters for training only; last, bits that change elements.
    fn tensor(&self, name: Name<'a>, arguments: &[Id]) -> Result<Value<'a>, String> {
        let [storage_id, first, shape, strides, ..] = *arguments else {
            return Err(format!("calls {name} with {}, expected at least 4", counted(arguments.len(), "argument")));
        };
        let storage = match self.get(storage_id) {
            Value::Storage(storage) => *storage,
            Value::Placeholder(class) => return Ok(Value::Placeholder(*class)),
            _ => return Err(format!("makes a tensor of {}, expected a storage", self.describe(storage_id))),
        };
        let Value::Int(first) = *self.get(first) else {
            return Err(format!("makes a tensor that begins at {}, expected an integer", self.describe(first)));
        };
        // Version 3 names the type, and its storage counts bytes.
        let (dtype, metadata) = match (name.name, arguments.get(6).map(|&dtype| self.get(dtype))) {
            ("_rebuild_tensor_v3", Some(Value::Name(dtype))) => match dtype.element() {
                Some(dtype) => (Some(dtype), arguments.get(7)),
                None => return Ok(Value::Placeholder(name)),
            },
            ("_rebuild_tensor_v3", _) => return Ok(Value::Placeholder(name)),
            _ => (None, arguments.get(6)),
        };
        let [negated, conjugated] = ["neg", "conj"].map(|bit| match metadata.map(|&dict| self.get(dict)) {
            Some(Value::Dict(dict)) => {
                self.entry(dict, bit).is_some_and(|id| matches!(self.get(id), Value::Bool(true)))
            }
            _ => false,
        });
        let width = dtype.unwrap_or(storage.dtype).bitsize() / storage.dtype.bitsize();
        let first = self.part(storage.elements / width.max(1) as u64, first, shape, strides)?;
        Ok(Value::Tensor(TensorAt { storage: storage_id, shape, strides, first, dtype, negated, conjugated }))
    }
    /// Whether a part lies in `elements` elements; its first one.
    fn part(&self, elements: u64, first: i64, shape: Id, strides: Id) -> Result<u64, String> {
        let (shape, strides) = (self.lengths(shape)?, self.lengths(strides)?);
        let bad = || format!("makes a tensor of shape {shape:?} and strides {strides:?} from element {first}");
        let first = u64::try_from(first).map_err(|_| bad())?;
        let holds = shape.len() == strides.len();
        let count = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
        if !holds || count.is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(bad());
        }
        let reach = |end: Option<u64>, (&extent, &stride): (&usize, &usize)| {
            end?.checked_add((extent as u64 - 1).checked_mul(stride as u64)?)
        };
        let empty = count == Some(0);
        let last = if empty { Some(first) } else { shape.iter().zip(&strides).fold(Some(first), reach) };
        match last {
            Some(last) if last < elements || (empty && last <= elements) => Ok(first),
            _ if empty => Ok(0),
            _ => Err(format!("{}, outside its storage of {}", bad(), counted(elements, "element"))),
        }
    }
    pub(crate) fn lengths(&self, id: Id) -> Result<Vec<usize>, String> {
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

/// A storage of a class, of `elements` elements, under a key.
pub(crate) fn storage<'a>(class: Name<'a>, key: Id, elements: i64) -> Result<Value<'a>, String> {
    let elements = u64::try_from(elements).ok().filter(|&n| n <= MAX_ELEMENTS);
    let elements = elements.ok_or("has a storage of a negative or absurd length")?;
    Ok(match class.storage() {
        Some(dtype) => Value::Storage(Storage { dtype, key, elements }),
        None => Value::Placeholder(class),
    })
}
