use super::*;

const SMALL: &str = r#"
description = "two roles"
[[role]]
name = "front"
threads = 2
[[role]]
name = "back"
[[class]]
name = "request"
role = "front"
per_op = 1.5
size = { kind = "log-normal", median = "1KiB", sigma = 1.0, max = "64KiB" }
lifetime = { kind = "exponential", mean = 100, max = 5000 }
to = "back"
handed = "40%"
[[phase]]
name = "steady"
ops = "10k"
"#;

fn wrong(text: &str) -> String {
    Model::from_text(text, "m.toml").unwrap_err().to_string()
}

fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    wrong(&SMALL.replace(from, to))
}

#[test]
fn a_model_is_read() {
    let model = Model::from_text(SMALL, "dir/small web.toml").unwrap();
    assert_eq!((model.name(), model.threads(), model.reach(3)), ("small_web", 3, 4));
    assert!(model.canonical().starts_with("model:small_web@"), "{}", model.canonical());
    assert_eq!(Model::from_text(SMALL, &model.canonical()).unwrap().canonical(), model.canonical());
    let other = Model::from_text(&SMALL.replace("10k", "20k"), "small web.toml").unwrap();
    assert_ne!(other.canonical(), model.canonical());
    assert_eq!(model.classes[0].to, Some(1));
    assert!((model.classes[0].handed - 0.4).abs() < 1e-12);
}

#[test]
fn mistakes_are_told_with_line_and_what_would_be_right() {
    for (from, to, expected) in [
        ("threads = 2", "thread = 2", "m.toml:5: unknown key 'thread' in [[role]]; did you mean threads?"),
        ("threads = 2", "threads = 0", "m.toml:5: threads: 0 is out of range; it takes 1 to 4096"),
        (
            "role = \"front\"",
            "role = \"frond\"",
            "m.toml:10: role: there is no role 'frond'; did you mean front?",
        ),
        ("log-normal", "lognormal", "m.toml:12: unknown kind 'lognormal'; did you mean log-normal?"),
        ("sigma = 1.0, ", "", "m.toml:12: size: the key sigma is missing"),
        (
            "\"1KiB\"",
            "\"1KiX\"",
            "m.toml:12: '1KiX' is not a size; write bytes with a unit, such as 64KiB or 2GiB",
        ),
        ("max = 5000", "max = \"5ms\"", "m.toml:13: operations and times are mixed"),
        (
            "mean = 100, max = 5000",
            "mean = \"1ms\", max = \"5ms\"",
            "m.toml:13: lifetime: a time needs a role with a rate",
        ),
        ("ops = \"10k\"", "time = \"2s\"", "m.toml:18: time: the role front has no rate"),
        ("ops = \"10k\"", "", "m.toml:16: [[phase]]: it takes either ops or time"),
        ("40%", "140%", "m.toml:15: handed: 1.4 is out of range"),
        ("to = \"back\"", "", "m.toml:15: handed: to says which role"),
        ("[[phase]]", "[[phases]]", "m.toml:16: unknown key 'phases' in the model; did you mean phase?"),
        ("name = \"back\"", "name = \"front\"", "m.toml:7: role: two are called 'front'"),
        ("sigma = 1.0", "sigma = 1e300", "m.toml:12: sigma: 1e300 is out of range; it takes 0 to 10"),
        (
            "\"exponential\", mean = 100, max = 5000",
            "\"log-uniform\", min = 1e-310, max = 1000",
            "m.toml:13: min: a logarithm needs a min above 0, 0.000001 or more",
        ),
        ("= \"two roles\"", "= two", "m.toml:2: not TOML"),
    ] {
        let said = changed(from, to);
        assert!(said.contains(expected) && said.lines().count() == 1, "{said}\nfor {expected}");
    }
    assert!(wrong("").contains("a model has 1 to 64 of them"), "{}", wrong(""));
    assert!(wrong(&" ".repeat(70_000)).contains("65536 at most"));
}

#[test]
fn mistakes_of_one_of_many_are_told_at_its_own_line() {
    let role = "[[role]]\nname = \"third\"\n";
    let class = "[[class]]\nname = \"own\"\nrole = \"third\"\nsize = 1\n";
    let phase = "[[phase]]\nname = \"second\"\nops = 5\n";
    for (more, expected) in [
        (role.to_owned(), "m.toml:20: role: the role third has no class and nothing is handed to it"),
        (
            format!("roles = [\"front\"]\n{role}{class}lifetime = 1\n"),
            "m.toml:21: role: the role third is at work in no phase",
        ),
        (
            format!("{role}threads = 4095\n{class}lifetime = 1\n"),
            "m.toml:21: role: 4098 threads in all; a model has 4096 at most",
        ),
        (
            format!("{role}rate = 1000000000\n{class}lifetime = \"10s\"\n"),
            "m.toml:26: class: objects of class own live longer than 1G operations",
        ),
        (format!("{phase}roles = [\"back\"]\n"), "m.toml:20: phase: nobody does anything in phase second"),
        (format!("{phase}[[phase]]\nname = \"second\"\nops = 5\n"), "m.toml:23: phase: two are called"),
        ("roles = []\n".to_owned(), "m.toml:19: roles: nobody would be at work; write roles = [\"NAME\"]"),
        ("roles = \"front\"\n".to_owned(), "m.toml:19: roles: must be a list; write roles = [\"NAME\"]"),
        ("roles = [1]\n".to_owned(), "m.toml:19: roles: names only; write roles = [\"NAME\"]"),
    ] {
        let said = wrong(&format!("{SMALL}{more}"));
        assert!(said.starts_with(expected) && said.lines().count() == 1, "{said}\nfor {expected}");
    }
    assert_eq!(wrong("role = 1"), "m.toml:1: role: must be a list; write [[role]]");
    let size = "{ kind = \"mixture\", parts = 3 }";
    let said = changed("{ kind = \"log-normal\", median = \"1KiB\", sigma = 1.0, max = \"64KiB\" }", size);
    assert_eq!(said, "m.toml:12: parts: must be a list; write parts = [{ weight = 3, of = ... }]");
}

#[test]
fn threads_are_shared_out_and_every_role_has_one() {
    let model = Model::from_text(SMALL, "m.toml").unwrap();
    for (threads, expected) in [(2, [1, 1]), (3, [2, 1]), (4, [3, 1]), (30, [20, 10])] {
        assert_eq!(seats::shares(&model, threads), expected, "{threads}");
    }
    let of = |own: &[u32], threads: u32| {
        let mut model = model.clone();
        let role = |own: &u32| Role { threads: *own, ..model.roles[0].clone() };
        model.roles = own.iter().map(role).collect();
        seats::shares(&model, threads)
    };
    assert_eq!(of(&[8, 1], 16), [14, 2]);
    assert_eq!(of(&[8, 1], 4), [3, 1]);
    assert_eq!(of(&[100, 1, 1], 10), [8, 1, 1]);
    assert_eq!(of(&[1, 1, 1], 5), [2, 2, 1]);
    // One who gets more than its part takes it from all others: 4.5 and 4.5 are left.
    assert_eq!(of(&[5, 5, 1], 10), [5, 4, 1]);
    assert_eq!(of(&[4096, 3], 4096), [4093, 3]);
    assert!(model.takes(1).unwrap_err().to_string().contains("2 roles"));
    assert_eq!(seats::places(&[2, 1]).len(), 3);
}

#[test]
fn what_it_implies_is_rate_times_life_times_size() {
    let model = Model::from_text(SMALL, "m.toml").unwrap();
    // Two threads, 1.5 objects an operation, 100 operations each, exp(1/2) KiB.
    let expected = 2.0 * 1.5 * 100.0 * 1024.0 * 0.5f64.exp();
    let implied = model.implied(&model.phases[0], 3);
    assert!((implied / expected - 1.0).abs() < 0.01, "{implied} for {expected}");
    let bound = model.bound(3);
    assert!(bound.live > 1.2 * implied && bound.live < 20.0 * implied, "{bound:?}");
}

#[test]
fn what_is_rounded_up_to_an_alignment_counts_as_it_is_asked_for() {
    let aligned = |align: &str, size: &str| {
        let class = format!(
            "[[class]]\nname = \"own\"\nrole = \"back\"\nsize = {size}\nalign = {align}\nlifetime = \"run\"\nlive = 1000\n[[phase]]"
        );
        let text = SMALL.replace("per_op = 1.5", "per_op = 0").replace("[[phase]]", &class);
        let model = Model::from_text(&format!("memory = \"1MiB\"\n{text}"), "m.toml").unwrap();
        (model.implied(&model.phases[0], 3), model.bound(3), model.fits(3, 1 << 40))
    };
    for (align, size, each, short) in [
        ("\"2MiB\"", "64", f64::from(2 << 20), 0.0),
        ("64", "100", 128.0, 0.0),
        ("64", "0", 0.0, 16.0),
        // Half of what is between 0 and 1 is nothing.
        ("64", "{ kind = \"uniform\", min = 0, max = 1 }", 32.0, 8.0),
    ] {
        let (implied, bound, fits) = aligned(align, size);
        assert!((implied - 1000.0 * each).abs() < 1e-6 * implied.max(1.0), "{align}, {size}: {implied}");
        assert!(bound.live >= implied && bound.live <= 2001.0 * each, "{align}, {size}: {bound:?}");
        let (least, most) = (1000.0 * (16.0 + short), 2500.0 * (16.0 + short));
        assert!((least..most).contains(&bound.heap), "{align}, {size}: {bound:?}");
        assert_eq!(fits.is_ok(), each < 1000.0, "{align}, {size}: {fits:?}");
    }
}

#[test]
fn too_much_memory_is_refused_with_what_it_needs() {
    let large = SMALL.replace("mean = 100, max = 5000", "mean = \"10M\", max = \"20M\"");
    let model = Model::from_text(&large, "m.toml").unwrap();
    let said = model.fits(3, 1 << 40).unwrap_err().to_string();
    assert!(said.contains("its limit, the key memory, is 4.00 GiB"), "{said}");
    let model = Model::from_text(&format!("memory = \"1TiB\"\n{large}"), "m.toml").unwrap();
    assert!(model.fits(3, 1 << 40).is_ok());
    let said = model.fits(3, 8 << 30).unwrap_err().to_string();
    assert!(said.ends_with("this host has 8.00 GiB"), "{said}");
}

#[test]
fn tables_of_a_large_histogram_are_small_and_counted() {
    let bins: Vec<String> = (0..4096).map(|bin| format!("[{bin},1]")).collect();
    let lives = format!("{{ kind = \"histogram\", bins = [{}] }}", bins.join(","));
    let many = SMALL.replace("{ kind = \"exponential\", mean = 100, max = 5000 }", &lives);
    let one = SMALL.replace("{ kind = \"exponential\", mean = 100, max = 5000 }", "2047.5");
    let engine = |text: &str| Model::from_text(text, "m.toml").unwrap().bound(3).engine;
    // The parts, to draw whole lives and what is left of them; twice as many slots for two threads.
    let more = engine(&many) - engine(&one);
    assert!((4096.0 * 16.0..1e6).contains(&more), "{more}");
}

#[test]
fn small_objects_count_for_the_host_and_not_for_the_key_memory() {
    let lasting = "lifetime = \"run\"\nlive = \"50M\"";
    let text = SMALL
        .replace("{ kind = \"log-normal\", median = \"1KiB\", sigma = 1.0, max = \"64KiB\" }", "0")
        .replace("lifetime = { kind = \"exponential\", mean = 100, max = 5000 }", lasting)
        .replace("to = \"back\"\nhanded = \"40%\"\n", "")
        .replace("per_op = 1.5\n", "")
        .replace("[[role]]\nname = \"back\"\n", "");
    let short = "[[class]]\nname = \"short\"\nrole = \"front\"\nsize = 1\nlifetime = 0\n[[phase]]";
    let model = Model::from_text(&text.replace("[[phase]]", short), "m.toml").unwrap();
    let bound = model.bound(2);
    assert!(bound.live < 1e4 && bound.heap > 1e8 * 32.0, "{bound:?}");
    assert!(model.fits(2, 16 << 30).is_ok());
    let said = model.fits(2, 6 << 30).unwrap_err().to_string();
    assert!(said.contains("adds 2.98 GiB") && said.ends_with("this host has 6.00 GiB"), "{said}");
}

#[test]
fn a_role_at_rest_holds_what_it_held() {
    let more = "[[class]]\nname = \"own\"\nrole = \"back\"\nsize = 1000\nlifetime = 10\n[[phase]]";
    let rest = "[[phase]]\nname = \"rest\"\nops = 10\nload = { request = 9 }\nroles = [\"back\"]\n";
    let last = "[[phase]]\nname = \"last\"\nops = 10\nload = 2\n";
    let text = SMALL.replace("[[phase]]", more);
    let implied = |text: String, phase: usize| {
        let model = Model::from_text(&text, "m.toml").unwrap();
        model.implied(&model.phases[phase], 3)
    };
    let all = implied(text.clone(), 0);
    let held = implied(format!("{text}{rest}{last}"), 1);
    assert!((held / all - 1.0).abs() < 1e-9, "{held} for {all}");
    let twice = implied(format!("{text}{rest}{last}"), 2);
    assert!((twice / all - 2.0).abs() < 1e-9, "{twice} for {all}");
    // Who has not worked yet holds nothing: a thousand bytes for ten operations of the other.
    let first = implied(text.replace("[[phase]]", &format!("{rest}[[phase]]")), 0);
    assert!((first - 10_000.0).abs() < 1e-6, "{first}");
}

mod texts {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_are_all_threads_in_proportion(own in prop::collection::vec(1u32..200, 1..9), more in 0u32..500) {
            let mut model = Model::from_text(SMALL, "m.toml").unwrap();
            let role = |own: &u32| Role { threads: *own, ..model.roles[0].clone() };
            model.roles = own.iter().map(role).collect();
            prop_assert_eq!(&seats::shares(&model, model.threads()), &own);
            let threads = own.len() as u32 + more;
            let shares = seats::shares(&model, threads);
            prop_assert_eq!(shares.iter().sum::<u32>(), threads);
            let whole = f64::from(model.threads());
            for (own, share) in own.iter().zip(&shares) {
                let part = f64::from(*own) * f64::from(threads) / whole;
                prop_assert!(*share >= 1 && (*share == 1 || f64::from(*share) < part + 1.0), "{shares:?}");
            }
            // Who has more in the model has no less here.
            for (a, more) in own.iter().zip(&shares) {
                prop_assert!(own.iter().zip(&shares).all(|(b, less)| a <= b || more >= less), "{shares:?}");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}", at in 0usize..400, cut in 0usize..40) {
            let _ = Model::from_text(&text, "m.toml");
            let mut broken = SMALL.to_owned();
            let (from, to) = (at.min(broken.len()), (at + cut).min(broken.len()));
            broken.replace_range(from..to, &text);
            let _ = Model::from_text(&broken, "m.toml").map(|model| model.bound(4));
        }
    }
}
