//! dev
use regard_ir::{
    graph::{EvalError, Graph, Node, NodeId, Tensor, eval},
    kernel::Kernel,
    ops::Op,
    program::{Code, Place, Precision, Program, fold, interpret},
    target::Target,
};
use regard_passes as passes;
fn leaf(seed: u64, image: Vec<f32>) -> impl FnMut(NodeId, &Node) -> Result<Tensor, EvalError> {
    move |_, n| {
        let name = n.label.clone().unwrap();
        let v = if matches!(n.op, Op::Input(_)) {
            image.clone()
        } else {
            regard_models::synthetic::parameter(&name, &n.ty.shape, seed)
        };
        Ok(Tensor::new(n.ty.clone(), v.into_iter().map(f64::from).collect()))
    }
}
fn rel(a: &[f64], b: &[f64]) -> f64 {
    let d: f64 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
    let n: f64 = b.iter().map(|y| y * y).sum();
    (d / n).sqrt()
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let target = Target::named(args.get(1).map_or("x86-64-v4", |s| s)).unwrap();
    let batch: usize = args.get(2).map_or(1, |s| s.parse().unwrap());
    let threads: usize = args.get(3).map_or(2, |s| s.parse().unwrap());
    let g: Graph = regard_models::build("swin_tiny", &regard_models::Config { batch, ..Default::default() }).unwrap();
    let mut g = g;
    let taps: Vec<String> = std::env::var("TAPS").map(|s| s.split(',').map(String::from).collect()).unwrap_or_default();
    for t in &taps {
        let id = g.labelled(t).unwrap();
        g.outputs.push(id);
    }
    let t = std::time::Instant::now();
    let plan = passes::plan(&g, target).unwrap();
    let s = passes::Schedule::best(&plan, target);
    let p: Program<Kernel> = passes::lower(&plan, &s, target).unwrap();
    eprintln!("lowered {:?}", t.elapsed());
    for k in p.kernels.values() {
        for f in regard_ir::kernel::verify::verify(k, &[regard_ir::kernel::Level::Core]).iter().take(3) {
            println!("{} {f}", k.name);
        }
    }
    let image = regard_models::synthetic::image(batch * 3 * 224 * 224, 0);
    let mut constants = vec![0u8; p.constant_bytes as usize];
    for c in &p.constants {
        let v = fold(&p, c, &mut leaf(0, vec![])).unwrap();
        let Place::Constant(at) = p.buffers[c.buffer].place else { panic!() };
        for (i, x) in v.iter().enumerate() {
            constants[at as usize + 4 * i..][..4].copy_from_slice(&(*x as f32).to_le_bytes());
        }
    }
    eprintln!("bound {:?}", t.elapsed());
    let mut spills = vec![];
    let code: Program<Code> = p
        .clone()
        .try_map(|k| {
            let c = regard_codegen::native::emit(&k, target)?;
            if c.spills > 0 {
                spills.push((k.name.clone(), c.spills));
            }
            Ok::<_, regard_codegen::EmitError>(c)
        })
        .unwrap();
    if std::env::var("SPILLS").is_ok() {
        eprintln!("{spills:?}");
    }
    eprintln!("emitted {:?} bytes {}", t.elapsed(), code.kernels.values().map(|c| c.bytes.len()).sum::<usize>());
    if let Ok(d) = std::env::var("DUMP") {
        for c in code.kernels.values() {
            std::fs::write(format!("{d}/{}.bin", c.name), &c.bytes).unwrap();
        }
        for k in p.kernels.values() {
            std::fs::write(format!("{d}/{}.k", k.name), k.to_string()).unwrap();
        }
    }
    let session =
        regard_runtime::Session::new(code, regard_runtime::memory::Constants::copy(&constants).unwrap(), threads)
            .unwrap();
    let out = session.run_f32(&[&image]).unwrap();
    let mut best = f64::MAX;
    let mut all = vec![];
    for _ in 0..20 {
        let t = std::time::Instant::now();
        session.run_f32(&[&image]).unwrap();
        let e = t.elapsed().as_secs_f64() * 1e3;
        best = best.min(e);
        all.push(e);
    }
    all.sort_by(f64::total_cmp);
    eprintln!("min {best:.2} ms median {:.2}", all[10]);
    if std::env::var("TIMES").is_ok() {
        let inb: Vec<u8> = image.iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut outs: Vec<Vec<u8>> = p.outputs.iter().map(|o| vec![0u8; o.ty.bytes()]).collect();
        let mut sum = vec![u64::MAX; p.launches.len()];
        for _ in 0..25 {
            let mut o: Vec<&mut [u8]> = outs.iter_mut().map(|v| &mut v[..]).collect();
            for (s, t) in sum.iter_mut().zip(session.run_timed(&[&inb], &mut o).unwrap()) {
                *s = (*s).min(t);
            }
        }
        println!("SUM of mins {:.2} ms", sum.iter().sum::<u64>() as f64 / 1e6);
        for (l, s) in p.launches.iter().zip(&sum) {
            let k = &p.kernels[l.kernel];
            let st = regard_ir::kernel::stats::stats(k);
            let us = *s as f64 / 1e3;
            let fl = st.work.as_ref().map_or(0.0, |w| w.flops as f64);
            println!("{:30} {:8.1} us  {:6.1} GF/s grid {:?}", k.name, us, fl / us / 1e3, k.grid);
        }
    }
    if std::env::var("NOREF").is_err() {
        let refs = eval(&g, &mut leaf(0, image.clone())).unwrap();
        eprintln!("reference {:?}", t.elapsed());
        for ((o, r), port) in out.iter().zip(&refs).zip(&p.outputs) {
            let o: Vec<f64> = o.iter().map(|&x| f64::from(x)).collect();
            println!("{} rel {:.3e}", port.name, rel(&o, &r.data));
        }
    }
    if std::env::var("INTERP").is_ok() {
        let refs = interpret(
            &p,
            &mut leaf(0, vec![]),
            &[Tensor::new(g.ty(g.inputs()[0]).clone(), image.iter().map(|&x| f64::from(x)).collect())],
            Precision::F32,
        )
        .unwrap();
        for (o, r) in out.iter().zip(&refs) {
            println!("interp bit equal {}", o.iter().zip(&r.data).all(|(a, b)| f64::from(*a) == *b));
        }
    }
}
