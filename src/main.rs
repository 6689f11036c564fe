//! regard
fn main() {}
