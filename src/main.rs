//! The `regard` program; [`regard_cli`] does everything.

fn main() -> std::process::ExitCode {
    regard_cli::main()
}
