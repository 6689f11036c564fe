//! The papers' own tables: parameters and operations as printed, beside the model that each row is about.
//!
//! What a paper counts as an operation differs, so each row names its convention:
//!
//! ```text
//!   products    multiply-adds of convolutions, projections and attention, "4.5 G" of BiSA, DeBiFormer, BiFormer, DAT
//!   fit, real   two per multiply-add, see [`crate::flops`]
//! ```

use crate::flops::Convention;

/// What `flops` of a row means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Multiply-adds of products, one each.
    Products,
    /// Floating-point operations of a residual network.
    Residual(Convention),
}

impl Counting {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Counting::Products => "products, 1 per multiply-add",
            Counting::Residual(Convention::Real) => "R, 2 per multiply-add",
            Counting::Residual(Convention::Fit) => "F, fits the paper",
        }
    }
}

/// A row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Short name of the paper.
    pub paper: &'static str,
    /// The table in it.
    pub table: &'static str,
    /// The row in it.
    pub row: &'static str,
    /// Our model.
    pub model: &'static str,
    /// Its options.
    pub options: &'static [(&'static str, &'static str)],
    /// Its classes.
    pub classes: usize,
    /// Parameters as printed, where they are.
    pub params: Option<&'static str>,
    /// Operations as printed.
    pub flops: Option<&'static str>,
    /// What may be said of the difference.
    pub note: Option<&'static str>,
}

/// Names of the papers with rows.
pub const PAPERS: [&str; 3] = ["bisa", "debiformer", "sasa"];

const fn row(paper: &'static str, table: &'static str, name: &'static str, model: &'static str) -> Row {
    Row { paper, table, row: name, model, options: &[], classes: 1000, params: None, flops: None, note: None }
}

impl Row {
    const fn printed(self, params: &'static str, flops: &'static str) -> Row {
        Row { params: Some(params), flops: Some(flops), ..self }
    }
    const fn with(self, options: &'static [(&'static str, &'static str)]) -> Row {
        Row { options, ..self }
    }
    const fn classes(self, classes: usize) -> Row {
        Row { classes, ..self }
    }
    const fn but(self, note: &'static str) -> Row {
        Row { note: Some(note), ..self }
    }
    /// The conventions under which its operations are counted.
    pub fn countings(&self) -> Vec<Counting> {
        match self.paper {
            "sasa" => vec![Counting::Residual(Convention::Real), Counting::Residual(Convention::Fit)],
            _ => vec![Counting::Products],
        }
    }
}

/// BiSA's results; CIFAR-100 has 100 classes.
const BISA: [Row; 10] = [
    row("bisa", "CIFAR-100", "Swin-T", "swin_tiny").classes(100).printed("27.6 M", "4.5 G"),
    row("bisa", "CIFAR-100", "Swin-T + BiSA", "swin_tiny_bisa").classes(100).printed("27.7 M", "5.3 G"),
    row("bisa", "CIFAR-100", "Swin-T + BiSA, norm", "swin_tiny_bisa_norm").classes(100).printed("27.7 M", "5.3 G"),
    row("bisa", "CIFAR-100", "LeViT-128S", "levit_128s").printed("7.8 M", "306 M"),
    row("bisa", "CIFAR-100", "LeViT-128S + BiSA", "levit_128s_bisa").printed("8.0 M", "395 M"),
    row("bisa", "CIFAR-100", "LeViT-128S + BiSA, norm", "levit_128s_bisa_norm").printed("8.0 M", "395 M"),
    row("bisa", "ImageNet-1K", "Swin-T", "swin_tiny").printed("28.3 M", "4.5 G"),
    row("bisa", "ImageNet-1K", "Swin-T + BiSA", "swin_tiny_bisa").printed("28.4 M", "5.3 G"),
    row("bisa", "ImageNet-1K", "LeViT-128S", "levit_128s").printed("7.8 M", "306 M"),
    row("bisa", "ImageNet-1K", "LeViT-128S + BiSA", "levit_128s_bisa").printed("8.0 M", "395 M"),
];

const DEBIFORMER: [Row; 7] = [
    row("debiformer", "ImageNet-1K", "DeBiFormer-T", "debiformer_tiny").printed("21.4 M", "2.6 G"),
    row("debiformer", "ImageNet-1K", "DeBiFormer-S", "debiformer_small").printed("44 M", "5.4 G"),
    row("debiformer", "ImageNet-1K", "DeBiFormer-B", "debiformer_base")
        .printed("77 M", "11.8 G")
        .but("the published code has 95.50 M parameters; no variant of it has 77 M"),
    row("debiformer", "ImageNet-1K", "BiFormer-T", "biformer_tiny").printed("13.1 M", "2.2 G"),
    row("debiformer", "ImageNet-1K", "BiFormer-S", "biformer_small").printed("25.5 M", "4.5 G"),
    row("debiformer", "ImageNet-1K", "BiFormer-B", "biformer_base").printed("56.8 M", "9.8 G"),
    row("debiformer", "ImageNet-1K", "DAT-T", "dat_tiny").printed("29 M", "4.6 G"),
];

const SASA: [Row; 30] = [
    row("sasa", "1", "ResNet-26, convolution", "resnet26").printed("13.7 M", "4.7 B"),
    row("sasa", "1", "ResNet-26, conv-stem + attention", "sasa_resnet26")
        .with(&[("stem", "conv")])
        .printed("10.3 M", "4.5 B"),
    row("sasa", "1", "ResNet-26, full attention", "sasa_resnet26").printed("10.3 M", "4.7 B"),
    row("sasa", "1", "ResNet-38, convolution", "resnet38").printed("19.6 M", "6.5 B"),
    row("sasa", "1", "ResNet-38, conv-stem + attention", "sasa_resnet38")
        .with(&[("stem", "conv")])
        .printed("14.1 M", "5.7 B"),
    row("sasa", "1", "ResNet-38, full attention", "sasa_resnet38").printed("14.1 M", "6.0 B"),
    row("sasa", "1", "ResNet-50, convolution", "resnet50").printed("25.6 M", "8.2 B"),
    row("sasa", "1", "ResNet-50, conv-stem + attention", "sasa_resnet50")
        .with(&[("stem", "conv")])
        .printed("18.0 M", "7.0 B"),
    row("sasa", "1", "ResNet-50, full attention", "sasa_resnet50").printed("18.0 M", "7.2 B"),
    groups("attention in 1, 2, 3, 4", &[("stem", "conv")]).printed("18.0 M", "7.0 B"),
    groups("convolution in 1", &[("stem", "conv"), ("attention", "2+3+4")]).printed("18.1 M", "7.3 B"),
    groups("convolution in 1, 2", &[("stem", "conv"), ("attention", "3+4")]).printed("18.5 M", "7.5 B"),
    groups("convolution in 1, 2, 3", &[("stem", "conv"), ("attention", "4")]).printed("20.8 M", "8.0 B"),
    groups("convolution in 1, 2, 3, 4", &[("stem", "conv"), ("attention", "none")]).printed("25.6 M", "8.2 B"),
    groups("convolution in 2, 3, 4", &[("stem", "conv"), ("attention", "1")]).printed("25.5 M", "7.9 B"),
    groups("convolution in 3, 4", &[("stem", "conv"), ("attention", "1+2")]).printed("25.0 M", "7.8 B"),
    groups("convolution in 4", &[("stem", "conv"), ("attention", "1+2+3")]).printed("22.7 M", "7.2 B"),
    extent("k = 3", &[("stem", "conv"), ("k", "3")], "6.6 B"),
    extent("k = 5", &[("stem", "conv"), ("k", "5")], "6.7 B"),
    extent("k = 7", &[("stem", "conv"), ("k", "7")], "7.0 B"),
    extent("k = 9", &[("stem", "conv"), ("k", "9")], "7.3 B"),
    extent("k = 11", &[("stem", "conv"), ("k", "11")], "7.7 B"),
    row("sasa", "5", "no positions", "sasa_resnet50")
        .with(&[("stem", "conv"), ("position", "none")])
        .printed("18.0 M", "6.9 B"),
    row("sasa", "5", "absolute positions", "sasa_resnet50")
        .with(&[("stem", "conv"), ("position", "absolute")])
        .printed("18.0 M", "6.9 B"),
    row("sasa", "5", "relative positions", "sasa_resnet50").with(&[("stem", "conv")]).printed("18.0 M", "7.0 B"),
    row("sasa", "6", "q·r only", "sasa_resnet50")
        .with(&[("stem", "conv"), ("content", "qr")])
        .printed("16.7 M", "6.1 B"),
    row("sasa", "6", "q·k + q·r", "sasa_resnet50").with(&[("stem", "conv")]).printed("18.0 M", "7.0 B"),
    Row { flops: Some("7.1 B"), ..row("sasa", "7", "stand-alone stem", "sasa_resnet50").with(&[("stem", "alone")]) },
    Row {
        flops: Some("7.4 B"),
        ..row("sasa", "7", "values by convolution", "sasa_resnet50").with(&[("stem", "conv_values")])
    },
    Row { flops: Some("7.2 B"), ..row("sasa", "7", "spatially aware values", "sasa_resnet50") },
];

const fn groups(name: &'static str, options: &'static [(&'static str, &'static str)]) -> Row {
    row("sasa", "3", name, "sasa_resnet50").with(options)
}

const fn extent(name: &'static str, options: &'static [(&'static str, &'static str)], flops: &'static str) -> Row {
    Row { flops: Some(flops), ..row("sasa", "4", name, "sasa_resnet50").with(options) }
}

/// All rows, paper by paper.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    BISA.iter().chain(&DEBIFORMER).chain(&SASA)
}
