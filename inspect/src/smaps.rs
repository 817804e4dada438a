//! Mappings with what is resident of them, as `/proc/PID/smaps` lists them (`proc_pid_smaps(5)`).

use crate::regions::{self, Region};

/// A mapping, and its bytes by where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The mapping itself.
    pub region: Region,
    /// In memory.
    pub rss: u64,
    /// In memory, a page that n processes have mapped counting as one n-th.
    pub pss: u64,
    /// In memory as transparent huge pages.
    pub anon_huge: u64,
    /// In memory, but given back with `MADV_FREE`: the kernel takes it when it is short.
    pub lazy_free: u64,
    /// In swap.
    pub swap: u64,
}

/// Reads a list of mappings; lines that say nothing of interest are left out.
pub fn parse(smaps: &str) -> Vec<Mapping> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for text in smaps.lines() {
        if let Some((field, bytes)) = field(text) {
            let Some(last) = mappings.last_mut() else { continue };
            match field {
                "Rss" => last.rss = bytes,
                "Pss" => last.pss = bytes,
                "AnonHugePages" => last.anon_huge = bytes,
                "LazyFree" => last.lazy_free = bytes,
                "Swap" => last.swap = bytes,
                _ => {}
            }
        } else if let Some(region) = regions::line(text) {
            mappings.push(Mapping { region, rss: 0, pss: 0, anon_huge: 0, lazy_free: 0, swap: 0 });
        }
    }
    mappings
}

/// `Rss:     12 kB`: the field's name, and its bytes.
fn field(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.split_once(':')?;
    let number = rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?;
    Some((name, number.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_go_to_the_mapping_above_them() {
        let text = "Rss: 7 kB\n7f00-8f00 rw-p 00000000 00:00 0    [heap]\nSize: 64 kB\nRss:      12 kB\nSwap: 8 kB\n\
            AnonHugePages: 4 kB\nLazyFree: 99999999999999999999 kB\nVmFlags: rd wr\n9f00-af00 r--p 0 00:00 0\nRss: 1 kB";
        let mappings = parse(text);
        assert_eq!(mappings.len(), 2);
        let first = &mappings[0];
        assert_eq!(
            (first.rss, first.swap, first.anon_huge, first.lazy_free),
            (12 << 10, 8 << 10, 4 << 10, 0)
        );
        assert_eq!(first.region.name, "[heap]");
        assert_eq!(mappings[1].rss, 1 << 10);
    }
}
