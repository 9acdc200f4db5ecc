//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    exgnet::cli::main()
}
