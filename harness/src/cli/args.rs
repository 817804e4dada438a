//! The command line as it is written. Flags that several commands take are defined once, in a group of
//! their own: [`PlanArgs`] (what is measured), [`ChoiceArgs`] (what must hold), [`OutArgs`] (where it goes),
//! [`ShowArgs`] (what is printed).

// The comments on arguments are the help text, which is printed as it is: no backticks in it.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub mod choice;
pub mod libc;
pub mod plan;
pub mod program;
pub mod record;

pub use choice::ChoiceArgs;
pub use plan::{PlanArgs, SearchArgs};
pub use program::ProgramArgs;
pub use record::{RecordArgs, TraceArgs};

/// Chooses a memory allocator setting by measuring.
#[derive(Debug, Parser)]
#[command(
    name = "arenalab",
    bin_name = "arenalab",
    version,
    about = "Measures memory allocators under multithreaded load, and chooses a setting with stated confidence",
    long_about = "Measures memory allocators under multithreaded load, and chooses a setting with stated \
                  confidence.\n\nA workload runs under glibc with a sweep of MALLOC_ARENA_MAX, under jemalloc and \
                  under mimalloc, in interleaved rounds. RSS is set against throughput, always against the same \
                  baseline: glibc with nothing set.",
    after_long_help = "A first answer in a few minutes:\n  arenalab doctor\n  arenalab sweep mail-server larson\n  \
                       arenalab choose results/<campaign>\n  arenalab report results/<campaign>\n\nExit codes: 0 done \
                       and every asked constraint holds; 1 the tool or the system failed; 2 bad usage or bad input; \
                       3 a regression, or a constraint not met; 4 undecided; 130 interrupted; 143 terminated.",
    infer_long_args = false,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure every candidate in interleaved rounds
    #[command(
        long_about = "Measures every candidate in interleaved rounds, and writes a campaign: a directory with a \
                      manifest and a line for each finished trial. A campaign that was interrupted goes on with \
                      --resume.",
        after_long_help = "Examples:\n  arenalab sweep mail-server --threads 4,16\n  arenalab sweep larson:size_max=500 \
                           churn --arena-max default,1,2\n  arenalab sweep churn --candidate \
                           glibc:arena_max=2,trim_threshold=128KiB --candidate jemalloc:background_thread=true\n  \
                           arenalab sweep mail-server --print-plan > plan.toml\n  arenalab sweep --plan plan.toml \
                           --rounds 30 --out results/trial\n\nA program of your own, as it is:\n  arenalab sweep \
                           --allocators glibc --work 250000 --throughput-unit docs/s -- ./indexer corpus/\n  arenalab sweep \
                           --driver 'redis-benchmark -p {port} -t set -n 200000 -q' --ready tcp=127.0.0.1:{port} \
                           --throughput-regex 'SET: ([0-9.]+)' --throughput-unit requests/s -- redis-server --port \
                           {port} --dir {dir}"
    )]
    Sweep(Box<SweepArgs>),
    /// Measure adaptively until the choice is certain
    #[command(
        long_about = "Measures adaptively: a few rounds of every candidate, then fresh rounds of the few that matter, \
                      until the choice is certain, no gain above --tolerance is left, or --time-budget ends. Then it \
                      chooses, as choose does. --rounds is the most rounds it may take.",
        after_long_help = "Examples:\n  arenalab tune mail-server --threads 16\n  arenalab tune larson churn --time-budget \
                           10m --max-throughput-loss 3%\n  arenalab tune --resume --out results/mine\n  arenalab tune --plan \
                           plans/redis.toml\n  arenalab tune --allocators glibc -- ./indexer corpus/\n\nExit codes: 0 \
                           chosen; 3 no candidate meets the constraints; 4 undecided; 130 interrupted."
    )]
    Tune(Box<TuneArgs>),
    /// Rehearse an upgrade: today's C library and tomorrow's, side by side
    #[command(
        long_about = "Measures the same candidates under today's glibc and under the next one (or several), in the same \
                      rounds, and tells what each step does: to memory and throughput with nothing changed; which \
                      setting brings memory back to today's level at the least loss of throughput; what is best on the \
                      next one; and the lines to ship. The C libraries are rehearsed in the order in which they are \
                      named, the host's first unless --libc host says where. A rehearsal that was interrupted goes on \
                      with --resume; one that is complete is told again by it.",
        after_long_help = "Examples:\n  scripts/fetch-libc debian 13 libcs/debian-13\n  arenalab rehearse mail-server larson \
                           --libc debian-13=libcs/debian-13\n  arenalab rehearse --libc rhel8=/mnt/rhel8 --libc host --libc \
                           rhel10=/mnt/rhel10 mail-server --threads 16,64\n  arenalab rehearse --libc next=/mnt/next \
                           --allocators glibc --work 250000 -- ./indexer corpus/\n\nExit codes: 0 every step leaves \
                           memory and throughput within what is allowed, or a setting is shown to; 3 a step harms and no \
                           measured setting helps; 4 undecided; 130 interrupted."
    )]
    Rehearse(Box<RehearseArgs>),
    /// Choose a setting from a finished campaign
    #[command(
        long_about = "Chooses the candidate with the least RSS whose throughput (and p99 latency, where asked) is \
                      shown to be close enough to the baseline's, in every scenario of a campaign. What is not \
                      given is taken from the campaign's own plan.",
        after_long_help = "Examples:\n  arenalab choose results/2026-11-22-101500-mail-server\n  arenalab choose \
                           CAMPAIGN --max-throughput-loss 2% --objective drained\n  arenalab choose CAMPAIGN --json | \
                           jq -r '.apply.env[]'"
    )]
    Choose(ChooseArgs),
    /// Compare two campaigns, before and after
    #[command(
        long_about = "Compares what two campaigns have in common: the same workloads, thread counts and candidates, \
                      measured with the same workload binaries. With --fail-on it is a gate for scripts and CI.",
        after_long_help = "Examples:\n  arenalab compare results/before results/after\n  arenalab compare BEFORE AFTER \
                           --fail-on rss:worse:5% --fail-on throughput:worse:3%\n\nExit codes: 0 no gate is breached; \
                           2 the two must not be compared; 3 a gate is breached; 4 a gate cannot be decided \
                           (it needs 4 rounds on both sides), or a host was busy."
    )]
    Compare(CompareArgs),
    /// Draw the charts and write the report of a campaign, or of several in one
    #[command(
        long_about = "Writes CAMPAIGN/report/: index.html, which opens from disk; report.md, to paste in a change \
                      request; charts as SVG and PNG. Several campaigns (hosts, days, C libraries) go into one report \
                      in --out: each decided by itself, with before and after from each to the next in time, and the \
                      history of what they all measured. An earlier report there is replaced as a whole.",
        after_long_help = "Examples:\n  arenalab report results/2026-11-22-101500-mail-server\n  arenalab report MONDAY \
                           TUESDAY WEDNESDAY --out results/week"
    )]
    Report(ReportArgs),
    /// Write trials or standings as a table for spreadsheets and scripts
    #[command(
        long_about = "Writes a row for each trial, or for each candidate in each scenario, as CSV, as a Markdown table \
                      or as JSON, to stdout. What is not known is an empty cell (null in JSON), never 0. A text that a \
                      spreadsheet would take for a formula is led by an apostrophe in CSV. The columns are described in \
                      docs/reports.md, and in the JSON itself.",
        after_long_help = "Examples:\n  arenalab export CAMPAIGN > trials.csv\n  arenalab export CAMPAIGN --what standings \
                           --format markdown\n  arenalab export MONDAY TUESDAY --format json | jq '.rows[] | \
                           select(.status != \"ok\")'"
    )]
    Export(ExportArgs),
    /// Record the heap of a program as it runs
    #[command(
        long_about = "Runs a program and records every call that allocates or frees, in each thread's order, into a \
                      directory: a file for each process, children and programs they become included. What is asked of the \
                      program's allocator stays the same. Where recording cannot go on (full disk, --max-size, --for), it ends, and \
                      the program runs on.",
        after_long_help = "Examples:\n  arenalab record -o rec -- ./server --port 8080\n  arenalab record -o rec --for 10m \
                           --max-size 4GiB -- redis-server\n  arenalab record --print-env /var/tmp/rec --sample 1/64\n  arenalab \
                           trace info rec\n\nExit codes: 0 recorded; 1 the program failed, or nothing was recorded; 2 it cannot be \
                           recorded; 130 interrupted; 143 terminated."
    )]
    Record(RecordArgs),
    /// Tell what a recording holds, check it, export it, compress it
    #[command(
        after_long_help = "Examples:\n  arenalab trace info rec\n  arenalab trace check rec --json\n  arenalab trace export rec \
                           --format csv > events.csv\n  arenalab trace compress rec\n\nExit codes: 0 done, and the recording is \
                           sound; 1 it could not be read or written; 2 no recording; 3 damaged."
    )]
    Trace(TraceArgs),
    /// List workloads, allocators and C libraries, with their parameters and defaults
    #[command(
        long_about = "Lists what there is: workloads with their parameters, allocators with their settings and the \
                      environment variables that carry them, the C library that trials run on.",
        after_long_help = "Examples:\n  arenalab list\n  arenalab list allocators\n  arenalab list workloads --json"
    )]
    List(ListArgs),
    /// Tell what a glibc does by default, and what an upgrade changes
    #[command(
        long_about = "Tells what the malloc of a glibc does by default for a number of CPUs and threads: the limit on \
                      arenas, the arenas that will exist, where the number of CPUs comes from, caches, trimming, \
                      settings; and what differs between two. Every line has its source. It is a prediction from \
                      glibc's sources and distributions' notes: measure before you rely on it.",
        after_long_help = "Examples:\n  arenalab predict --from rhel8 --to rhel9 --cpus 32 --threads 100\n  arenalab \
                           predict --from 2.17 --to 2.28\n  arenalab predict --to 2.44 --json | jq '.changes[].what'"
    )]
    Predict(PredictArgs),
    /// Look at the heap of a live process, without stopping it
    #[command(
        long_about = "Looks at a live process from outside: what serves malloc in it, the settings in force, each arena \
                      with what is in use, free and resident, what malloc_trim would give back, where its resident memory \
                      is, and what follows. The process is neither stopped nor changed; no symbols and no debugger are \
                      needed. What may not be seen is named. A process is a PID, or a name, which may stand for several.",
        after_long_help = "Examples:\n  arenalab inspect 4711\n  arenalab inspect mariadbd --deep\n  arenalab inspect \
                           java --json | jq '.arenas | length'\n  arenalab inspect 4711 --watch 1m --for 30m --out seen\n  arenalab \
                           inspect 4711 --contention 2s\n  arenalab inspect --core core.4711 --deep --out seen\n\nExit codes: 0 \
                           something could be told; 2 there is no such process, or no such core."
    )]
    Inspect(InspectArgs),
    /// Check whether this host is fit to measure on
    #[command(
        long_about = "Looks at everything that spoils a measurement: other load, watched for two seconds with what \
                      causes it, frequency scaling, limits of the container, settings of the user's own environment, \
                      missing parts of arenalab. Exits with 0 where trials can run, warnings or not, and with 1 where \
                      they cannot, or where the host is so busy that no verdict would be given.",
        after_long_help = "Examples:\n  arenalab doctor\n  arenalab doctor --json | jq '.findings[] | \
                           select(.level != \"ok\")'"
    )]
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = "Examples:\n  arenalab completions bash > \
                                 ~/.local/share/bash-completion/completions/arenalab\n  arenalab completions fish > \
                                 ~/.config/fish/completions/arenalab.fish")]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all pages
    #[command(
        after_long_help = "Examples:\n  arenalab man | man -l -\n  arenalab man --out /usr/local/share/man/man1"
    )]
    Man(ManArgs),
}

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// What is measured.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Where it goes.
    #[command(flatten)]
    pub out: OutArgs,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Print the plan that this command line means, as TOML, and measure nothing
    #[arg(long, conflicts_with_all = ["resume", "json"])]
    pub print_plan: bool,
}

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// What is measured.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// How it is searched.
    #[command(flatten)]
    pub search: SearchArgs,
    /// Where it goes.
    #[command(flatten)]
    pub out: OutArgs,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// What is measured.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// End after this time of measuring, with a unit, 1s to 24h, or none [default: none]
    #[arg(long, value_name = "TIME")]
    pub time_budget: Option<String>,
    /// Where it goes.
    #[command(flatten)]
    pub out: OutArgs,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `choose`.
#[derive(Debug, Args)]
pub struct ChooseArgs {
    /// The campaign's directory
    #[arg(value_name = "CAMPAIGN")]
    pub campaign: PathBuf,
    /// What must hold, where it differs from the campaign's plan.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Show what memory buys on a host with so much, in bytes with a unit such as 64GiB: instances that fit,
    /// by the upper bound of the RSS, and throughput for each GiB
    #[arg(long, value_name = "BYTES")]
    pub host_memory: Option<String>,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The campaign before; alone, two libcs of it are compared within their common rounds
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The campaign after
    #[arg(value_name = "AFTER")]
    pub after: Option<PathBuf>,
    /// The libcs to compare, before and after, by their names in the campaigns [default: of one campaign that has two,
    /// these; of two campaigns each with its namesake]
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', num_args = 1..=2)]
    pub libc: Vec<String>,
    /// Exit with 3 where a figure has become worse: FIGURE:worse[:SHARE], FIGURE one of throughput, rss, p99
    #[arg(long, value_name = "GATE")]
    pub fail_on: Vec<String>,
    /// Objective and confidence, where they differ from the first campaign's plan.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directories of campaigns
    #[arg(value_name = "CAMPAIGN", required = true)]
    pub campaigns: Vec<PathBuf>,
    /// Where the report goes; must be given for several campaigns [default: CAMPAIGN/report]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What must hold, where it differs from the campaign's plan.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// What is printed.
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Directories of campaigns; their rows follow each other
    #[arg(value_name = "CAMPAIGN", required = true)]
    pub campaigns: Vec<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ExportFormat::Csv)]
    pub format: ExportFormat,
    /// What the rows are
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Exports::Trials)]
    pub what: Exports,
    /// What must hold, where it differs from the campaign's plan.
    #[command(flatten)]
    pub choice: ChoiceArgs,
}

/// How `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values, with a heading.
    Csv,
    /// A table in Markdown.
    Markdown,
    /// One JSON document.
    Json,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exports {
    /// A row a trial.
    Trials,
    /// A row a candidate in a scenario.
    Standings,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to list; everything in short where left out
    #[arg(value_enum, value_name = "WHAT")]
    pub what: Option<Listed>,
    /// Look at the glibc in a directory as well, NAME=DIR; may be repeated
    #[arg(long = "libc", value_name = "NAME=DIR")]
    pub libcs: Vec<String>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// What `list` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Workloads with their parameters.
    Workloads,
    /// Allocators with their settings.
    Allocators,
    /// C libraries.
    Libcs,
    /// Published distributions of sizes that models may name.
    Sizes,
}

/// Arguments of `predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The glibc before: a version such as 2.28, or a release such as rhel8, debian12, ubuntu24.04, amzn2
    /// [default: this host's, where --to is given]
    #[arg(long, value_name = "GLIBC")]
    pub from: Option<String>,
    /// The glibc [default: this host's]
    #[arg(long, value_name = "GLIBC")]
    pub to: Option<String>,
    /// CPUs online [default: this host's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub cpus: Option<u32>,
    /// CPUs in the affinity mask of the process [default: all that are online]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub affinity: Option<u32>,
    /// Threads that allocate at the same time, beside the main thread
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub threads: u32,
    /// MALLOC_ARENA_MAX, where it is set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65536))]
    pub arena_max: Option<u64>,
    /// MALLOC_ARENA_TEST, where it is set
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=65536))]
    pub arena_test: Option<u64>,
    /// The machine
    #[arg(long, value_name = "ARCH", value_parser = ["x86_64", "aarch64"])]
    pub arch: Option<String>,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Processes: a PID, or the name of a program
    #[arg(value_name = "PID|NAME", required_unless_present = "core")]
    pub processes: Vec<String>,
    /// Look at a core file instead: what it keeps of arenas, settings and large blocks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["processes", "watch", "contention"])]
    pub core: Option<PathBuf>,
    /// Look again and again, so far apart (such as 10s or 1m), until Ctrl-C or --for; ends with what grew
    #[arg(long, value_name = "DUR")]
    pub watch: Option<String>,
    /// End --watch after so long
    #[arg(long = "for", value_name = "DUR", requires = "watch")]
    pub length: Option<String>,
    /// Sample the arenas' locks for so long, such as 2s: whether threads wait for arenas
    #[arg(long, value_name = "DUR", conflicts_with = "watch")]
    pub contention: Option<String>,
    /// Write a page with charts into this directory; an earlier report there is replaced
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Look at every chunk: sizes in use, and what threads' caches hold
    #[arg(long)]
    pub deep: bool,
    /// Print JSON on stdout: one object a process, each on a line of its own
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The directory that results would go to, whose space is looked at
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Print JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write every page into this directory, instead of the main page to stdout
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Where a campaign goes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Campaign")]
pub struct OutArgs {
    /// The campaign's directory [default: results/<date>-<time>-<workload>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted campaign in --out
    ///
    /// What is finished is kept, and the seeded order goes on where it stopped. Without this flag a
    /// directory that holds a campaign is refused.
    #[arg(long, requires = "out")]
    pub resume: bool,
    /// The host's name as it is to appear in the results [default: the system's]
    #[arg(long, value_name = "NAME")]
    pub host_name: Option<String>,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct ShowArgs {
    /// Print JSON on stdout; everything for people goes to stderr
    #[arg(long)]
    pub json: bool,
    /// Print no progress, only results and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every trial as it ends
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// A clap error as one line, for stderr. Help and version are no errors: print these as they are.
pub fn one_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let paragraph = rendered.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = paragraph.split_whitespace().collect();
    let tips = rendered.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    let mut line = words.join(" ").trim_start_matches("error: ").to_owned();
    for tip in tips {
        line = format!("{line}; {tip}");
    }
    line
}
