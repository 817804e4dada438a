//! Small programs for the proof of effect, built once in a test binary; what has no compiler here is left out, and said.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The programs' directory, which everybody may enter.
pub struct Kit(PathBuf);

/// The kit.
pub fn kit() -> &'static Kit {
    static KIT: OnceLock<Kit> = OnceLock::new();
    KIT.get_or_init(Kit::build)
}

impl Kit {
    /// A program's or library's path; `None` where it could not be built.
    pub fn has(&self, name: &str) -> Option<String> {
        let path = self.0.join(name);
        path.exists().then(|| path.to_str().unwrap().to_owned())
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    fn build() -> Self {
        let dir = std::env::temp_dir().join(format!("arenalab-proof-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o1777)).unwrap();
        let kit = Self(dir);
        let threads = ["-O1", "-pthread"];
        kit.make("gcc", "app", "churn.c", &threads);
        kit.make("gcc", "app-static", "churn.c", &["-O1", "-pthread", "-static"]);
        kit.make("gcc", "app-static-pie", "churn.c", &["-O1", "-pthread", "-static-pie"]);
        kit.make("gcc", "app-no-pie", "churn.c", &["-O1", "-pthread", "-no-pie"]);
        kit.make("gcc", "app-je", "churn.c", &["-O1", "-pthread", "-DPREFIXED", "-rdynamic"]);
        kit.make("gcc", "app-je-stripped", "churn.c", &["-O1", "-pthread", "-DPREFIXED", "-s"]);
        kit.make("gcc", "app-own", "churn.c", &["-O1", "-pthread", &Self::source("front.c")]);
        kit.make("musl-gcc", "app-musl", "churn.c", &threads);
        kit.make("musl-gcc", "app-musl-static", "churn.c", &["-O1", "-pthread", "-static"]);
        for library in ["libfront.so", "libother.so"] {
            kit.make("gcc", library, "front.c", &["-O1", "-shared", "-fPIC"]);
        }
        kit.make("gcc", "libno_malloc.so", "no_malloc.c", &["-O1", "-shared", "-fPIC"]);
        let front = kit.dir().join("libother.so");
        kit.make("gcc", "app-linked", "churn.c", &["-O1", "-pthread", front.to_str().unwrap()]);
        kit.make("rustc", "app-rust", "churn.rs", &["-O"]);
        kit.make("go", "app-go", "churn.go", &[]);
        kit.make("go", "app-cgo", "churn_c.go", &[]);
        kit
    }

    fn source(name: &str) -> String {
        format!("{}/tests/programs-src/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    fn make(&self, compiler: &str, name: &str, source: &str, flags: &[&str]) {
        let path = self.0.join(name);
        let mut command = Command::new(compiler);
        if compiler == "go" {
            let c = if source == "churn_c.go" { "1" } else { "0" };
            command.arg("build").env("CGO_ENABLED", c).env("GOCACHE", self.0.join("go-cache"));
        }
        let (before, after): (&[&str], &[&str]) = if flags.iter().any(|flag| flag.starts_with('/')) {
            flags.split_at(flags.len() - 1)
        } else {
            (flags, &[])
        };
        let built = command.args(before).arg("-o").arg(&path).arg(Self::source(source)).args(after).output();
        match built {
            Ok(built) if built.status.success() => {}
            Ok(built) => eprintln!("{compiler} built no {name}: {}", String::from_utf8_lossy(&built.stderr)),
            Err(error) => eprintln!("no {compiler} for {name}: {error}"),
        }
    }
}
