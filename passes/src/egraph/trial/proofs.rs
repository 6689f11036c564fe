//! Mutants that are right, with the proof that they are.
//!
//! What the machine shows by itself (the mutant says nothing that its row does not say) is not listed. An entry that
//! is no longer needed is a mistake, and a test says so.

/// Why one fault leaves rules right.
pub(crate) struct Proof {
    /// The fault.
    pub mutant: &'static str,
    /// The rules.
    pub rules: &'static [&'static str],
    /// The proof.
    pub because: &'static str,
}

const ONE_PER_ROW: &str = "a softmax does not see one number more or less in a whole row, whatever it is made of; where \
                           it is infinite the left side is not a number, or masked like the right";
const FINITE: &str = "weights sum to one wherever scores are finite, as products are";

const ANY_BATCH: &str = "true of every batch of weights; but a batch is a product per head, which merges with no other";

const FEW_ROWS: &str = "true of every movement of rows; asked so that few rows are computed twice";

/// Of draws that rarely keep one row unless batches are alike.
const BATCHES_ALIKE: &str =
    "true of every movement of rows; batches are called alike so that draws often keep one row of each";

const ADDED_FIRST: &str = "a mean lies between what it is a mean of; asked because a kernel adds up before it divides";

/// Every proof.
pub(crate) const PROOFS: &[Proof] = &[
    Proof {
        mutant: "left eq becomes le at 1",
        rules: &["softmax-without-nan", "softmax-without-nan-cast"],
        because: "what equals itself is at most itself, and a softmax is never NaN; exporters write the equation",
    },
    Proof {
        mutant: "not asked whether c is of moderate size",
        rules: &["mean-through-number", "number-out-of-values"],
        because: ADDED_FIRST,
    },
    Proof {
        mutant: "not asked whether c is of moderate size",
        rules: &["number-through-term"],
        because: "only terms that cancel are larger than their sum, and two draws near the ends of f32 do not",
    },
    Proof {
        mutant: "b may be infinite",
        rules: &["add-row-and-number"],
        because: "sums of three numbers are associative with infinities too, where they are numbers",
    },
    Proof {
        mutant: "not asked whether m repeats nothing",
        rules: &[
            "view-of-exp",
            "view-of-log",
            "view-of-erf",
            "view-of-tanh",
            "view-of-sigmoid",
            "view-of-sin",
            "view-of-cos",
            "view-of-pow",
            "view-of-gelu",
        ],
        because: "true of every view; asked so that no costly op is computed for each repetition",
    },
    Proof {
        mutant: "not asked whether w costs no more before",
        rules: &["weights-before-inverse"],
        because: "a product is linear in both orders; asked so that the cheaper is chosen",
    },
    Proof {
        mutant: "not asked whether w costs less behind",
        rules: &["weights-behind-inverse"],
        because: "a product is linear in both orders; asked so that the cheaper is chosen",
    },
    Proof {
        mutant: "not asked whether r reads one element",
        rules: &["factor-into-sum"],
        because: "every factor of a sum is one of its terms; asked so that only numbers, which weights take up, are spread",
    },
    Proof {
        mutant: "rank of w is free",
        rules: &["project-what-is-attended", "attend-to-projected", "product-of-weights"],
        because: ANY_BATCH,
    },
    Proof { mutant: "rank of v is free", rules: &["product-of-weights"], because: ANY_BATCH },
    Proof {
        mutant: "not asked whether a is summed by a product",
        rules: &["product-from-sum"],
        because: "true of every sum of products; asked so that sums without rows or columns stay sums",
    },
    Proof {
        mutant: "not asked whether r reads the whole bias",
        rules: &["key-bias-out-of-scores", "value-bias-out-of-attend", "value-bias-out-of-scaled-attend"],
        because: "true of every bias; asked so that a part of a longer one, which is added anyway, stays with the others",
    },
    Proof {
        mutant: "not asked whether h repeats rows",
        rules: &["repeated-rows-through-weights"],
        because: "true of every movement of rows; asked so that a little padding parts no product from its epilogue",
    },
    Proof {
        mutant: "not asked whether h keeps one row of a batch",
        rules: &["kept-rows-through-weights"],
        because: FEW_ROWS,
    },
    Proof { mutant: "B of x is free", rules: &["kept-rows-through-weights"], because: BATCHES_ALIKE },
    Proof { mutant: "B behind h is free", rules: &["kept-rows-through-weights"], because: BATCHES_ALIKE },
    Proof {
        mutant: "right attend becomes unsafe-attend at 0",
        rules: &["attend-normalised-after"],
        because: "the left side takes the same exponentials, and is not a number where they overflow",
    },
    Proof {
        mutant: "right softmax becomes unsafe-softmax at 0",
        rules: &["softmax-from-log-sum", "softmax-from-log-of-spread-sum"],
        because: "the left side takes the same exponentials, and claims nothing where they overflow",
    },
    Proof { mutant: "left sub becomes add at 2", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof { mutant: "left op=max becomes sum at 7", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof { mutant: "left op=max becomes mean at 7", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof { mutant: "left op=max becomes min at 7", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof { mutant: "left a@8 is another", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof { mutant: "left x@9 is another", rules: &["softmax-of-shifted-by-largest"], because: ONE_PER_ROW },
    Proof {
        mutant: "left add becomes sub at 2",
        rules: &["softmax-without-key-bias", "attend-without-key-bias"],
        because: ONE_PER_ROW,
    },
    Proof {
        mutant: "left scores becomes matmul at 6",
        rules: &["softmax-without-key-bias", "attend-without-key-bias"],
        because: ONE_PER_ROW,
    },
    Proof { mutant: "left scores becomes matmul at 5", rules: &["sum-of-softmax"], because: FINITE },
    Proof { mutant: "left scores becomes matmul at 6", rules: &["sum-of-scaled-softmax"], because: FINITE },
    Proof { mutant: "left mul becomes add at 5", rules: &["sum-of-scaled-softmax"], because: FINITE },
    Proof {
        mutant: "left mul becomes div at 5",
        rules: &["sum-of-scaled-softmax"],
        because: "weights sum to one wherever scores are finite, as quotients by a number other than zero are; those by zero \
                  are infinite or no numbers, of which the trials say nothing",
    },
    Proof {
        mutant: "right view at 7 becomes its child 1",
        rules: &["project-what-is-attended-of-heads"],
        because: "where weights have as many columns as a head there is one head, and c moves nothing",
    },
    Proof {
        mutant: "B of c is free",
        rules: &["generated-matrices"],
        because: "p reads the rows of l in c, so the axes in which c differs can only be 1",
    },
    Proof {
        mutant: "rank of g is free",
        rules: &["generated-matrices"],
        because: "t reads e·f elements, so the leading axes of g can only be 1",
    },
    Proof {
        mutant: "rank of w is free",
        rules: &["weights-of-keys-in-heads"],
        because: "p reads k·m elements, so the leading axes of w can only be 1",
    },
    Proof {
        mutant: "rank of v is free",
        rules: &["weights-of-keys-in-heads"],
        because: "q reads j·m elements, so the leading axes of v can only be 1",
    },
    Proof {
        mutant: "right view at 1 becomes its child 1",
        rules: &["weights-of-keys-in-heads"],
        because: "types agree only where there is one head, and then every view leaves the elements in their order",
    },
    Proof {
        mutant: "right view at 8 becomes its child 1",
        rules: &["weights-of-keys-in-heads"],
        because: "types agree only where there is one head, and then every view leaves the elements in their order",
    },
    Proof {
        mutant: "right c and i exchanged",
        rules: &["weights-of-keys-in-heads"],
        because: "types agree only where there is one head, and then every view leaves the elements in their order",
    },
    Proof {
        mutant: "right c and r exchanged",
        rules: &["weights-of-keys-in-heads"],
        because: "types agree only where there is one head, and then every view leaves the elements in their order",
    },
    Proof {
        mutant: "not asked whether y is shorter than a head",
        rules: &["weights-of-keys-in-heads"],
        because: "a product is linear in both orders; asked so that the cheaper is chosen",
    },
    Proof {
        mutant: "rank of w is free",
        rules: &["term-through-weights"],
        because: "e reads the m elements of one row, so the leading axes of w can only be 1",
    },
];

/// The proof that a mutant is right, if one is written here.
pub(crate) fn proof(rule: &str, mutant: &str) -> Option<&'static str> {
    PROOFS.iter().find(|p| p.mutant == mutant && p.rules.contains(&rule)).map(|p| p.because)
}
