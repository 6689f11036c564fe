//! Names in pickles: which are understood, which are refused, and how they are shown.

use ::safetensors::Dtype;
use std::fmt;

/// Characters of a module and of a name that are shown.
const SHOWN: usize = 64;

/// What a program would import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub module: &'a str,
    pub name: &'a str,
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}.{}`", short(self.module), short(self.name))
    }
}

/// A text for users, its beginning where it is long.
pub(crate) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

impl<'a> Name<'a> {
    /// Whether programs run, read or load something by that name. No checkpoint needs it, so it is refused
    /// wherever it stands.
    pub(crate) fn is_hostile(&self) -> bool {
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
    pub(crate) fn storage(&self) -> Option<Dtype> {
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
            "Byte" | "Untyped" => Some(Dtype::U8),
            "Bool" => Some(Dtype::BOOL),
            "ComplexFloat" => Some(Dtype::C64),
            _ => None,
        }
    }
    /// The elements of a tensor of that type, of those that have no class of storages.
    pub(crate) fn element(&self) -> Option<Dtype> {
        match self.name {
            _ if self.module != "torch" => None,
            "uint16" => Some(Dtype::U16),
            "uint32" => Some(Dtype::U32),
            "uint64" => Some(Dtype::U64),
            "float8_e5m2" => Some(Dtype::F8_E5M2),
            "float8_e4m3fn" => Some(Dtype::F8_E4M3),
            _ => None,
        }
    }
    pub(crate) fn is_dict(&self) -> bool {
        matches!(
            (self.module, self.name),
            ("collections", "OrderedDict" | "defaultdict") | ("builtins" | "__builtin__", "dict")
        )
    }
    /// Whether it makes a tensor of a kind that is not read.
    pub(crate) fn is_tensor(&self) -> bool {
        self.module.starts_with("torch") && (self.name.starts_with("_rebuild") || self.name.ends_with("Storage"))
    }
    /// Whether it makes an array or a number of NumPy.
    pub(crate) fn is_numpy(&self) -> bool {
        self.module.split('.').next() == Some("numpy")
    }
    /// What an object that it makes is, for users.
    pub(crate) fn object(&self) -> String {
        match self.name {
            "scalar" if self.is_numpy() => "a number of NumPy".into(),
            "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor" => {
                "a sparse tensor (tensor.to_dense() makes a plain one of it)".into()
            }
            "_rebuild_qtensor" => "a quantized tensor (tensor.dequantize() makes a plain one of it)".into(),
            "ComplexDoubleStorage" if self.is_tensor() => "a tensor of complex numbers of 128 bits".into(),
            _ if self.is_tensor() => format!("an object of {self}, which is not a plain tensor"),
            _ if self.module.starts_with("torch.nn.") => {
                format!(
                    "a whole module of class {self}, not its parameters (torch.save(model.state_dict(), …) writes those)"
                )
            }
            _ => format!("an object of {self}"),
        }
    }
}
