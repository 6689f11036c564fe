//! Rules against the interpreter, and the optimiser against the graph it was given.

mod rules;
