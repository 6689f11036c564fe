//! A warp machine for the PTX that the emitter writes.
//!
//! Lanes of a warp run in lockstep. That is a restriction, not an assumption: the machine stops where a
//! branch is not taken by all lanes alike, where two lanes touch one element, one of them writing, without
//! a warp barrier between, and where an access leaves its buffer or is not aligned. Real lanes may drift
//! apart, but programs that pass here cannot tell.

use crate::{
    lanes::{self, Lanes},
    text::{Arg, Entry, Inst, Module},
};
use regard_ir::kernel::Kernel;
use std::collections::HashMap;

type Outcome<T = ()> = Result<T, String>;

/// Bits of an address below the number of the buffer.
const PLACE: u32 = 40;

/// Who touched an element since its warp's last barrier.
#[derive(Clone, Copy, Default)]
struct Touched {
    warp: usize,
    epoch: u32,
    readers: u32,
    writers: u32,
}

struct Warp {
    number: usize,
    pc: usize,
    epoch: u32,
    registers: Vec<Lanes>,
    done: bool,
}

struct Block<'a> {
    module: &'a Module,
    entry: &'a Entry,
    coordinates: [u64; 3],
    buffers: &'a mut [Vec<u8>],
    shared: Vec<u8>,
    touched: HashMap<(bool, u64), Touched>,
}

/// Runs a kernel's entry over the bytes of its global buffers.
pub(crate) fn run(module: &Module, kernel: &Kernel, buffers: &mut [Vec<u8>]) -> Outcome {
    let entry = module.entries.get(&kernel.name).ok_or("the module lacks the kernel")?;
    let [n0, n1, n2] = kernel.grid;
    for number in 0..n0 * n1 * n2 {
        let coordinates = [number / n2 / n1, number / n2 % n1, number % n2];
        let shared = vec![0xcd; kernel.scratch_layout().1 as usize];
        let mut block = Block { module, entry, coordinates, buffers, shared, touched: HashMap::new() };
        block.run().map_err(|e| format!("block {coordinates:?}: {e}"))?;
    }
    Ok(())
}

impl Block<'_> {
    fn run(&mut self) -> Outcome {
        let new =
            |number| Warp { number, pc: 0, epoch: 1, registers: vec![[0; 32]; self.entry.registers()], done: false };
        let mut warps: Vec<Warp> = (0..self.entry.threads as usize / 32).map(new).collect();
        while !warps.iter().all(|w| w.done) {
            for warp in &mut warps {
                self.until_barrier(warp)?;
            }
            if warps.iter().any(|w| w.done != warps[0].done) {
                return Err("not all warps arrive at a barrier".into());
            }
        }
        Ok(())
    }
    fn until_barrier(&mut self, warp: &mut Warp) -> Outcome {
        loop {
            let inst = &self.entry.code[warp.pc];
            warp.pc += 1;
            match inst.opcode.as_str() {
                "ret" => {
                    warp.done = true;
                    return Ok(());
                }
                "bar.sync" => {
                    warp.epoch += 1;
                    return Ok(());
                }
                "bar.warp.sync" => warp.epoch += 1,
                _ => self.step(warp, inst).map_err(|e| format!("`{}`: {e}", inst.line))?,
            }
        }
    }
    fn step(&mut self, warp: &mut Warp, inst: &Inst) -> Outcome {
        let active = match inst.guard {
            None => u32::MAX,
            Some((register, truth)) => {
                let of = |lane: usize| u32::from((warp.registers[register][lane] != 0) == truth) << lane;
                (0..32).map(of).sum()
            }
        };
        let opcode = inst.opcode.as_str();
        if opcode.starts_with("bra") {
            return self.branch(warp, inst, active);
        }
        if let Some(kind) = opcode.strip_prefix("st.") {
            return self.store(warp, inst, kind, active);
        }
        let value = match opcode.strip_prefix("ld.") {
            Some(kind) => self.load(warp, inst, kind, active)?,
            None => {
                let operands: Outcome<Vec<Lanes>> = inst.args[1..].iter().map(|a| self.operand(warp, a)).collect();
                lanes::compute(opcode, &operands?)?
            }
        };
        let Arg::Reg(target) = inst.args[0] else { return Err("it has no target".into()) };
        for lane in (0..32).filter(|lane| active >> lane & 1 == 1) {
            warp.registers[target][lane] = value[lane];
        }
        Ok(())
    }
    fn branch(&self, warp: &mut Warp, inst: &Inst, active: u32) -> Outcome {
        let Arg::Name(label) = &inst.args[0] else { return Err("it has no label".into()) };
        match active {
            0 => {}
            u32::MAX => warp.pc = self.entry.labels[label],
            some => return Err(format!("lanes {some:#034b} leave the others")),
        }
        Ok(())
    }

    fn operand(&self, warp: &Warp, arg: &Arg) -> Outcome<Lanes> {
        Ok(match arg {
            Arg::Reg(r) => warp.registers[*r],
            Arg::Literal(bits) => [*bits; 32],
            Arg::Halves(low, high) => {
                std::array::from_fn(|lane| warp.registers[*low][lane] | warp.registers[*high][lane] << 16)
            }
            Arg::Name(name) => match name.as_str() {
                "%tid.x" => std::array::from_fn(|lane| (warp.number * 32 + lane) as u64),
                "%ctaid.x" => [self.coordinates[2]; 32],
                "%ctaid.y" => [self.coordinates[1]; 32],
                "%ctaid.z" => [self.coordinates[0]; 32],
                "scratch" | "dynamic_shared" => [0; 32],
                table => [self.table_number(table)? << PLACE; 32],
            },
            Arg::At(..) => return Err("an address is not an operand here".into()),
        })
    }
    fn table_number(&self, name: &str) -> Outcome<u64> {
        let mut names: Vec<&String> = self.module.tables.keys().collect();
        names.sort();
        let found = names.iter().position(|n| *n == name);
        found.map(|n| n as u64).ok_or(format!("{name} is not declared"))
    }

    /// Bytes of the element at `address`: which array and where.
    fn place(&mut self, space: &str, address: u64, bytes: usize) -> Outcome<&mut [u8]> {
        let (number, at) = ((address >> PLACE) as usize, (address & ((1 << PLACE) - 1)) as usize);
        let array = match space {
            "shared" => &mut self.shared,
            _ => self.buffers.get_mut(number).ok_or(format!("address {address:#x} lies in no buffer"))?,
        };
        let length = array.len();
        if at % bytes != 0 {
            return Err(format!("byte {at} is not aligned to {bytes}"));
        }
        array.get_mut(at..at + bytes).ok_or(format!("byte {at} lies outside of a buffer of {length} bytes"))
    }
    fn touch(&mut self, warp: &Warp, shared: bool, address: u64, lane: usize, writes: bool) -> Outcome {
        let element = self.touched.entry((shared, address)).or_default();
        if (element.warp, element.epoch) != (warp.number, warp.epoch) {
            *element = Touched { warp: warp.number, epoch: warp.epoch, readers: 0, writers: 0 };
        }
        let others = if writes { element.readers | element.writers } else { element.writers };
        if others & !(1 << lane) != 0 {
            return Err(format!("lane {lane} meets lanes {others:#034b} at {address:#x} without a barrier"));
        }
        *(if writes { &mut element.writers } else { &mut element.readers }) |= 1 << lane;
        Ok(())
    }
    fn address(&self, warp: &Warp, arg: &Arg, lane: usize, shared: bool) -> Outcome<u64> {
        let Arg::At(base, offset) = arg else { return Err("it has no address".into()) };
        let address = warp.registers[*base][lane].wrapping_add(*offset as u64);
        Ok(if shared { address & 0xffff_ffff } else { address })
    }

    fn load(&mut self, warp: &Warp, inst: &Inst, kind: &str, active: u32) -> Outcome<Lanes> {
        let (space, ty) = kind.rsplit_once('.').ok_or("a load has a type")?;
        if let ("param", Arg::Name(name)) = (space, &inst.args[1]) {
            let number = self.entry.params.iter().position(|p| p == name).ok_or("there is no such parameter")?;
            return Ok([(number as u64) << PLACE; 32]);
        }
        let mut value = [0; 32];
        for lane in (0..32).filter(|lane| active >> lane & 1 == 1) {
            let address = self.address(warp, &inst.args[1], lane, space == "shared")?;
            if space == "const" {
                value[lane] = self.constant(address)?;
                continue;
            }
            self.touch(warp, space == "shared", address, lane, false)?;
            let mut bytes = [0; 8];
            let found = self.place(space, address, lanes::bytes(ty)?)?;
            bytes[..found.len()].copy_from_slice(found);
            value[lane] = u64::from_le_bytes(bytes);
        }
        Ok(value)
    }
    fn constant(&self, address: u64) -> Outcome<u64> {
        let mut tables: Vec<(&String, &Vec<u8>)> = self.module.tables.iter().collect();
        tables.sort();
        let (number, at) = (address >> PLACE, address & ((1 << PLACE) - 1));
        let table = tables.get(number as usize).ok_or("there is no such table")?.1;
        table.get(at as usize).map(|&b| u64::from(b)).ok_or("the table is shorter".into())
    }
    fn store(&mut self, warp: &Warp, inst: &Inst, kind: &str, active: u32) -> Outcome {
        let (space, ty) = kind.rsplit_once('.').ok_or("a store has a type")?;
        let value = self.operand(warp, &inst.args[1])?;
        for lane in (0..32).filter(|lane| active >> lane & 1 == 1) {
            let address = self.address(warp, &inst.args[0], lane, space == "shared")?;
            self.touch(warp, space == "shared", address, lane, true)?;
            let bytes = lanes::bytes(ty)?;
            self.place(space, address, bytes)?.copy_from_slice(&value[lane].to_le_bytes()[..bytes]);
        }
        Ok(())
    }
}
