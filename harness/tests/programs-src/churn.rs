// A churn in Rust, whose allocator is the C library's.
fn main() {
    let begin = std::time::Instant::now();
    let mut kept: Vec<Vec<u8>> = vec![Vec::new(); 4096];
    let mut count = 0_usize;
    while begin.elapsed().as_millis() < 800 {
        let place = count % kept.len();
        kept[place] = vec![1; 2048];
        count += 1;
    }
    println!("rate: {count} {}", kept.len());
}
