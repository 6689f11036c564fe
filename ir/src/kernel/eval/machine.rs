//! The machine: registers of each unit, memory, and the order in which units and blocks run.
//!
//! Units of a block run one after the other up to the next barrier, then all go on from there. What one
//! unit may see of another is checked by [`super::memory`], so the order does not matter.

use super::{
    Fault,
    arith::{Float, Outcome},
    code::{Code, Fill, NONE, Slot},
    exec::Stop,
    memory::{Bank, Cells, Who},
};
use crate::kernel::text::statement;

/// The four register files of a unit, and where it is in the code.
pub(super) struct Unit<F> {
    pub(super) floats: Vec<F>,
    pub(super) ints: Vec<i32>,
    pub(super) longs: Vec<i64>,
    pub(super) truths: Vec<bool>,
    pub(super) at: usize,
}

impl<F: Float> Unit<F> {
    fn new(code: &Code) -> Self {
        let image = &code.image;
        let mut unit = Unit {
            floats: vec![F::default(); image.floats as usize],
            ints: vec![0; image.ints as usize],
            longs: vec![0; image.longs as usize],
            truths: vec![false; image.truths as usize],
            at: 0,
        };
        fill(&mut unit.floats, &image.float_fills, F::from_f64);
        fill(&mut unit.ints, &image.int_fills, |v| v);
        fill(&mut unit.longs, &image.long_fills, |v| v);
        fill(&mut unit.truths, &image.truth_fills, |v| v);
        unit
    }
    /// An index that may be absent.
    pub(super) fn long_or(&self, slot: Slot, otherwise: i64) -> i64 {
        if slot == NONE { otherwise } else { self.longs[slot as usize] }
    }
}

fn fill<C: Copy, T: Copy>(file: &mut [T], fills: &[Fill<C>], value: impl Fn(C) -> T) {
    for f in fills {
        file[f.slot as usize..][..f.n as usize].fill(value(f.value));
    }
}

/// What a block needs to know of itself.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) coordinates: [u64; 3],
    pub(super) who: Who,
}

pub(super) fn run<F: Float>(code: &Code, params: &mut [Cells<F>]) -> Result<(), Fault> {
    check(code, params).map_err(|message| Fault::before_start(code.kernel, message))?;
    let mut given = params.iter_mut();
    let mut banks: Vec<Bank<F>> = Vec::new();
    for info in &code.buffers {
        let cells = match info.scratch {
            true => Cells::zeros(info.dtype, info.len),
            false => given.next().map(std::mem::take).unwrap_or_default(),
        };
        banks.push(Bank::new(info, cells, code.units));
    }
    let outcome = blocks(code, &mut banks);
    let globals = banks.into_iter().zip(&code.buffers).filter(|(_, info)| !info.scratch);
    for (param, (bank, _)) in params.iter_mut().zip(globals) {
        *param = bank.cells;
    }
    outcome
}

fn check<F: Float>(code: &Code, params: &[Cells<F>]) -> Outcome {
    let declared: Vec<_> = code.buffers.iter().filter(|b| !b.scratch).collect();
    if declared.len() != params.len() {
        return Err(format!("{} parameters are declared but {} buffers were given", declared.len(), params.len()));
    }
    for (info, cells) in declared.into_iter().zip(params) {
        if info.len != cells.len() {
            return Err(format!("buffer {} has {} elements, not the declared {}", info.name, cells.len(), info.len));
        }
        if !cells.fits(info.dtype) {
            return Err(format!("buffer {} does not hold {}", info.name, info.dtype));
        }
    }
    Ok(())
}

fn blocks<F: Float>(code: &Code, banks: &mut [Bank<F>]) -> Result<(), Fault> {
    let mut units: Vec<Unit<F>> = (0..code.units).map(|_| Unit::new(code)).collect();
    let [n0, n1, n2] = code.grid;
    let mut phase = 0;
    for block in 0..(n0 * n1 * n2) {
        let coordinates = [block / n2 / n1, block / n2 % n1, block % n2];
        units.iter_mut().for_each(|unit| unit.at = 0);
        let mut stops = vec![Stop::Barrier; units.len()];
        while stops[0] == Stop::Barrier {
            phase = next_phase(phase);
            for (number, unit) in units.iter_mut().enumerate() {
                let who = Who { block: block as u32 + 1, unit: number as u32, phase };
                let place = Place { coordinates, who };
                stops[number] = unit.run(code, banks, place).map_err(|message| fault(code, unit.at, place, message))?;
            }
            together(code, coordinates, &units, &stops)?;
        }
    }
    Ok(())
}

/// Phases count from 1 and start again after 2³² − 1; by then the elements that bear old numbers belong to
/// barriers long past.
fn next_phase(phase: u32) -> u32 {
    phase.checked_add(1).unwrap_or(1)
}

/// All units stand at the same barrier, or all have ended.
fn together<F: Float>(code: &Code, coordinates: [u64; 3], units: &[Unit<F>], stops: &[Stop]) -> Result<(), Fault> {
    let odd = (1..units.len()).find(|&u| stops[u] != stops[0] || units[u].at != units[0].at);
    let Some(odd) = odd else { return Ok(()) };
    let waiting = if stops[odd] == Stop::Barrier { odd } else { 0 };
    let message = match stops[odd] == stops[0] {
        true => format!("unit {odd} waits here while unit 0 waits at another barrier"),
        false => format!("unit {waiting} waits here, but unit {} has ended", odd - waiting),
    };
    let who = Who { block: 0, unit: waiting as u32, phase: 0 };
    Err(fault(code, units[waiting].at - 1, Place { coordinates, who }, message))
}

fn fault(code: &Code, at: usize, place: Place, message: String) -> Fault {
    Fault {
        kernel: code.kernel.name.clone(),
        block: Some((place.coordinates, place.who.unit)),
        statement: code.places.get(at).map(|stmt| statement(code.kernel, stmt)).unwrap_or_default(),
        message,
    }
}
