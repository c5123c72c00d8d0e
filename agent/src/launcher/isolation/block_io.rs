//! What a container did with devices of blocks, as the kernel counts it.

use std::collections::BTreeMap;
use std::path::Path;

use attica_core_api::v1::{
    BlkioOperation, BlkioStatistics, BlkioValue, CfqStatistics, DeviceNumber, ThrottlingStatistics,
};

/// What the files of v1 of the two schedulers that there have been for weights begin with.
const SCHEDULERS: [&str; 2] = ["blkio.bfq.", "blkio."];
const THROTTLING: &str = "blkio.throttle.";
/// Ends the names of files that count what is beneath as well.
const RECURSIVE: &str = "_recursive";

/// Whose figures they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Device(u64, u64),
    AllDevices,
}

impl Whose {
    /// As the kernel writes it: `8:0`, or `Total`.
    fn parse(word: &str) -> Option<Whose> {
        if word == "Total" {
            return Some(Whose::AllDevices);
        }
        let (major, minor) = word.split_once(':')?;
        Some(Whose::Device(major.parse().ok()?, minor.parse().ok()?))
    }

    fn number(self) -> Option<DeviceNumber> {
        match self {
            Whose::Device(major_number, minor_number) => Some(DeviceNumber { major_number, minor_number }),
            Whose::AllDevices => None,
        }
    }
}

/// Of the cgroup of a container on v1; nothing where the kernel counts nothing.
pub(super) fn of_v1(cgroup: &Path) -> Option<BlkioStatistics> {
    let read = |name: &str| std::fs::read_to_string(cgroup.join(name)).ok();
    let scheduler = SCHEDULERS.into_iter().find(|name| cgroup.join(format!("{name}io_serviced")).exists());
    let cfq = |ending: &str| cfq(|name| read(&format!("{}{name}{ending}", scheduler?)));
    let [serviced, bytes] = ["io_serviced", "io_service_bytes"].map(|name| read(&format!("{THROTTLING}{name}")));
    if scheduler.is_none() && serviced.is_none() {
        return None;
    }
    let throttling = throttling(&serviced.unwrap_or_default(), &bytes.unwrap_or_default());
    Some(BlkioStatistics { cfq: cfq(""), cfq_recursive: cfq(RECURSIVE), throttling })
}

/// Of files by their names.
fn cfq(file: impl Fn(&str) -> Option<String>) -> Vec<CfqStatistics> {
    type Member<T> = fn(&mut CfqStatistics) -> &mut T;
    let lists: [(&str, Member<Vec<BlkioValue>>); 6] = [
        ("io_serviced", |all| &mut all.io_serviced),
        ("io_service_bytes", |all| &mut all.io_service_bytes),
        ("io_service_time", |all| &mut all.io_service_time),
        ("io_wait_time", |all| &mut all.io_wait_time),
        ("io_merged", |all| &mut all.io_merged),
        ("io_queued", |all| &mut all.io_queued),
    ];
    let numbers: [(&str, Member<Option<u64>>); 2] =
        [("sectors", |all| &mut all.sectors), ("time", |all| &mut all.time)];
    let mut found: BTreeMap<Whose, CfqStatistics> = BTreeMap::new();
    for (name, member) in lists {
        for (whose, value) in file(name).iter().flat_map(|text| text.lines()).filter_map(value) {
            member(found.entry(whose).or_default()).push(value);
        }
    }
    for (name, member) in numbers {
        for (whose, value) in file(name).iter().flat_map(|text| text.lines()).filter_map(value) {
            *member(found.entry(whose).or_default()) = value.value;
        }
    }
    found.into_iter().map(|(whose, figures)| CfqStatistics { device: whose.number(), ..figures }).collect()
}

fn throttling(serviced: &str, bytes: &str) -> Vec<ThrottlingStatistics> {
    let mut found: BTreeMap<Whose, ThrottlingStatistics> = BTreeMap::new();
    for (whose, value) in serviced.lines().filter_map(value) {
        found.entry(whose).or_default().io_serviced.push(value);
    }
    for (whose, value) in bytes.lines().filter_map(value) {
        found.entry(whose).or_default().io_service_bytes.push(value);
    }
    found.into_iter().map(|(whose, figures)| ThrottlingStatistics { device: whose.number(), ..figures }).collect()
}

/// Of a line of v1: `8:0 Read 4096`, or `8:0 7` and `Total 7`, which are about all operations.
fn value(line: &str) -> Option<(Whose, BlkioValue)> {
    let mut words = line.split_ascii_whitespace();
    let whose = Whose::parse(words.next()?)?;
    let (op, value) = match (words.next()?, words.next()) {
        (value, None) => (BlkioOperation::Total, value),
        ("Read", Some(value)) => (BlkioOperation::Read, value),
        ("Write", Some(value)) => (BlkioOperation::Write, value),
        ("Sync", Some(value)) => (BlkioOperation::Sync, value),
        ("Async", Some(value)) => (BlkioOperation::Async, value),
        ("Discard", Some(value)) => (BlkioOperation::Discard, value),
        ("Total", Some(value)) => (BlkioOperation::Total, value),
        (_, Some(value)) => (BlkioOperation::Unknown, value),
    };
    Some((whose, BlkioValue { op: Some(op), value: Some(value.parse().ok()?) }))
}

/// Of the cgroup of a container on v2, whose one file counts what is beneath as well; nothing where the kernel counts nothing.
pub(super) fn of_v2(cgroup: &Path) -> Option<BlkioStatistics> {
    let text = std::fs::read_to_string(cgroup.join("io.stat")).ok()?;
    let devices = text.lines().filter_map(Counted::parse);
    let mut found: BTreeMap<Whose, Counted> = BTreeMap::from([(Whose::AllDevices, Counted::default())]);
    for (whose, counted) in devices {
        let all = found.entry(Whose::AllDevices).or_default();
        *all = all.with(counted);
        found.insert(whose, counted);
    }
    let throttling = found.into_iter().map(|(whose, counted)| ThrottlingStatistics {
        device: whose.number(),
        io_serviced: counted.requests.values(),
        io_service_bytes: counted.bytes.values(),
    });
    Some(BlkioStatistics { throttling: throttling.collect(), ..BlkioStatistics::default() })
}

/// A line of v2's.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    requests: Operations,
    bytes: Operations,
}

#[derive(Clone, Copy, Debug, Default)]
struct Operations {
    read: u64,
    write: u64,
    discard: u64,
}

impl Counted {
    /// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`; a kernel may say more.
    fn parse(line: &str) -> Option<(Whose, Counted)> {
        let mut words = line.split_ascii_whitespace();
        let whose = Whose::parse(words.next()?)?;
        let mut counted = Counted::default();
        for (key, number) in words.filter_map(|word| word.split_once('=')) {
            let figure = match key {
                "rbytes" => &mut counted.bytes.read,
                "wbytes" => &mut counted.bytes.write,
                "dbytes" => &mut counted.bytes.discard,
                "rios" => &mut counted.requests.read,
                "wios" => &mut counted.requests.write,
                "dios" => &mut counted.requests.discard,
                _ => continue,
            };
            *figure = number.parse().ok()?;
        }
        Some((whose, counted))
    }

    fn with(self, other: Counted) -> Counted {
        Counted { requests: self.requests.with(other.requests), bytes: self.bytes.with(other.bytes) }
    }
}

impl Operations {
    fn with(self, other: Operations) -> Operations {
        Operations {
            read: self.read.saturating_add(other.read),
            write: self.write.saturating_add(other.write),
            discard: self.discard.saturating_add(other.discard),
        }
    }

    fn values(self) -> Vec<BlkioValue> {
        let Operations { read, write, discard } = self;
        let total = read.saturating_add(write).saturating_add(discard);
        let figures = [
            (BlkioOperation::Read, read),
            (BlkioOperation::Write, write),
            (BlkioOperation::Discard, discard),
            (BlkioOperation::Total, total),
        ];
        figures.map(|(op, value)| BlkioValue { op: Some(op), value: Some(value) }).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(found: Option<BlkioStatistics>) -> Value {
        serde_json::from_str(&String::from_utf8(attica_core_api::encode_json(&found.unwrap())).unwrap()).unwrap()
    }

    fn figure(op: &str, value: u64) -> Value {
        json!({"op": op, "value": value})
    }

    #[test]
    fn what_v1_counts_is_told_by_device() {
        let cgroup = tempfile::tempdir().unwrap();
        assert_eq!(of_v1(cgroup.path()), None);
        let write = |file: &str, text: &str| std::fs::write(cgroup.path().join(file), text).unwrap();
        write("blkio.throttle.io_serviced", "8:16 Read 1\n8:16 Total 1\n8:0 Read 2\n8:0 Total 2\nTotal 3\n");
        write("blkio.throttle.io_service_bytes", "8:0 Write 4096\n8:0 Mystery 7\nTotal 4103\n");
        let device = |minor: u64| json!({"major_number": 8, "minor_number": minor});
        let throttling = json!([
            {"device": device(0), "io_serviced": [figure("READ", 2), figure("TOTAL", 2)],
                "io_service_bytes": [figure("WRITE", 4096), figure("UNKNOWN", 7)]},
            {"device": device(16), "io_serviced": [figure("READ", 1), figure("TOTAL", 1)]},
            {"io_serviced": [figure("TOTAL", 3)], "io_service_bytes": [figure("TOTAL", 4103)]},
        ]);
        assert_eq!(shown(of_v1(cgroup.path())), json!({"throttling": throttling}));
        write("blkio.bfq.io_serviced", "8:0 Sync 5\nTotal 5\n");
        write("blkio.bfq.time", "8:0 12\n");
        write("blkio.bfq.io_serviced_recursive", "8:0 Async 6\n");
        write("blkio.sectors", "8:0 99\n");
        let cfq = json!([
            {"device": device(0), "time": 12, "io_serviced": [figure("SYNC", 5)]},
            {"io_serviced": [figure("TOTAL", 5)]},
        ]);
        let recursive = json!([{"device": device(0), "io_serviced": [figure("ASYNC", 6)]}]);
        let all = json!({"cfq": cfq, "cfq_recursive": recursive, "throttling": throttling});
        assert_eq!(shown(of_v1(cgroup.path())), all);
    }

    #[test]
    fn what_v2_counts_is_told_by_device_and_together() {
        let cgroup = tempfile::tempdir().unwrap();
        assert_eq!(of_v2(cgroup.path()), None);
        let stat =
            "7:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=5 dios=1 cost.usage=3\n7:1 rbytes=1 rios=1\nnonsense\n";
        std::fs::write(cgroup.path().join("io.stat"), stat).unwrap();
        let figures = |read, write, discard| {
            json!([
                figure("READ", read),
                figure("WRITE", write),
                figure("DISCARD", discard),
                figure("TOTAL", read + write + discard)
            ])
        };
        let throttling = json!([
            {"device": {"major_number": 7, "minor_number": 0}, "io_serviced": figures(1, 2, 1),
                "io_service_bytes": figures(10, 20, 5)},
            {"device": {"major_number": 7, "minor_number": 1}, "io_serviced": figures(1, 0, 0),
                "io_service_bytes": figures(1, 0, 0)},
            {"io_serviced": figures(2, 2, 1), "io_service_bytes": figures(11, 20, 5)},
        ]);
        assert_eq!(shown(of_v2(cgroup.path())), json!({"throttling": throttling}));
    }
}
