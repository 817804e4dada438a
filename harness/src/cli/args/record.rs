//! The flags of `record`, and the subcommands of `trace`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `record`.
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// The recording's directory, which must not hold one yet
    #[arg(short, long, value_name = "DIR", required_unless_present = "print_env")]
    pub out: Option<PathBuf>,
    /// Record for so long, such as 10m; the program then runs on without it [default: until it ends]
    #[arg(long = "for", value_name = "DURATION")]
    pub time: Option<String>,
    /// Record at most so much, in bytes with a unit such as 2GiB; the program then runs on without it [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub max_size: Option<String>,
    /// Record one in N objects, written 1/N: cheaper and smaller, but it cannot be replayed [default: all]
    #[arg(long, value_name = "1/N")]
    pub sample: Option<String>,
    /// Record a program of this plan: it is made ready, driven and stopped as in a sweep
    #[arg(long, value_name = "FILE", conflicts_with_all = ["print_env", "command"])]
    pub plan: Option<PathBuf>,
    /// Which of the plan's programs, where it has several
    #[arg(long, value_name = "NAME", requires = "plan")]
    pub workload: Option<String>,
    /// Start nothing: print what switches recording into DIR on for a service that something else starts
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "command"])]
    pub print_env: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["print_env", "plan"])]
    pub command: Vec<OsString>,
}

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: TraceCommand,
}

/// The subcommands of `trace`.
#[derive(Debug, Subcommand)]
pub enum TraceCommand {
    /// Tell what a recording holds
    Info(TraceInfoArgs),
    /// Check every rule of the format
    #[command(
        after_long_help = "Exit codes: 0 sound, which a recording of a killed program is too; 2 no recording; 3 damaged."
    )]
    Check(TraceInfoArgs),
    /// Write the events as text for other tools
    Export(TraceExportArgs),
    /// Compress the events of a finished recording in place
    #[command(
        long_about = "Compresses the files of a recording, each chunk by itself (zstd). Everything that reads recordings \
                      takes both. A file is replaced once its compressed form is complete. Damaged files stay as they are. \
                      Do not compress what is still being recorded."
    )]
    Compress(TraceCompressArgs),
}

/// Arguments of `trace info` and `trace check`.
#[derive(Debug, Args)]
pub struct TraceInfoArgs {
    /// The recording's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `trace export`.
#[derive(Debug, Args)]
pub struct TraceExportArgs {
    /// The recording's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = TraceFormat::Ndjson)]
    pub format: TraceFormat,
    /// Only this process; all where left out
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
}

/// How `trace export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated values, with a heading.
    Csv,
}

/// Arguments of `trace compress`.
#[derive(Debug, Args)]
pub struct TraceCompressArgs {
    /// The recording's directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// How hard: 1 is fast, 19 is small
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub level: i32,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}
