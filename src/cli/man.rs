//! `exgnet man`: man pages.

use super::{Cli, Common, print_line};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use clap::{Args, CommandFactory};
use clap_mangen::Man;
use std::path::PathBuf;

/// Write man pages
#[derive(Args)]
#[command(after_help = "Examples:\n  exgnet man --out ~/.local/share/man/man1\n  exgnet man | man -l -")]
pub(super) struct ManArgs {
    /// Folder for a page of the program and one of each command; without it the program's page is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A page as roff.
fn page(command: clap::Command) -> Vec<u8> {
    let mut roff = Vec::new();
    Man::new(command).render(&mut roff).expect("writing into memory cannot fail");
    roff
}

pub(super) fn run(common: &Common, args: &ManArgs) -> Result<()> {
    let command = Cli::command();
    let Some(dir) = &args.out else {
        print_line(String::from_utf8_lossy(&page(command)).trim_end());
        return Ok(());
    };
    std::fs::create_dir_all(dir)
        .map_err(|e| Error::file(dir, format!("cannot be made: {e}"), "give --out a folder that can be written"))?;
    for sub in command.get_subcommands() {
        // clap keeps names for the whole run
        let name: &'static str = format!("exgnet-{}", sub.get_name()).leak();
        write_atomically(&dir.join(format!("{name}.1")), &page(sub.clone().name(name)))?;
    }
    write_atomically(&dir.join("exgnet.1"), &page(command))?;
    common.say(format!("written: {}", dir.display()));
    Ok(())
}
