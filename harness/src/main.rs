//! The `arenalab` command.

fn main() {}
