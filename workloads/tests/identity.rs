//! Each binary has the allocator that its name says, can tell its settings, and is not fooled by a preload.

mod support;

use std::process::Command;

use support::{BINARIES, command, identify};

#[test]
fn each_binary_is_served_by_its_own_allocator() {
    for (name, _) in BINARIES {
        let identity = identify(&mut command(name));
        assert_eq!(identity.name, name);
        assert!(identity.version.starts_with(|c: char| c.is_ascii_digit()), "{identity:?}");
        assert!(identity.libc_version.starts_with("2."), "{identity:?}");
        assert!(identity.how.contains("probe"), "{identity:?}");
    }
}

#[test]
fn jemalloc_tells_its_settings() {
    let conf = "narenas:3,dirty_decay_ms:1234,muzzy_decay_ms:-1,background_thread:true,\
        percpu_arena:percpu,thp:never,metadata_thp:auto,retain:false,tcache:false,tcache_max:4096";
    let seen = identify(command("jemalloc").env("MALLOC_CONF", conf)).settings;
    // The numbers of arenas and of CPUs go together where percpu_arena is on.
    for setting in conf.split(',').skip(1) {
        let (key, value) = setting.split_once(':').unwrap();
        assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key}");
    }
    let seen = identify(command("jemalloc").env("MALLOC_CONF", "narenas:3")).settings;
    assert_eq!(seen["narenas"], "3");
}

#[test]
fn mimalloc_tells_each_setting_under_its_own_name() {
    let settings = [
        ("purge_delay", "77", "77"),
        ("arena_eager_commit", "1", "1"),
        ("purge_decommits", "0", "0"),
        ("allow_thp", "0", "0"),
        ("arena_reserve", "64MiB", "67108864"),
        ("arena_purge_mult", "7", "7"),
        ("generic_collect", "1234", "1234"),
        ("page_reclaim_on_free", "1", "1"),
        ("page_full_retain", "5", "5"),
        ("page_max_candidates", "9", "9"),
        ("page_max_reclaim", "11", "11"),
        ("page_cross_thread_max_reclaim", "12", "12"),
        ("page_commit_on_demand", "1", "1"),
        ("pagemap_commit", "1", "1"),
        ("minimal_purge_size", "128KiB", "131072"),
        ("use_numa_nodes", "1", "1"),
        ("disallow_arena_alloc", "1", "1"),
        ("arena_max_object_size", "1GiB", "1073741824"),
    ];
    let default = identify(&mut command("mimalloc")).settings;
    for (key, value, expected) in settings {
        let variable = format!("MIMALLOC_{}", key.to_uppercase());
        let mut seen = identify(command("mimalloc").env(variable, value)).settings;
        assert_eq!(seen.get(key).map(String::as_str), Some(expected), "{key}");
        assert_ne!(seen[key], default[key], "{key}");
        seen.insert(key.to_owned(), default[key].clone());
        assert_eq!(seen, default, "{key} moved another option");
    }
}

#[test]
fn a_preloaded_stranger_is_not_called_glibc() {
    let directory = std::env::temp_dir().join(format!("arenalab-preload-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (source, library) = (directory.join("stranger.c"), directory.join("libstranger.so"));
    let code = "#include <stddef.h>\nextern void *__libc_malloc(size_t);\n\
        void *malloc(size_t n) { return __libc_malloc(n); }\n";
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    // A C compiler is needed to build the allocators in the first place.
    assert!(built.unwrap().success());
    let identity = identify(command("glibc").env("LD_PRELOAD", &library));
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(identity.name, "unknown");
    assert!(identity.how.contains("libstranger.so"), "{identity:?}");
}
