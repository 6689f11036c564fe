//! Any schedule that satisfies the inequalities gives the same program: tiles change speed, never values.

use crate::chain::{parse, plan_of, targets, try_scheduled};
use proptest::prelude::*;
use regard_ir::graph::Graph;
use regard_passes::{Schedule, schedule::Tiles};

/// Tiles of a template that fits the group with other sizes, drawn from `sizes`.
fn other(tiles: Tiles, sizes: [usize; 5]) -> Tiles {
    let [a, b, c, mr, nv] = sizes;
    let inner = tiles.named().find(|&(word, _)| word == "inner").map_or(0, |(_, inner)| inner);
    let drawn = match tiles.name() {
        "row" => Tiles::new("row", &[a, if b % 2 == 0 { inner } else { c }]),
        "matmul" => Tiles::new("matmul", &[a * mr, b, c, mr, nv]),
        // Attention to a neighbourhood runs in either template.
        "slide" if c % 4 == 0 => Tiles::new("attend", &[1, 1, nv, b.min(4)]),
        "slide" => Tiles::new("slide", &[a, b]),
        name => Tiles::new(name, &[a * mr, mr, nv, b.min(4)]),
    };
    drawn.expect("sizes of the template")
}

fn blocks() -> Vec<Graph> {
    vec![
        parse(
            "%x = input : f32[2, 19, 24]\n%w = weight : f32[24, 70]\n%v = weight : f32[70, 24]\n%b = weight : f32[70]\n\
             %g = weight : f32[24]\n%l = layer_norm %x, %g, %g { eps = 1e-5 }\n%p = matmul %l, %w\n%s = add %p, %b\n\
             %e = gelu %s\n%q = matmul %e, %v\n%r = roll %q { axis = -2, shift = 3 }\n%y = add %r, %x\nreturn %y",
        ),
        parse(
            "%q = input : f32[3, 19, 12]\n%k = input : f32[3, 23, 12]\n%v = input : f32[3, 23, 40]\n\
             %b = weight : f32[19, 23]\n%a = attention %q, %k, %v, %b { scale = 0.5 }\n\
             %t = transpose %a { order = [-1, -2] }\n%p = matmul %a, %t\n%y = softmax %p { axis = -2 }\nreturn %y",
        ),
        parse(
            "%q = input : f32[3, 7, 12]\n%k = input : f32[3, 23, 12]\n%v = input : f32[3, 23, 40]\n\
             %w = input : f32[3, 23, 40]\n%s = scores %q, %k\n%a = attend %s, %v { axis = -1 }\n\
             %b = attend %s, %w { axis = -2 }\n%y = add %a, %b\n%z = attend %s, %w { axis = -2 }\nreturn %y, %z",
        ),
        // The mean over 2×2 pixels reads what was written window by window.
        parse(
            "%q = input : f32[2, 12, 8, 18]\n%k = input : f32[2, 12, 8, 18]\n%v = input : f32[2, 10, 8, 18]\n\
             %r = weight : f32[5, 3]\n%c = weight : f32[5, 3]\n\
             %a = neighbourhood_attention %q, %k, %v, %r, %c { heads = 2, size = 5, scale = 0.5, border = zero }\n\
             %m = avg_pool %a { kernel = [2, 2], stride = [2, 2], padding = [0, 0], count_padding = 0 }\n\
             %y = relu %m\nreturn %y",
        ),
        // Pixels of planes are packed with lanes across them.
        parse(
            "%x = input : f32[2, 3, 13, 11]\n%w = weight : f32[40, 3, 3, 3]\n%v = weight : f32[9, 3, 1, 1]\n\
             %c = conv2d %x, %w { stride = 2, padding = 1, dilation = 1, groups = 1 }\n\
             %p = conv2d %x, %v { stride = 1, padding = 0, dilation = 1, groups = 1 }\n\
             %y = relu %c\n%z = gelu %p\nreturn %y, %z",
        ),
        parse(
            "%x = input : f32[20, 36]\n%t = transpose %x { order = [-1, -2] }\n%r = roll %t { axis = 0, shift = 5 }\n\
             %m = reduce %r { op = max, axis = 0 }\n%y = sub %r, %m\n%z = reshape %y { shape = [6, 120] }\nreturn %z, %r",
        ),
        // Rows of pair sums are normalised where the product packs them, and added after it.
        parse(
            "%x = input : f32[2, 65, 3, 10]\n%w = weight : f32[10, 50]\n%v = weight : f32[50, 10]\n%g = weight : f32[10]\n\
             %s = reduce %x { op = sum, axis = -2 }\n%l = layer_norm %s, %g, %g { eps = 1e-5 }\n%p = matmul %l, %w\n\
             %e = gelu %p\n%q = matmul %e, %v\n%y = add %q, %s\nreturn %y",
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]
    #[test]
    fn any_tiles(
        block in 0..blocks().len(), target in 0..targets().len(),
        sizes in prop::collection::vec((1usize..9, 1usize..6, 1usize..41, 1usize..9, 1usize..5), 12)
    ) {
        let graph = &blocks()[block];
        let target = &targets()[target];
        let plan = plan_of(graph, target).expect("a plan");
        let mut schedule = Schedule::best(&plan, target);
        for (i, (a, b, c, mr, nv)) in sizes.into_iter().enumerate().take(schedule.groups.len()) {
            let chosen = schedule.groups[i].1;
            schedule.groups[i].1 = other(chosen, [a, b, c, mr, nv]);
            if schedule.check(&plan, target).is_err() {
                schedule.groups[i].1 = chosen;
            }
        }
        if let Err(message) = try_scheduled(graph, &plan, &schedule, target) {
            panic!("{message}\n{schedule}");
        }
    }
}

/// Sizes that no machine has are refused with the reason, not multiplied.
#[test]
fn absurd_tiles_are_refused() {
    for graph in blocks() {
        for target in targets() {
            let plan = plan_of(&graph, &target).expect("a plan");
            let best = Schedule::best(&plan, &target);
            let text = best.to_string();
            for word in ["rows", "inner", "panels", "depth", "mr", "nv", "queries", "keys", "values", "sums"] {
                let Some((before, behind)) = text.split_once(&format!(" {word} ")) else { continue };
                let rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
                for size in [usize::MAX / 2 + 1, usize::MAX, 1 << 40] {
                    let schedule = regard_passes::schedule::parse(&format!("{before} {word} {size}{rest}"));
                    let refused = regard_passes::lower(&plan, &schedule.expect("a schedule"), &target);
                    let why = refused.expect_err("refused").to_string();
                    assert!(why.contains(&format!("{word} is {size}, expected 1 to ")), "{why}");
                }
                assert!(regard_passes::schedule::parse(&format!("{before} {word} 0{rest}")).is_err());
            }
        }
    }
}
