//! What the benchmarks share: sessions, the fastest of many launches, and this core's peak.

use regard::{
    check,
    ir::{
        graph::Graph,
        id::IdVec,
        kernel::{Builder, CastOp, IdAxis, Kernel, Unit, Val},
        program::{BufferDecl, BufferId, KernelId, Launch, Port, Program, Storage},
        target::Target,
        types::{DType, TensorType},
    },
    pipeline::{self, SessionOptions, Trace},
    runtime::{Session, cpu, memory::Constants},
    values,
    weights::Synthetic,
};
use std::time::{Duration, Instant};

/// A session with inputs to run it on.
pub(crate) struct Bench {
    pub session: Session,
    inputs: Vec<Vec<u8>>,
}

impl Bench {
    /// Compiles a graph with the weights and inputs of seed 0; also returns its kernels.
    pub(crate) fn new(graph: &Graph, target: &Target, threads: usize) -> (Bench, Program<Kernel>) {
        let options = SessionOptions { compile: target.into(), weights: &Synthetic::new(0), threads };
        let made = pipeline::session(graph, &options, &mut Trace::new());
        let (session, kernels) = made.unwrap_or_else(|e| panic!("{}: {e}", graph.name));
        let ports = session.program().inputs.iter();
        let inputs = check::inputs(graph, 0);
        let inputs = inputs.iter().zip(ports).map(|(values, port)| values::encode(port.ty.dtype, values)).collect();
        (Bench { session, inputs }, kernels)
    }

    /// Nanoseconds of each launch of one run.
    pub(crate) fn run(&self) -> Vec<u64> {
        let inputs: Vec<&[u8]> = self.inputs.iter().map(Vec::as_slice).collect();
        let mut outputs: Vec<Vec<u8>> = self.session.program().outputs.iter().map(|p| vec![0; p.ty.bytes()]).collect();
        let mut outputs: Vec<&mut [u8]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        self.session.run_timed(&inputs, &mut outputs).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The least nanoseconds of each launch, over runs that fill `time` and are 8 at least.
    pub(crate) fn least(&self, time: Duration) -> Vec<u64> {
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
pub(crate) fn targets() -> Vec<Target> {
    cpu::targets().cloned().collect()
}

/// A loop of fused multiply-adds, to measure the peak of one core.
///
/// ```text
///   acc[i] ← acc[i] · a + c      as many i as there are registers, 24 and more where there are 32
/// ```
///
/// A target without fma multiplies and adds.
pub(crate) struct Peak {
    session: Session,
    flops: u64,
    bytes: usize,
}

impl Peak {
    /// Emits the loop and runs it for 200 ms, which clocks need.
    pub(crate) fn new(target: &Target) -> Peak {
        const STEPS: u64 = 50_000;
        const BLOCKS: u64 = 2;
        let sums = if target.vector_registers >= 32 { 28 } else { 12 };
        let lanes = target.lanes as usize;
        let size = (lanes * sums) as u64;
        let mut b = Builder::new("peak", Unit::Core, target.lanes, [BLOCKS, 1, 1]);
        let y = b.param("y", DType::F32, BLOCKS * size);
        let block = b.id(IdAxis::G0);
        // Made of the block's number: constants would be read from memory again and again.
        let number = b.cast(CastOp::I64ToI32, block);
        let number = b.cast(CastOp::I32ToF32, number);
        let number = b.splat(number);
        let (half, quarter) = (b.vf32(0.5), b.vf32(0.25));
        let (a, c) = (b.mul(number, half), b.add(number, quarter));
        let start: Vec<Val> = (0..sums).map(|i| b.vf32(i as f64)).collect();
        let totals = b.for_const(STEPS, 1, &start, |b, _, totals| {
            totals.iter().map(|&total| multiply_add(b, target.fma, total, a, c)).collect()
        });
        let place = b.mul_const(block, size as i64);
        for (i, &total) in totals.iter().enumerate() {
            b.store(total, b.addr_off(y, Some(place), (i * lanes) as i64));
        }
        let peak = Peak {
            session: alone(b.finish(), BLOCKS * size, target),
            flops: 2 * BLOCKS * STEPS * size,
            bytes: 4 * (BLOCKS * size) as usize,
        };
        let warm = Instant::now();
        while warm.elapsed() < Duration::from_millis(200) {
            peak.best_of(1);
        }
        peak
    }

    /// The best of some runs, in GFLOP/s.
    pub(crate) fn best_of(&self, runs: usize) -> f64 {
        let mut output = vec![0u8; self.bytes];
        let mut run = || self.session.run_timed(&[], &mut [&mut output]).unwrap_or_else(|e| panic!("{e}"))[0];
        let least = (0..runs).map(|_| run()).min().expect("one run at least");
        self.flops as f64 / least as f64
    }
}

fn multiply_add(b: &mut Builder, fma: bool, x: Val, y: Val, z: Val) -> Val {
    if fma {
        return b.fma(x, y, z);
    }
    let product = b.mul(x, y);
    b.add(product, z)
}

/// A session of one kernel whose only parameter is the output.
fn alone(kernel: Kernel, len: u64, target: &Target) -> Session {
    let blocks = kernel.blocks();
    let code = regard::codegen::native::emit(&kernel, target).unwrap_or_else(|e| panic!("{e}"));
    let mut kernels: IdVec<KernelId, _> = IdVec::new();
    let id = kernels.push(code);
    let mut buffers: IdVec<BufferId, _> = IdVec::new();
    let y = buffers.push(BufferDecl { name: "y".into(), dtype: DType::F32, len, storage: Storage::Output(0) });
    let program = Program {
        name: "peak".into(),
        kernels,
        buffers,
        launches: vec![Launch { kernel: id, buffers: vec![y], blocks, scratch_bytes: 0 }],
        inputs: Vec::new(),
        outputs: vec![Port { name: "y".into(), ty: TensorType::f32([len as usize]), buffer: y }],
        constant_graph: Graph::default(),
        constants: Vec::new(),
        arena_bytes: 0,
        constant_bytes: 0,
    };
    let constants = Constants::copy(&[]).unwrap_or_else(|e| panic!("{e}"));
    // SAFETY: the code is what was just emitted for the one kernel, whose parameter is the buffer.
    unsafe { Session::new(program, constants, 1) }.unwrap_or_else(|e| panic!("{e}"))
}
