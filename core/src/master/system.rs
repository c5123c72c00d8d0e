//! The machine that this master runs on: processors, load, memory.

use std::collections::BTreeMap;

use serde_json::json;

use super::view::members;

/// What the kernel of the machine tells. A file that cannot be read leaves its figures out.
#[derive(Debug, Default)]
pub(super) struct System {
    pub(super) processors: usize,
    /// Over 1, 5 and 15 minutes.
    pub(super) load: Option<[f64; 3]>,
    pub(super) memory: Option<Memory>,
}

/// Of the machine, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) total_bytes: u64,
    pub(super) free_bytes: u64,
}

impl System {
    /// As it is now.
    pub(super) fn now() -> System {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        System {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            load: load(&text("/proc/loadavg")),
            memory: memory(&text("/proc/meminfo")),
        }
    }
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_whitespace().map(|word| word.parse::<f64>().ok());
    Some([words.next()??, words.next()??, words.next()??])
}

fn memory(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    };
    Some(Memory { total_bytes: bytes("MemTotal:")?, free_bytes: bytes("MemFree:")? })
}

/// The members of `/system/stats.json`, by name.
pub(super) fn members_now() -> String {
    let system = System::now();
    let mut figures = BTreeMap::from([("cpus_total", json!(system.processors))]);
    if let Some([one, five, fifteen]) = system.load {
        figures.extend([
            ("avg_load_1min", json!(one)),
            ("avg_load_5min", json!(five)),
            ("avg_load_15min", json!(fifteen)),
        ]);
    }
    if let Some(Memory { total_bytes, free_bytes }) = system.memory {
        figures.extend([("mem_total_bytes", json!(total_bytes)), ("mem_free_bytes", json!(free_bytes))]);
    }
    members(&figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_tells() {
        assert_eq!(load("0.50 1.25 3.00 2/345 6789\n"), Some([0.5, 1.25, 3.0]));
        assert_eq!(load(""), None);
        let text = "MemTotal:       1024 kB\nMemFree:         512 kB\nMemAvailable:   700 kB\n";
        assert_eq!(memory(text), Some(Memory { total_bytes: 1 << 20, free_bytes: 512 << 10 }));
        assert_eq!(memory("MemTotal: x kB\n"), None);
    }
}
