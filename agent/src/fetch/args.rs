//! How the fetcher is told what it may do.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::Settings;

/// How files for tasks are fetched.
#[derive(Clone, Debug, clap::Args)]
pub struct FetchArgs {
    /// How much the cache of fetched files may hold, as 500MB or 2GB
    #[arg(long, alias = "fetcher_cache_size", env = "MESOS_FETCHER_CACHE_SIZE", value_name = "SIZE", default_value = "2GB", value_parser = parse_size)]
    pub fetcher_cache_size: Size,
    /// Directory of that cache; what is in it goes when the agent starts [default: `fetch-cache` in the work directory]
    #[arg(long, alias = "fetcher_cache_dir", env = "MESOS_FETCHER_CACHE_DIR", value_name = "DIRECTORY")]
    pub fetcher_cache_dir: Option<PathBuf>,
    /// A download of which nothing comes for so long fails, as 30secs or 1mins
    #[arg(long, alias = "fetcher_stall_timeout", env = "MESOS_FETCHER_STALL_TIMEOUT", value_name = "DURATION", default_value = "1mins", value_parser = parse_duration)]
    pub fetcher_stall_timeout: Milliseconds,
    /// Private networks that tasks' files may be downloaded from, as 10.0.0.0/8,fd00::/8: addresses of the public internet need not be
    /// allowed, and all others, this machine's own among them, are refused
    #[arg(long, env = "ATTICA_FETCHER_ALLOWED_NETWORKS", value_name = "NETWORK,…", value_delimiter = ',')]
    pub fetcher_allowed_networks: Vec<IpNet>,
    /// Authorities, in PEM, that are believed besides the machine's own when files are fetched over https
    #[arg(long, env = "ATTICA_FETCHER_CA_FILE", value_name = "FILE")]
    pub fetcher_ca_file: Option<PathBuf>,
}

/// An amount of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// In bytes.
    pub bytes: u64,
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Milliseconds(pub u64);

impl FetchArgs {
    pub(crate) fn settings(&self, work_dir: &Path) -> std::io::Result<Settings> {
        let cache = self.fetcher_cache_dir.clone().unwrap_or_else(|| work_dir.join("fetch-cache"));
        Ok(Settings {
            // The helper works elsewhere.
            cache_directory: std::path::absolute(cache)?,
            cache_bytes: self.fetcher_cache_size.bytes,
            stall_timeout_ms: self.fetcher_stall_timeout.0,
            allowed_networks: self.fetcher_allowed_networks.clone(),
            authorities: self.fetcher_ca_file.as_ref().map(std::path::absolute).transpose()?,
        })
    }
}

fn split(text: &str) -> Option<(f64, &str)> {
    let unit = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let number: f64 = text[..unit].parse().ok()?;
    Some((number, &text[unit..]))
}

pub(crate) fn parse_size(text: &str) -> Result<Size, String> {
    let units = [("B", 0), ("KB", 10), ("MB", 20), ("GB", 30), ("TB", 40)];
    let known = split(text).and_then(|(number, unit)| {
        let (_, shift) = units.into_iter().find(|(name, _)| *name == unit)?;
        Some(Size { bytes: (number * (1_u64 << shift) as f64) as u64 })
    });
    known.ok_or_else(|| format!("`{text}` is no size: one is written as 500MB or 2GB (B, KB, MB, GB, TB)"))
}

pub(crate) fn parse_duration(text: &str) -> Result<Milliseconds, String> {
    let duration = attica_core_api::parse_duration(text).map_err(|error| error.to_string())?;
    let milliseconds = u64::try_from(duration.as_millis()).ok().filter(|milliseconds| *milliseconds > 0);
    milliseconds.map(Milliseconds).ok_or_else(|| format!("expected 1ms or more, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_written_as_for_mesos() {
        assert_eq!(parse_size("2GB"), Ok(Size { bytes: 2 << 30 }));
        assert_eq!(parse_size("0.5KB"), Ok(Size { bytes: 512 }));
        assert_eq!(parse_duration("1mins"), Ok(Milliseconds(60_000)));
        assert_eq!(parse_duration("1500us"), Ok(Milliseconds(1)));
        for bad in ["", "2", "GB", "2 GB", "-1GB", "1gb"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        for bad in ["0secs", "999us", "1", "secs"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
