//! The file of a model: what it may say, and that it holds together.

use super::distribution::Distribution;
use super::quantity::{Of, Quantity, Unit};
use super::reader::{ModelError, Reader, Section, Value};
use super::{Call, Class, Length, Life, Model, Phase, Role};
use crate::object::Touch;
use arenalab_wire::nearest::{quote, suggest};

type Result<T> = std::result::Result<T, ModelError>;

/// Most roles, classes and phases of a model.
const MOST: usize = 64;
/// Most operations of a role in a phase.
const MOST_OPS: u64 = 1_000_000_000_000;

/// Most threads of a role, and of a model.
const MOST_THREADS: u32 = 4096;

const TOP: [&str; 6] = ["description", "memory", "warmup", "role", "class", "phase"];
const ROLE: [&str; 4] = ["name", "threads", "rate", "lifetime"];
const CLASS: [&str; 11] =
    ["name", "role", "per_op", "live", "size", "lifetime", "to", "handed", "touch", "call", "align"];
const PHASE: [&str; 6] = ["name", "ops", "time", "load", "roles", "burst"];

/// Reads a model. `file` is its name, for messages.
pub(super) fn read(text: &str, file: &str, name: String) -> Result<Model> {
    let reader = Reader { text, file };
    let document = reader.parse()?;
    let top = Section::new(reader, "the model", document.get_ref(), 0, &TOP)?;
    let roles = each(&top, "role", |value| role(reader, value))?;
    unique(&top, "role", roles.iter().map(|role| &role.name))?;
    let classes = each(&top, "class", |value| class(reader, value, &roles))?;
    unique(&top, "class", classes.iter().map(|class| &class.name))?;
    let phases = each(&top, "phase", |value| phase(reader, value, &roles, &classes))?;
    unique(&top, "phase", phases.iter().map(|phase| &phase.name))?;
    let model = Model {
        name,
        text: text.to_owned(),
        digest: super::digest(text),
        description: top.text("description")?.unwrap_or_default(),
        memory: top.bytes("memory", 1 << 20, 1 << 46)?.unwrap_or(super::DEFAULT_MEMORY),
        warmup: top.share("warmup")?.unwrap_or(0.1),
        roles,
        classes,
        phases,
    };
    consistent(&top, &model)?;
    Ok(model)
}

/// The entries of a list that must have some.
fn each<'a, 'i, T>(
    top: &Section<'a, 'i>,
    key: &str,
    read: impl Fn(&'a Value<'i>) -> Result<T>,
) -> Result<Vec<T>> {
    let list = top.tables(key)?;
    if list.is_empty() || list.len() > MOST {
        return Err(top.wrong_at(key, format!("a model has 1 to {MOST} of them; write [[{key}]]")));
    }
    list.into_iter().map(read).collect()
}

/// Told at the second of two.
fn unique<'n>(top: &Section<'_, '_>, key: &str, names: impl Iterator<Item = &'n String>) -> Result<()> {
    let mut seen: Vec<&String> = Vec::new();
    for (place, name) in names.enumerate() {
        if seen.contains(&name) {
            return Err(top.wrong_in(key, place, "name", format!("two are called {}", quote(name))));
        }
        seen.push(name);
    }
    Ok(())
}

fn role(reader: Reader<'_>, value: &Value<'_>) -> Result<Role> {
    let section = Section::of(reader, "[[role]]", value, &ROLE)?;
    let name = section.name("name")?;
    Ok(Role {
        name: section.required("name", name)?,
        threads: section.count("threads", 1, MOST_THREADS.into())?.unwrap_or(1) as u32,
        rate: section.number("rate", 1e-3, 1e9)?,
        lifetime: section.count("lifetime", 1, MOST_OPS)?,
    })
}

/// The place of a role by its name.
fn place(section: &Section<'_, '_>, key: &str, name: &str, roles: &[Role]) -> Result<usize> {
    roles.iter().position(|role| role.name == *name).ok_or_else(|| {
        let known = roles.iter().map(|role| role.name.as_str());
        section.wrong_at(key, format!("there is no role {}; {}", quote(name), suggest(name, known)))
    })
}

fn class(reader: Reader<'_>, value: &Value<'_>, roles: &[Role]) -> Result<Class> {
    let section = Section::of(reader, "[[class]]", value, &CLASS)?;
    let name = section.name("name")?;
    let owner = section.text("role")?;
    let role = place(&section, "role", &section.required("role", owner)?, roles)?;
    let size = section.required("size", section.get("size"))?;
    let size = Quantity::new(reader, Of::Bytes).read("size", size)?;
    let life = life(reader, &section)?;
    if matches!(life, Life::Time(_)) && roles[role].rate.is_none() {
        let why = "a time needs a role with a rate, so that it can be counted in operations; give operations";
        return Err(section.wrong_at("lifetime", why));
    }
    let to = section.text("to")?.map(|to| place(&section, "to", &to, roles)).transpose()?;
    let handed = section.share("handed")?;
    if handed.is_some() && to.is_none() {
        return Err(section.wrong_at("handed", "to says which role it is handed to, and is missing"));
    }
    let per_op = section.number("per_op", 0.0, 1000.0)?.unwrap_or(1.0);
    if matches!(life, Life::Run(_)) && (section.has("per_op") || to.is_some()) {
        return Err(section.wrong("objects that live as long as the run are made once: no per_op, no to"));
    }
    Ok(Class {
        name: section.required("name", name)?,
        role,
        per_op: if matches!(life, Life::Run(_)) { 0.0 } else { per_op },
        size,
        life,
        to,
        handed: to.map_or(0.0, |_| handed.unwrap_or(1.0)),
        touch: section
            .word("touch", &[("pages", Touch::Pages), ("all", Touch::All), ("none", Touch::Nothing)])?,
        call: call(&section)?,
    })
}

fn call(section: &Section<'_, '_>) -> Result<Call> {
    let align = section.bytes("align", 16, 1 << 21)?;
    match (section.word("call", &[("malloc", false), ("calloc", true)])?, align) {
        (false, None) => Ok(Call::Malloc),
        (true, None) => Ok(Call::Calloc),
        (false, Some(align)) if align.is_power_of_two() => Ok(Call::Aligned(align as usize)),
        (false, Some(_)) => Err(section.wrong_at("align", "it is no power of two")),
        (true, Some(_)) => Err(section.wrong_at("align", "calloc does not align; leave one of them out")),
    }
}

fn life(reader: Reader<'_>, section: &Section<'_, '_>) -> Result<Life> {
    let value = section.required("lifetime", section.get("lifetime"))?;
    if value.get_ref().as_str() == Some("run") {
        let live = section.count("live", 1, 100_000_000)?;
        return Ok(Life::Run(section.required("live", live)?));
    }
    if section.has("live") {
        let why = "only with lifetime = \"run\"; else it follows from per_op and lifetime";
        return Err(section.wrong_at("live", why));
    }
    let mut quantity = Quantity::new(reader, Of::Life);
    let read: Distribution = quantity.read("lifetime", value)?;
    Ok(if quantity.unit() == Unit::Seconds { Life::Time(read) } else { Life::Ops(read) })
}

fn phase(reader: Reader<'_>, value: &Value<'_>, roles: &[Role], classes: &[Class]) -> Result<Phase> {
    let section = Section::of(reader, "[[phase]]", value, &PHASE)?;
    let name = section.name("name")?;
    let length = match (section.count("ops", 1, MOST_OPS)?, section.seconds("time")?) {
        (Some(ops), None) => Length::Ops(ops),
        (None, Some(seconds)) => Length::Time(seconds),
        _ => return Err(section.wrong("it takes either ops or time")),
    };
    let active = active(&section, roles)?;
    if matches!(length, Length::Time(_)) {
        let works = |(place, role): &(usize, &Role)| {
            active[*place] && role.rate.is_none() && classes.iter().any(|class| class.role == *place)
        };
        if let Some((_, role)) = roles.iter().enumerate().find(works) {
            let why = format!(
                "the role {} has no rate and so no fixed amount of work in a time; give it a rate, or the phase ops",
                role.name
            );
            return Err(section.wrong_at("time", why));
        }
    }
    Ok(Phase {
        name: section.required("name", name)?,
        length,
        load: load(reader, &section, classes)?,
        active,
        burst: section.flag("burst")?,
    })
}

/// Which roles are at work in a phase: all, where nothing is said.
fn active(section: &Section<'_, '_>, roles: &[Role]) -> Result<Vec<bool>> {
    const FORM: &str = "roles = [\"NAME\"]";
    let named = section.list("roles", FORM)?;
    if named.is_empty() && section.has("roles") {
        let why = format!("nobody would be at work; write {FORM}, or leave it out for all roles");
        return Err(section.wrong_at("roles", why));
    }
    let mut active = vec![named.is_empty(); roles.len()];
    for name in named {
        let name = name
            .get_ref()
            .as_str()
            .ok_or_else(|| section.wrong_at("roles", format!("names only; write {FORM}")))?;
        active[place(section, "roles", name, roles)?] = true;
    }
    Ok(active)
}

/// Factors on `per_op`: one for all classes, or some by name.
fn load(reader: Reader<'_>, section: &Section<'_, '_>, classes: &[Class]) -> Result<Vec<f64>> {
    let Some(value) = section.get("load") else { return Ok(vec![1.0; classes.len()]) };
    if !value.get_ref().is_table() {
        let factor = section.number("load", 0.0, 1000.0)?.unwrap_or(1.0);
        return Ok(vec![factor; classes.len()]);
    }
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let factors = Section::of(reader, "load", value, &names)?;
    let factor = |class: &Class| Ok(factors.number(&class.name, 0.0, 1000.0)?.unwrap_or(1.0));
    classes.iter().map(factor).collect()
}

/// What no single entry can be seen to break.
fn consistent(top: &Section<'_, '_>, model: &Model) -> Result<()> {
    for (place, role) in model.roles.iter().enumerate() {
        let receives = model.classes.iter().any(|class| class.to == Some(place));
        let owns = model.classes.iter().any(|class| class.role == place);
        if !owns && !receives {
            let why = format!("the role {} has no class and nothing is handed to it", role.name);
            return Err(top.wrong_in("role", place, "name", why));
        }
        let works = model.phases.iter().any(|phase| phase.active[place]);
        if owns && !works {
            let why = format!("the role {} is at work in no phase", role.name);
            return Err(top.wrong_in("role", place, "name", why));
        }
    }
    for (place, phase) in model.phases.iter().enumerate() {
        if model.ops(phase, None) == 0 {
            let why = format!("nobody does anything in phase {}", phase.name);
            return Err(top.wrong_in("phase", place, "name", why));
        }
    }
    few_threads(top, model)?;
    longest(top, model)
}

/// Told at the role that is one too many.
fn few_threads(top: &Section<'_, '_>, model: &Model) -> Result<()> {
    let mut so_far = 0;
    for (place, role) in model.roles.iter().enumerate() {
        so_far += role.threads;
        if so_far > MOST_THREADS {
            let why = format!("{} threads in all; a model has {MOST_THREADS} at most", model.threads());
            return Err(top.wrong_in("role", place, "threads", why));
        }
    }
    Ok(())
}

/// Lives in time become operations at the role's rate; those must be within bounds too.
fn longest(top: &Section<'_, '_>, model: &Model) -> Result<()> {
    for (place, class) in model.classes.iter().enumerate() {
        if let Life::Time(life) = &class.life {
            let rate = model.roles[class.role].rate.unwrap_or(0.0);
            if life.max() * rate > super::quantity::MOST_OPS {
                let why = format!("objects of class {} live longer than 1G operations", class.name);
                return Err(top.wrong_in("class", place, "lifetime", why));
            }
        }
    }
    Ok(())
}
