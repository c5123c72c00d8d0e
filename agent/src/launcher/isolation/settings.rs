//! Settings of a cgroup that are the same on both kinds, but for the names of files.

use std::collections::BTreeMap;
use std::path::Path;

use super::IsolationError;
use crate::launcher::controls::Controller;

/// Writes to one of a cgroup's files.
pub(super) fn write(directory: &Path, file: &str, value: impl AsRef<[u8]>) -> Result<(), IsolationError> {
    let path = directory.join(file);
    std::fs::write(&path, value).map_err(IsolationError::file("write to", &path))
}

/// The first of `files` that is there says who comes first at a disk.
pub(super) fn set_io_weight(directory: &Path, files: &[&str], weight: u16) -> Result<(), IsolationError> {
    let file = files.iter().find(|file| directory.join(file).exists());
    write(directory, file.ok_or(IsolationError::Lacking(Controller::Io))?, weight.to_string())
}

/// Sets how many bytes of huge pages there may be, of every size that the kernel has: of those that are not among `sizes`, none.
pub(super) fn set_huge_pages(
    directory: &Path,
    ending: &str,
    sizes: &BTreeMap<String, u64>,
) -> Result<(), IsolationError> {
    let entries = std::fs::read_dir(directory).map_err(IsolationError::file("read", directory))?;
    let size = |name: &str| {
        let size = name.strip_prefix("hugetlb.")?.strip_suffix(ending)?.strip_suffix('.')?;
        (!size.contains('.')).then(|| size.to_owned())
    };
    let known: Vec<String> = entries.filter_map(|entry| size(entry.ok()?.file_name().to_str()?)).collect();
    if let Some(unknown) = sizes.keys().find(|size| !known.contains(size)) {
        return Err(IsolationError::NoSuchPages(unknown.clone()));
    }
    known.iter().try_for_each(|size| {
        let bytes = sizes.get(size).copied().unwrap_or(0);
        write(directory, &format!("hugetlb.{size}.{ending}"), bytes.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_huge_pages_gets_a_limit() {
        let directory = tempfile::tempdir().unwrap();
        let files =
            ["hugetlb.2MB.limit_in_bytes", "hugetlb.1GB.limit_in_bytes", "hugetlb.2MB.rsvd.limit_in_bytes", "tasks"];
        files.iter().for_each(|file| std::fs::write(directory.path().join(file), "").unwrap());
        let read = |file: &str| std::fs::read_to_string(directory.path().join(file)).unwrap();
        let sizes = BTreeMap::from([("2MB".to_owned(), 4 << 20)]);
        set_huge_pages(directory.path(), "limit_in_bytes", &sizes).unwrap();
        assert_eq!(files.map(read), ["4194304", "0", "", ""]);
        let strange = BTreeMap::from([("3MB".to_owned(), 1)]);
        let refused = set_huge_pages(directory.path(), "limit_in_bytes", &strange);
        assert!(matches!(refused, Err(IsolationError::NoSuchPages(size)) if size == "3MB"));
    }

    #[test]
    fn a_kernel_without_weights_is_told_from_one_with() {
        let directory = tempfile::tempdir().unwrap();
        let files = ["blkio.bfq.weight", "blkio.weight"];
        let lacking = set_io_weight(directory.path(), &files, 5);
        assert!(matches!(lacking, Err(IsolationError::Lacking(Controller::Io))));
        std::fs::write(directory.path().join("blkio.weight"), "").unwrap();
        set_io_weight(directory.path(), &files, 5).unwrap();
        assert_eq!(std::fs::read_to_string(directory.path().join("blkio.weight")).unwrap(), "5");
    }
}
