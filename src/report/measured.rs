//! Measurements of a model as JSON.
//!
//! ```text
//!   { model, batch, threads, device, median_ms, …, kernels: [{ kernel, launches, modules, ns }] }
//! ```

use regard::bench::{KernelTime, Measured};
use serde_json::{Value, json};

/// One JSON object; with `kernels` also the time of each.
pub(crate) fn json(measured: &Measured, kernels: bool) -> Value {
    let rounded = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
    let mut value = json!({
        "model": measured.model,
        "batch": measured.batch,
        "threads": measured.threads,
        "dtype": "f32",
        "device": measured.device,
        "median_ms": rounded(measured.median() * 1e3, 4),
        "min_ms": rounded(measured.least() * 1e3, 4),
        "compile_ms": rounded(measured.compile() * 1e3, 1),
        "gflop": rounded(measured.flops as f64 / 1e9, 6),
        "gflop_per_s": rounded(measured.gflop_per_s(), 3),
        "launches": measured.launches,
        "arena_bytes": measured.arena_bytes,
        "peak_bytes": measured.peak_bytes,
    });
    if kernels {
        let kernel = |time: &KernelTime| {
            let KernelTime { kernel, modules, ns } = time;
            json!({"kernel": kernel, "launches": modules.len(), "modules": modules, "ns": ns})
        };
        value["kernels"] = measured.kernels.iter().map(kernel).collect();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn json_has_its_units() {
        let measured = Measured {
            model: "a \"b\"".into(),
            runs: vec![0.5, 0.1, 0.2],
            stages: vec![("plan", Duration::from_millis(5)), ("code", Duration::from_millis(7))],
            flops: 3_000_000_000,
            ..Measured::default()
        };
        let value = json(&measured, false);
        assert_eq!(value["median_ms"], 200.0);
        assert_eq!(value["compile_ms"], 12.0);
        assert_eq!(value["gflop_per_s"], 15.0);
        assert_eq!(value["model"], "a \"b\"");
    }
}
