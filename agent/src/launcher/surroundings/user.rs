//! Users as a container's own files tell of them.

use std::fs::File;
use std::io::{self, Read};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

/// The longest `/etc/passwd` or `/etc/group` that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Numbers of a user of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) supplementary: Vec<u32>,
}

/// A user that cannot be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("the container's /etc/passwd has no user `{0}`")]
    UnknownUser(String),
    #[error("the container's /etc/group has no group `{0}`")]
    UnknownGroup(String),
    #[error("cannot read the container's {file}")]
    Unreadable {
        file: &'static str,
        #[source]
        source: io::Error,
    },
}

impl User {
    /// By the files of this process's root. A number needs no line there.
    pub(crate) fn find(wanted: &str) -> Result<User, UserError> {
        User::in_files(wanted, &read("/etc/passwd")?, &read("/etc/group")?)
    }

    fn in_files(wanted: &str, passwd: &str, group: &str) -> Result<User, UserError> {
        let (wanted, wanted_group) = match wanted.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (wanted, None),
        };
        let number = wanted.parse::<u32>().ok();
        // name:password:uid:gid:comment:home:shell
        let line = fields(passwd).find(|line| match number {
            Some(_) => line.get(2) == Some(&wanted),
            None => line.first() == Some(&wanted),
        });
        let numbered = |line: &Vec<&str>, index: usize| line.get(index)?.parse::<u32>().ok();
        let (uid, own_group, name) = match (&line, number) {
            (Some(line), _) => {
                let unknown = || UserError::UnknownUser(wanted.to_owned());
                let (uid, gid) = (numbered(line, 2), numbered(line, 3));
                (uid.ok_or_else(unknown)?, gid.ok_or_else(unknown)?, line.first().copied())
            }
            (None, Some(uid)) => (uid, 0, None),
            (None, None) => return Err(UserError::UnknownUser(wanted.to_owned())),
        };
        // name:password:gid:member,member
        if let Some(wanted) = wanted_group.filter(|group| !group.is_empty()) {
            let named = fields(group).find(|line| line.first() == Some(&wanted));
            let gid = wanted.parse().ok().or_else(|| numbered(&named?, 2));
            let gid = gid.ok_or_else(|| UserError::UnknownGroup(wanted.to_owned()))?;
            return Ok(User { uid, gid, supplementary: vec![gid] });
        }
        let member = |line: &Vec<&str>| {
            let members = line.get(3).copied().unwrap_or_default();
            members.split(',').any(|member| Some(member) == name)
        };
        let others = fields(group).filter(member).filter_map(|line| numbered(&line, 2));
        Ok(User { uid, gid: own_group, supplementary: std::iter::once(own_group).chain(others).collect() })
    }
}

fn fields(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().map(|line| line.split(':').collect())
}

/// A container need not have the file. What else may be in its place is not waited for, and no link leads out of its root by way of /proc.
fn read(file: &'static str) -> Result<String, UserError> {
    let unreadable = |source| UserError::Unreadable { file, source };
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let opened = match openat2(AT_FDCWD, file, how) {
        Err(nix::Error::ENOENT) => return Ok(String::new()),
        other => File::from(other.map_err(|error| unreadable(error.into()))?),
    };
    if !opened.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_names_or_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:\nbroken:x:many:1::/:\n";
        let group = "root:x:0:\nweb:x:34:\nlog:x:4:other,web\n";
        let found =
            |wanted| User::in_files(wanted, passwd, group).ok().map(|user| (user.uid, user.gid, user.supplementary));
        assert_eq!(found("web"), Some((33, 34, vec![34, 4])));
        assert_eq!(found("33"), Some((33, 34, vec![34, 4])));
        assert_eq!(found("web:log"), Some((33, 4, vec![4])));
        assert_eq!(found("1000:1001"), Some((1000, 1001, vec![1001])));
        assert_eq!(found("1000"), Some((1000, 0, vec![0])));
        for unknown in ["nobody", "web:none", "broken", "", "-1"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
    }
}
