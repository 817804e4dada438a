//! What looking at a process takes: `cargo run --release -p arenalab-inspect --example cost PID [quick|deep]`.

use std::time::Instant;

use arenalab_inspect::Live;
use arenalab_inspect::glibc::{self, How};
use arenalab_inspect::rows::rows;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pid: u32 = std::env::args().nth(1).ok_or("usage: cost PID [quick|deep]")?.parse()?;
    let only = std::env::args().nth(2);
    let looks = [("quick", How::QUICK), ("deep", How::DEEP)];
    for (name, how) in looks.into_iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name))
    {
        let begun = Instant::now();
        let live = Live::open(pid)?;
        let regions = live.regions()?;
        let pages = live.pagemap()?;
        let malloc = glibc::find(&live, &regions)?;
        let walk = malloc.walk(&live, &regions, &pages, how);
        let walked = begun.elapsed();
        let mapped = malloc.mapped(&live, &regions, &pages, &walk);
        let rows = rows(&live.mappings()?, Some((&malloc, &walk, &mapped)), &pages, &live.stack_pointers());
        let free: u64 = walk.arenas.iter().map(|arena| arena.free_chunks).sum();
        println!(
            "{name}: {:.2} s in all, {:.2} s to walk {} arenas, {} bytes, {free} free chunks; {} rows",
            begun.elapsed().as_secs_f64(),
            walked.as_secs_f64(),
            malloc.arenas.len(),
            malloc.system(),
            rows.len()
        );
    }
    Ok(())
}
