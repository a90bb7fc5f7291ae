//! What the system tells about processes and the machine. Nothing where there is no `/proc`.

use std::fs::read_to_string;

/// Ticks of a second in `/proc/PID/stat`, the same on every machine that Linux runs on today.
const TICKS: f64 = 100.0;

/// The most memory that a process has had, in MiB.
pub(crate) fn peak_memory(pid: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1024)
}

/// A process, those that it started, and those that they started.
pub(crate) fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut asked = 0;
    while let Some(parent) = family.get(asked) {
        let children = read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        asked += 1;
    }
    family
}

/// Seconds of processor time that a process has used, all its threads together.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may have spaces and brackets in it; what comes after it has not.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

/// Seconds that the calling thread has spent on a processor.
pub(crate) fn thread_seconds() -> Option<f64> {
    let stat = read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = stat.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

/// The name of the first processor.
pub(crate) fn processor() -> Option<String> {
    let info = read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The version of the kernel.
pub(crate) fn kernel() -> Option<String> {
    Some(read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned())
}

/// All memory of the machine, in MiB.
pub(crate) fn memory() -> Option<u64> {
    let info = read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kibibytes / 1024)
}
