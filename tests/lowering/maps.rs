//! Maps: convolutions of every kind at sizes that fill no vector, and what stands between them.

use crate::chain::{check, parse};

/// A convolution with bias of x by w, on its own.
fn convolution(x: &str, w: &str, out: usize, attributes: &str) {
    check(&parse(&format!(
        "%x = input : f32[{x}]\n%w = weight : f32[{w}]\n%b = weight : f32[{out}]\n\
         %y = conv2d %x, %w, %b {{ {attributes} }}\nreturn %y"
    )));
}

#[test]
fn convolutions() {
    convolution("1, 3, 9, 7", "5, 3, 3, 3", 5, "stride = 2, padding = 1, dilation = 1, groups = 1");
    convolution("2, 17, 5, 6", "7, 17, 3, 3", 7, "stride = 1, padding = 1, dilation = 1, groups = 1");
    convolution("1, 5, 4, 4", "33, 5, 1, 1", 33, "stride = [2, 1], padding = 0, dilation = 1, groups = 1");
    convolution("1, 2, 8, 9", "4, 2, 5, 2", 4, "stride = [1, 3], padding = [4, 1], dilation = [2, 1], groups = 1");
    convolution("1, 1, 1, 1", "1, 1, 3, 3", 1, "stride = 1, padding = 1, dilation = 1, groups = 1");
}

#[test]
fn depthwise_convolutions() {
    convolution("1, 17, 6, 5", "17, 1, 3, 3", 17, "stride = 1, padding = 1, dilation = 1, groups = 17");
    convolution("2, 33, 7, 7", "33, 1, 5, 5", 33, "stride = 2, padding = 2, dilation = 1, groups = 33");
    convolution("1, 3, 5, 5", "3, 1, 3, 1", 3, "stride = 1, padding = [2, 0], dilation = [2, 1], groups = 3");
}

#[test]
fn convolutions_in_groups() {
    convolution("1, 6, 5, 5", "4, 3, 3, 3", 4, "stride = 1, padding = 1, dilation = 1, groups = 2");
    convolution("1, 3, 4, 4", "6, 1, 3, 3", 6, "stride = 1, padding = 1, dilation = 1, groups = 3");
}

#[test]
fn convolutions_of_narrow_types() {
    for (w, groups) in [("5, 4, 3, 3", 1), ("4, 1, 3, 3", 4)] {
        check(&parse(&format!(
            "%x = input : bf16[1, 4, 5, 5]\n%w = weight : bf16[{w}]\n\
             %y = conv2d %x, %w {{ stride = 1, padding = 1, dilation = 1, groups = {groups} }}\nreturn %y"
        )));
    }
}

/// Norm, activation, depthwise residual, concatenated channels and a map read in several ways.
#[test]
fn maps_between_convolutions() {
    check(&parse(
        "%x = input : f32[2, 5, 7, 6]\n%w = weight : f32[17, 5, 3, 3]\n%g = weight : f32[17]\n%b = weight : f32[17]\n\
         %c = conv2d %x, %w { stride = 1, padding = 1, dilation = 1, groups = 1 }\n\
         %v = abs %g\n%n = batch_norm %c, %g, %b, %b, %v { eps = 0.5, axis = 1 }\n%r = gelu %n\n\
         %dw = weight : f32[17, 1, 3, 3]\n\
         %d = conv2d %r, %dw, %b { stride = 1, padding = 1, dilation = 1, groups = 17 }\n%s = add %d, %r\n\
         %all = concat %s, %r, %x { axis = 1 }\n%w2 = weight : f32[4, 39, 1, 1]\n\
         %e = conv2d %all, %w2 { stride = 2, padding = 0, dilation = 1, groups = 1 }\n\
         %m = reduce %s { op = mean, axis = -1 }\nreturn %e, %s, %m",
    ));
}

#[test]
fn batch_norms_before_and_behind_products() {
    check(&parse(
        "%x = input : f32[3, 7]\n%w = weight : f32[7, 5]\n%g = weight : f32[7]\n%h = weight : f32[5]\n\
         %v = abs %g\n%u = abs %h\n%n = batch_norm %x, %g, %g, %g, %v { eps = 0.5, axis = -1 }\n\
         %p = matmul %n, %w\n%y = batch_norm %p, %h, %h, %h, %u { eps = 0.5, axis = -1 }\nreturn %y",
    ));
}
