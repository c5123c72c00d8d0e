//! Disk space for volumes, and what is reserved for single instances.

use attica_core_api::v1::{DiskInfo, DiskSource, DiskSourceMount, DiskSourcePath, DiskSourceType, FrameworkId};
use uuid::Uuid;

use super::*;
use crate::model::{
    Access, Container, ContainerKind, DiskKind, InstanceId, LocalVolume, PathRule, PersistentVolume, Volume,
    VolumeSource,
};

fn disk(kind: DiskSourceType, root: &str, size: f64) -> Resource {
    let path = (kind == DiskSourceType::Path).then(|| DiskSourcePath { root: Some(root.into()) });
    let mount = (kind == DiskSourceType::Mount).then(|| DiskSourceMount { root: Some(root.into()) });
    let source = DiskSource { r#type: kind, path, mount, ..DiskSource::default() };
    let info = DiskInfo { source: Some(source), ..DiskInfo::default() };
    Resource { disk: Some(Box::new(info)), ..scalar("disk", size, None) }
}

fn volume(disk: DiskKind, size_mb: u32) -> PersistentVolume {
    PersistentVolume { disk, size_mb, size_max_mb: None, profile: None, paths: Vec::new() }
}

fn resident(volumes: Vec<PersistentVolume>) -> RunSpec {
    let mounted = volumes.into_iter().enumerate().map(|(index, volume)| Volume {
        container_path: format!("v{index}"),
        source: VolumeSource::Persistent(volume),
        access: Access::ReadWrite,
    });
    let container = Container { kind: ContainerKind::Mesos, image: None, volumes: mounted.collect(), linux: None };
    run_spec(RunSpecUpdate { container: Some(container), ..RunSpecUpdate::default() })
}

fn big_offer(number: usize) -> Offer {
    let mut offer = offer(number, 4.0, 31_010);
    offer.resources.push(scalar("disk", 100.0, None));
    offer.resources.extend([
        disk(DiskSourceType::Path, "/mnt/shared", 50.0),
        disk(DiskSourceType::Mount, "/mnt/large", 500.0),
        disk(DiskSourceType::Mount, "/mnt/small", 200.0),
    ]);
    offer
}

/// The sizes and roots of the disks that the volumes are to be made of; or why there are none.
fn taken(volumes: Vec<PersistentVolume>) -> Result<Vec<(f64, String)>, Vec<RejectReason>> {
    let run_spec = resident(volumes);
    let mut outcome = place(&order(&run_spec, 1), &mut Stock::new(vec![big_offer(1)]));
    let Some(place) = outcome.placed.pop() else { return Err(outcome.rejected.remove(0).reasons) };
    let root = |resource: &Resource| {
        let source = resource.disk.as_ref().and_then(|disk| disk.source.clone()).unwrap_or_default();
        source.path.and_then(|path| path.root).or(source.mount.and_then(|mount| mount.root)).unwrap_or_default()
    };
    Ok(place.disks.iter().map(|disk| (disk.scalar.as_ref().unwrap().value, root(disk))).collect())
}

#[test]
fn each_kind_of_volume_takes_its_kind_of_disk() {
    use DiskKind::{Mount, Path, Root};
    let like = |pattern: &str| PersistentVolume { paths: vec![PathRule::Like(pattern.into())], ..volume(Mount, 10) };
    let of = |size: f64, root: &str| (size, root.to_owned());
    let scarce = Err(vec![RejectReason::InsufficientDisk]);
    for (volumes, expected) in [
        (vec![volume(Root, 60), volume(Root, 40)], Ok(vec![of(60.0, ""), of(40.0, "")])),
        (vec![volume(Root, 60), volume(Root, 41)], scarce.clone()),
        (vec![volume(Path, 20), volume(Path, 30)], Ok(vec![of(20.0, "/mnt/shared"), of(30.0, "/mnt/shared")])),
        (vec![volume(Path, 20), volume(Path, 31)], scarce.clone()),
        (vec![volume(Mount, 10), volume(Mount, 10)], Ok(vec![of(200.0, "/mnt/small"), of(500.0, "/mnt/large")])),
        (vec![volume(Mount, 10), volume(Mount, 10), volume(Mount, 10)], scarce.clone()),
        (vec![like("/mnt/l.*")], Ok(vec![of(500.0, "/mnt/large")])),
        (vec![like("/mnt")], scarce.clone()),
        (vec![PersistentVolume { size_max_mb: Some(100), ..volume(Mount, 10) }], scarce.clone()),
        (vec![PersistentVolume { profile: Some("fast".into()), ..volume(Mount, 10) }], scarce),
    ] {
        assert_eq!(taken(volumes.clone()), expected, "{volumes:?}");
    }
}

#[test]
fn what_is_reserved_for_an_instance_is_for_nobody_else() {
    let run_spec = resident(vec![volume(DiskKind::Root, 60), volume(DiskKind::Path, 20)]);
    let instance = InstanceId { run_spec: run_spec.id.clone(), uuid: Uuid::from_u128(1) };
    let owner = Owner { framework: FrameworkId::from("f"), instance };
    let mut stock = Stock::new(vec![big_offer(1)]);
    let first = place(&order(&run_spec, 1), &mut stock).placed.remove(0);
    let volumes: Vec<LocalVolume> =
        (0..2).map(|index| LocalVolume { name: format!("v{index}"), uuid: Uuid::from_u128(index) }).collect();
    let mark = Mark { owner: owner.clone(), role: "data", principal: Some("me") };
    let first = stock.candidates[0].operations.keep(&mark, &volumes, first);

    // What the agent offers once its task has ended.
    let mut kept = Offer { resources: Vec::new(), ..offer(1, 0.0, 0) };
    kept.resources.extend(first.shares.iter().flatten().chain(&first.disks).cloned());
    let stranger = run_spec_of_others();
    let outcome = place(&order(&stranger, 1), &mut Stock::new(vec![kept.clone()]));
    assert_eq!(outcome.rejected[0].reasons, [RejectReason::UnfulfilledRole]);

    let ids: Vec<String> = volumes.iter().map(|volume| volume.persistence_id(&run_spec.id)).collect();
    let awaited = Awaited { owner: owner.clone(), volumes: ids.clone() };
    let other = Awaited { owner: Owner { framework: FrameworkId::from("g"), ..owner }, volumes: ids };
    let mut stock = Stock::new(vec![big_offer(2), kept]);
    assert!(place_held(&order(&run_spec, 1), &other, &mut stock).unwrap_err().is_empty());
    let again = place_held(&order(&run_spec, 1), &awaited, &mut stock).unwrap();
    assert_eq!((again.candidate, again.ports, again.shares, again.disks), (1, first.ports, first.shares, first.disks));
    assert!(place_held(&order(&run_spec, 1), &awaited, &mut stock).is_err(), "it is there once");
}

fn run_spec_of_others() -> RunSpec {
    run_spec(RunSpecUpdate { cpus: Quantity::from_thousandths(100).ok(), ..RunSpecUpdate::default() })
}
