use uuid::Uuid;

/// What a candidate's znode is called, before the ten digits of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// Just this, as with Mesos.
    Plain(&'static str),
    /// A mark by which whoever made it knows it again stands before it, as with Curator: `_c_`, a UUID and `-`.
    Protected(&'static str),
}

/// What a mark begins with.
const MARK: &str = "_c_";

impl Label {
    /// What a new name begins with.
    pub(super) fn beginning(self) -> String {
        match self {
            Label::Plain(label) => label.to_owned(),
            Label::Protected(label) => format!("{MARK}{}-{label}", Uuid::new_v4()),
        }
    }

    /// The number at the end of a name; none when the name is another one.
    pub(super) fn number(self, name: &str) -> Option<i64> {
        let digits = match self {
            Label::Plain(label) => name.strip_prefix(label)?,
            Label::Protected(label) => {
                let (mark, digits) = name.rsplit_once(label)?;
                let mark = mark.strip_prefix(MARK)?.strip_suffix('-')?;
                Uuid::try_parse(mark).ok()?;
                digits
            }
        };
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers() {
        let (plain, protected) = (Label::Plain("json.info_"), Label::Protected("latch-"));
        let marked = "_c_0f5c1a3e-8a0c-4d5e-9c6b-0d8f1f7f3a11-latch-0000000007";
        for (label, name, number) in [
            (plain, "json.info_0000000042", Some(42)),
            (plain, "log_replicas", None),
            (plain, "info_0000000001", None),
            (plain, "json.info_", None),
            (plain, "json.info_x", None),
            (protected, marked, Some(7)),
            (protected, "latch-0000000007", None),
            (protected, "_c_x-latch-0000000007", None),
            (protected, &marked[..marked.len() - 10], None),
        ] {
            assert_eq!(label.number(name), number, "{name}");
        }
        for label in [plain, protected] {
            let name = format!("{}0000000003", label.beginning());
            assert_eq!(label.number(&name), Some(3), "{name}");
        }
    }
}
