//! Operators' operations on the resources of an agent: 202, because the agent still has its own part to do. What is reserved or created
//! keeps the name of who asked for it, if he proved one.

use attica_core_api::operator::{
    CreateVolumes, DestroyVolumes, GrowVolume, ReserveResources, ShrinkVolume, UnreserveResources,
};
use attica_core_api::v1::{
    AgentId, CreateOperation, DestroyOperation, GrowVolumeOperation, OfferOperation, OfferOperationType,
    ReserveOperation, ShrinkVolumeOperation, UnreserveOperation,
};

use super::Rejection;
use crate::kernel::Order;

pub(in crate::master::routes) fn reserve(call: ReserveResources, principal: Option<String>) -> Order {
    let reserve = Some(ReserveOperation { source: call.source, resources: call.resources });
    order(principal, call.agent_id, OfferOperation { reserve, ..of(OfferOperationType::Reserve) })
}

pub(in crate::master::routes) fn unreserve(call: UnreserveResources, principal: Option<String>) -> Order {
    let unreserve = Some(UnreserveOperation { resources: call.resources });
    order(principal, call.agent_id, OfferOperation { unreserve, ..of(OfferOperationType::Unreserve) })
}

pub(in crate::master::routes) fn create(call: CreateVolumes, principal: Option<String>) -> Order {
    let create = Some(CreateOperation { volumes: call.volumes });
    order(principal, call.agent_id, OfferOperation { create, ..of(OfferOperationType::Create) })
}

pub(in crate::master::routes) fn destroy(call: DestroyVolumes, principal: Option<String>) -> Order {
    let destroy = Some(DestroyOperation { volumes: call.volumes });
    order(principal, call.agent_id, OfferOperation { destroy, ..of(OfferOperationType::Destroy) })
}

pub(in crate::master::routes) fn grow(call: Box<GrowVolume>, principal: Option<String>) -> Result<Order, Rejection> {
    let grow = GrowVolumeOperation { volume: call.volume, addition: call.addition };
    let operation = OfferOperation { grow_volume: Some(Box::new(grow)), ..of(OfferOperationType::GrowVolume) };
    Ok(order(principal, present(call.agent_id)?, operation))
}

pub(in crate::master::routes) fn shrink(
    call: Box<ShrinkVolume>,
    principal: Option<String>,
) -> Result<Order, Rejection> {
    let shrink = ShrinkVolumeOperation { volume: call.volume, subtract: call.subtract };
    let operation = OfferOperation { shrink_volume: Some(Box::new(shrink)), ..of(OfferOperationType::ShrinkVolume) };
    Ok(order(principal, present(call.agent_id)?, operation))
}

/// A volume without an agent would be one of a resource provider.
fn present(agent: Option<AgentId>) -> Result<AgentId, Rejection> {
    agent.ok_or_else(|| Rejection::bad("Failed to validate master::Call: Expecting 'agent_id' to be present"))
}

fn of(kind: OfferOperationType) -> OfferOperation {
    OfferOperation { r#type: Some(kind), ..OfferOperation::default() }
}

fn order(principal: Option<String>, agent: AgentId, operation: OfferOperation) -> Order {
    Order::Operate { agent, operation: Box::new(operation), principal }
}
