use std::fmt;

/// A framework as the allocator knows it. Given out by [`Allocator::add_framework`](crate::Allocator::add_framework);
/// small and dense, used again after the framework was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameworkKey(pub u32);

/// An agent as the allocator knows it. Given out by [`Allocator::add_agent`](crate::Allocator::add_agent); small and
/// dense, used again after the agent was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentKey(pub u32);

/// An offer. Given out by [`Allocator::allocate`](crate::Allocator::allocate), counting up from 0, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferKey(pub u64);

macro_rules! display_as_number {
    ($($key:ty),*) => {
        $(impl fmt::Display for $key {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        })*
    };
}

display_as_number!(FrameworkKey, AgentKey, OfferKey);
