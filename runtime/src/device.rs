//! Devices: what a session needs of whatever computes.
//!
//! ```text
//!                 Cpu                                   Interpreter
//!   load          machine code becomes functions        kernels and constants are kept
//!   alloc         an arena, scratch for each worker     an arena, and memory for each input and output
//!   upload        nothing: kernels read the caller's    the inputs are copied
//!   launch        blocks on all workers                 blocks one after the other
//!   download      nothing: kernels write the caller's   the outputs are copied
//! ```
//!
//! A session holds the ports and the launch list. What code is and where memory lies belongs to the device. One with
//! memory of its own copies tensors in `upload` and `download`; one that computes in the host's finds them in [`Tensors`]
//! at each launch, and nothing is copied.

use std::fmt::Debug;

use regard_ir::program::{Launch, Program};

use crate::{memory::Constants, session::SessionError};

/// The caller's tensors of one run: row-major bytes in the order of the program's ports, of their lengths.
#[derive(Debug)]
pub struct Tensors<'a, 'b> {
    /// What is read.
    pub inputs: &'a [&'a [u8]],
    /// What is overwritten.
    pub outputs: &'a mut [&'b mut [u8]],
}

/// Something that runs the launches of a program.
pub trait Device: Debug {
    /// A kernel as it is emitted for this device.
    type Code;
    /// The kernels and constants of a program, ready to run.
    type Module: Debug;
    /// What a run writes besides the caller's outputs.
    type Memory: Debug;
    /// What only one run at a time may have, such as the workers.
    type Turn<'a>
    where
        Self: 'a;

    /// Makes the kernels of a program without faults ready to run, and brings its constants, which are of its size, to where
    /// they are read.
    ///
    /// # Safety
    /// Each kernel must be what a back end emitted for this device, keep to the buffers and the scratch of its launches, and
    /// have blocks that write disjoint elements.
    ///
    /// # Errors
    /// Where the system refuses memory.
    unsafe fn load(&self, program: &Program<Self::Code>, constants: Constants) -> Result<Self::Module, SessionError>;
    /// Memory for one run at a time.
    ///
    /// # Errors
    /// Where the system refuses it.
    fn alloc(&self, module: &Self::Module) -> Result<Self::Memory, SessionError>;
    /// Waits for what only one run at a time may have.
    fn turn(&self) -> Self::Turn<'_>;
    /// Brings the inputs to where kernels read them.
    fn upload(&self, memory: &mut Self::Memory, tensors: &Tensors);
    /// Runs one kernel over its whole grid, after all launches before it.
    ///
    /// # Safety
    /// Module and memory must be of this device and of the launch's program, and the tensors as long as its ports.
    ///
    /// # Errors
    /// Where the kernel fails, on a device that notices.
    unsafe fn launch(
        &self,
        turn: &mut Self::Turn<'_>,
        module: &Self::Module,
        memory: &mut Self::Memory,
        tensors: &mut Tensors,
        launch: &Launch,
    ) -> Result<(), SessionError>;
    /// Brings the outputs to the caller.
    fn download(&self, memory: &Self::Memory, tensors: &mut Tensors);
}
