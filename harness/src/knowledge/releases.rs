//! Releases of distributions: the glibc they came with, and what their builds are known to do otherwise than
//! upstream. From the distributions' own package lists and changelogs.

use super::Version;

/// Where a build takes the number of CPUs from, where its version leaves that open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// CPUs that are online.
    Online,
    /// The affinity mask in early builds, online CPUs in later ones.
    Either,
}

/// What a distribution's build does otherwise than upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// In a sentence.
    pub what: &'static str,
    /// The behaviour that it replaces or brings in, by key, where there is one.
    pub key: Option<&'static str>,
    /// Whether it was seen to be so, by us or in the distribution's changelog.
    pub verified: bool,
}

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Name, as given on the command line.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Its glibc.
    pub glibc: Version,
    /// Where its builds count CPUs.
    pub counts: Counts,
    /// Backports.
    pub notes: &'static [Note],
}

const fn release(name: &'static str, title: &'static str, minor: u32) -> Release {
    Release { name, title, glibc: Version::new(2, minor), counts: Counts::Either, notes: &[] }
}

/// All that are known.
pub const ALL: [Release; 23] = [
    release("rhel5", "RHEL 5", 5),
    Release {
        notes: &[
            Note {
                what: "built with per-thread arenas: the limit is 8 for each CPU",
                key: Some("arenas-per-thread-optional"),
                verified: true,
            },
            Note {
                what: "small values of MALLOC_ARENA_MAX are honoured from glibc-2.12-1.53 on",
                key: Some("small-caps-ignored"),
                verified: true,
            },
        ],
        ..release("rhel6", "RHEL 6", 12)
    },
    Release {
        notes: &[Note {
            what: "from glibc-2.17-108 on, the heaps of threads obey trim_threshold, as upstream from 2.22",
            key: Some("thread-heaps-shrink-always"),
            verified: true,
        }],
        ..release("rhel7", "RHEL 7", 17)
    },
    release("rhel8", "RHEL 8", 28),
    Release {
        notes: &[Note {
            what: "CPUs are counted from the affinity mask up to glibc-2.34-83.8, and online CPUs after it",
            key: Some("cpus-affinity"),
            verified: true,
        }],
        ..release("rhel9", "RHEL 9", 34)
    },
    release("rhel10", "RHEL 10", 39),
    release("amzn2", "Amazon Linux 2", 26),
    release("amzn2023", "Amazon Linux 2023", 34),
    release("ubuntu16.04", "Ubuntu 16.04", 23),
    release("ubuntu18.04", "Ubuntu 18.04", 27),
    release("ubuntu20.04", "Ubuntu 20.04", 31),
    release("ubuntu22.04", "Ubuntu 22.04", 35),
    release("ubuntu24.04", "Ubuntu 24.04", 39),
    release("ubuntu25.10", "Ubuntu 25.10", 42),
    release("ubuntu26.04", "Ubuntu 26.04", 43),
    release("debian10", "Debian 10", 28),
    release("debian11", "Debian 11", 31),
    Release {
        counts: Counts::Online,
        notes: &[Note {
            what: "CPUs are counted as online, whatever the affinity mask (seen in glibc 2.36-9+deb12)",
            key: Some("cpus-affinity"),
            verified: true,
        }],
        ..release("debian12", "Debian 12", 36)
    },
    release("debian13", "Debian 13", 41),
    release("sles12sp5", "SLES 12 SP5", 22),
    release("sles15sp3", "SLES 15 SP3 to SP5", 31),
    release("sles15sp6", "SLES 15 SP6 and SP7", 38),
    release("sles16", "SLES 16", 40),
];

/// Other names for the same builds, or builds of the same sources.
const ALIASES: [(&str, &str); 22] = [
    ("centos5", "rhel5"),
    ("centos6", "rhel6"),
    ("centos7", "rhel7"),
    ("centos8", "rhel8"),
    ("rocky8", "rhel8"),
    ("almalinux8", "rhel8"),
    ("ol8", "rhel8"),
    ("rocky9", "rhel9"),
    ("almalinux9", "rhel9"),
    ("ol9", "rhel9"),
    ("rocky10", "rhel10"),
    ("almalinux10", "rhel10"),
    ("ol10", "rhel10"),
    ("al2", "amzn2"),
    ("al2023", "amzn2023"),
    ("buster", "debian10"),
    ("bullseye", "debian11"),
    ("bookworm", "debian12"),
    ("trixie", "debian13"),
    ("focal", "ubuntu20.04"),
    ("jammy", "ubuntu22.04"),
    ("noble", "ubuntu24.04"),
];

/// A release by its name, in any case, with or without a space or hyphen in it.
pub fn find(name: &str) -> Option<&'static Release> {
    let plain: String = name.to_lowercase().chars().filter(|c| !matches!(c, ' ' | '-' | '_' | ':')).collect();
    let plain = ALIASES.iter().find(|(alias, _)| *alias == plain).map_or(plain.as_str(), |(_, name)| name);
    ALL.iter().find(|release| release.name == plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::behaviour;

    #[test]
    fn names_lead_to_releases() {
        assert_eq!(find("RHEL 8").map(|r| r.glibc), Some(Version::new(2, 28)));
        assert_eq!(find("ubuntu-24.04").map(|r| r.name), Some("ubuntu24.04"));
        assert_eq!(find("rocky9").map(|r| r.name), Some("rhel9"));
        assert!(find("windows").is_none());
        assert!(ALIASES.iter().all(|(_, name)| find(name).is_some()));
    }

    #[test]
    fn notes_are_of_behaviours_in_force() {
        for release in ALL {
            for key in release.notes.iter().filter_map(|note| note.key) {
                let known = behaviour::ALL.iter().find(|b| b.key == key).unwrap();
                assert!(known.in_force(release.glibc, behaviour::Arch::X86_64), "{}: {key}", release.name);
            }
        }
    }
}
