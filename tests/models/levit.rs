//! LeViT-128S.

use super::{holds, names_of_all_hold, program};
use regard::models::{self, Config, names::Style};

#[test]
fn other_sizes_batches_and_classes_hold() {
    holds("levit_128s", &Config { batch: 2, size: Some((80, 112)), classes: Some(11), ..Config::default() }, 7);
}

#[test]
fn checkpoints_of_all_libraries_hold_the_same_tensors() {
    let graph = models::build("levit_128s", &Config { size: Some((32, 32)), ..Config::default() }).unwrap();
    names_of_all_hold(&graph, &[Style::Authors, Style::Timm, Style::Transformers]);
}

/// Frameworks launch 174 kernels. Here norms are folded, both classifiers are one product, and no map is transposed.
#[test]
fn one_image_takes_few_launches() {
    let launches = program("levit_128s").launches.len();
    assert!(launches <= 64, "{launches} launches");
}
