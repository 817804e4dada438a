//! The pages of the program itself: its code and constants, and those of its libraries.
//!
//! Starting up and answering the harness take far more code than a workload, and the kernel maps what lies around what is
//! used. In a program that did nothing but the workload these pages would not be there; with a workload that needs a few
//! megabytes they would hide how candidates differ. They are clean pages of files, given back at the borders between
//! phases: what is needed again comes back by a minor fault.

use std::ffi::c_int;

use libc::{dl_phdr_info, size_t};

/// Gives back the pages of code and constants of the program and its libraries.
pub fn forget() {
    // SAFETY: the callback matches, and keeps nothing of what it is shown.
    unsafe { libc::dl_iterate_phdr(Some(forget_object), std::ptr::null_mut()) };
}

/// Does the same, and lets the peak of RSS begin anew.
pub fn forget_start() {
    forget();
    // Linux before 4.0, or /proc in an unusual place: then the peak is that of start-up, where it is higher.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Gives back what one program or library has mapped to read or run only.
unsafe extern "C" fn forget_object(
    info: *mut dl_phdr_info,
    _size: size_t,
    _data: *mut libc::c_void,
) -> c_int {
    // SAFETY: valid for the length of the call.
    let info = unsafe { &*info };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader's table, so long as it says.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
        if header.p_flags & libc::PF_W == 0 {
            let start = info.dlpi_addr as usize + header.p_vaddr as usize;
            forget_pages(start, header.p_memsz as usize);
        }
    }
    0
}

/// Gives back the pages of a segment that was never writable.
fn forget_pages(start: usize, bytes: usize) {
    // SAFETY: sysconf only reads.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let first = start & !(page - 1);
    // SAFETY: a private mapping of a file, whose pages are as in the file and are read from there again.
    let _ = unsafe { libc::madvise(first as *mut _, start + bytes - first, libc::MADV_DONTNEED) };
}
