//! `exgnet completions`: what a shell completes.

use super::{Cli, Common, print_line};
use crate::error::Result;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

/// Print shell completions
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet completions bash > ~/.local/share/bash-completion/completions/exgnet\n  \
                  exgnet completions zsh > ~/.zfunc/_exgnet")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(_: &Common, args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "exgnet", &mut script);
    print_line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
