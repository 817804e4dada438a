//! Whether a candidate has an effect on a program that knows nothing of us. Pure: what was asked for against
//! what was seen in its largest process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::format::trial::Effect;
use crate::trial::elf::Facts;
use crate::trial::executor::Asked;
use crate::trial::heaps::Counted;
use crate::trial::libc_root::Footing;

/// What serves `malloc` in a process, as seen from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// `glibc`, `jemalloc`, `mimalloc`, `tcmalloc`, `musl`, `its own` or `unknown`.
    pub by: String,
    /// How this is known.
    pub how: String,
    /// The allocator's library, where one is mapped.
    pub library: Option<PathBuf>,
    /// The dynamic loader.
    pub loader: Option<PathBuf>,
    /// The C library.
    pub libc: Option<PathBuf>,
    /// Whether it runs as the trial was started: through the loader, or in the root, of another C library.
    pub on_footing: bool,
    /// Files that it has mapped.
    pub files: Vec<PathBuf>,
    /// What its executable says.
    pub facts: Facts,
    /// Its executable.
    pub executable: PathBuf,
    /// Whether its loader runs in secure mode.
    pub secure: bool,
    /// Its environment, where it may be read.
    pub environment: Option<BTreeMap<String, String>>,
    /// A runtime whose objects do not come from `malloc`, in a clause.
    pub managed: Option<&'static str>,
}

/// Why a candidate can have no effect on a process, if so: a sentence that begins with "no-op".
pub fn no_op(asked: &Asked, served: &Served) -> Option<String> {
    if asked.env.is_empty() {
        return None;
    }
    let what = match &asked.preload {
        Some(library) => format!("LD_PRELOAD={}", library.display()),
        None => asked.env.keys().cloned().collect::<Vec<_>>().join(" and "),
    };
    let executable = served.executable.display();
    let why = match (&asked.preload, served.by.as_str()) {
        _ if served.secure => {
            format!(
                "{executable} runs in secure mode (setuid, setgid or capabilities), in which the loader drops it"
            )
        }
        (Some(_), _) if served.facts.is_static => {
            format!("{executable} is linked statically, and no loader reads it")
        }
        (Some(_), by) if served.facts.own_malloc => {
            format!("{executable} defines malloc itself ({by}), which comes before any library's")
        }
        (None, "glibc" | "unknown") | (Some(_), _) => return None,
        (None, by) => format!("glibc's malloc does not serve this program, {by} does: {}", served.how),
    };
    Some(format!("no-op: {what} has no effect, as {why}{}", hint(asked, served)))
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

/// How the allocator that the program does have is tuned.
fn hint(asked: &Asked, served: &Served) -> String {
    match (&asked.preload, &served.library, served.by.as_str()) {
        (None, Some(library), "jemalloc") => {
            format!(". Its own is tuned with --candidate preload={}:MALLOC_CONF=…", library.display())
        }
        _ => String::new(),
    }
}

/// Whether the environment and the library that were asked for are there.
enum Found {
    Holds(String),
    Fails(String),
    Untold(String),
}

/// Weighs what was seen. The second is whether something was seen not to be as asked for.
pub fn weigh(
    asked: &Asked,
    served: Option<&Served>,
    arenas: Option<Counted>,
    tunables: Option<&BTreeMap<String, String>>,
) -> (Effect, bool) {
    let Some(served) = served else {
        let how = "it ended before it could be looked at".to_owned();
        return (Effect { verified: asked.env.is_empty(), how }, false);
    };
    let mut found = vec![allocator(asked, served), environment(asked, served)];
    if asked.allocator == "glibc" {
        for (setting, value) in &asked.settings {
            let value = setting.wire(value);
            found.push(glibc(setting.key, &value, arenas, tunables.and_then(|all| all.get(setting.key))));
        }
    } else if asked.env.len() > 1 {
        found.push(Found::Untold("the preloaded library cannot be asked for its settings".to_owned()));
    }
    let verified = found.iter().all(|found| matches!(found, Found::Holds(_)));
    let disproved = found.iter().any(|found| matches!(found, Found::Fails(_)));
    let mut words: Vec<String> = found
        .into_iter()
        .map(|found| match found {
            Found::Holds(how) | Found::Fails(how) | Found::Untold(how) => how,
        })
        .collect();
    words.extend(served.managed.map(str::to_owned));
    (Effect { verified, how: words.join("; ") }, disproved)
}

fn allocator(asked: &Asked, served: &Served) -> Found {
    let seen = format!("malloc is served by {}: {}", served.by, served.how);
    let Some(library) = &asked.preload else {
        return match served.by.as_str() {
            "glibc" => Found::Holds(seen),
            _ if asked.env.is_empty() => Found::Holds(format!("the program as it is; {seen}")),
            _ => Found::Untold(seen),
        };
    };
    // The loader maps what a link leads to.
    let real = library.canonicalize().unwrap_or_else(|_| library.clone());
    let mapped = |path: &&PathBuf| **path == real || **path == *library;
    match served.files.iter().find(mapped) {
        Some(path) => Found::Holds(format!("{} is mapped, before the C library", path.display())),
        None => Found::Fails(format!("{} is not mapped in {}", library.display(), name(&served.executable))),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| "the process".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn environment(asked: &Asked, served: &Served) -> Found {
    let Some(environment) = &served.environment else {
        let set: Vec<String> = asked.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let with = if set.is_empty() { "nothing that steers malloc".to_owned() } else { set.join(" ") };
        return Found::Holds(format!(
            "it was started with {with} (it has since written over the place of its environment, as setproctitle \
             does, or keeps it from being read)"
        ));
    };
    for (name, value) in &asked.env {
        if !environment.get(name).is_some_and(|there| crate::knowledge::scrub::carries(name, value, there)) {
            return Found::Fails(format!(
                "{name}={value} is not in the environment of {}",
                served.executable.display()
            ));
        }
    }
    if asked.env.is_empty() {
        return match environment.keys().find(|name| (asked.foreign)(name)) {
            Some(name) => Found::Holds(format!("the program sets {name} for itself")),
            None => Found::Holds("nothing in its environment steers malloc".to_owned()),
        };
    }
    let pairs: Vec<String> = asked.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Found::Holds(format!("its environment has {}", pairs.join(" ")))
}

fn glibc(key: &str, value: &str, arenas: Option<Counted>, listed: Option<&String>) -> Found {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse::<u64>().ok(),
    };
    if let Some(effective) = listed
        && number(effective) != number(value)
    {
        return Found::Fails(format!("asked for {key}={value}, ld.so reports {effective}"));
    }
    match (key, arenas, number(value)) {
        ("arena_max", Some(Counted { arenas, exact: true }), Some(limit)) if u64::from(arenas) <= limit => {
            Found::Holds(format!("{arenas} arenas are in its maps, limit {limit}"))
        }
        ("arena_max", Some(Counted { arenas, exact: true }), Some(limit)) => {
            Found::Fails(format!("{arenas} arenas are in its maps, over the limit {limit}"))
        }
        (_, _, _) => match listed {
            Some(effective) => Found::Holds(format!("ld.so reports {key}={effective}")),
            None => Found::Untold(format!("whether {key}={value} took effect cannot be told from outside")),
        },
    }
}
