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

    /// Takes ports back.
    pub(super) fn put_back(&mut self, ports: &[u16]) {
        let missing: Vec<u16> = ports.iter().copied().filter(|port| !self.contains(*port)).collect();
        self.0.extend(missing.into_iter().map(|port| (port, port)));
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

/// Which host port is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    This(u16),
    Any,
}

/// The host port that a definition wants, if it wants one.
fn wanted(definition: &PortDefinition, required: bool) -> Option<Wanted> {
    match &definition.mapping {
        None if required => Some(Wanted::This(definition.port)),
        None => Some(Wanted::Any),
        Some(mapping) => mapping.host.map(|port| if port == 0 { Wanted::Any } else { Wanted::This(port) }),
    }
}

/// The host ports of one instance, in the order of the definitions that take one: the very one where one is named (all of them are if
/// `required`), else free ones from a random place on. None when they are not there.
pub(super) fn choose<'a>(
    definitions: &[PortDefinition],
    required: bool,
    free: impl Iterator<Item = &'a FreePorts> + Clone,
    random: u64,
) -> Option<Vec<u16>> {
    let wanted: Vec<Wanted> = definitions.iter().filter_map(|definition| wanted(definition, required)).collect();
    let mut named: Vec<u16> = Vec::new();
    for port in wanted.iter().filter_map(|wanted| match wanted {
        Wanted::This(port) => Some(*port),
        Wanted::Any => None,
    }) {
        if named.contains(&port) || !free.clone().any(|free| free.contains(port)) {
            return None;
        }
        named.push(port);
    }
    let total: usize = free.clone().map(FreePorts::count).sum();
    if total < wanted.len() {
        return None;
    }
    let nth = |mut index: usize| {
        for free in free.clone() {
            match free.nth(index) {
                Some(port) => return Some(port),
                None => index -= free.count(),
            }
        }
        None
    };
    let start = (random % total.max(1) as u64) as usize;
    let mut others = (0..total).filter_map(|offset| nth((start + offset) % total)).filter(|port| !named.contains(port));
    let port = |wanted: &Wanted| match wanted {
        Wanted::This(port) => Some(*port),
        Wanted::Any => others.next(),
    };
    wanted.iter().map(port).collect()
}
