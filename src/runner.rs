//! The front of executables: `regard compile` writes a model after a copy of it. It holds what a compiled model needs, and
//! of the rest of Regard nothing that it does not call: the linker leaves out the compiler.

fn main() -> std::process::ExitCode {
    regard_cli::runner()
}
