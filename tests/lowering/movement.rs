//! Movement alone and in chains that compose or do not: every element must come from its own place.

use crate::chain::{check, parse};

/// Statements on `%x`, each an operation of one operand; the result is returned.
fn moves(input: &str, steps: &[&str]) {
    for dtype in ["f32", "bool", "i32", "bf16"] {
        let mut text = format!("%v0 = input : {dtype}[{input}]\n");
        for (i, step) in steps.iter().enumerate() {
            let (op, attributes) = step.split_once(' ').unwrap_or((step, ""));
            text += &format!("%v{} = {op} %v{i} {{ {attributes} }}\n", i + 1);
        }
        check(&parse(&format!("{text}return %v{}", steps.len())));
    }
}

#[test]
fn one_movement() {
    moves("5, 7", &["reshape shape = [7, 5]"]);
    moves("33", &["reshape shape = [3, 11]"]);
    moves("5, 17", &["transpose order = [-1, -2]"]);
    moves("3, 5, 16", &["transpose order = [-2, -1, -3]"]);
    moves("3, 1, 5", &["expand shape = [2, 3, 4, 5]"]);
    moves("5, 1", &["expand shape = [5, 33]"]);
    moves("33, 3", &["slice axis = 0, start = 1, stop = 30, step = 3"]);
    moves("3, 49", &["slice axis = -1, start = 2, stop = 48, step = 5"]);
    moves("7, 5", &["roll axis = 0, shift = 3"]);
    moves("3, 33", &["roll axis = -1, shift = -5"]);
    moves("3, 33", &["roll axis = -1, shift = 100"]);
    moves("5, 7", &["pad axis = 0, low = 1, high = 2, value = 1"]);
    moves("3, 17", &["pad axis = -1, low = 3, high = 0, value = 0"]);
}

#[test]
fn chains_that_compose() {
    moves(
        "2, 8, 8, 3",
        &["roll axis = 1, shift = -2", "roll axis = 2, shift = -2", "reshape shape = [2, 2, 4, 2, 4, 3]"],
    );
    moves("6, 35", &["roll axis = 0, shift = 2", "roll axis = 0, shift = 3", "transpose order = [-1, -2]"]);
    moves(
        "4, 12",
        &["slice axis = 1, start = 1, stop = 11, step = 2", "transpose order = [-1, -2]", "reshape shape = [20]"],
    );
    moves("5, 6", &["pad axis = 1, low = 1, high = 1, value = 1", "slice axis = 1, start = 0, stop = 7, step = 3"]);
}

#[test]
fn chains_that_do_not_compose() {
    moves(
        "4, 6",
        &[
            "transpose order = [-1, -2]",
            "reshape shape = [3, 8]",
            "transpose order = [-1, -2]",
            "reshape shape = [12, 2]",
        ],
    );
    moves(
        "6, 5",
        &[
            "pad axis = 0, low = 1, high = 1, value = 0",
            "pad axis = 1, low = 1, high = 1, value = 1",
            "reshape shape = [7, 8]",
        ],
    );
    moves(
        "5, 7",
        &[
            "pad axis = 0, low = 0, high = 1, value = 1",
            "reshape shape = [7, 6]",
            "roll axis = 0, shift = 2",
            "reshape shape = [21, 2]",
        ],
    );
    moves(
        "12",
        &["roll axis = 0, shift = 5", "reshape shape = [3, 4]", "transpose order = [-1, -2]", "reshape shape = [2, 6]"],
    );
}

/// Windows of 4×4 out of a shifted map of 8×12, something done to them, and all of it undone.
#[test]
fn windows_there_and_back() {
    for channels in [3, 16, 17] {
        for shift in [0, 2] {
            check(&parse(&format!(
                "%x = input : f32[2, 8, 12, {channels}]\n%r = roll %x {{ axis = 1, shift = -{shift} }}\n\
                 %c = roll %r {{ axis = 2, shift = -{shift} }}\n\
                 %a = reshape %c {{ shape = [2, 2, 4, 3, 4, {channels}] }}\n\
                 %b = transpose %a {{ order = [-6, -5, -3, -4, -2, -1] }}\n\
                 %w = reshape %b {{ shape = [12, 16, {channels}] }}\n%m = weight : f32[{channels}, {channels}]\n\
                 %p = matmul %w, %m\n%s = softmax %p {{ axis = -2 }}\n%q = matmul %s, %m\n\
                 %d = reshape %q {{ shape = [2, 2, 3, 4, 4, {channels}] }}\n\
                 %e = transpose %d {{ order = [-6, -5, -3, -4, -2, -1] }}\n\
                 %f = reshape %e {{ shape = [2, 8, 12, {channels}] }}\n%g = roll %f {{ axis = 1, shift = {shift} }}\n\
                 %h = roll %g {{ axis = 2, shift = {shift} }}\n%y = add %h, %x\nreturn %y, %w"
            )));
        }
    }
}

#[test]
fn concatenations() {
    for dtype in ["f32", "bool", "i32"] {
        for (shapes, axis) in [
            (["3", "5", "1"], 0),
            (["2, 7", "2, 1", "2, 17"], -1),
            (["5, 4", "1, 4", "2, 4"], 0),
            (["2, 3, 5", "2, 1, 5", "2, 7, 5"], 1),
        ] {
            let [a, b, c] = shapes;
            check(&parse(&format!(
                "%a = input : {dtype}[{a}]\n%b = weight : {dtype}[{b}]\n%c = input : {dtype}[{c}]\n\
                 %y = concat %a, %b, %c {{ axis = {axis} }}\n%z = concat %y, %y {{ axis = {axis} }}\nreturn %y, %z"
            )));
        }
    }
}

#[test]
fn concatenations_in_products() {
    check(&parse(
        "%a = input : f32[5, 3]\n%b = input : f32[5, 6]\n%w = weight : f32[9, 17]\n%v = weight : f32[17, 4]\n\
         %c = concat %a, %b { axis = -1 }\n%p = matmul %c, %w\n%q = matmul %p, %v\n\
         %d = concat %p, %q, %a { axis = -1 }\n%y = softmax %d { axis = -1 }\nreturn %y",
    ));
}

/// A pad's fill is a value of the result: what comes before it must not see it, what comes after must.
#[test]
fn fills_between_arithmetic() {
    check(&parse(
        "%x = input : f32[5, 7]\n%e = exp %x\n%p = pad %e { axis = -1, low = 2, high = 3, value = -2.5 }\n\
         %a = abs %p\n%m = reduce %a { op = min, axis = -1 }\n%q = pad %a { axis = 0, low = 1, high = 1, value = 9.0 }\n\
         %y = mul %q, 2.0\nreturn %y, %m",
    ));
}

#[test]
fn ranks_zero_and_extents_of_one() {
    check(&parse("%x = input : f32[]\n%y = exp %x\nreturn %y"));
    check(&parse("%x = input : f32[]\n%e = expand %x { shape = [1, 17] }\n%y = add %e, %x\nreturn %y"));
    check(&parse("%x = input : f32[1, 1, 1]\n%y = softmax %x { axis = 1 }\n%z = reshape %y { shape = [] }\nreturn %z"));
    check(&parse(
        "%x = input : f32[1, 1]\n%w = weight : f32[1, 1]\n%y = matmul %x, %w\n%s = reduce %y { op = mean, axis = 0 }\nreturn %s",
    ));
    check(&parse(
        "%x = input : bool[1, 1, 1, 1, 1]\n%y = not %x\n%t = transpose %y { order = [-1, -2, -3] }\nreturn %t",
    ));
}
