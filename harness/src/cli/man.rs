//! `arenalab man`: manual pages, made from the command line's own description.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Cli, ManArgs};

/// Writes the main page to `out`, or every page into a directory.
///
/// # Errors
/// When `out` or the directory refuses.
pub fn run(args: &ManArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let Some(directory) = &args.out else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        out.write_all(&page)?;
        return Ok(());
    };
    std::fs::create_dir_all(directory)
        .with_context(|| format!("failed to make the directory {}", directory.display()))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("failed to write the manual pages in {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_page_goes_to_stdout_and_all_pages_to_a_directory() {
        let mut out = Vec::new();
        run(&ManArgs { out: None }, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(".TH arenalab 1"));
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("man1");
        run(&ManArgs { out: Some(directory.clone()) }, &mut Vec::new()).unwrap();
        for name in ["arenalab", "arenalab-sweep", "arenalab-choose", "arenalab-doctor"] {
            let page = std::fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let error = run(&ManArgs { out: Some("/proc/none".into()) }, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "failed to make the directory /proc/none");
    }
}
