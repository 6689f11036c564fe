//! Schedules as files: shown, compared, used, refused.

use super::*;

/// A schedule of [`BLOCK`] for a target that every machine can be asked about.
fn schedule(dir: &Dir) -> (String, String) {
    let block = dir.file("block.rg", BLOCK);
    let text = regard(&["show", &block, "--stage", "schedule", "--target", "x86-64-v2"]).ok();
    (block, text)
}

/// The text with the number after the first ` word ` replaced.
fn replaced(text: &str, word: &str, size: &str) -> String {
    let (before, behind) = text.split_once(&format!(" {word} ")).expect("the word");
    let rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before} {word} {size}{rest}")
}

#[test]
fn a_schedule_is_written_compared_and_used() {
    let dir = Dir::new();
    let (block, text) = schedule(&dir);
    let (a, b) = (
        dir.file("a.schedule", &text),
        dir.file("b.schedule", replaced(&text, "queries", "4").replace("mr 7", "mr 4")),
    );
    let alike = regard(&["compare", &block, &a, &a, "--target", "x86-64-v2"]).ok();
    assert!(alike.contains("kernels are cut alike everywhere") && alike.contains("1.00×"), "{alike}");
    let differ = regard(&["compare", &block, &a, &b, "--target", "x86-64-v2"]).ok();
    assert!(differ.contains("attend queries 4 ") && differ.contains("  or"), "{differ}");
    assert_eq!(differ, regard(&["compare", &block, &a, &b, "--target", "x86-64-v2"]).ok());
    for command in [vec!["check", &block, "--trials", "1"], vec!["run", &block]] {
        let done = regard(&[&command[..], &["--target", "x86-64-v2", "--schedule", &b]].concat()).ok();
        assert!(done.contains("ok") || done.contains("ran"), "{done}");
    }
    let out = dir.arg("block.clif");
    let clif = ["compile", &block, "--emit", "clif", "--target", "x86-64-v2", "-o", &out];
    regard(&clif).ok();
    let chosen = fs::read_to_string(&out).expect("written");
    regard(&[&clif[..], &["--schedule", &b]].concat()).ok();
    assert_ne!(chosen, fs::read_to_string(&out).expect("written"), "the schedule changes the code");
}

#[test]
fn models_are_set_side_by_side() {
    let dir = Dir::new();
    let (block, text) = schedule(&dir);
    let other = dir.file("other.rg", BLOCK.replacen("graph ", "graph other_", 1));
    let both = regard(&["compare", &block, &other, "--target", "x86-64-v2"]).ok();
    let line = |start: &str| both.lines().find(|line| line.trim_start().starts_with(start)).expect("a line").to_owned();
    assert!(both.starts_with("2 models for x86-64-v2") && line("other_").contains("(1.00×)"), "{both}");
    let patterns = regard(&["compare", "pattern_*window", "--target", "x86-64-v2"]).ok();
    assert!(patterns.starts_with("2 models") && patterns.contains("pattern_shifted_window"), "{patterns}");
    let file = dir.file("a.schedule", text);
    let wrong = [
        (vec!["patern_*"], "no model's name is like `patern_*`"),
        (vec![&block[..], "swin_tinny"], "did you mean `swin_tiny`"),
        (vec![&block, &other, &file], "there are 2 models and the schedule"),
        (vec![&block, &file, &file, &file], "there are 3 schedules, expected at most 2"),
        (vec![&block, &other, "--top", "2"], "about the schedules of one model"),
    ];
    for (args, why) in wrong {
        let err = regard(&[&["compare"], &args[..]].concat()).fails(2);
        assert!(err.contains(why), "{err}");
    }
}

#[test]
fn schedules_that_do_not_fit_are_refused_with_the_inequality() {
    let dir = Dir::new();
    let (block, text) = schedule(&dir);
    let wrong = [
        (replaced(&text, "nv", "9"), "registers, expected at most 15"),
        (replaced(&text, "queries", "3"), "queries 3 is not a multiple of mr"),
        (replaced(&text, "depth", "5"), "depth 5 does not divide k = 32"),
        (text.replace("x86-64-v2", "x86-64-v3"), "the schedule is for x86-64-v3, not for x86-64-v2"),
        (text.replace("attend queries", "row queries"), "expected `rows`"),
        (text.lines().take(2).chain(["}"]).collect::<Vec<_>>().join("\n"), "1 group, the plan has"),
    ];
    for (wrong, why) in wrong {
        let file = dir.file("wrong.schedule", &wrong);
        for command in [vec!["compare", &block, &file], vec!["check", &block, "--schedule", &file]] {
            let err = regard(&[&command[..], &["--target", "x86-64-v2"]].concat()).fails(1);
            assert!(err.contains(why), "{err}\n{wrong}");
        }
    }
    assert!(regard(&["compare", &block, "gone.schedule"]).fails(1).contains("gone.schedule"));
    assert!(regard(&["compare", &block, "--top", "99"]).fails(2).contains("expected 0 to 20"));
}

#[test]
fn candidates_are_compared_and_measured_on_a_page_of_their_own() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let page = dir.arg("block.html");
    let text = regard(&["compare", &block, "--top", "2", "--measure", "--wide", "--html", &page]).ok();
    for word in ["chosen", "measured", "where intermediates live", "scratch", "matmul", "block.html"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("–"), "all is measured: {text}");
    let html = fs::read_to_string(&page).expect("written");
    assert!(html.starts_with("<!DOCTYPE html>") && html.trim_end().ends_with("</html>"));
    for (tag, least) in [("<svg", 2), ("class=\"measured\"", 4), ("<pre>", 2), ("prefers-color-scheme: dark", 1)] {
        assert!(html.matches(tag).count() >= least, "{tag}");
    }
    assert!(html.contains("attention: next best 2") && html.contains("where intermediates live"));
    for outside in ["http", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(!html.contains("NaN") && !html.contains("inf\""));
    assert_eq!(dir.names(), ["block.html", "block.rg"]);
}
