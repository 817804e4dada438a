//! The command line: what flags mean, what bad ones are told, and that help teaches.

use arenalab::cli::args::{Cli, Command, PlanArgs, one_line};
use arenalab::format::decision::{Constraints, Objective};
use arenalab::plan::Plan;
use clap::{CommandFactory, Parser};

fn parse(line: &str) -> Result<Command, String> {
    let words = std::iter::once("arenalab".to_owned()).chain(shlex::split(line).unwrap());
    Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| one_line(&error))
}

fn plan_args(line: &str) -> PlanArgs {
    match parse(&format!("sweep {line}")).unwrap() {
        Command::Sweep(sweep) => sweep.plan,
        other => panic!("{other:?}"),
    }
}

fn plan(line: &str) -> Plan {
    plan_args(line).into_plan().unwrap()
}

fn candidates(line: &str) -> Vec<String> {
    plan(line).sweep.candidates.iter().map(ToString::to_string).collect()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_said_is_the_default_plan() {
    let default = Plan::from_toml("[[workload]]\nname = \"larson\"", "p.toml").unwrap();
    assert_eq!(plan("larson"), default);
}

#[test]
fn every_flag_means_what_its_key_means() {
    let flags = plan(
        "larson churn:ops=5k --threads 1,8 --allocators jemalloc,glibc --arena-max 3,default --candidate \
         mimalloc:purge_delay=0 --rounds 7 --seed 9 --idle 12s --timeout 2m --objective drained \
         --max-throughput-loss none --max-p99-loss 10% --max-rss 2GiB --confidence 99%",
    );
    let file = "[[workload]]\nname = \"larson\"\n[[workload]]\nname = \"churn\"\nops = 5000\n\
                [sweep]\nthreads = [1, 8]\nallocators = [\"jemalloc\", \"glibc\"]\narena_max = [3, \"default\"]\n\
                candidates = [\"mimalloc:purge_delay=0\"]\n[measure]\nrounds = 7\nseed = 9\nidle = \"12s\"\n\
                timeout = \"2m\"\nobjective = \"drained\"\n[choose]\nmax_throughput_loss = \"none\"\n\
                max_p99_loss = \"10%\"\nmax_rss = \"2GiB\"\nconfidence = 0.99\n";
    assert_eq!(flags, Plan::from_toml(file, "p.toml").unwrap());
    assert_eq!(flags, Plan::from_toml(&flags.to_toml(), "p.toml").unwrap());
}

#[test]
fn candidates_are_made_of_what_was_said() {
    let all =
        "glibc glibc:arena_max=1 glibc:arena_max=2 glibc:arena_max=4 glibc:arena_max=8 jemalloc mimalloc";
    assert_eq!(candidates("larson").join(" "), all);
    assert_eq!(candidates("larson --arena-max 2").join(" "), "glibc glibc:arena_max=2 jemalloc mimalloc");
    assert_eq!(candidates("larson --allocators mimalloc").join(" "), "glibc mimalloc");
    assert_eq!(candidates("larson --candidate jemalloc:narenas=2").join(" "), "glibc jemalloc:narenas=2");
    assert_eq!(
        candidates("larson --candidate jemalloc --arena-max 2,default").join(" "),
        "glibc:arena_max=2 glibc jemalloc"
    );
    assert_eq!(candidates("larson --candidate glibc --candidate glibc").join(" "), "glibc glibc");
}

#[test]
fn flags_override_the_file_key_by_key_and_candidates_as_a_group() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("p.toml");
    let text = "[[workload]]\nname = \"larson\"\n[sweep]\nthreads = [2]\ncandidates = [\"jemalloc\"]\n\
                [measure]\nrounds = 5\nseed = 4\n";
    std::fs::write(&path, text).unwrap();
    let with = |rest: &str| plan(&format!("{rest} --plan {}", path.display()));
    assert_eq!((with("").measure.rounds, with("").measure.seed), (5, 4));
    assert_eq!((with("--rounds 6").measure.rounds, with("--rounds 6").measure.seed), (6, 4));
    assert_eq!(with("churn").workloads[0].to_string(), "churn");
    assert_eq!(with("--allocators mimalloc").sweep.candidates.len(), 2);
    assert_eq!(with("--allocators mimalloc").sweep.threads, [2]);
}

#[test]
fn bad_flags_are_told_in_one_line() {
    let told = |line: &str| match parse(line) {
        Ok(Command::Sweep(sweep)) => sweep.plan.into_plan().unwrap_err().to_string(),
        Ok(Command::Choose(choose)) => choose.choice.draft().unwrap_err().to_string(),
        Ok(other) => panic!("{other:?}"),
        Err(line) => line,
    };
    for (line, expected) in [
        ("sweep", "no workload is given; name one or more of "),
        ("sweep larsen", "there is no workload 'larsen'; did you mean larson?"),
        ("sweep larson:opz=3", "larson has no parameter 'opz'"),
        ("sweep larson --threads 0", "--threads: threads is '0', but must be a whole number from 1 to 4096"),
        ("sweep larson --threads 4,,8", "--threads: threads is '', but must be a whole number"),
        ("sweep larson --threads -1", "unexpected argument '-1' found"),
        ("sweep larson --rounds 0", "--rounds: rounds is '0', but must be a whole number from 1 to 100000"),
        ("sweep larson --arena-max 1,0", "--arena-max: glibc silently ignores MALLOC_ARENA_MAX=0; give"),
        (
            "sweep larson --candidate glibc:arena_mx=1",
            "--candidate: candidate 'glibc:arena_mx=1': glibc has no setting 'arena_mx'; did you mean arena_max?",
        ),
        (
            "sweep larson --allocators jemaloc",
            "--allocators: no allocator is called 'jemaloc'; did you mean jemalloc?",
        ),
        ("sweep larson --idle 5", "--idle: idle: '5' is not a duration; write a number with a unit"),
        ("sweep larson --max-rss 2parsecs", "--max-rss: max_rss: '2parsecs' is not a size; write bytes"),
        (
            "sweep larson --confidence 20%",
            "--confidence: confidence is 20%, but must be from 50% to below 100%",
        ),
        ("sweep larson --objective peek", "--objective: objective is 'peek'; did you mean peak?"),
        (
            "sweep larson --roundz 3",
            "unexpected argument '--roundz' found; a similar argument exists: '--rounds'",
        ),
        ("sweep --plan /nowhere/p.toml", "failed to read the plan /nowhere/p.toml: No such file"),
        ("sweep larson --resume", "the following required arguments were not provided: --out <DIR>"),
        ("choose", "the following required arguments were not provided: <CAMPAIGN>"),
        (
            "choose x --max-throughput-loss 5",
            "--max-throughput-loss: max_throughput_loss: '5' is not a share",
        ),
        ("swep", "unrecognized subcommand 'swep'; a similar subcommand exists: 'sweep'"),
        ("list alocators", "invalid value 'alocators' for '[WHAT]'"),
    ] {
        let told = told(line);
        assert!(told.starts_with(expected), "{line}\n  told     {told}\n  expected {expected}");
        assert!(!told.contains('\n'), "{told}");
    }
}

#[test]
fn what_is_said_to_choose_is_laid_over_what_was_planned() {
    let Command::Choose(choose) = parse("choose DIR --max-p99-loss 10% --max-throughput-loss none").unwrap()
    else {
        panic!("not choose");
    };
    let planned = Constraints { max_throughput_loss: Some(0.05), max_p99_loss: None, max_rss: Some(1) };
    let over = choose.choice.over((Objective::Mean, planned, 0.9)).unwrap();
    let expected = Constraints { max_throughput_loss: None, max_p99_loss: Some(0.1), max_rss: Some(1) };
    assert_eq!(over, (Objective::Mean, expected, 0.9));
}

#[test]
fn every_command_has_an_example_and_every_option_a_word() {
    for command in Cli::command().get_subcommands() {
        let name = command.get_name();
        let example = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        assert!(example.contains(&format!("arenalab {name}")), "{name} has no example");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{name}: {} is not explained", argument.get_id());
        }
    }
}

#[test]
fn the_examples_in_the_help_are_valid() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
        let commands = help.lines().map(str::trim).filter_map(|line| line.strip_prefix("arenalab "));
        for line in commands {
            let line = line.split(['|', '>']).next().unwrap();
            match parse(line) {
                Ok(Command::Sweep(sweep)) if sweep.plan.plan.is_none() => {
                    sweep.plan.into_plan().unwrap_or_else(|error| panic!("{line}: {error}"));
                }
                Ok(_) => {}
                Err(error) => panic!("{line}: {error}"),
            }
        }
    }
}
