//! Every rule on operands drawn from its signature, and wrong rules, which must break.

use super::super::{
    Rules,
    region::RegionTerm,
    rules::{self, variables},
    saturate,
    term::Egraph,
    trial::{self, Claim, claim, outcome},
};
use regard_ir::{
    graph::{Graph, NodeId},
    id::IdVec,
    types::DType,
};

#[test]
fn both_sides_of_every_rule_have_one_value() {
    let broken: Vec<_> =
        trial::check(64, |_| true).filter_map(|o| Some(format!("{}: {}", o.rule, o.broken?))).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A constant that a row makes is f32, whatever it is made of. Stored in the half type of its operands it would break the
/// row, in bf16 and in f16, so every such row has been seen to need it.
#[test]
fn constants_made_in_half_would_break_their_rows() {
    let (mut made, mut unnoticed): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    let own: fn(&Graph) -> IdVec<NodeId, DType> = |graph| graph.nodes.values().map(|node| node.ty.dtype).collect();
    for rule in rules::all() {
        // Of eleven draws these are of half precision.
        for (dtype, first) in [(DType::F16, 5), (DType::Bf16, 8)] {
            let seeds = (0..6000).map(|at| 11 * at + first);
            let claims = seeds.filter_map(|seed| Some((seed, claim(rule, seed)?)));
            let half: Vec<_> = claims.filter(|(_, claim)| claim.made_in_half().contains(&dtype)).take(40).collect();
            let breaks = |(seed, claim): &(u64, Claim)| claim.breaks_in(*seed, own);
            match half.iter().any(breaks) {
                true => made.push(&rule.name),
                false if half.is_empty() => {}
                false => unnoticed.push(format!("{} in {dtype}: {} claims", rule.name, half.len())),
            }
        }
    }
    let both = |rule: &str| made.iter().filter(|&&name| name == rule).count() == 2;
    for rule in [
        "number-into-weights",
        "number-into-projection",
        "number-into-queries",
        "number-into-shifted-queries",
        "sum-of-products",
        "factor-into-weights",
        "factor-after-weights",
        "add-constants-alike",
        "mul-constants-alike",
        "add-rows",
        "mul-rows",
        "mul-row-and-number",
        "terms-of-sum",
        "over-constant",
    ] {
        assert!(both(rule), "{rule} is not tried in both half types: {made:?}");
    }
    assert!(unnoticed.is_empty() && made.len() >= 40, "{unnoticed:?}\n{made:?}");
}

#[test]
fn names_are_unique_and_signatures_complete() {
    let mut names: Vec<&str> = rules::all().iter().map(|r| r.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for rule in rules::all() {
        let mut declared: Vec<&String> = rule.signature.items.iter().map(|(name, _)| name).collect();
        let left = variables(&rule.left);
        let mut used: Vec<&String> = left.iter().collect();
        declared.sort();
        used.sort();
        assert_eq!(declared, used, "{}", rule.name);
    }
}

#[test]
fn the_list_of_identities_names_rows() {
    let text = include_str!("../rules/IDENTITIES.md");
    let quoted: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|word| !word.contains('/')).collect();
    let unknown: Vec<&&str> = quoted.iter().filter(|word| rules::all().iter().all(|r| r.name != **word)).collect();
    assert!(unknown.is_empty(), "no row is called {unknown:?}");
    assert!(quoted.len() > 50, "{} rows are named", quoted.len());
}

#[test]
fn wrong_rules_are_refuted() {
    let wrong = [
        rules::rule("axis", "x: S; axis a: S", "(softmax ?a ?x)", "(softmax axis=-1 ?x)"),
        rules::rule("order", "x: S; y: S", "(sub ?x ?y)", "(sub ?y ?x)"),
        rules::rule("any-view", "x: S; map m: S -> S", "(view ?m ?x)", "?x"),
        // A padded zero is not exp(0).
        rules::rule("fill", "x: S; map m: S -> T", "(view ?m (exp ?x))", "(exp (view ?m ?x))"),
        // True where the view repeats a row, not where it runs down the columns.
        rules::rule_with(
            "columns",
            "x: n n; const g: G; map r: G -> n n; const w: n n",
            "(matmul (mul ?x (view ?r ?g)) ?w)",
            "(matmul ?x (mul ?w (view ?r ?g)))",
            |_| Some(Vec::new()),
        ),
        // The mean of a sum with a term, not of a sum.
        rules::rule("extent", "x: S; axis a: S", "(reduce op=sum ?a ?x)", "(reduce op=mean ?a ?x)"),
    ];
    for rule in &wrong {
        assert!(outcome(rule, 200).broken.is_some(), "{} was not refuted", rule.name);
    }
}

#[test]
fn both_sides_meet_in_the_e_graph() {
    for rule in rules::all() {
        let claim = (0..6000).find_map(|seed| claim(rule, seed)).expect("the rule applies to some draw");
        let problem = RegionTerm { expr: claim.left, leaves: claim.leaves, terms: Vec::new() };
        let (mut egraph, _): (Egraph, _) = saturate(&problem, &[rule.rewrite()], &Rules::default());
        let left = egraph.lookup_expr(&problem.expr).expect("the left side was added");
        let right = egraph.add_expr(&claim.right);
        assert_eq!(egraph.find(left), egraph.find(right), "{}", rule.name);
    }
}
