//! What the isolators that are on control of a container besides its limits.

use std::collections::BTreeMap;

use attica_core_api::v1::Resource;

use super::Config;
use super::accept::Refusal;
use crate::isolators::Isolator;
use crate::launcher::controls::Controls;

/// What resources are called that are megabytes of huge pages; the kernel's name of their size follows, as in `hugepages_2MB`.
const HUGE_PAGES: &str = "hugepages_";
const BYTES_PER_MEGABYTE: f64 = 1_048_576.0;
/// The weight that cgroups begin with, which here one cpu has, and the bounds of the kernel's older scheduler.
const WEIGHT_PER_CPU: f64 = 100.0;
const WEIGHTS: (f64, f64) = (1.0, 1_000.0);

/// Of what has these resources, and may use so many cpus where that is more. Mesos's isolators of these names only count what is used, or
/// do nothing: here a disk is shared out as the cpus are, a container is bound to as many processors as it has cpus, and it has the huge pages
/// that it was given.
pub(super) fn of(
    config: &Config,
    resources: &[Resource],
    cpus_limit: Option<f64>,
) -> Result<Option<Box<Controls>>, Refusal> {
    let on = |isolator| config.isolators.has(isolator);
    let amounts =
        || resources.iter().filter_map(|resource| Some((resource.name.as_str(), resource.scalar.as_ref()?.value)));
    let cpus: f64 = amounts().filter(|(name, _)| *name == "cpus").map(|(_, value)| value).sum();
    let most = cpus_limit.map_or(cpus, |limit| limit.max(cpus));
    let controls = Controls {
        io_weight: on(Isolator::Io).then(|| (cpus * WEIGHT_PER_CPU).clamp(WEIGHTS.0, WEIGHTS.1) as u16),
        processors: (on(Isolator::Processors) && most.is_finite()).then(|| most.ceil().max(1.0) as u32),
        devices: on(Isolator::Devices).then(|| config.devices.rules.clone()),
        huge_pages: huge_pages(amounts(), on(Isolator::HugePages))?,
    };
    Ok((controls != Controls::default()).then(|| Box::new(controls)))
}

fn huge_pages<'a>(
    amounts: impl Iterator<Item = (&'a str, f64)>,
    on: bool,
) -> Result<Option<BTreeMap<String, u64>>, Refusal> {
    let mut sizes = BTreeMap::<String, u64>::new();
    for (name, megabytes) in amounts {
        match name.strip_prefix(HUGE_PAGES) {
            None => {}
            Some(_) if !on => return Err(Refusal::HugePages(name.to_owned())),
            Some(size) => *sizes.entry(size.to_owned()).or_default() += (megabytes * BYTES_PER_MEGABYTE) as u64,
        }
    }
    Ok(on.then_some(sizes))
}
