//! Resident memory of a process.

/// MiB that the process holds in memory now.
///
/// # Panics
/// When there is no such process, or the system has no `/proc`.
pub fn resident(process: u32) -> f64 {
    status(process, "VmRSS:")
}

/// MiB that the process ever held in memory at once.
///
/// # Panics
/// As [`resident`].
pub fn peak(process: u32) -> f64 {
    status(process, "VmHWM:")
}

/// MiB that the process alone holds: what it wrote, and pages of files that nobody else has mapped.
///
/// # Panics
/// As [`resident`].
pub fn private(process: u32) -> f64 {
    let file = format!("/proc/{process}/smaps_rollup");
    kib(&file, "Private_Dirty:") + kib(&file, "Private_Clean:")
}

fn status(process: u32, name: &str) -> f64 {
    kib(&format!("/proc/{process}/status"), name)
}

/// MiB of a line in kB.
fn kib(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(file).expect("what the system says of it");
    let kib = |line: &str| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok();
    let kib: f64 = text.lines().find_map(kib).expect("a number of kB");
    kib / 1024.0
}
