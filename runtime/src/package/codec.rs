//! The bytes of a program: little endian, no alignment, strings and lists with a 32-bit count in front.
//!
//! ```text
//!   meta      model, target, labels*, (key, value)*
//!   program   name, kernel*, buffer*, launch*, input*, output*, arena bytes, constant bytes
//!   kernel    name, instructions, spills, machine code
//! ```
//!
//! Writing and reading stand side by side, one pair per type. The reader trusts nothing: every length is
//! compared with the bytes that are left before anything is allocated, and every number with what it may
//! be. Where constants come from is left out: their values are there.

use std::collections::BTreeMap;

use regard_ir::{
    graph::Graph,
    id::{Id, IdVec},
    program::{BufferDecl, BufferId, Code, KernelId, Launch, Port, Program, Storage},
    types::{DType, TensorType},
};

use super::Meta;

/// The most elements that a tensor or buffer may have, so that sizes in bytes cannot overflow.
const MAX_ELEMENTS: u64 = 1 << 48;

/// What is wrong with the bytes.
type Fault = String;

/// Meta and program as bytes.
pub(super) fn encode(meta: &Meta, program: &Program<Code>) -> Vec<u8> {
    let mut w = Writer::default();
    w.meta(meta);
    w.program(program);
    w.bytes
}

/// The inverse of [`encode`], but for where constants come from. The program has no faults.
pub(super) fn decode(bytes: &[u8]) -> Result<(Meta, Program<Code>), Fault> {
    let mut r = Reader { bytes };
    let meta = r.meta()?;
    let program = r.program()?;
    if !r.bytes.is_empty() {
        return Err(format!("{} bytes follow the program", r.bytes.len()));
    }
    match program.faults().into_iter().next() {
        None => Ok((meta, program)),
        Some(fault) => Err(fault),
    }
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }
    fn u32(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }
    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("fewer than 2^32 items"));
    }
    fn id(&mut self, id: impl Id) {
        self.count(id.index());
    }
    fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend(bytes);
    }
    fn text(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }
    fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut item: impl FnMut(&mut Self, T)) {
        self.count(items.len());
        items.for_each(|value| item(self, value));
    }
}

/// The bytes not read yet.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or("it ends too early")?;
        self.bytes = tail;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        Ok(self.take(N)?.try_into().expect("N bytes"))
    }
    fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }
    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }
    fn size(&mut self) -> Result<usize, Fault> {
        let value = self.u64()?;
        let size = usize::try_from(value).ok().filter(|_| value <= MAX_ELEMENTS);
        size.ok_or_else(|| format!("a size of {value}"))
    }
    fn id<I: Id>(&mut self) -> Result<I, Fault> {
        Ok(I::new(self.u32()? as usize))
    }
    fn blob(&mut self) -> Result<&'a [u8], Fault> {
        let count = self.u32()? as usize;
        self.take(count)
    }
    fn text(&mut self) -> Result<String, Fault> {
        let text = std::str::from_utf8(self.blob()?);
        text.map(String::from).map_err(|_| "a text is not UTF-8".to_owned())
    }
    /// A list whose items take at least `least` bytes each.
    fn list<T>(&mut self, least: usize, mut item: impl FnMut(&mut Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let count = self.u32()? as usize;
        if count > self.bytes.len() / least {
            return Err(format!("a list of {count} items in {} bytes", self.bytes.len()));
        }
        (0..count).map(|_| item(self)).collect()
    }
}

impl Writer {
    fn meta(&mut self, meta: &Meta) {
        self.text(&meta.model);
        self.text(&meta.target);
        self.list(meta.labels.iter(), |w, label| w.text(label));
        self.list(meta.facts.iter(), |w, (key, value)| {
            w.text(key);
            w.text(value);
        });
    }
}
impl Reader<'_> {
    fn meta(&mut self) -> Result<Meta, Fault> {
        Ok(Meta {
            model: self.text()?,
            target: self.text()?,
            labels: self.list(4, Self::text)?,
            facts: self.list(8, |r| Ok((r.text()?, r.text()?)))?.into_iter().collect::<BTreeMap<_, _>>(),
        })
    }
}

impl Writer {
    fn program(&mut self, program: &Program<Code>) {
        self.text(&program.name);
        self.list(program.kernels.values(), Self::code);
        self.list(program.buffers.values(), Self::buffer);
        self.list(program.launches.iter(), Self::launch);
        self.list(program.inputs.iter(), Self::port);
        self.list(program.outputs.iter(), Self::port);
        self.u64(program.arena_bytes);
        self.u64(program.constant_bytes);
    }
}
impl Reader<'_> {
    fn program(&mut self) -> Result<Program<Code>, Fault> {
        Ok(Program {
            name: self.text()?,
            kernels: self.list(16, Self::code)?.into_iter().collect::<IdVec<KernelId, _>>(),
            buffers: self.list(14, Self::buffer)?.into_iter().collect::<IdVec<BufferId, _>>(),
            launches: self.list(24, Self::launch)?,
            inputs: self.list(13, Self::port)?,
            outputs: self.list(13, Self::port)?,
            constant_graph: Graph::default(),
            constants: Vec::new(),
            arena_bytes: self.u64()?,
            constant_bytes: self.u64()?,
        })
    }
}

impl Writer {
    fn code(&mut self, code: &Code) {
        self.text(&code.name);
        self.u32(code.instructions);
        self.u32(code.spills);
        self.blob(&code.bytes);
    }
}
impl Reader<'_> {
    fn code(&mut self) -> Result<Code, Fault> {
        let (name, instructions, spills) = (self.text()?, self.u32()?, self.u32()?);
        match self.blob()? {
            [] => Err(format!("kernel {name} has no code")),
            bytes => Ok(Code { name, bytes: bytes.to_vec(), instructions, spills }),
        }
    }
}

impl Writer {
    fn dtype(&mut self, dtype: DType) {
        self.u8(DType::ALL.iter().position(|&d| d == dtype).expect("all element types") as u8);
    }
    fn storage(&mut self, storage: Storage) {
        let (kind, at) = match storage {
            Storage::Input(i) => (0, i as u64),
            Storage::Output(i) => (1, i as u64),
            Storage::Constant(offset) => (2, offset),
            Storage::Arena(offset) => (3, offset),
        };
        self.u8(kind);
        self.u64(at);
    }
    fn buffer(&mut self, buffer: &BufferDecl) {
        self.text(&buffer.name);
        self.dtype(buffer.dtype);
        self.u64(buffer.len);
        self.storage(buffer.storage);
    }
}
impl Reader<'_> {
    fn dtype(&mut self) -> Result<DType, Fault> {
        let number = self.u8()?;
        DType::ALL.get(usize::from(number)).copied().ok_or_else(|| format!("element type {number}"))
    }
    fn storage(&mut self) -> Result<Storage, Fault> {
        match self.u8()? {
            0 => Ok(Storage::Input(self.size()?)),
            1 => Ok(Storage::Output(self.size()?)),
            2 => Ok(Storage::Constant(self.u64()?)),
            3 => Ok(Storage::Arena(self.u64()?)),
            kind => Err(format!("a storage of kind {kind}")),
        }
    }
    fn buffer(&mut self) -> Result<BufferDecl, Fault> {
        let (name, dtype, len, storage) = (self.text()?, self.dtype()?, self.size()? as u64, self.storage()?);
        Ok(BufferDecl { name, dtype, len, storage })
    }
}

impl Writer {
    fn launch(&mut self, launch: &Launch) {
        self.id(launch.kernel);
        self.list(launch.buffers.iter(), |w, &buffer| w.id(buffer));
        self.u64(launch.blocks);
        self.u64(launch.scratch_bytes);
    }
    fn port(&mut self, port: &Port) {
        self.text(&port.name);
        self.dtype(port.ty.dtype);
        self.list(port.ty.shape.iter(), |w, &dim| w.u64(dim as u64));
        self.id(port.buffer);
    }
}
impl Reader<'_> {
    fn launch(&mut self) -> Result<Launch, Fault> {
        Ok(Launch {
            kernel: self.id()?,
            buffers: self.list(4, Self::id)?,
            blocks: self.u64()?,
            scratch_bytes: self.size()? as u64,
        })
    }
    fn port(&mut self) -> Result<Port, Fault> {
        let (name, dtype, shape, buffer) = (self.text()?, self.dtype()?, self.list(8, Self::size)?, self.id()?);
        // Zeros count as ones here, so that no order of multiplication can overflow.
        let elements = shape.iter().try_fold(1u64, |n, &dim| n.checked_mul(dim.max(1) as u64));
        if elements.is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(format!("{name} has too many elements"));
        }
        Ok(Port { name, ty: TensorType::new(dtype, shape), buffer })
    }
}
