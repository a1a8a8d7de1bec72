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

fn status(process: u32, name: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let kib = |line: &str| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok();
    let kib: f64 = text.lines().find_map(kib).expect("a number of kB");
    kib / 1024.0
}
