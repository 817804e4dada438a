use arenalab_trace::read::*;
fn main(){ let r=Recording::open(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap();
let dump=std::env::args().nth(2).is_some();
for e in &r.refused { println!("{e}"); }
for f in &r.files { 
 if dump { let mut m=Merge::new(f).unwrap(); let mut c=0; while let Some(e)=m.next().unwrap(){ let o=m.order(); let _=o; println!("{c} t{} {:?}", e.thread, e.event); c+=1; } continue }
let d=f.check().unwrap(); let s=summarize(f).unwrap(); println!("{} chunks {} ended {} stop {:?}/{} lost {} kids {}/{} exe {}\n  damages {:?}\n  threads {} calls {} gains {} frees {} cross {} bytes/call {:.2} peak {} live at end {} order {:?} lost {}", f.path.file_name().unwrap().display(), f.chunks.len(), f.facts.ended, f.facts.stop, f.facts.stop_errno, f.facts.lost, f.facts.children_lost, f.facts.children_errno, f.facts.exe, d, s.threads,s.calls,s.gains,s.frees,s.cross_thread,s.event_bytes as f64/s.calls as f64,s.peak,s.curve.last().map_or(0,|l|l.bytes),s.order,s.lost); } }
