//! Core files: of a real process, written by the test from its memory and by the kernel; and cores that lie, which may
//! cost time but never a panic.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use arenalab_inspect::core::{Core, CoreError};
use arenalab_inspect::glibc::{self, How};
use arenalab_inspect::pages::Unknown;
use arenalab_inspect::{Live, Memory, Region, regions};
use common::{Waiting, assert_true, assert_walked, compile};

/// Writes cores as `fs/binfmt_elf.c` does: what can be written to, and the first page of each file.
#[derive(Default)]
struct Writer {
    notes: Vec<u8>,
    /// Flags, first address, bytes of memory and bytes that are dumped.
    segments: Vec<(u32, u64, u64, u64)>,
}

impl Writer {
    fn note(&mut self, kind: u32, note: &[u8]) {
        let mut put = |bytes: &[u8]| {
            self.notes.extend(bytes);
            self.notes.resize(self.notes.len().next_multiple_of(4), 0);
        };
        put(&[5_u32, note.len() as u32, kind].map(u32::to_le_bytes).concat());
        put(b"CORE\0");
        put(note);
    }

    /// Mappings of more than `most` bytes are left out of the core.
    fn of(live: &Live, pid: u32, most: u64) -> Self {
        let mut core = Self::default();
        let all = live.regions().unwrap();
        core.note(3, &{
            let mut info = vec![0; 136];
            info[24..28].copy_from_slice(&pid.to_le_bytes());
            info[40..44].copy_from_slice(b"heap");
            info
        });
        for at in live.stack_pointers() {
            let mut status = vec![0; 336];
            status[264..272].copy_from_slice(&at.to_le_bytes());
            core.note(1, &status);
        }
        let files: Vec<&Region> = all.iter().filter(|region| region.has_file()).collect();
        let mut table = [files.len() as u64, 4096].map(u64::to_le_bytes).concat();
        for file in &files {
            table.extend([file.start, file.end, file.offset / 4096].map(u64::to_le_bytes).concat());
        }
        for file in &files {
            table.extend([file.name.as_bytes(), b"\0"].concat());
        }
        core.note(0x4649_4c45, &table);
        for region in all.iter().filter(|region| region.read && !region.name.starts_with("[v")) {
            let flags = u32::from(region.exec) | u32::from(region.write) << 1 | 4;
            let dumped = match region.write {
                _ if region.len() > most || live.read(region.start, &mut [0]).is_err() => 0,
                true => region.len(),
                false => 4096.min(region.len()),
            };
            core.segments.push((flags, region.start, region.len(), dumped));
        }
        core
    }

    /// What stands before the notes.
    fn head(&self) -> Vec<u8> {
        let count = self.segments.len() as u16 + 1;
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(16, 0);
        head.extend([4_u16, 62].map(u16::to_le_bytes).concat());
        head.extend(1_u32.to_le_bytes());
        head.extend([0_u64, 64, 0].map(u64::to_le_bytes).concat());
        head.extend(0_u32.to_le_bytes());
        head.extend([64_u16, 56, count, 64, 0, 0].map(u16::to_le_bytes).concat());
        let notes = 64 + 56 * u64::from(count);
        let mut segment = |kind: u32, flags: u32, fields: [u64; 6]| {
            head.extend([kind, flags].map(u32::to_le_bytes).concat());
            head.extend(fields.map(u64::to_le_bytes).concat());
        };
        segment(4, 0, [notes, 0, 0, self.notes.len() as u64, 0, 4]);
        let mut place = notes + self.notes.len() as u64;
        for (flags, start, size, dumped) in &self.segments {
            segment(1, *flags, [place, *start, 0, *dumped, *size, 4096]);
            place += dumped;
        }
        head
    }

    /// Writes the core, with holes where memory is zero. Gives the length of headers and notes.
    fn write(&self, live: &Live, path: &Path) -> u64 {
        let file = File::create(path).unwrap();
        let head = [self.head(), self.notes.clone()].concat();
        file.write_all_at(&head, 0).unwrap();
        let mut place = head.len() as u64;
        for (_, start, _, dumped) in &self.segments {
            for at in (0..*dumped).step_by(1 << 16) {
                let mut bytes = vec![0; (dumped - at).min(1 << 16) as usize];
                live.read(start + at, &mut bytes).unwrap();
                if bytes.iter().any(|byte| *byte != 0) {
                    file.write_all_at(&bytes, place + at).unwrap();
                }
            }
            place += dumped;
        }
        file.set_len(place).unwrap();
        head.len() as u64
    }
}

/// A process with heaps, and its core in a file; of mappings at most `most` bytes long.
fn dumped(dir: &Path, command: &mut Command, most: u64) -> (Waiting, PathBuf, u64) {
    let truth = Waiting::start(command);
    let path = dir.join("core");
    let live = Live::open(truth.pid()).unwrap();
    let head = Writer::of(&live, truth.pid(), most).write(&live, &path);
    (truth, path, head)
}

/// Reads all that can be read of a core.
fn walked(core: &Core) -> Option<glibc::Malloc> {
    let malloc = glibc::find(core, core.regions()).ok()?;
    let walk = malloc.walk(core, core.regions(), &Unknown, How::DEEP);
    let _ = malloc.mapped(core, &core.dumped(), core, &walk);
    Some(malloc)
}

/// Asserts that a core says what the process says of itself.
fn is_true(core: &Core, truth: &Waiting) {
    let malloc = glibc::find(core, core.regions()).unwrap();
    assert_true(&malloc, truth);
    let walk = malloc.walk(core, core.regions(), &Unknown, How::DEEP);
    assert_walked(&malloc, &walk, truth);
    let mapped = malloc.mapped(core, &core.dumped(), core, &walk);
    let bytes: u64 = mapped.iter().map(|block| block.size).sum();
    assert_eq!([mapped.len() as u64, bytes], truth.numbers("mapped")[..], "{mapped:?}");
    assert!(
        walk.arenas.iter().all(|arena| arena.resident.is_none_or(|bytes| bytes == 0)),
        "no core tells that"
    );
}

#[test]
fn a_core_says_to_the_byte_what_the_process_said() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let (truth, path, _) = dumped(dir.path(), Command::new(program).args(["3", "150"]), u64::MAX);
    let core = Core::open(&path).unwrap();
    is_true(&core, &truth);
    assert_eq!((core.notes().pid, core.notes().name.as_str(), core.missing()), (truth.pid(), "heap", 0));
    assert!(!core.notes().stack_pointers.is_empty());
    let names = |regions: &[Region]| {
        let libc = regions.iter().find(|region| region.name.contains("libc") && region.write);
        libc.map(|region| (region.start, region.offset, region.name.clone()))
    };
    assert_eq!(names(core.regions()), names(&truth.regions()), "NT_FILE");
    for root in common::roots() {
        let program = root.compile("heap", dir.path());
        let (truth, path, _) = dumped(dir.path(), root.command(&program).args(["3", "150"]), u64::MAX);
        is_true(&Core::open(&path).unwrap(), &truth);
        println!("{}: true", root.name);
    }
}

/// What a file that was cut off lacks is said, and reads as nothing.
#[test]
fn a_core_that_was_cut_off_says_how_much_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let (_truth, path, head) = dumped(dir.path(), Command::new(program).args(["3", "150"]), 8 << 20);
    let whole = fs::metadata(&path).unwrap().len();
    for cut in [whole - 1, whole / 2, whole / 3, head + 9] {
        File::options().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let core = Core::open(&path).unwrap();
        assert_eq!(core.missing(), whole - cut);
        if cut == whole - 1 {
            continue;
        }
        let last = core.regions().iter().rev().find(|region| region.write).unwrap();
        assert!(core.read(last.start, &mut [0; 8]).is_err());
        walked(&core);
    }
}

#[test]
fn what_is_no_core_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(64, 0);
    let with = |places: &[(usize, u16)]| {
        let mut header = header.clone();
        for (at, value) in places {
            header[*at..at + 2].copy_from_slice(&value.to_le_bytes());
        }
        header
    };
    let cases: [(&str, Vec<u8>); 7] = [
        ("no ELF file", Vec::new()),
        ("no ELF file", b"\x28\xb5\x2f\xfd packed".to_vec()),
        ("32 bits", b"\x7fELF\x01".to_vec()),
        ("another machine", with(&[(16, 4), (18, 183)])),
        ("no core", with(&[(16, 2), (18, 62)])),
        ("no sense", with(&[(16, 4), (18, 62)])),
        ("no sense", with(&[(16, 4), (18, 62), (54, 56), (56, 9)])),
    ];
    for (why, bytes) in cases {
        let path = dir.path().join("file");
        fs::write(&path, bytes).unwrap();
        let said = Core::open(&path).unwrap_err().to_string();
        assert!(said.contains(why) && !said.contains('\n'), "{said}, not {why}");
    }
    assert!(matches!(Core::open(dir.path()), Err(CoreError::NoFile)));
    assert!(matches!(Core::open(Path::new("/dev/zero")), Err(CoreError::NoFile)));
    assert!(matches!(Core::open(&dir.path().join("none")), Err(CoreError::Io(_))));
}

/// A sequence of numbers that is the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// Cores that lie: headers, notes and memory with bytes changed, and files cut off. `CORES` asks for more than usual.
#[test]
fn changed_cores_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let (_truth, path, head) = dumped(dir.path(), Command::new(program).args(["2", "40"]), 1 << 20);
    let whole = fs::read(&path).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let asked = std::env::var("CORES").ok().map(|cores| cores.parse().expect("CORES is a number"));
    let cores: u64 = asked.unwrap_or(1000);
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let (mut opened, mut found) = (0, 0);
    for _ in 0..cores {
        let mut changed = Vec::new();
        for _ in 0..=numbers.next() % 4 {
            let most = if numbers.next().is_multiple_of(3) { whole.len() } else { head as usize };
            let at = numbers.next() as usize % (most - 8) / 4 * 4;
            let word = match numbers.next() % 4 {
                0 => u64::MAX - numbers.next() % 4096,
                1 => numbers.next(),
                2 => numbers.next() % 65536,
                _ => u64::from_le_bytes(whole[at..at + 8].try_into().unwrap()) ^ 1 << (numbers.next() % 64),
            };
            file.write_all_at(&word.to_le_bytes(), at as u64).unwrap();
            changed.push(at);
        }
        let cut = numbers.next().is_multiple_of(8);
        if cut {
            file.set_len(numbers.next() % whole.len() as u64).unwrap();
        }
        if let Ok(core) = Core::open(&path) {
            opened += 1;
            found += u64::from(walked(&core).is_some());
        }
        if cut {
            file.write_all_at(&whole, 0).unwrap();
        }
        for at in changed {
            file.write_all_at(&whole[at..at + 8], at as u64).unwrap();
        }
    }
    println!("{cores} cores, {opened} opened, {found} with a malloc");
    assert!(opened > cores / 4 && found > 0 && found < cores, "{opened} {found}");
}

/// The kernel's own core, where it writes one into the directory of the process.
#[test]
fn a_core_that_the_kernel_wrote_is_read() {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    if pattern.trim() != "core" {
        println!("skipped: cores go to {pattern}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let mut shell = Command::new("sh");
    shell
        .current_dir(dir.path())
        .arg0("sh")
        .args(["-c", "ulimit -c unlimited && exec \"$0\" 3 150"])
        .arg(&program);
    let truth = Waiting::start(&mut shell);
    let said = truth.said.clone();
    let pid = truth.pid();
    let killed = Command::new("kill").args(["-ABRT", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    let path = [dir.path().join("core"), dir.path().join(format!("core.{pid}"))];
    let truth = truth.ended();
    let Some(path) = path.iter().find(|path| path.exists()) else {
        println!("skipped: no core was written (a limit of the host's)");
        return;
    };
    let core = Core::open(path).unwrap();
    assert_eq!((core.notes().pid, core.missing()), (pid, 0), "{:?}", core.notes().name);
    assert_eq!(core.notes().name, "heap");
    assert_eq!(truth.said, said);
    is_true(&core, &truth);
    let in_order = regions::at(core.regions(), core.notes().stack_pointers[0]);
    assert!(in_order.is_some_and(|stack| stack.write), "the stack of the thread that fell");
}
