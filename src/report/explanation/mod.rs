//! The chain from written to chosen, as text and as JSON.

mod compact;
pub(crate) mod json;
pub(crate) mod text;
