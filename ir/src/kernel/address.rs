//! Addresses: which element of which buffer.
//!
//! ```text
//!   buf[index + offset]        all in elements: a buffer, at most one scalar that is computed, one constant
//! ```
//!
//! The constant part is apart so that neighbouring accesses share one computed scalar, and machine code its register.

use super::{Buf, Inst, Val};

/// The address of an element: `buf[index + offset]`, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Addr {
    /// The buffer.
    pub buf: Buf,
    /// A scalar i64, or nothing for zero.
    pub index: Option<Val>,
    /// Constant part.
    pub offset: i64,
}

macro_rules! address {
    ($inst:expr) => {
        match $inst {
            Inst::Load { addr, .. }
            | Inst::Bcast(addr)
            | Inst::Store { addr, .. }
            | Inst::LoadScalar(addr)
            | Inst::StoreScalar { addr, .. }
            | Inst::Gather { addr, .. }
            | Inst::TileLoad { addr, .. }
            | Inst::TileStore { addr, .. } => Some(addr),
            _ => None,
        }
    };
}

impl Inst {
    /// Where it reads or writes memory.
    pub fn address(&self) -> Option<&Addr> {
        address!(self)
    }
    /// The same, to change it.
    pub fn address_mut(&mut self) -> Option<&mut Addr> {
        address!(self)
    }
}
