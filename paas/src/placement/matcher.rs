use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use attica_core_api::secrets::KeyId;
use attica_core_api::v1::{AgentId, Resource};
use attica_core_api::{Scalar, Timestamp};
use clap::ValueEnum as _;

use super::abilities::{Able, Needs};
use super::constraints::{Ledger, Verdict};
use super::disks::UNRESERVED;
use super::stock::{Candidate, Kind, Pool, Stock};
use super::{RejectReason, ports};
use crate::engine::AcceptedByDefault;
use crate::model::{
    Access, Agent, DiskKind, FieldName, PersistentVolume, PodMount, PodVolumeSource, Resources, RunSpec, VolumeSource,
};

/// The label by which a run spec says whether it is placed beside GPUs that it does not need.
const GPU_SCHEDULING: &str = "GPU_SCHEDULING_BEHAVIOR";

/// Who is placed on machines that offer GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum GpuScheduling {
    /// Who needs GPUs, and who has volumes there.
    #[default]
    Restricted,
    /// Anybody.
    Unrestricted,
}

/// What is to be placed.
#[derive(Debug)]
pub struct Order<'a> {
    /// The run spec.
    pub run_spec: &'a RunSpec,
    /// So many instances.
    pub wanted: usize,
    /// At most so many from one offer.
    pub per_offer_max: usize,
    /// Where the run spec's instances are already, the first one first.
    pub placed: Vec<Arc<Agent>>,
    /// Where to begin in the free ports.
    pub random: u64,
    /// The region of the master, if it has one: agents elsewhere are used only by who asks for regions.
    pub home_region: Option<&'a str>,
    /// What secrets are sealed with, if they are: only agents that have the same key can use them.
    pub secrets_key: Option<&'a KeyId>,
    /// What it takes of an offer if it does not say.
    pub accepted_by_default: AcceptedByDefault,
    /// Whether it is placed beside GPUs that it does not need, if it does not say.
    pub gpu_scheduling: GpuScheduling,
    /// Offers of agents that are maintained at this moment are of no use …
    pub now: Timestamp,
    /// … nor are those of agents whose maintenance begins within so long.
    pub draining_ms: u64,
}

/// What became of an order.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The instances that found a place; at most as many as wanted.
    pub placed: Vec<Placed>,
    /// The offers that were looked at and took none.
    pub rejected: Vec<Rejected>,
    /// How many offers took at least one.
    pub used: usize,
}

/// A place for one instance, already taken out of the stock.
#[derive(Debug)]
pub struct Placed {
    /// The index of the offer in the stock.
    pub candidate: usize,
    /// The host ports, in the order of the port definitions.
    pub ports: Vec<u16>,
    /// What it uses, for each of its [shares](RunSpec::shares).
    pub shares: Vec<Vec<Resource>>,
    /// For each persistent volume of the run spec the disk space that it is to be made of; of an instance that has its volumes
    /// already, these.
    pub disks: Vec<Resource>,
}

/// An offer that took no instance.
#[derive(Debug)]
pub struct Rejected {
    /// The index of the offer in the stock.
    pub candidate: usize,
    /// Why, in the order of the funnel; never empty.
    pub reasons: Vec<RejectReason>,
}

/// The policy of which agent is next, by the order of the fields; smaller is better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    /// Agents with fewer instances of this run spec first: what fails together should be spread.
    instances_here: u32,
    /// Then those with the most cores left.
    cpus_left: Reverse<Scalar>,
    /// Ties are decided, not left to chance.
    agent: AgentId,
    /// One agent may be in several offers.
    candidate: usize,
}

/// Finds places for an order and takes them out of the stock.
pub fn place(order: &Order<'_>, stock: &mut Stock) -> Outcome {
    let mut search = Search::new(order);
    let mut outcome = Outcome::default();
    let mut queue: BinaryHeap<Reverse<Score>> = BinaryHeap::with_capacity(stock.candidates.len());
    for (index, candidate) in stock.candidates.iter().enumerate() {
        match search.fits(candidate) {
            Ok(_) => queue.push(Reverse(search.score(candidate, index))),
            Err(reasons) => outcome.rejected.push(Rejected { candidate: index, reasons }),
        }
    }
    let mut parked: Vec<Score> = Vec::new();
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    while outcome.placed.len() < order.wanted
        && let Some(Reverse(score)) = queue.pop()
    {
        let index = score.candidate;
        let candidate = &mut stock.candidates[index];
        let launched = from.entry(index).or_default();
        let ports = match search.fits(candidate) {
            Ok(ports) => ports,
            Err(reasons) => {
                if *launched == 0 {
                    outcome.rejected.push(Rejected { candidate: index, reasons });
                }
                continue;
            }
        };
        if search.ledger.judge(&candidate.agent) == Verdict::NotNow {
            parked.push(score);
            continue;
        }
        let shares = search.take_shares(&mut candidate.pool, &ports);
        let disks = search.take_disks(candidate);
        search.placed_on(&candidate.agent);
        outcome.placed.push(Placed { candidate: index, ports, shares, disks });
        *launched += 1;
        if *launched < order.per_offer_max {
            queue.push(Reverse(search.score(candidate, index)));
        }
        queue.extend(parked.drain(..).map(Reverse));
    }
    let idle = parked.iter().filter(|score| from.get(&score.candidate).is_none_or(|launched| *launched == 0));
    let constraint =
        |score: &Score| Rejected { candidate: score.candidate, reasons: vec![RejectReason::UnfulfilledConstraint] };
    outcome.rejected.extend(idle.map(constraint));
    outcome.used = from.values().filter(|launched| **launched > 0).count();
    outcome
}

/// The roles whose reserved resources an instance takes, and `*` for what is reserved for nobody.
pub(crate) fn accepted(run_spec: &RunSpec, by_default: AcceptedByDefault) -> Vec<String> {
    let named = &run_spec.placement.accepted_resource_roles;
    match by_default {
        _ if !named.is_empty() => named.clone(),
        AcceptedByDefault::Any => vec![UNRESERVED.to_owned(), run_spec.role.clone()],
        AcceptedByDefault::Unreserved => vec![UNRESERVED.to_owned()],
        AcceptedByDefault::Reserved => vec![run_spec.role.clone()],
    }
}

/// What an agent says about itself that cannot make containers, because it is not root.
const ISOLATION: (&str, &str) = ("isolation", "posix");

/// Where an agent says which key it has for secrets.
pub(crate) const SECRETS: &str = "secrets";

/// Whether an agent can open the secrets of an instance.
fn can_open(agent: &Agent, order: &Order<'_>) -> bool {
    let known = || agent.attributes.get(SECRETS).map(String::as_str);
    order.run_spec.secrets.is_empty() || order.secrets_key.is_some_and(|key| known() == Some(key.as_str()))
}

/// What the agent of an offer says of itself.
fn able(candidate: &Candidate) -> Able<'_> {
    let key = candidate.agent.attributes.get(SECRETS).map(String::as_str);
    Able { abilities: candidate.offer.abilities.as_deref(), key }
}

/// Whether an agent can make what an instance is to run in.
fn can_contain(agent: &Agent, run_spec: &RunSpec) -> bool {
    let (attribute, without) = ISOLATION;
    let of_app = run_spec.container.as_ref().is_some_and(|container| {
        let mounts = container.volumes.iter().any(|volume| matches!(volume.source, VolumeSource::Host(_)));
        container.image.is_some() || container.linux.is_some() || mounts
    });
    let of_pod = run_spec.pod().is_some_and(|pod| {
        let is_secret = |mount: &PodMount| {
            let of_it = pod.volumes.iter().find(|volume| volume.name == mount.volume);
            of_it.is_some_and(|volume| matches!(volume.source, PodVolumeSource::Secret(_)))
        };
        pod.containers.iter().any(|container| {
            // Other volumes that are not read only are shown without a container's help.
            let mounted = |mount: &PodMount| mount.access == Some(Access::ReadOnly) || is_secret(mount);
            container.image.is_some() || container.linux.is_some() || container.mounts.iter().any(mounted)
        })
    });
    let needed = of_app || of_pod || !run_spec.networks.is_host();
    !needed || agent.attributes.get(attribute).is_none_or(|isolation| isolation != without)
}

/// Whether the agent of an offer is being maintained, or soon will be, as far as is known.
fn is_maintained(candidate: &Candidate, order: &Order<'_>) -> bool {
    const NANOSECONDS: i64 = 1_000_000;
    let Some(window) = &candidate.offer.unavailability else { return false };
    let begin = window.start.nanoseconds / NANOSECONDS;
    let length = window.duration.as_ref().map(|duration| duration.nanoseconds / NANOSECONDS);
    let (now, from) = (order.now.0, begin.saturating_sub_unsigned(order.draining_ms));
    from <= now && length.is_none_or(|length| now < begin.saturating_add(length))
}

/// The state of one search.
pub(super) struct Search<'a> {
    order: &'a Order<'a>,
    ledger: Ledger,
    instances_by_agent: BTreeMap<AgentId, u32>,
    /// What each instance consists of.
    shares: Vec<(Resources, usize)>,
    /// What it asks of agents besides resources.
    needs: Needs,
    /// Its persistent volumes.
    volumes: Vec<&'a PersistentVolume>,
    /// The roles of what may be used: what is to be reserved for an instance must not be reserved yet.
    roles: Vec<String>,
}

impl<'a> Search<'a> {
    pub(super) fn new(order: &'a Order<'a>) -> Self {
        let constraints = &order.run_spec.placement.constraints;
        let ledger = Ledger::new(constraints, order.run_spec.instances, order.placed.iter().map(Arc::as_ref));
        let mut instances_by_agent = BTreeMap::new();
        for agent in &order.placed {
            *instances_by_agent.entry(agent.id.clone()).or_default() += 1;
        }
        let volumes: Vec<_> = order.run_spec.persistent_volumes().into_iter().map(|(_, volume)| volume).collect();
        let roles = match volumes.is_empty() {
            true => accepted(order.run_spec, order.accepted_by_default),
            false => vec![UNRESERVED.to_owned()],
        };
        let (shares, needs) = (order.run_spec.shares(), Needs::of_run_spec(order.run_spec));
        Self { order, ledger, instances_by_agent, shares, needs, volumes, roles }
    }

    /// The same search among what is reserved for one instance, its volumes aside.
    pub(super) fn among_held(self) -> Self {
        Self { volumes: Vec::new(), roles: Vec::new(), ..self }
    }

    /// The host ports that an instance would get; everything that speaks against the offer otherwise. GROUP_BY's "not now" does
    /// not: the search comes back to it.
    fn fits(&self, candidate: &Candidate) -> Result<Vec<u16>, Vec<RejectReason>> {
        let is_ours = candidate.role.as_ref().is_none_or(|role| *role == self.order.run_spec.role);
        match is_ours && candidate.pool.has_role(&self.roles) {
            true => self.fits_into(candidate, &candidate.pool),
            false => Err(vec![RejectReason::UnfulfilledRole]),
        }
    }

    /// The same for a part of an offer.
    pub(super) fn fits_into(&self, candidate: &Candidate, pool: &Pool) -> Result<Vec<u16>, Vec<RejectReason>> {
        let (run_spec, roles) = (self.order.run_spec, &self.roles);
        let needs = run_spec.needs();
        let scarce = |kind, need: Scalar| !need.is_zero() && pool.left(kind, roles) < need;
        let free = pool.free_ports(roles).collect::<Vec<_>>();
        let ports = ports::choose(&run_spec.ports, run_spec.require_ports, free.into_iter(), self.order.random);
        let failed = [
            (
                RejectReason::UnfulfilledConstraint,
                self.ledger.judge(&candidate.agent) == Verdict::Never
                    || !can_contain(&candidate.agent, run_spec)
                    || !can_open(&candidate.agent, self.order)
                    || !self.needs.are_met(able(candidate), self.order.secrets_key.map(KeyId::as_str))
                    || self.is_abroad(&candidate.agent),
            ),
            (RejectReason::AgentMaintenance, is_maintained(candidate, self.order)),
            (RejectReason::InsufficientCpus, scarce(Kind::Cpus, needs.cpus)),
            (RejectReason::InsufficientMemory, scarce(Kind::Mem, needs.mem)),
            (
                RejectReason::InsufficientDisk,
                scarce(Kind::Disk, needs.disk.plus(self.root_volumes())) || !self.has_disks(candidate),
            ),
            (RejectReason::InsufficientGpus, scarce(Kind::Gpus, needs.gpus)),
            (RejectReason::InsufficientPorts, ports.is_none()),
            (RejectReason::DeclinedScarceResources, self.would_waste_gpus(pool)),
        ];
        let reasons: Vec<RejectReason> =
            failed.into_iter().filter(|(_, failed)| *failed).map(|(reason, _)| reason).collect();
        ports.filter(|_| reasons.is_empty()).ok_or(reasons)
    }

    /// Whether an instance that needs no GPU would take room beside some, which who needs them then lacks.
    fn would_waste_gpus(&self, pool: &Pool) -> bool {
        let run_spec = self.order.run_spec;
        let own = run_spec.labels.get(GPU_SCHEDULING).and_then(|name| GpuScheduling::from_str(name, false).ok());
        match own.unwrap_or(self.order.gpu_scheduling) {
            GpuScheduling::Restricted => run_spec.resources.gpus.is_zero() && pool.has(Kind::Gpus),
            GpuScheduling::Unrestricted => false,
        }
    }

    /// What the volumes on the agent's own disk need.
    fn root_volumes(&self) -> Scalar {
        let root = self.volumes.iter().filter(|volume| volume.disk == DiskKind::Root);
        root.fold(Scalar::ZERO, |sum, volume| sum.plus(Scalar::units(volume.size_mb)))
    }

    fn has_disks(&self, candidate: &Candidate) -> bool {
        let mut others = self.volumes.iter().filter(|volume| volume.disk != DiskKind::Root).peekable();
        if others.peek().is_none() {
            return true;
        }
        let mut disks = candidate.disks.clone();
        others.all(|volume| disks.take(volume).is_some())
    }

    /// Takes what each share needs.
    pub(super) fn take_shares(&self, pool: &mut Pool, ports: &[u16]) -> Vec<Vec<Resource>> {
        let mut left = ports;
        let mut shares = Vec::with_capacity(self.shares.len());
        for (needs, count) in &self.shares {
            let (own, others) = left.split_at(*count);
            shares.push(pool.take(needs, own, &self.roles));
            left = others;
        }
        shares
    }

    /// Takes what the volumes need, after the shares.
    fn take_disks(&self, candidate: &mut Candidate) -> Vec<Resource> {
        let mut take = |volume: &PersistentVolume| match volume.disk {
            DiskKind::Root => candidate.pool.take_disk(Scalar::units(volume.size_mb), &self.roles),
            DiskKind::Path | DiskKind::Mount => candidate.disks.take(volume),
        };
        let taken: Vec<Resource> = self.volumes.iter().filter_map(|volume| take(volume)).collect();
        assert_eq!(taken.len(), self.volumes.len(), "an instance was placed on an offer that lacks disk space");
        taken
    }

    /// Whether an agent is in another region than the master, and the run spec says nothing of regions.
    fn is_abroad(&self, agent: &Agent) -> bool {
        let constraints = &self.order.run_spec.placement.constraints;
        let elsewhere = self.order.home_region.zip(agent.domain.as_ref()).is_some_and(|(home, at)| at.region != home);
        elsewhere && !constraints.iter().any(|constraint| constraint.field == FieldName::Region)
    }

    fn score(&self, candidate: &Candidate, index: usize) -> Score {
        Score {
            instances_here: self.instances_by_agent.get(&candidate.agent.id).copied().unwrap_or_default(),
            cpus_left: Reverse(candidate.pool.left(Kind::Cpus, &self.roles)),
            agent: candidate.agent.id.clone(),
            candidate: index,
        }
    }

    fn placed_on(&mut self, agent: &Agent) {
        self.ledger.place(agent);
        *self.instances_by_agent.entry(agent.id.clone()).or_default() += 1;
    }
}
