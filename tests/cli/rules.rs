//! The optimiser from outside: rules switched off, counted, and the graph that they leave.

use super::*;

/// What `show --stage optimized` prints.
fn optimized(block: &str, more: &[&str]) -> String {
    regard(&[&["show", block, "--stage", "optimized"], more].concat()).ok()
}

#[test]
fn rules_are_counted_from_the_first() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let all = optimized(&block, &[]);
    assert!(all.contains("attend ") && !all.contains("softmax"), "{all}");
    let none = optimized(&block, &["--rules-limit", "0"]);
    assert!(none.contains("softmax") && none.contains("unchanged"), "{none}");
    let names = regard::passes::egraph::rule_names();
    let attend = names.iter().position(|&name| name == "attend").expect("a rule of that name");
    let just = |limit: usize| optimized(&block, &["--rules-limit", &limit.to_string()]);
    assert!(!just(attend).contains("attend ") && just(attend + 1).contains("attend "));
    assert_eq!(just(names.len()), all);
    assert_eq!(just(usize::MAX), all);
}

#[test]
fn a_rule_can_be_switched_off_everywhere() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let without = optimized(&block, &["--no-rule", "attend", "--no-rule", "scores"]);
    assert!(without.contains("softmax") && !without.contains("scores"), "{without}");
    for command in [&["check", "--trials", "1"][..], &["run"], &["bench"]] {
        regard(&[command, &[&block, "--no-rule", "attend"]].concat()).ok();
    }
    let object = dir.arg("block.o");
    regard(&["compile", &block, "--emit", "obj", "-o", &object, "--rules-limit", "3"]).ok();
}

#[test]
fn an_unknown_rule_gets_the_nearest_names() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    for command in ["compile", "run", "check", "show", "bench", "optimize", "explain"] {
        let err = regard(&[command, &block, "--no-rule", "atend"]).fails(2);
        assert!(err.contains("no rule called `atend`") && err.contains("`attend`"), "{command}: {err}");
        assert!(!regard(&[command, &block, "--rules-limit", "-1"]).fails(2).is_empty());
    }
    assert_eq!(dir.names(), ["block.rg"]);
}

#[test]
fn an_optimised_graph_can_be_compiled_again() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let better = dir.arg("better.rg");
    let ran = regard(&["optimize", &block, "-o", &better]);
    assert!(ran.err.contains("attend") && ran.err.contains("estimate"), "{}", ran.err);
    assert_eq!(ran.ok(), "");
    let text = fs::read_to_string(&better).expect("it was written");
    assert_eq!(regard(&["optimize", &block]).ok(), text);
    assert!(text.starts_with("graph block {") && text.contains("attend %"), "{text}");
    assert_eq!(regard(&["show", &better]).ok(), text, "it reads back as itself");
    assert!(regard(&["check", &better, "--trials", "1"]).ok().contains("ok"));

    assert!(regard(&["optimize", &block, "-o", &dir.arg("no/such.rg")]).fails(1).contains("cannot write"));
    let bad = dir.file("bad.rg", BLOCK.replace("softmax", "softmx"));
    assert!(regard(&["optimize", &bad, "-o", &dir.arg("bad.out")]).fails(1).contains("softmax"));
    assert_eq!(dir.names(), ["bad.rg", "better.rg", "block.rg"]);
    regard(&["optimize", "swim_tiny"]).fails(2);
}

#[test]
fn rules_are_checked_one_by_one() {
    let all = regard(&["check", "--rules", "--trials", "8"]).ok();
    let names = regard::passes::egraph::row_names();
    for name in &names {
        let line = all.lines().find(|line| line.split_whitespace().next() == Some(name)).expect("a line per rule");
        assert!(line.ends_with("  ok"), "{line}");
    }
    assert!(all.starts_with(&format!("{0} of {0} rules; 8 trials each", names.len())), "{all}");
    let few = regard(&["check", "--rules", "--rules-limit", "3", "--no-rule", names[1]]).ok();
    assert!(few.starts_with(&format!("2 of {} rules; 64 trials each", names.len())), "{few}");
    let tried: Vec<&str> = few.lines().skip(2).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(tried, [names[0], names[2]], "{few}");
}

#[test]
fn the_rules_that_a_graph_uses_are_checked_and_broken() {
    let dir = Dir::new();
    let block = dir.file("block.rg", BLOCK);
    let used = regard(&["check", &block, "--rules", "--mutate", "--trials", "24"]).ok();
    assert!(used.contains(" attend ") && used.contains(" scores ") && !used.contains("gelu"), "{used}");
    let summary = used.lines().last().expect("a summary");
    assert!(summary.contains(" mutants: ") && summary.ends_with(" 0 unexplained"), "{summary}");
    assert!(used.contains("caught by draw") && used.contains("equivalent: "), "{used}");
    assert_eq!(used, regard(&["check", &block, "--rules", "--mutate", "--trials", "24"]).ok());
}
