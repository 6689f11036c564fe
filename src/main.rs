//! The `regard` program; [`regard::cli`] does everything.

fn main() -> std::process::ExitCode {
    regard::cli::main()
}
