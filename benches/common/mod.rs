//! What the benchmarks share: sessions, the fastest of many launches, and this core's peak.

use regard::{
    check,
    ir::{
        graph::Graph,
        id::IdVec,
        kernel::{Builder, IdAxis, Kernel, Unit},
        program::{BufferDecl, BufferId, KernelId, Launch, Place, Port, Program},
        target::Target,
        types::{DType, TensorType},
    },
    pipeline::{self, Options, Trace},
    progress::Progress,
    runtime::{Session, cpu, memory::Constants},
    values,
    weights::Synthetic,
};
use std::time::{Duration, Instant};

/// A session with inputs to run it on.
pub struct Bench {
    pub session: Session,
    inputs: Vec<Vec<u8>>,
}

impl Bench {
    /// Compiles a graph with the weights and inputs of seed 0; also returns its kernels.
    pub fn new(graph: &Graph, target: &Target, threads: usize) -> (Bench, Program<Kernel>) {
        let options = Options { target, weights: &Synthetic { seed: 0 }, threads };
        let made = pipeline::session(graph, &options, &mut Trace::new(Progress::hidden()));
        let (session, kernels) = made.unwrap_or_else(|e| panic!("{}: {e}", graph.name));
        let ports = session.program().inputs.iter();
        let inputs = check::inputs(graph, 0);
        let inputs = inputs.iter().zip(ports).map(|(values, port)| values::encode(port.ty.dtype, values)).collect();
        (Bench { session, inputs }, kernels)
    }

    /// Nanoseconds of each launch of one run.
    pub fn run(&self) -> Vec<u64> {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<Vec<u8>> = self.session.program().outputs.iter().map(|p| vec![0; p.ty.bytes()]).collect();
        let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        self.session.run_timed(&inputs, &mut outputs).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The least nanoseconds of each launch, over runs that fill `time` and are 8 at least.
    pub fn least(&self, time: Duration) -> Vec<u64> {
        let mut least = self.run();
        let start = Instant::now();
        let mut runs = 1;
        while runs < 8 || start.elapsed() < time {
            least.iter_mut().zip(self.run()).for_each(|(least, now)| *least = now.min(*least));
            runs += 1;
        }
        least
    }
}

/// The targets whose code this processor executes.
pub fn targets() -> Vec<Target> {
    cpu::targets().cloned().collect()
}

/// The fma peak of one core in GFLOP/s: the best of 8 after 200 ms of warm-up, which clocks need.
///
/// ```text
///   acc[i] ← acc[i] · a + b      as many i as there are registers, 24 and more where there are 32
/// ```
///
/// A target without fma multiplies and adds.
pub fn peak(target: &Target) -> f64 {
    const STEPS: u64 = 200_000;
    let sums = if target.vector_registers >= 32 { 28 } else { 12 };
    let mut b = Builder::new("peak", Unit::Core, target.lanes, [1, 1, 1]);
    let y = b.param("y", DType::F32, u64::from(target.lanes) * sums as u64);
    let block = b.id(IdAxis::G0);
    let (a, c) = (b.vf32(0.5), b.vf32(1.0));
    let start: Vec<_> = (0..sums).map(|i| b.vf32(f64::from(i))).collect();
    let totals = b.for_const(STEPS, 1, &start, |b, _, totals| {
        totals
            .iter()
            .map(|&total| {
                if target.fma {
                    return b.fma(total, a, c);
                }
                let product = b.mul(total, a);
                b.add(product, c)
            })
            .collect()
    });
    for (i, &total) in totals.iter().enumerate() {
        b.store(total, b.addr_off(y, Some(block), (i * target.lanes as usize) as i64));
    }
    let kernel = b.finish();
    let len = kernel.buffers.values().map(|buffer| buffer.len).sum();
    let session = alone(kernel, len, target);
    let mut output = vec![0u8; len as usize * 4];
    let mut run = || session.run_timed(&[], &mut [&mut output]).unwrap_or_else(|e| panic!("{e}"))[0];
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_millis(200) {
        run();
    }
    let least = (0..8).map(|_| run()).min().expect("eight runs");
    (2 * STEPS * u64::from(target.lanes) * sums as u64) as f64 / least as f64
}

/// A session of one kernel whose only parameter is the output.
fn alone(kernel: Kernel, len: u64, target: &Target) -> Session {
    let code = regard::codegen::native::emit(&kernel, target).unwrap_or_else(|e| panic!("{e}"));
    let mut kernels: IdVec<KernelId, _> = IdVec::new();
    let id = kernels.push(code);
    let mut buffers: IdVec<BufferId, _> = IdVec::new();
    let y = buffers.push(BufferDecl { name: "y".into(), dtype: DType::F32, len, place: Place::Output(0) });
    let program = Program {
        name: "peak".into(),
        kernels,
        buffers,
        launches: vec![Launch { kernel: id, buffers: vec![y], blocks: 1, scratch_bytes: 0 }],
        inputs: Vec::new(),
        outputs: vec![Port { name: "y".into(), ty: TensorType::f32([len as usize]), buffer: y }],
        folds: Graph::default(),
        constants: Vec::new(),
        arena_bytes: 0,
        constant_bytes: 0,
    };
    let constants = Constants::copy(&[]).unwrap_or_else(|e| panic!("{e}"));
    Session::new(program, constants, 1).unwrap_or_else(|e| panic!("{e}"))
}
