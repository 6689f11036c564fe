//! regard
