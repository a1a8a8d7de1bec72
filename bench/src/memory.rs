//! Resident memory of a process.

/// MiB that the process holds in memory now.
///
/// # Panics
/// When there is no such process, or the system has no `/proc`.
pub fn resident(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let kib = |line: &str| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok();
    let kib: f64 = text.lines().find_map(kib).expect("VmRSS");
    kib / 1024.0
}
