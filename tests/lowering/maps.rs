//! Maps: convolutions of every kind at sizes that fill no vector, and what stands between them.

use crate::chain::{check, check_with, lowered, parse, targets};
use regard_ir::{graph::Tensor, program::Storage, target::Backend};

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
    convolution("1, 3, 23, 37", "6, 3, 3, 3", 6, "stride = 2, padding = 1, dilation = 1, groups = 1");
    convolution("2, 1, 9, 33", "4, 1, 7, 7", 4, "stride = 1, padding = 3, dilation = 1, groups = 1");
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

/// A map through one op.
fn mapped(x: &str, op: &str) {
    check(&parse(&format!("%x = input : f32[{x}]\n%y = {op}\nreturn %y")));
}

#[test]
fn pools() {
    for x in ["1, 17, 7, 6", "2, 3, 5, 8"] {
        mapped(x, "max_pool %x { kernel = 3, stride = 2, padding = 1 }");
        mapped(x, "avg_pool %x { kernel = [2, 3], stride = [2, 1], padding = [0, 1], count_padding = 0 }");
        mapped(x, "avg_pool %x { kernel = [2, 3], stride = [2, 1], padding = [0, 1], count_padding = 1 }");
        mapped(x, "adaptive_avg_pool %x { size = [3, 5] }");
        mapped(x, "adaptive_avg_pool %x { size = 1 }");
    }
    mapped("1, 5, 6, 8", "adaptive_avg_pool %x { size = [3, 4] }");
}

#[test]
fn resized_maps() {
    for mode in ["bilinear", "bilinear_corners", "nearest"] {
        mapped("2, 17, 3, 5", &format!("resize %x {{ size = [7, 9], mode = {mode} }}"));
        mapped("1, 5, 6, 4", &format!("resize %x {{ size = [3, 1], mode = {mode} }}"));
    }
}

#[test]
fn convolutions_of_resized_maps() {
    let cases = [
        ("33, 5, 3, 3", "mode = bilinear, stride = 1, padding = 1, dilation = 1"),
        ("3, 5, 1, 2", "mode = bilinear_corners, stride = [1, 2], padding = [0, 2], dilation = 2"),
        ("17, 5, 3, 2", "mode = nearest, stride = [2, 1], padding = [1, 3], dilation = [2, 1]"),
    ];
    for (w, attributes) in cases {
        check(&parse(&format!(
            "%x = input : f32[2, 5, 3, 4]\n%w = weight : f32[{w}]\n\
             %y = resized_conv %x, %w {{ size = [6, 7], {attributes} }}\nreturn %y"
        )));
    }
}

/// The sum of two sizes is the last to read one of them, and is written in its place.
#[test]
fn a_sum_takes_the_place_of_its_term() {
    let graph = parse(
        "%x = input : f32[1, 8, 6, 7]\n%y = input : f32[1, 8, 3, 4]\n%v = weight : f32[33, 8, 1, 1]\n\
         %w = weight : f32[33, 8, 3, 3]\n%o = weight : f32[5, 33, 1, 1]\n\
         %fine = conv2d %x, %v { stride = 1, padding = 0, dilation = 1, groups = 1 }\n\
         %coarse = resized_conv %y, %w { size = [6, 7], mode = bilinear, stride = 1, padding = 1, dilation = 1 }\n\
         %s = add %fine, %coarse\n%r = relu %s\n\
         %z = conv2d %r, %o { stride = 1, padding = 0, dilation = 1, groups = 1 }\nreturn %z",
    );
    check(&graph);
    for target in targets() {
        let program = lowered(&graph, &target);
        let takes = program.launches.iter().any(|launch| {
            let storages: Vec<Storage> = launch.buffers.iter().map(|&b| program.buffers[b].storage).collect();
            let (written, read) = storages.split_last().expect("a launch writes");
            read.contains(written)
        });
        assert_eq!(takes, target.backend != Backend::Ptx, "{}", target.name);
    }
}

/// A pyramid: what is resized was computed, has channels last, and is summed, pooled and convolved.
#[test]
fn maps_of_several_sizes() {
    check(&parse(
        "%x = input : f32[1, 6, 8, 7]\n%w = weight : f32[17, 6, 3, 3]\n%v = weight : f32[17, 17, 1, 1]\n\
         %c = conv2d %x, %w { stride = 2, padding = 1, dilation = 1, groups = 1 }\n%r = relu %c\n\
         %p = adaptive_avg_pool %r { size = 3 }\n%q = conv2d %p, %v { stride = 1, padding = 0, dilation = 1, groups = 1 }\n\
         %h = hardswish %q\n%u = resize %h { size = [4, 4], mode = bilinear }\n%s = add %r, %u\n\
         %big = resize %s { size = [8, 7], mode = bilinear }\nreturn %s, %big",
    ));
}

/// Whole numbers, so that ties are ties everywhere and the lowest index wins.
#[test]
fn positions_of_the_greatest() {
    for (shape, axis) in [("7", 0), ("3, 33", 1), ("5, 17, 3", 1), ("1, 150, 4, 5", 1), ("19, 4", 0)] {
        let graph = parse(&format!("%x = input : f32[{shape}]\n%y = argmax %x {{ axis = {axis} }}\nreturn %y"));
        check_with(&graph, &|_, node| Tensor::from_fn(node.ty.clone(), |i| (i * 7 % 5) as f64));
    }
    check(&parse(
        "%x = input : f32[1, 5, 4, 3]\n%u = resize %x { size = [8, 7], mode = bilinear }\n\
         %y = argmax %u { axis = -3 }\nreturn %y",
    ));
}
