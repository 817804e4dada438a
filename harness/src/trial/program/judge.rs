//! Whether a candidate is in force in one image of a program that knows nothing of us. Pure: what was asked for
//! against what was seen. What nobody could see is not known, and never taken for proven.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::sight::{HALF, Served, Sight, held, holds_little};
use crate::knowledge::Setting;
use crate::knowledge::value::Value;
use crate::trial::elf;
use crate::trial::executor::{Asked, TrialSpec};
use crate::trial::libc_root::Footing;

/// What is known of a candidate in an image, each with a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is in force.
    Holds(String),
    /// It can have no effect.
    NoOp(String),
    /// Something else is in force.
    Fails(String),
    /// Nothing here can tell.
    Untold(String),
}

impl Verdict {
    /// The clause.
    pub fn words(&self) -> &str {
        match self {
            Self::Holds(words) | Self::NoOp(words) | Self::Fails(words) | Self::Untold(words) => words,
        }
    }
}

/// What is known of a candidate beforehand.
#[derive(Clone, Debug, Default)]
pub struct Beforehand {
    /// What the loader lists under its environment.
    pub listed: Option<BTreeMap<String, String>>,
    /// Whether its library exports `malloc`.
    pub has_malloc: bool,
    /// A variable that goes with its library, whose name is not in the library.
    pub unread: Option<String>,
    /// The program, where its file has what puts a loader into secure mode: setuid, setgid or capabilities.
    pub guarded: Option<PathBuf>,
}

impl Beforehand {
    /// Reads a candidate's library and the mode of its program.
    pub fn of(spec: &TrialSpec, listed: Option<BTreeMap<String, String>>) -> Self {
        let (asked, guarded) = (&spec.asked, guarded(&spec.program).then(|| spec.program.clone()));
        let Some(library) = &asked.preload else { return Self { listed, guarded, ..Self::default() } };
        let has_malloc = elf::read(library).is_ok_and(|facts| facts.own_malloc);
        let unread = variables(asked).find(|name| !elf::deep::names(library, name)).cloned();
        Self { listed, has_malloc, unread, guarded }
    }

    /// Whether a process that cannot be looked at is this program, by its short name, which has 15 characters.
    pub fn is_guarded(&self, command: &str) -> bool {
        let file = self.guarded.as_deref().map(name).unwrap_or_default();
        !command.is_empty() && file.starts_with(command)
    }
}

/// Whether a file is setuid or setgid, or has capabilities (capabilities(7)).
fn guarded(program: &Path) -> bool {
    let mode = std::fs::metadata(program).map_or(0, |metadata| metadata.permissions().mode());
    let mut buffer = [0_u8; 64];
    mode & 0o6000 != 0 || rustix::fs::getxattr(program, "security.capability", &mut buffer).is_ok()
}

/// Whether a candidate is the program as it is.
pub fn asks_nothing(asked: &Asked) -> bool {
    asked.preload.is_none() && asked.settings.is_empty()
}

/// The variables that go with a library; glibc's are for the loader.
fn variables(asked: &Asked) -> impl Iterator<Item = &String> {
    asked.env.keys().filter(|name| !matches!(name.as_str(), "LD_PRELOAD" | "GLIBC_TUNABLES"))
}

/// Settings that a process shows itself: what the loader says of them does not count, as a program may change them.
const SHOWN: [&str; 8] = [
    "arena_max",
    "arena_test",
    "mmap_max",
    "mmap_threshold",
    "tcache_count",
    "tcache_max",
    "top_pad",
    "trim_threshold",
];

/// Whether a candidate has settings of which only the loader's listing tells, which knows the environment alone.
pub fn trusts_loader(asked: &Asked) -> bool {
    asked.settings.iter().any(|(setting, _)| !SHOWN.contains(&setting.key))
}

/// Settings among those that a program may change with `mallopt` (`M_MXFAST`, `M_PERTURB`).
const SILENT: [&str; 2] = ["mxfast", "perturb"];

/// Judges a candidate by a look.
pub fn judge(asked: &Asked, before: &Beforehand, sight: &Sight) -> Verdict {
    if asks_nothing(asked) {
        let served = &sight.served;
        return Verdict::Holds(format!(
            "the program as it is; malloc is served by {}: {}",
            served.by, served.how
        ));
    }
    if let Some(why) = no_op(asked, sight) {
        return Verdict::NoOp(why);
    }
    if !sight.served.settled {
        return Verdict::Untold(format!(
            "{} was seen only while it was being loaded",
            name(&sight.served.executable)
        ));
    }
    match &asked.preload {
        Some(library) => preloaded(asked, before, library, sight),
        None => of_glibc(asked, before, sight),
    }
}

/// Why a candidate can have no effect, if so: a clause.
fn no_op(asked: &Asked, sight: &Sight) -> Option<String> {
    let served = &sight.served;
    let executable = served.executable.display();
    match &asked.preload {
        _ if served.secure => Some(format!(
            "{executable} runs in secure mode (setuid, setgid or capabilities), in which the loader drops it"
        )),
        Some(_) if served.facts.is_static => {
            Some(format!("{executable} is linked statically, and no loader reads it"))
        }
        Some(_) if served.facts.own_malloc => Some(format!(
            "{executable} defines malloc itself ({}), which comes before any library's",
            served.by
        )),
        None if served.library.is_some() || !matches!(served.by.as_str(), "glibc" | "unknown") => {
            let who = served.library.as_deref().filter(|_| served.by == "unknown").map(name);
            let who = who.unwrap_or_else(|| served.by.clone());
            let how = &served.how;
            Some(format!("glibc's malloc does not serve this program, {who} does: {how}{}", hint(served)))
        }
        _ => None,
    }
}

/// How the allocator that the program does have is tuned.
fn hint(served: &Served) -> String {
    match (&served.library, served.by.as_str()) {
        (Some(library), "jemalloc") => {
            format!(". Its own is tuned with --candidate preload={}:MALLOC_CONF=…", library.display())
        }
        _ => String::new(),
    }
}

/// Judges a library in front of the C library's malloc.
fn preloaded(asked: &Asked, before: &Beforehand, library: &Path, sight: &Sight) -> Verdict {
    let served = &sight.served;
    // The loader maps what a link leads to.
    let real = library.canonicalize().unwrap_or_else(|_| library.to_owned());
    let is_it = |path: &Path| path == real || path == library;
    let shown = library.display();
    if !served.files.iter().any(|path| is_it(path)) {
        return Verdict::Fails(format!("{shown} is not mapped in {}", name(&served.executable)));
    }
    match &served.library {
        Some(serves) if is_it(serves) => {}
        _ if !before.has_malloc => {
            return Verdict::NoOp(format!(
                "{} has no malloc, so that {} serves it still",
                name(library),
                served.by
            ));
        }
        serves => {
            let what = serves.as_ref().map_or_else(|| served.by.clone(), |path| path.display().to_string());
            return Verdict::Fails(format!(
                "{shown} is mapped, but malloc is served by {what}, which comes first"
            ));
        }
    }
    let shown = format!("{} serves malloc: it comes before the C library", name(library));
    match sight.carried() {
        _ if served.facts.go => Verdict::Untold(format!("{shown}; but the heap of a Go program is Go's own")),
        Some(by) => Verdict::Untold(format!(
            "{shown}; but {} carries {by} as well, and how much of its memory comes from malloc cannot be told",
            name(&served.executable)
        )),
        None => match unread(asked, before, library) {
            Some(why) => Verdict::Untold(format!("{shown}; {why}")),
            None => Verdict::Holds(shown),
        },
    }
}

/// What a library makes of the variables that go with it is not known, and less so where it does not know their names.
fn unread(asked: &Asked, before: &Beforehand, library: &Path) -> Option<String> {
    variables(asked).next()?;
    Some(match &before.unread {
        Some(variable) => format!("but it does not read {variable}: that name is not in {}", name(library)),
        None => "but the preloaded library cannot be asked for its settings".to_owned(),
    })
}

/// Judges settings of glibc's malloc.
fn of_glibc(asked: &Asked, before: &Beforehand, sight: &Sight) -> Verdict {
    let served = &sight.served;
    let glibc =
        served.by == "glibc" || sight.heap.as_ref().is_some_and(|heap| heap.system.is_some_and(|b| b > 0));
    if !glibc {
        return Verdict::Untold(format!("what serves malloc is not known: {}", served.how));
    }
    let carried = sight.carried().filter(|_| sight.elsewhere(HALF));
    if let Some(by) = carried {
        return Verdict::Untold(format!(
            "{} carries {by} as well, and glibc's arenas hold {}",
            of(sight),
            held(sight)
        ));
    }
    if holds_little(sight) && served.managed.is_none() {
        return Verdict::Untold(format!(
            "glibc's arenas hold {}: what holds the rest is not known",
            held(sight)
        ));
    }
    let settings = asked.settings.iter().map(|(setting, value)| one(asked, before, setting, value, sight));
    let all: Vec<Verdict> = settings.collect();
    let of = |kind: fn(&Verdict) -> bool| all.iter().find(|verdict| kind(verdict)).cloned();
    if let Some(worst) =
        of(|v| matches!(v, Verdict::Fails(_))).or_else(|| of(|v| matches!(v, Verdict::Untold(_))))
    {
        return worst;
    }
    let mut words: Vec<&str> = all.iter().map(Verdict::words).collect();
    words.extend(served.managed);
    Verdict::Holds(words.join("; "))
}

/// One setting: what the process itself has in force comes first, as a program may set its malloc with `mallopt`; what it
/// does not show is told from its environment and from what the loader makes of that.
fn one(asked: &Asked, before: &Beforehand, setting: &Setting, value: &Value, sight: &Sight) -> Verdict {
    let (key, value) = (setting.key, setting.wire(value));
    let in_force = sight.heap.as_ref().and_then(|heap| heap.settings.get(key));
    let has = in_environment(asked, sight.served.environment.as_ref(), setting.variable());
    if let (Some(in_force), Some(wanted)) = (in_force, number(&value)) {
        return match has {
            _ if *in_force == wanted => {
                Verdict::Holds(format!("{key}={in_force} is in force in {}", of(sight)))
            }
            Some(true) => Verdict::Fails(format!(
                "the program sets {key}={in_force} itself (mallopt): its environment has {value}"
            )),
            _ => Verdict::Fails(format!("{key}={in_force} is in force in {}, not {value}", of(sight))),
        };
    }
    if SHOWN.contains(&key) && has != Some(false) {
        return Verdict::Untold(format!("what {} has in force as {key} could not be read", of(sight)));
    }
    let effective = before.listed.as_ref().and_then(|all| all.get(key));
    match (effective, has) {
        (Some(effective), _) if number(effective) != number(&value) => {
            Verdict::Fails(format!("asked for {key}={value}, ld.so reports {effective}"))
        }
        (_, Some(false)) => Verdict::Fails(format!(
            "{} is not in the environment of {} as it was given",
            setting.variable(),
            of(sight)
        )),
        (Some(effective), Some(true)) => match sight.mallopt.as_deref().filter(|_| SILENT.contains(&key)) {
            Some(file) => Verdict::Untold(format!(
                "ld.so reports {key}={effective} for the environment of {}, but {} asks for mallopt, which may set it \
                 to something else",
                of(sight),
                name(file)
            )),
            None => Verdict::Holds(format!(
                "ld.so reports {key}={effective} for the environment of {}",
                of(sight)
            )),
        },
        (_, None) => Verdict::Untold(format!("the environment of {} cannot be read", of(sight))),
        (None, _) => {
            Verdict::Untold(format!("whether {key}={value} took effect cannot be told from outside"))
        }
    }
}

fn of(sight: &Sight) -> String {
    name(&sight.served.executable)
}

/// Whether an environment has what was asked for in a variable; others may have added to a list. `None` where the
/// environment is not known.
fn in_environment(
    asked: &Asked,
    environment: Option<&BTreeMap<String, String>>,
    variable: &str,
) -> Option<bool> {
    let wanted = asked.env.get(variable)?;
    let found = environment?.get(variable);
    let has = |found: &String| match variable {
        "LD_PRELOAD" => parts(wanted, &[':', ' ']).all(|part| parts(found, &[':', ' ']).any(|p| p == part)),
        "GLIBC_TUNABLES" => parts(wanted, &[':']).all(|part| parts(found, &[':']).any(|p| p == part)),
        _ => found == wanted,
    };
    Some(found.is_some_and(has))
}

fn parts<'a>(list: &'a str, between: &'a [char]) -> impl Iterator<Item = &'a str> {
    list.split(between).filter(|part| !part.is_empty())
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse::<u64>().ok(),
    }
}

/// Why a process is not to be counted under a C library that the trial was started on, if so. One that has not got
/// as far as to map a C library says nothing.
pub fn off_footing(footing: &Footing, served: &Served) -> Option<String> {
    let Footing { name, root, .. } = footing;
    let asked = format!("asked for libc {name} ({})", root.version);
    if !served.on_footing {
        return Some(format!(
            "{asked}, but the process that holds most memory, {}, was started anew by the program and runs on {}: a \
             loader alone does not carry over to what a program starts",
            served.executable.display(),
            served.libc.as_deref().map_or_else(|| "no glibc".to_owned(), |libc| libc.display().to_string()),
        ));
    }
    served.libc.as_ref()?;
    footing.owns(&served.files).err().map(|why| format!("{asked}, but {why}"))
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "the process".to_owned(), |name| name.to_string_lossy().into_owned())
}
