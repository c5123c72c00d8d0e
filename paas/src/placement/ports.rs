use crate::model::PortDefinition;

/// Free ports of an offer: disjoint ranges, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FreePorts(Vec<(u16, u16)>);

impl FreePorts {
    /// The ports in these ranges; numbers that are no ports are left out.
    pub(super) fn new(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let ports = ranges.into_iter().filter_map(|(begin, end)| {
            let begin = u16::try_from(begin.max(1)).ok()?;
            let end = u16::try_from(end.min(u64::from(u16::MAX))).ok()?;
            (begin <= end).then_some((begin, end))
        });
        Self(ports.collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|(begin, end)| usize::from(end - begin) + 1).sum()
    }

    pub(super) fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|(begin, end)| (*begin..=*end).contains(&port))
    }

    /// The port with this index in order of the ranges.
    fn nth(&self, mut index: usize) -> Option<u16> {
        for (begin, end) in &self.0 {
            let length = usize::from(end - begin) + 1;
            if index < length {
                return Some((usize::from(*begin) + index) as u16);
            }
            index -= length;
        }
        None
    }

    /// Takes a port; false when it is not free.
    pub(super) fn take(&mut self, port: u16) -> bool {
        let Some(index) = self.0.iter().position(|(begin, end)| (*begin..=*end).contains(&port)) else {
            return false;
        };
        let (begin, end) = self.0.swap_remove(index);
        if begin < port {
            self.0.push((begin, port - 1));
        }
        if port < end {
            self.0.push((port + 1, end));
        }
        true
    }
}

/// The host ports of one instance: the defined ones if `required`, else free ones from a random place on. None when they are not
/// there.
pub(super) fn choose<'a>(
    definitions: &[PortDefinition],
    required: bool,
    free: impl Iterator<Item = &'a FreePorts> + Clone,
    random: u64,
) -> Option<Vec<u16>> {
    if required {
        let ports: Vec<u16> = definitions.iter().map(|definition| definition.port).collect();
        let there = ports.iter().all(|port| free.clone().any(|free| free.contains(*port)));
        return there.then_some(ports);
    }
    let total: usize = free.clone().map(FreePorts::count).sum();
    if total < definitions.len() {
        return None;
    }
    let port = |offset: usize| {
        let mut index = (random % total.max(1) as u64) as usize + offset;
        index %= total;
        for free in free.clone() {
            match free.nth(index) {
                Some(port) => return Some(port),
                None => index -= free.count(),
            }
        }
        None
    };
    (0..definitions.len()).map(port).collect()
}
