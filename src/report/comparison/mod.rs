//! Schedules side by side: as text, as JSON, and as a page that is one file without anything from elsewhere.

pub(crate) mod json;
pub(crate) mod page;
mod plot;
pub(crate) mod text;
