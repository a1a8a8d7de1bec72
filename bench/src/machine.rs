//! Where and when the figures were seen.

use std::fs::read_to_string;
use std::time::SystemTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, in UTC, to the second.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let now = OffsetDateTime::from_unix_timestamp(seconds).expect("a time of this age");
    now.format(&Rfc3339).expect("a time can be written")
}

/// Processor, cores, memory and system.
pub fn describe() -> String {
    let field = |file: &str, name: &str| {
        let text = read_to_string(file).unwrap_or_default();
        let value =
            |line: &str| line.strip_prefix(name)?.split_once(':').map(|(_, v)| v.trim().to_owned());
        text.lines().find_map(value).unwrap_or_else(|| "unknown".to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    format!("{processor}, {cores} cores, {memory} of memory, {}", std::env::consts::OS)
}

/// The load average of now.
pub fn load() -> String {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
