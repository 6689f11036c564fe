//! Models with routed and deformable attention: padded maps, other conventions, and no gathered keys or values in memory.

use super::{holds, program};
use regard::models::{self, Config};
use regard_ir::{ops::Op, program::Storage};

#[test]
fn a_batch_of_padded_maps() {
    holds("debiformer_tiny_dense", &Config { batch: 2, size: Some((72, 104)), ..Config::default() }, 3);
}

#[test]
fn a_classifier_of_another_size() {
    holds("biformer_tiny", &Config { size: Some((96, 128)), classes: Some(7), ..Config::default() }, 5);
}

#[test]
fn the_first_conventions_of_deformable_attention() {
    holds("dat_tiny", &Config { classes: Some(9), ..Config::default() }, 2);
}

/// Keys and values of routed regions are read where the projection left them: no tensor in memory is as large as
/// what a framework gathers, and none has the shape of the scores.
#[test]
fn regions_are_never_gathered_into_memory() {
    let graph = models::build("debiformer_tiny", &Config::default()).unwrap();
    let program = program("debiformer_tiny");
    let gathers = graph.nodes.values().filter(|node| matches!(node.op, Op::RoutedAttention(_))).count();
    // Stage 4 is routed to all regions, which is attention to all tokens.
    assert_eq!(gathers, 12);
    let arena = program.buffers.values().filter(|buffer| matches!(buffer.storage, Storage::Arena(_)));
    // The widest map: qkv or the hidden layer of the first stage.
    let widest = 56 * 56 * 64 * 3;
    let larger: Vec<_> = arena.filter(|buffer| buffer.len > widest && buffer.len != 112 * 112 * 32).collect();
    assert!(larger.is_empty(), "{larger:?}");
    assert!(program.arena_bytes < 12 << 20, "{} bytes", program.arena_bytes);
}
