//! Resource usage of processes and properties of the host, read from `/proc`. On systems without it, values are
//! `None` and a process tree has only its root.

use std::fs::read_to_string;

/// Clock ticks per second in `/proc/PID/stat`; 100 on every architecture that Linux supports today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the peak resident memory of a process in MiB.
pub(crate) fn peak_memory_mib(pid: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    kibibytes(&status, "VmHWM:").map(|size_kib| size_kib / 1024)
}

/// Returns a process and all its descendants.
pub(crate) fn process_tree(pid: u32) -> Vec<u32> {
    let mut tree = vec![pid];
    let mut next = 0;
    while let Some(parent) = tree.get(next) {
        let children = read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        tree.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        next += 1;
    }
    tree
}

/// Returns the CPU time of a process in seconds, summed over its threads.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The process name in brackets may contain spaces and brackets; the fields after it do not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Returns the CPU time of the calling thread in seconds.
pub(crate) fn thread_cpu_seconds() -> Option<f64> {
    let stat = read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// Returns the model name of the first processor.
pub(crate) fn processor() -> Option<String> {
    let info = read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Returns the kernel version.
pub(crate) fn kernel() -> Option<String> {
    Some(read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned())
}

/// Returns the total memory of the host in MiB.
pub(crate) fn host_memory_mib() -> Option<u64> {
    let info = read_to_string("/proc/meminfo").ok()?;
    kibibytes(&info, "MemTotal:").map(|size_kib| size_kib / 1024)
}

/// Returns the value of a line such as `MemTotal: 24681412 kB`.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(key))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_are_read_by_key() {
        assert_eq!(kibibytes("A: 1 kB\nMemTotal:       2048 kB\n", "MemTotal:"), Some(2048));
        assert_eq!(kibibytes("A: 1 kB\n", "MemTotal:"), None);
    }
}
