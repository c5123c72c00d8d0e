//! A fingerprint of a set of tasks, so that a re-registration need not list them.

use bytes::Bytes;
use uuid::Uuid;

use crate::v1::{FrameworkId, TaskId, TaskState};

/// The order-independent sum of 128-bit hashes of (framework id, task id, state), over the tasks that are not both terminal and
/// acknowledged. Both sides keep it up to date with every change instead of computing it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TaskDigest(u128);

/// Separates these hashes from other uses of the same function.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c71_5f0d_1e1b_4ef5_9d2b_07c9_33a0_54e8);

impl TaskDigest {
    /// A task has come in.
    pub fn add(&mut self, framework_id: &FrameworkId, task_id: &TaskId, state: TaskState) {
        self.0 = self.0.wrapping_add(hash(framework_id, task_id, state));
    }

    /// A task has gone; it must have been added in the same state.
    pub fn remove(&mut self, framework_id: &FrameworkId, task_id: &TaskId, state: TaskState) {
        self.0 = self.0.wrapping_sub(hash(framework_id, task_id, state));
    }

    /// The 16 bytes that travel.
    pub fn to_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self.0.to_le_bytes())
    }

    /// The digest in 16 bytes that have travelled.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u128::from_le_bytes(bytes)))
    }
}

/// The sum of hashes is only as good as the hash: with a weak one, two tasks that trade states could go unnoticed.
fn hash(framework_id: &FrameworkId, task_id: &TaskId, state: TaskState) -> u128 {
    let mut name = Vec::with_capacity(framework_id.as_str().len() + task_id.as_str().len() + 12);
    name.extend_from_slice(&(framework_id.as_str().len() as u64).to_le_bytes());
    name.extend_from_slice(framework_id.as_str().as_bytes());
    name.extend_from_slice(&state.number().to_le_bytes());
    name.extend_from_slice(task_id.as_str().as_bytes());
    Uuid::new_v5(&NAMESPACE, &name).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(tasks: &[(&str, &str, TaskState)]) -> TaskDigest {
        let mut digest = TaskDigest::default();
        for (framework, task, state) in tasks {
            digest.add(&FrameworkId::new(*framework), &TaskId::new(*task), *state);
        }
        digest
    }

    #[test]
    fn is_independent_of_order_and_of_detours() {
        let a = ("f", "a", TaskState::Running);
        let b = ("f", "b", TaskState::Staging);
        assert_eq!(digest(&[a, b]), digest(&[b, a]));

        let mut detour = digest(&[a, ("f", "b", TaskState::Starting)]);
        detour.remove(&"f".into(), &"b".into(), TaskState::Starting);
        detour.add(&"f".into(), &"b".into(), TaskState::Staging);
        assert_eq!(detour, digest(&[a, b]));
    }

    #[test]
    fn tells_apart_what_differs() {
        let one = digest(&[("f", "a", TaskState::Running), ("f", "b", TaskState::Staging)]);
        assert_ne!(one, digest(&[("f", "a", TaskState::Running)]), "a task less");
        assert_ne!(one, digest(&[("f", "a", TaskState::Staging), ("f", "b", TaskState::Running)]), "states traded");
        assert_ne!(
            digest(&[("fa", "b", TaskState::Running)]),
            digest(&[("f", "ab", TaskState::Running)]),
            "a moved border"
        );
    }

    #[test]
    fn travels_as_sixteen_bytes() {
        let one = digest(&[("f", "a", TaskState::Running)]);
        assert_eq!(TaskDigest::from_bytes(&one.to_bytes()), Some(one));
        assert_eq!(TaskDigest::from_bytes(b"short"), None);
    }
}
