//! docs/add-a-workload.md shows the workload that it walks through as it is.

const PAGE: &str = include_str!("../../docs/add-a-workload.md");
const CODE: &str = include_str!("../src/workload/threadtest.rs");

#[test]
fn the_page_shows_the_code_as_it_is() {
    let blocks: Vec<&str> =
        PAGE.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 5);
    let lines = blocks.iter().flat_map(|block| block.lines());
    // The paragraph of the description is abridged.
    for line in lines.filter(|line| !line.contains("...")) {
        assert!(CODE.lines().any(|own| own == line), "not in threadtest.rs: {line}");
    }
}
