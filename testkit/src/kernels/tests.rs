//! Same seed, same kernel; and no core instruction is left out.

use super::*;
use BinOp::*;
use regard_ir::kernel::{CastOp, CmpOp, Inst, ReduceOp, Stmt, UnOp};
use std::collections::BTreeSet;

#[test]
fn a_seed_is_a_kernel() {
    for seed in 0..20 {
        for lanes in [4, 8, 16, 32] {
            let k = any(seed, lanes);
            assert_eq!(k, any(seed, lanes));
            assert_eq!(inputs(&k, seed), inputs(&k, seed));
            assert_eq!(inputs(&k, seed).len(), k.params().count());
        }
    }
}

#[test]
fn lane_counts_share_one_program() {
    for seed in 0..50 {
        let shape = |lanes| {
            let k = any(seed, lanes);
            k.body.stmts.iter().map(|s| std::mem::discriminant(&s.inst)).collect::<Vec<_>>()
        };
        assert_eq!(shape(4), shape(8));
        assert_eq!(shape(4), shape(16));
    }
}

/// An instruction's word, its operation, and the type of its result.
fn form(kernel: &Kernel, stmt: &Stmt) -> String {
    let detail = match &stmt.inst {
        Inst::Cast(op, _) => op.name(),
        Inst::Reduce(op, _) => op.name(),
        Inst::Load { active: Some(_), stride, .. } | Inst::Store { active: Some(_), stride, .. } if *stride > 1 => {
            "both"
        }
        Inst::Load { active: Some(_), .. } | Inst::Store { active: Some(_), .. } => "first",
        Inst::Load { stride, .. } | Inst::Store { stride, .. } if *stride > 1 => "stride",
        _ => "",
    };
    let ty = stmt.results.first().map(|&v| kernel.types[v].to_string()).unwrap_or_default();
    format!("{} {detail} {ty}", stmt.inst.name())
}

#[test]
fn every_core_instruction_occurs() {
    let mut found = BTreeSet::new();
    for seed in 0..400 {
        let k = any(seed, 4);
        found.extend(k.body.walk().map(|stmt| form(&k, stmt)));
    }
    let mut expected: Vec<String> = Vec::new();
    for kind in ["", "v."] {
        let one = |name: &str, elem: &str| format!("{name}  {kind}{elem}");
        expected.extend([Add, Sub, Mul, Div, Min, Max].map(|op| one(op.name(), "f32")));
        expected.extend(BinOp::ALL.iter().map(|op| one(op.name(), "i32")));
        expected.extend([And, Or, Xor].map(|op| one(op.name(), "bool")));
        expected.extend([UnOp::Neg, UnOp::Abs, UnOp::Sqrt, UnOp::Floor, UnOp::Round].map(|op| one(op.name(), "f32")));
        expected.extend(CmpOp::ALL.iter().map(|op| one(op.name(), "bool")));
        expected.extend(["f32", "i32", "bool"].map(|elem| one("select", elem)));
        expected.extend([one("fma", "f32"), one("not", "bool"), one("neg", "i32"), one("abs", "i32")]);
        for op in [CastOp::I32ToF32, CastOp::BitsF32] {
            expected.push(format!("cast {} {kind}f32", op.name()));
        }
        for op in [CastOp::F32ToI32, CastOp::F32Bits, CastOp::BoolToI32] {
            expected.push(format!("cast {} {kind}i32", op.name()));
        }
    }
    expected.extend([Add, Sub, Mul, Div, Rem, Min, Max, Shl, Shr].map(|op| format!("{}  i64", op.name())));
    expected.extend(
        ["cast i32_to_i64 i64", "cast i64_to_i32 i32", "select  i64", "lane  v.i32", "barrier  "].map(String::from),
    );
    for elem in ["f32", "i32", "bool"] {
        for name in ["splat", "shuffle", "bcast", "gather"] {
            expected.push(format!("{name}  v.{elem}"));
        }
        expected.extend(["", "first", "stride", "both"].map(|detail| format!("load {detail} v.{elem}")));
        expected.extend(["extract", "load_scalar"].map(|name| format!("{name}  {elem}")));
    }
    for elem in ["f32", "i32"] {
        expected.push(format!("transpose  v.{elem}"));
        expected.extend(ReduceOp::ALL.iter().map(|op| format!("reduce {} {elem}", op.name())));
        expected.extend(["for", "if"].map(|name| format!("{name}  v.{elem}")));
    }
    expected.extend(["", "first", "stride", "both"].map(|detail| format!("store {detail} ")));
    expected.extend(["store_scalar  ", "for  ", "if  "].map(String::from));
    let missing: Vec<&String> = expected.iter().filter(|form| !found.contains(*form)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
