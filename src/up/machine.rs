//! What this machine has, and each agent's part of it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Where task ports are taken from: above Marathon's service ports (10000–20000), below the kernel's ephemeral range (from 32768).
const TASK_PORTS: std::ops::Range<u16> = 21000..32000;
const MOST_PORTS_PER_AGENT: usize = 1000;
const LEAST_CPUS: usize = 2;
const LEAST_MEM_MB: u64 = 1024;
const LEAST_DISK_MB: u64 = 1024;

pub struct Machine {
    cpus: usize,
    mem_mb: u64,
    disk_mb: u64,
    /// TCP ports that something listens on.
    ports_in_use: BTreeSet<u16>,
}

impl Machine {
    pub fn detect(data_dir: &Path) -> io::Result<Machine> {
        let stat = nix::sys::statvfs::statvfs(data_dir)?;
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        Ok(Machine {
            cpus: std::thread::available_parallelism()?.get(),
            mem_mb: total_mem_mb(&fs::read_to_string("/proc/meminfo")?).unwrap_or(LEAST_MEM_MB),
            disk_mb: (stat.blocks_available() * stat.fragment_size()) >> 20,
            ports_in_use: tables.iter().flat_map(|table| listening_ports(table)).collect(),
        })
    }

    /// One `--resources` text for each agent. Every agent offers all cores (cpu is shares here, not a limit), an equal part of
    /// memory and disk, and task ports of its own; `given` replaces the first three, and the ports as well if it names them.
    pub fn divide(&self, agents: u8, given: Option<&str>) -> Vec<String> {
        let parts = u64::from(agents);
        let quantities = given.map(|text| text.trim_end_matches(';').to_owned()).unwrap_or_else(|| {
            // An eighth stays for the rest of the machine, this cluster's own processes among it.
            let mem_mb = (self.mem_mb * 7 / 8 / parts).max(LEAST_MEM_MB);
            let disk_mb = (self.disk_mb * 7 / 8 / parts).max(LEAST_DISK_MB);
            format!("cpus:{};mem:{mem_mb};disk:{disk_mb}", self.cpus.max(LEAST_CPUS))
        });
        let has_ports = quantities.split(';').any(|part| part.trim_start().starts_with("ports"));
        let free: Vec<u16> = TASK_PORTS.filter(|port| !self.ports_in_use.contains(port)).collect();
        let each = (free.len() / usize::from(agents)).min(MOST_PORTS_PER_AGENT);
        free.chunks(each.max(1))
            .take(usize::from(agents))
            .map(|ports| if has_ports { quantities.clone() } else { format!("{quantities};ports:{}", ranges(ports)) })
            .collect()
    }
}

/// `[21000-21079,21081-21999]`, from ports in rising order.
fn ranges(ports: &[u16]) -> String {
    let runs = ports.chunk_by(|a, b| a + 1 == *b);
    let texts: Vec<String> = runs.filter_map(|run| Some(format!("{}-{}", run.first()?, run.last()?))).collect();
    format!("[{}]", texts.join(","))
}

fn total_mem_mb(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find(|line| line.starts_with("MemTotal:"))?;
    Some(line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// The local ports of `/proc/net/tcp` (or tcp6) in state LISTEN (0A).
fn listening_ports(table: &str) -> Vec<u16> {
    let sockets = table.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let listening = sockets.filter(|fields| fields.get(3) == Some(&"0A"));
    listening.filter_map(|fields| u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine { cpus: 1, mem_mb: 8192, disk_mb: 100_000, ports_in_use: BTreeSet::from([21000, 21005, 22003]) }
    }

    #[test]
    fn every_agent_gets_a_part_and_ports_of_its_own() {
        expect_test::expect![[r#"
            cpus:2;mem:2389;disk:29166;ports:[21001-21004,21006-22001]
            cpus:2;mem:2389;disk:29166;ports:[22002-22002,22004-23002]
            cpus:2;mem:2389;disk:29166;ports:[23003-24002]"#]]
        .assert_eq(&machine().divide(3, None).join("\n"));
    }

    #[test]
    fn given_resources_are_kept_and_ports_added_unless_named() {
        expect_test::expect![[r#"
            cpus:8;mem:512;ports:[21001-21004,21006-22001]
            cpus:8;mem:512;ports:[22002-22002,22004-23002]"#]]
        .assert_eq(&machine().divide(2, Some("cpus:8;mem:512;")).join("\n"));
        assert_eq!(machine().divide(1, Some("cpus:8;ports:[1-2]")), ["cpus:8;ports:[1-2]"]);
    }

    #[test]
    fn even_the_most_agents_get_ports() {
        let parts = machine().divide(super::super::MOST_AGENTS, None);
        assert_eq!(parts.len(), usize::from(super::super::MOST_AGENTS));
    }

    #[test]
    fn listening_sockets_are_read_from_the_kernels_table() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:1F91 0100007F:1F90 01 0\n";
        assert_eq!(listening_ports(table), [8080]);
    }
}
