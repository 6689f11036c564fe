//! Masks made of positions: kernels compute them, and pass over tiles of keys that they exclude.
//!
//! ```text
//!   condition ─▶ truth of every (query, key)  ┐
//!             ─▶ tiles called excluded        ┴─▶ nothing true lies in one        and the usual masks exclude all they can
//! ```

use crate::chain::{check, check_lowered, constants, lowered, parse, plan_of, run, targets};
use proptest::prelude::*;
use regard_ir::{
    graph::{Graph, Tensor, eval, eval_nodes},
    target::Target,
};
use regard_passes::{
    Plan, Schedule,
    plan::{
        Attend, Body,
        bounds::{Mask, Number, Numbers},
    },
};
use regard_runtime::Session;
use regard_testkit::graphs;

/// Conditions by name; each ends in `%c`, is about `%i` and `%j`, and says which share of tiles it leaves at most, at
/// 512 queries and keys.
const CONDITIONS: [(&str, &str, f64); 18] = [
    ("causal", "%c = le %j, %i", 0.6),
    ("causal, written the other way", "%f = lt %i, %j\n%c = not %f", 0.6),
    ("window on both sides", "%d = sub %i, %j\n%a = abs %d\n%c = lt %a, 40", 0.3),
    ("window of the past", "%d = sub %i, %j\n%p = le %j, %i\n%w = lt %d, 64\n%c = and %p, %w", 0.3),
    ("window as two sums", "%l = add %j, 30\n%p = le %i, %l\n%h = add %i, 30\n%w = le %j, %h\n%c = and %p, %w", 0.3),
    (
        "window in f32",
        "%x = cast %i { to = f32 }\n%y = cast %j { to = f32 }\n%d = sub %x, %y\n%a = abs %d\n%h = mul %a, 0.5\n%c = le %h, 20.5",
        0.3,
    ),
    ("blocks", "%x = div %i, 64\n%y = div %j, 64\n%c = eq %x, %y", 0.25),
    ("every third block", "%x = div %i, 64\n%y = div %j, 64\n%d = sub %x, %y\n%r = rem %d, 3\n%c = eq %r, 0", 0.6),
    ("chessboard", "%x = div %i, 64\n%y = div %j, 64\n%s = add %x, %y\n%r = rem %s, 2\n%c = eq %r, 0", 0.75),
    ("window and global keys", "%d = sub %i, %j\n%a = abs %d\n%w = lt %a, 40\n%g = lt %j, 16\n%c = or %w, %g", 0.4),
    (
        "global queries and keys",
        "%d = sub %i, %j\n%a = abs %d\n%w = lt %a, 40\n%g = lt %j, 16\n%h = lt %i, 16\n%o = or %w, %g\n%c = or %o, %h",
        0.5,
    ),
    ("prefix", "%p = le %j, %i\n%g = lt %j, 100\n%c = or %p, %g", 0.7),
    ("rows that see nothing", "%p = lt %j, %i\n%q = lt 300, %i\n%n = not %q\n%c = and %p, %n", 0.4),
    ("another mask for later queries", "%p = le %j, %i\n%w = lt %j, 64\n%h = lt %i, 256\n%c = select %h, %p, %w", 0.4),
    ("both early or both late", "%p = lt %j, 128\n%w = lt %i, 128\n%c = eq %p, %w", 0.75),
    (
        "conditions added",
        "%p = le %j, %i\n%x = cast %p { to = i32 }\n%w = lt %j, 320\n%y = cast %w { to = i32 }\n%s = add %x, %y\n%c = eq %s, 2",
        0.6,
    ),
    ("hyperbola", "%p = mul %i, %j\n%c = lt %p, 3000", 0.3),
    (
        "dilated window",
        "%d = sub %i, %j\n%r = rem %d, 4\n%e = eq %r, 0\n%a = abs %d\n%w = lt %a, 64\n%c = and %e, %w",
        0.4,
    ),
];

/// Attention under a condition, which chooses the scores or adds 0 and −∞ to them.
fn masked(condition: &str, (queries, keys): (usize, usize), added: bool) -> Graph {
    let mask = match added {
        false => "%z = select %c, %m, -inf",
        true => "%b = select %c, 0.0, -inf\n%z = add %m, %b",
    };
    parse(&format!(
        "%u = input : f32[2, {queries}, 4]\n%k = input : f32[2, {keys}, 4]\n%v = input : f32[2, {keys}, 5]\n\
         %i = iota {{ axis = 0 }} : i32[{queries}, 1]\n%j = iota {{ axis = 1 }} : i32[1, {keys}]\n{condition}\n\
         %raw = scores %u, %k\n%m = mul %raw, 0.5\n{mask}\n%out = attend %z, %v {{ axis = -1 }}\nreturn %out"
    ))
}

fn planned(graph: &Graph, target: &Target) -> Plan {
    plan_of(graph, target).unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

fn attend(plan: &Plan) -> &Attend {
    let [group] = &plan.groups[..] else { panic!("{} kernels, expected one\n{}", plan.groups.len(), plan.graph) };
    let Body::Attend(attend) = &group.body else { panic!("the kernel is not attention") };
    attend
}

fn v4() -> &'static Target {
    Target::named("x86-64-v4").expect("a target")
}

#[test]
fn kernels_under_masks_compute_the_graph() {
    for (at, (_, condition, _)) in CONDITIONS.iter().enumerate() {
        let (queries, keys) = [(261, 300), (97, 259), (300, 257)][at % 3];
        check(&masked(condition, (queries, keys), at % 2 == 1));
    }
}

#[test]
fn usual_masks_pass_over_what_they_exclude() {
    for (name, condition, most) in CONDITIONS {
        for added in [false, true] {
            let plan = planned(&masked(condition, (512, 512), added), v4());
            let seen = attend(&plan).seen.unwrap_or_else(|| panic!("{name} passes over nothing"));
            assert!(seen <= most, "{name} leaves {seen} of the tiles, expected at most {most}");
        }
    }
}

/// What is passed over weighs nothing: with and without it, the bits are the same.
#[test]
fn results_are_those_of_all_keys() {
    for (name, condition, _) in CONDITIONS {
        let graph = masked(condition, (257, 280), false);
        let inputs: Vec<Tensor> = graph.inputs().iter().map(|&id| graphs::leaf(3, id, graph.ty(id))).collect();
        let results = [true, false].map(|passes_over| {
            let mut plan = planned(&graph, v4());
            if !passes_over {
                let Body::Attend(attend) = &mut plan.groups[0].body else { panic!("the kernel is not attention") };
                attend.seen = None;
            }
            let schedule = Schedule::best(&planned(&graph, v4()), v4());
            let program = regard_passes::lower(&plan, &schedule, v4()).expect("it is lowered");
            let constants = constants(&program, &mut |_, _| panic!("there are no weights")).expect("none is computed");
            run(&Session::interpreted(program, constants).expect("it is sound"), &inputs).expect("it runs")
        });
        let [with, without] = &results;
        assert!(with[0].data.iter().all(|x| x.is_finite()), "{name}");
        assert_eq!(with, without, "{name}");
    }
}

/// Whether each key is seen, `[queries, keys]`.
fn truth(graph: &Graph) -> Tensor {
    let condition = graph.labelled("c").expect("masks have a condition");
    let none = &mut |id, _: &_| panic!("{id} is a leaf");
    eval_nodes(graph, &[condition], none).expect("positions have values").remove(0)
}

fn bounds(first: usize, last: usize) -> [Number; 2] {
    [first, last].map(|at| Number::Integer(at as i64))
}

/// No score of an excluded tile is seen; `tight` counts tiles without any seen score that were not called excluded.
fn sound(graph: &Graph, [rows, columns]: [usize; 2]) -> Result<(usize, usize), String> {
    let plan = planned(graph, v4());
    let attend = attend(&plan);
    let (truth, Some(mask)) = (truth(graph), Mask::of(&attend.scores)) else { return Ok((0, 0)) };
    let (mut missed, mut total) = (0, 0);
    for query in (0..attend.queries).step_by(rows) {
        for key in (0..attend.keys).step_by(columns) {
            let ends = [(query + rows).min(attend.queries) - 1, (key + columns).min(attend.keys) - 1];
            let space = [bounds(1, 1), bounds(query, ends[0]), bounds(key, ends[1])];
            let excluded = mask.excludes(&mut Numbers, &space) == Number::Truth(true);
            let wide = truth.ty.shape[1] > 1;
            let high = truth.ty.shape[0] > 1;
            let sees = |i: usize, j: usize| {
                let at = if high { i } else { 0 } * truth.ty.shape[1] + if wide { j } else { 0 };
                truth.data[at] != 0.0
            };
            let seen = (query..=ends[0]).any(|i| (key..=ends[1]).any(|j| sees(i, j)));
            if excluded && seen {
                return Err(format!("queries from {query}, keys from {key} are excluded, but some are seen"));
            }
            total += 1;
            missed += usize::from(!excluded && !seen);
        }
    }
    Ok((missed, total))
}

#[test]
fn excluded_tiles_see_nothing_and_usual_masks_miss_few() {
    for (name, condition, _) in CONDITIONS {
        let graph = masked(condition, (300, 310), false);
        let (missed, total) = sound(&graph, [14, 32]).unwrap_or_else(|why| panic!("{name}: {why}"));
        let share = if name == "dilated window" { 8 } else { 16 };
        assert!(missed * share <= total, "{name}: {missed} of {total} tiles are not known to be excluded");
    }
}

/// A condition drawn at random: integers of positions, comparisons, and, or, not.
fn condition(draws: &[(u8, u8, u8, i8)]) -> String {
    let (mut lines, mut numbers, mut truths) =
        (Vec::new(), vec!["%i".to_string(), "%j".to_string()], Vec::<String>::new());
    for (at, &(op, a, b, c)) in draws.iter().enumerate() {
        let pick = |list: &[String], which: u8| list[which as usize % list.len()].clone();
        let (x, y) = (pick(&numbers, a), pick(&numbers, b));
        let small = i64::from(c.unsigned_abs() % 9) + 1;
        let number = match op % 12 {
            0 => Some(format!("add {x}, {y}")),
            1 => Some(format!("sub {x}, {y}")),
            2 => Some(format!("mul {x}, {}", i64::from(c) % 5)),
            3 => Some(format!("div {x}, {small}")),
            4 => Some(format!("rem {x}, {small}")),
            5 => Some(format!("min {x}, {y}")),
            6 => Some(format!("max {x}, {c}")),
            7 => Some(format!("abs {x}")),
            _ => None,
        };
        if let Some(number) = number {
            lines.push(format!("%n{at} = {number}"));
            numbers.push(format!("%n{at}"));
            continue;
        }
        let truth = match (op % 12, truths.is_empty()) {
            (10, false) => format!("and {}, {}", pick(&truths, a), pick(&truths, b)),
            (11, false) if c % 2 == 0 => format!("not {}", pick(&truths, a)),
            (11, false) => format!("or {}, {}", pick(&truths, a), pick(&truths, b)),
            (8, _) => format!("eq {x}, {y}"),
            (9, _) => format!("le {x}, {y}"),
            _ => format!("lt {x}, {c}"),
        };
        lines.push(format!("%t{at} = {truth}"));
        truths.push(format!("%t{at}"));
    }
    let last = truths.last().cloned();
    let whole = "%whole = add %i, %j\n%all = le 0, %whole";
    match last {
        Some(last) => format!("{}\n{whole}\n%c = and {last}, %all", lines.join("\n")),
        None => format!("{}\n{whole}\n%c = lt {}, 9", lines.join("\n"), numbers[numbers.len() - 1]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn nothing_seen_is_passed_over(draws in prop::collection::vec(any::<(u8, u8, u8, i8)>(), 1..12), rows in 1usize..20, columns in 1usize..40) {
        let graph = masked(&condition(&draws), (40, 257), false);
        prop_assert!(sound(&graph, [rows, columns]).is_ok(), "{:?}\n{graph}", sound(&graph, [rows, columns]));
    }
}

/// Memory of masks does not grow with their area, and programs of any size are well formed.
#[test]
fn masks_are_not_stored() {
    for (name, condition, _) in CONDITIONS {
        for target in targets() {
            let bytes = lowered(&masked(condition, (4096, 4096), true), &target).constant_bytes;
            assert!(bytes < 1 << 12, "{name}: {bytes} bytes of constants");
        }
    }
    for (_, condition, _) in &CONDITIONS[..4] {
        check_lowered(&masked(condition, (1 << 15, 1 << 15), false));
    }
}

/// Masks put together of parts: positions under borders are computed, too.
#[test]
fn masks_of_parts_are_computed() {
    let parts = |n: usize| {
        [
            format!(
                "%e = const {{ value = 1 }} : bool[{n}, 64]\n%t = le %j, %i\n\
                 %h = slice %t {{ axis = 1, start = 64, stop = {n}, step = 1 }}\n%c = concat %e, %h {{ axis = 1 }}"
            ),
            format!(
                "%t = lt %j, %i\n%h = slice %t {{ axis = 1, start = 0, stop = {}, step = 1 }}\n\
                 %c = pad %h {{ axis = 1, low = 1, high = 0, value = 1 }}",
                n - 1
            ),
        ]
    };
    for added in [false, true] {
        parts(300).iter().for_each(|condition| check(&masked(condition, (300, 300), added)));
        for condition in parts(512) {
            let graph = masked(&condition, (512, 512), added);
            let plan = planned(&graph, v4());
            assert!(attend(&plan).seen.is_some_and(|seen| seen < 0.7), "{condition}");
            assert!(lowered(&graph, v4()).constant_bytes < 1 << 12, "{condition}");
        }
    }
}

/// Exponentials of positions are dearer to compute than to read, while they fit a cache.
#[test]
fn tables_of_costly_functions_lie_in_memory() {
    let table = |n: usize| {
        parse(&format!(
            "%x = input : f32[{n}, 64]\n%i = iota {{ axis = 0 }} : i32[{n}, 1]\n%j = iota {{ axis = 1 }} : i32[1, 64]\n\
             %p = mul %i, %j\n%f = cast %p {{ to = f32 }}\n%h = mul %f, -0.001\n%e = exp %h\n%y = mul %x, %e\nreturn %y"
        ))
    };
    check(&table(37));
    for (n, least, most) in [(4096, 1 << 20, 2 << 20), (1 << 20, 0, 1 << 12)] {
        let bytes = lowered(&table(n), v4()).constant_bytes;
        assert!((least..=most).contains(&bytes), "{n}: {bytes} bytes of constants");
    }
}

/// A table gathered by distance is larger than any cache for long inputs, and then gathered where it is read.
#[test]
fn biases_of_long_inputs_are_gathered_where_they_are_read() {
    let biased = |n: usize| {
        parse(&format!(
            "%q = input : f32[3, {n}, 4]\n%k = input : f32[3, {n}, 4]\n%v = input : f32[3, {n}, 5]\n\
             %table = weight : f32[32, 3]\n%i = iota {{ axis = 0 }} : i32[{n}, 1]\n%j = iota {{ axis = 1 }} : i32[1, {n}]\n\
             %d = sub %i, %j\n%a = abs %d\n%h = div %a, 4\n%bucket = min %h, 31\n%g = gather %table, %bucket\n\
             %b = transpose %g {{ order = [-1, -3, -2] }}\n%s = scores %q, %k\n%c = le %j, %i\n%t = add %s, %b\n\
             %m = select %c, %t, -inf\n%y = attend %m, %v {{ axis = -1 }}\nreturn %y"
        ))
    };
    check(&biased(270));
    for target in targets() {
        let bytes = lowered(&biased(1 << 14), &target).constant_bytes;
        assert!(bytes < 1 << 12, "{bytes} bytes of constants");
    }
}

/// Scores that are never stored are not limited; what is stored is, and says so.
#[test]
fn only_tensors_in_memory_are_limited() {
    let large = "%q = input : f32[16, 11586, 64]\n%k = input : f32[16, 11586, 64]\n%v = input : f32[16, 11586, 64]\n";
    check_lowered(&parse(&format!("{large}%y = attention %q, %k, %v {{ scale = 0.125 }}\nreturn %y")));
    let stored = parse(&format!("{large}%s = scores %q, %k\nreturn %s"));
    for target in targets() {
        let refused = plan_of(&stored, &target).expect_err("the scores are an output").to_string();
        assert!(refused.contains("%s is f32[16, 11586, 11586] and lies in memory"), "{refused}");
    }
}

/// Positions that are read where they are needed, through every kind of movement.
#[test]
fn positions_are_computed_through_views() {
    let tall = "%a = iota { axis = 0 } : i32[300, 260]\n";
    for view in [
        "transpose %a { order = [-1, -2] }",
        "roll %a { axis = 0, shift = 7 }",
        "reshape %a { shape = [260, 300] }",
        "slice %a { axis = 0, start = 20, stop = 280, step = 1 }",
        "pad %a { axis = 1, low = 3, high = 4, value = 5.0 }",
        "reshape %a { shape = [30, 10, 260] }",
    ] {
        let graph = parse(&format!(
            "{tall}%b = {view}\n%f = cast %b {{ to = f32 }}\n%x = input : f32[1]\n%y = add %f, %x\nreturn %y"
        ));
        check(&graph);
    }
    let floats = parse(
        "%a = iota { axis = 1 } : f32[200, 300]\n%p = pad %a { axis = 0, low = 1, high = 1, value = 0.5 }\n\
         %x = input : f32[1]\n%y = mul %p, %x\nreturn %y",
    );
    check(&floats);
    let values = eval(&floats, &mut |id, node| Ok(graphs::leaf(1, id, &node.ty)));
    assert!(values.is_ok());
}
