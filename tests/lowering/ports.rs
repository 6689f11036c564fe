//! Inputs and outputs: several, repeated, constant, handed through, unused, of every type.

use crate::chain::{check, parse, plan_of, targets};
use regard_ir::{
    graph::{Builder, Graph},
    types::TensorType,
};
use regard_passes::{Error, Schedule, lower};

#[test]
fn outputs_of_every_type() {
    check(&parse(
        "%x = input : f32[3, 7]\n%i = input : i32[7]\n%l = lt %x, 0.25\n%c = cast %i { to = f32 }\n%s = add %x, %c\n\
         %d = cast %s { to = i32 }\n%b = cast %s { to = bf16 }\n%h = cast %s { to = f16 }\n%n = not %l\n\
         return %l, %s, %d, %b, %h, %n",
    ));
}

#[test]
fn outputs_that_are_inputs_constants_or_repeated() {
    check(&parse("%x = input : f32[5]\nreturn %x"));
    check(&parse("%x = input : f32[5]\nreturn %x, %x"));
    check(&parse("%x = input : bool[3, 5]\n%w = weight : f32[7]\n%y = not %x\nreturn %w, %x, %y, %w, %y"));
    check(&parse("%c = const { value = 2.5 } : f32[3]\n%i = iota { axis = 0 } : i32[17]\nreturn %c, %i"));
    check(&parse("%w = weight : f32[5, 7]\n%t = transpose %w { order = [-1, -2] }\n%e = exp %t\nreturn %t, %e, %w"));
    check(&parse(
        "%w = weight : f32[5, 7]\n%v = weight : f32[7, 3]\n%p = matmul %w, %v\n%s = softmax %p { axis = 0 }\nreturn %p, %s",
    ));
}

#[test]
fn outputs_that_others_read() {
    check(&parse(
        "%x = input : f32[7, 5]\n%w = weight : f32[5, 5]\n%a = matmul %x, %w\n%b = add %a, 1.0\n%c = matmul %b, %w\n\
         %d = add %c, %a\n%e = roll %d { axis = 0, shift = 1 }\nreturn %a, %b, %c, %d, %e, %a",
    ));
}

#[test]
fn inputs_that_nobody_reads() {
    check(&parse("%x = input : f32[5]\n%u = input : i32[3]\n%y = neg %x\nreturn %y"));
    check(&parse("%u = input : f32[3]\n%w = weight : f32[2]\nreturn %w"));
}

#[test]
fn weights_shared_by_products_and_maps() {
    check(&parse(
        "%x = input : f32[5, 9]\n%w = weight : f32[9, 9]\n%a = matmul %x, %w\n%t = transpose %w { order = [-1, -2] }\n\
         %b = matmul %a, %t\n%c = matmul %w, %t\n%d = matmul %b, %c\n%s = reduce %w { op = sum, axis = 0 }\n\
         %y = add %d, %s\nreturn %y",
    ));
}

#[test]
fn labels_may_be_any_words() {
    let mut b = Builder::new("odd names");
    let x = b.input("a \"b\" %c {", TensorType::f32([5, 3]));
    let w = b.weight("größe", TensorType::f32([3, 4]));
    let p = b.matmul(x, w);
    let p = b.label(p, "rows 1 inner 2");
    let graph = b.finish(&[p]);
    check(&graph);
    for target in targets() {
        let plan = plan_of(&graph, &target).expect("a plan");
        let schedule = Schedule::best(&plan, &target);
        let read = regard_passes::schedule::parse(&schedule.to_string()).expect("a schedule's text is read back");
        assert_eq!(read, schedule);
    }
}

#[test]
fn tensors_too_large_for_lanes_are_refused() {
    let mut b = Builder::new("huge");
    let x = b.input("x", TensorType::f32([1 << 16, 1]));
    let y = b.expand(x, &[1 << 16, 1 << 16]);
    let y = b.label(y, "wide");
    let graph: Graph = b.finish(&[y]);
    for target in targets() {
        let refused = plan_of(&graph, &target).and_then(|p| lower(&p, &Schedule::best(&p, &target), &target));
        match refused {
            Err(Error::Unsupported(why)) => assert!(why.contains("wide") && why.contains("f32[65536, 65536]"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
