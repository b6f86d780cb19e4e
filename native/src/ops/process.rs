//! What the system says of the process, under the names that every Prometheus client uses.

/// Figures of the process. Where the system does not tell, there are none.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    /// Name, help text and value.
    pub(super) gauges: Vec<(&'static str, &'static str, f64)>,
}

#[cfg(target_os = "linux")]
impl Process {
    /// Reads them from `/proc`.
    pub(super) fn read() -> Option<Self> {
        use procfs::{CurrentSI, KernelStats, process::LimitValue};

        let process = procfs::process::Process::myself().ok()?;
        let stat = process.stat().ok()?;
        let ticks = procfs::ticks_per_second() as f64;
        let limit = match process.limits().ok()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit as f64,
            LimitValue::Unlimited => f64::INFINITY,
        };
        let boot = KernelStats::current().ok()?.btime as f64;
        let gauges = vec![
            (
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM",
                stat.rss as f64 * procfs::page_size() as f64,
            ),
            (
                "process_virtual_memory_bytes",
                "Addresses of the process that are mapped",
                stat.vsize as f64,
            ),
            ("process_open_fds", "Open file descriptors", process.fd_count().ok()? as f64),
            ("process_max_fds", "File descriptors that may be open", limit),
            ("process_threads", "Threads of the process", stat.num_threads as f64),
            (
                "process_start_time_seconds",
                "When the process began, since 1970",
                boot + stat.starttime as f64 / ticks,
            ),
        ];
        Some(Self { cpu_seconds: (stat.utime + stat.stime) as f64 / ticks, gauges })
    }
}

#[cfg(not(target_os = "linux"))]
impl Process {
    pub(super) const fn read() -> Option<Self> {
        None
    }
}
