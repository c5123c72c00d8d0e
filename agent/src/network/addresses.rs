//! Which addresses of the subnet are free. They are given out in turn, so that one which was given back rests for as long as possible: others
//! may still have it in their tables of neighbours and connections.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::subnet::Subnet;

/// See the module's text.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    subnet: Subnet,
    /// By their index in the subnet.
    in_use: BTreeSet<u32>,
    next: u32,
}

impl Addresses {
    pub(crate) fn new(subnet: Subnet) -> Addresses {
        Addresses { subnet, in_use: BTreeSet::new(), next: 0 }
    }

    /// An address that nobody has; `None` when there is none.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        let capacity = self.subnet.capacity();
        if u64::try_from(self.in_use.len()).is_ok_and(|count| count >= u64::from(capacity)) {
            return None;
        }
        while !self.in_use.insert(self.next) {
            self.next = (self.next + 1) % capacity;
        }
        let address = self.subnet.address(self.next);
        self.next = (self.next + 1) % capacity;
        Some(address)
    }

    /// This address: `false` when somebody has it, or it is none for a container.
    pub(crate) fn take_this(&mut self, address: Ipv4Addr) -> bool {
        self.subnet.index(address).is_some_and(|index| self.in_use.insert(index))
    }

    /// As [`Addresses::take_this`], for one that was given out in an earlier life of the agent.
    pub(crate) fn restore(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index(address) {
            self.in_use.insert(index);
            self.next = (index + 1) % self.subnet.capacity();
        }
    }

    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        if let Some(index) = self.subnet.index(address) {
            self.in_use.remove(&index);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_rests_before_it_is_given_out_again() {
        let mut addresses = Addresses::new("10.0.0.0/29".parse().unwrap());
        let first = addresses.take().unwrap();
        addresses.release(first);
        let others: Vec<Ipv4Addr> = (0..4).map_while(|_| addresses.take()).collect();
        assert!(!others.contains(&first), "{first} in {others:?}");
        assert_eq!(addresses.take(), Some(first));
        assert_eq!(addresses.take(), None);
    }

    proptest! {
        #[test]
        fn nobody_gets_what_somebody_has(steps in proptest::collection::vec((0..3u8, 0..16u32), 0..100)) {
            let subnet: Subnet = "10.0.0.0/28".parse().unwrap();
            let mut addresses = Addresses::new(subnet);
            let mut held = BTreeSet::new();
            for (step, index) in steps {
                let address = subnet.address(index);
                match step {
                    0 => match addresses.take() {
                        Some(taken) => prop_assert!(held.insert(taken)),
                        None => prop_assert_eq!(held.len(), subnet.capacity() as usize),
                    },
                    1 => prop_assert_eq!(addresses.take_this(address), held.insert(address)),
                    _ => {
                        addresses.release(address);
                        held.remove(&address);
                    }
                }
            }
        }
    }
}
