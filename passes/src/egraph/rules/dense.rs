//! Rules for dense-prediction heads, where one convolution reads feature maps of several resolutions.
//!
//! ```text
//!   conv([x y], [V W])       =  conv(x, V) + conv(y, W)          the concatenation is never stored
//!   conv(resize x, W)        =  resized_conv(x, W)               products at the size before resizing
//!   conv(x, W, b)            =  conv(x, W) + b
//!   argmax(softmax x)        =  argmax x                         a softmax keeps the order
//! ```
//!
//! The first adds an addition of maps by itself, and saves time where one of the parts was resized; where none was, it is
//! not chosen. What remains of a concatenation stays one. These rules see ops as they were written: a convolution in
//! canonical form is a product of patches, and after that the resize is no longer visible.

use super::{Rule, Scope, map, rule, rule_with};
use crate::egraph::view_queries;
use regard_ir::view::View;

/// Parts that a concatenation is taken apart into, at most.
const MOST_PARTS: usize = 6;

/// Convolutions of concatenated, resized and shifted maps; the greatest.
pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = vec![concatenated(), resized(), with_bias(), greatest()];
    rules.extend((3..=MOST_PARTS).map(in_two));
    rules
}

const CONV: &str = "stride s: 1 2; padding p: 0 1 2; dilation d: 1 2";

fn concatenated() -> Rule {
    rule_with(
        "convolution-of-two-maps",
        &format!("x: b c h v; y: b e h v; w: o f k l; axis a: b c h v; {CONV}"),
        "(conv2d ?s ?p ?d groups=1 (concat ?a ?x ?y) ?w)",
        "(add (conv2d ?s ?p ?d groups=1 ?x (view ?m ?w)) (conv2d ?s ?p ?d groups=1 ?y (view ?n ?w)))",
        |s| {
            let (weights, c, e) = (s.shape("w")?, s.shape("x")?[1], s.shape("y")?[1]);
            s.require("a", "is that of channels", s.axis("a", s.ty("x")?)? == 1)?;
            let all = weights[1];
            let columns = |from: usize, to: usize| View::slice(weights, 1, from, to, 1);
            Some(vec![map("m", &columns(0, c.min(all))), map("n", &columns(all - e.min(all), all))])
        },
    )
}

fn resized() -> Rule {
    rule(
        "convolution-before-resize",
        &format!("x: b c h v; w: o c k l; size n: 1 2 3 5 7; mode m: bilinear bilinear_corners nearest; {CONV}"),
        "(conv2d ?s ?p ?d groups=1 (resize ?n ?m ?x) ?w)",
        "(resized_conv ?n ?m ?s ?p ?d ?x ?w)",
    )
}

fn with_bias() -> Rule {
    rule_with(
        "bias-behind-convolution",
        &format!("x: b c h v; w: o c k l; bias: o; {CONV}"),
        "(conv2d ?s ?p ?d groups=1 ?x ?w ?bias)",
        "(add (conv2d ?s ?p ?d groups=1 ?x ?w) (view ?m ?bias))",
        |s| {
            let column = [s.shape("bias")?[0], 1, 1];
            let upright = View::reshape(s.shape("bias")?, &column);
            Some(vec![map("m", &upright.then(&view_queries::repeat(&column, &s.root.shape)?)?)])
        },
    )
}

fn greatest() -> Rule {
    rule_with(
        "greatest-of-softmax",
        "x: S; axis a: S; axis e: S",
        "(argmax ?a (softmax ?e ?x))",
        "(argmax ?a ?x)",
        same_axis,
    )
}

fn same_axis(s: &Scope) -> Option<super::Bindings> {
    let x = s.ty("x")?;
    s.require("e", "is the axis a", s.axis("a", x)? == s.axis("e", x)?)?;
    Some(Vec::new())
}

/// The last of several parts apart from the others.
fn in_two(parts: usize) -> Rule {
    let names: Vec<String> = (0..parts).map(|i| format!("x{i}")).collect();
    let tensors: Vec<String> = names.iter().zip('S'..).map(|(name, shape)| format!("{name}: {shape}")).collect();
    let list = |names: &[String]| names.iter().map(|name| format!(" ?{name}")).collect::<String>();
    let (first, last) = names.split_at(parts - 1);
    rule(
        format!("concatenation-of-{parts}-in-two"),
        &format!("{}; axis a: S", tensors.join("; ")),
        &format!("(concat ?a{})", list(&names)),
        &format!("(concat ?a (concat ?a{}){})", list(first), list(last)),
    )
}
