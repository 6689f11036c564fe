//! Rows that are wrong on purpose break; what does not break is not wrong.

use super::super::trial::{MutantOutcome, mutate, proofs::PROOFS};
use std::collections::BTreeSet;

#[test]
fn every_mutant_is_caught_or_explained() {
    let (mut caught, mut equivalent, mut unexplained) = (0, 0, Vec::new());
    let pairs = PROOFS.iter().flat_map(|proof| proof.rules.iter().map(|&rule| (rule.into(), proof.mutant.into())));
    let mut proofs: BTreeSet<(String, String)> = pairs.collect();
    for finding in mutate(64, |_| true) {
        match finding.fate {
            MutantOutcome::Caught(..) => caught += 1,
            MutantOutcome::Equivalent(_) => equivalent += 1,
            MutantOutcome::Proved(_) => {
                let needed = proofs.remove(&(finding.rule, finding.mutant));
                assert!(needed, "a mutant has two proofs");
            }
            MutantOutcome::Unexplained(claim) => {
                unexplained.push(format!("{}: {}\n  {claim}", finding.rule, finding.mutant))
            }
        }
    }
    let counts = format!("{caught} caught, {equivalent} equivalent, {} unexplained", unexplained.len());
    assert!(unexplained.is_empty(), "{counts}\n{}", unexplained.join("\n"));
    assert!(proofs.is_empty(), "proofs that nothing needs: {proofs:?}");
    assert!(caught >= 1000 && equivalent < caught, "{counts}");
}
