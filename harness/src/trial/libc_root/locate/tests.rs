use super::*;
use std::os::unix::fs::symlink;

fn machine() -> &'static Machine {
    let own = rustix::system::uname().machine().to_string_lossy().into_owned();
    MACHINES.iter().find(|known| known.name == own).expect("a machine that is known")
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path.trim_start_matches('/'));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// As much of an ELF file as says what machine it is for, and a banner.
fn libc(machine: u16, version: &str) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    bytes.resize(64, 0);
    bytes[16] = 3;
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20] = 1;
    bytes[52] = 64;
    bytes.extend(format!("\0GNU C Library (X) stable release version {version}.\n\0").bytes());
    bytes
}

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

fn own() -> u16 {
    if machine().name == "x86_64" { X86_64 } else { AARCH64 }
}

fn told(root: &Path) -> String {
    locate(root, machine().name).unwrap_err()
}

#[test]
fn each_distribution_s_layout_is_found() {
    let Machine { tuple, loader, name, .. } = machine();
    let debian = (format!("usr/lib/{tuple}/libc-2.31.so"), format!("usr/lib/{tuple}"));
    for (file, directory, merged) in [
        (debian.0.clone(), debian.1.clone(), true),
        (format!("lib/{tuple}/libc.so.6"), format!("lib/{tuple}"), false),
        ("usr/lib64/libc.so.6".to_owned(), "usr/lib64".to_owned(), true),
        ("libc.so.6".to_owned(), String::new(), false),
    ] {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        write(&root, &file, &libc(own(), "2.31"));
        write(&root, &format!("{directory}/{loader}"), b"");
        write(&root, &format!("{directory}/libm-2.31.so"), b"");
        symlink("libm-2.31.so", root.join(&directory).join("libm.so.6")).unwrap();
        if !file.ends_with(LIBC) {
            symlink(format!("/{file}"), root.join(&directory).join(LIBC)).unwrap();
        }
        if merged {
            symlink("usr/lib", root.join("lib")).unwrap();
            symlink("/usr/lib64", root.join("lib64")).unwrap();
        }
        let found = locate(&root, name).unwrap();
        assert_eq!(found.libc, root.join(&file));
        assert_eq!(found.version, "2.31");
        assert_eq!(found.loader, root.join(&directory).join(loader));
        assert_eq!(found.libraries["libm.so.6"], root.join(&directory).join("libm-2.31.so"));
        assert!(!found.libraries.contains_key("libdl.so.2"));
    }
}

#[test]
fn what_is_no_root_of_this_machine_is_told() {
    assert!(told(Path::new("/nowhere/x")).starts_with("failed to look at /nowhere/x: No such file"));
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    assert!(told(root).starts_with("no libc.so.6 (looked for"), "{}", told(root));
    write(root, "lib/ld-musl-x86_64.so.1", b"");
    assert!(told(root).starts_with("no glibc, but musl (ld-musl-x86_64.so.1)"), "{}", told(root));
    write(root, "lib64/libc.so.6", b"no library");
    assert!(told(root).ends_with("libc.so.6 is no ELF file"), "{}", told(root));
    let (foreign, name) = if own() == X86_64 { (AARCH64, "aarch64") } else { (X86_64, "x86_64") };
    write(root, "lib64/libc.so.6", &libc(foreign, "2.31"));
    assert!(told(root).contains(&format!("is for {name}, and this host is")), "{}", told(root));
    write(root, "lib64/libc.so.6", &libc(own(), ""));
    assert!(told(root).contains("does not say which version"), "{}", told(root));
    write(root, "lib64/libc.so.6", &libc(own(), "2.31"));
    assert!(told(root).starts_with("no loader ld-linux"), "{}", told(root));
}

#[test]
fn a_root_of_another_machine_alone_is_told() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "lib/riscv64-linux-gnu/libc.so.6", b"");
    let told = told(root.path());
    assert!(told.contains("but one for riscv64"), "{told}");
}
