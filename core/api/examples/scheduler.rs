//! A framework in fifty lines: runs a command some times, each time as a task of its own, and ends when all have finished.
//!
//! `cargo run -p attica-core-api --example scheduler -- 127.0.0.1:5050 10 'echo hello'`; masters may also be given as
//! `host1:5050,host2:5050` or as the ZooKeeper that elects them, `zk://host1,host2/mesos`.

use std::error::Error;

use attica_core_api::Role;
use attica_core_api::client::{self, Config, Detection, Signal};
use attica_core_api::resources::{from_wire, parse};
use attica_core_api::scheduler::EventType;
use attica_core_api::v1::{
    CommandInfo, FrameworkInfo, LaunchOperation, Offer, OfferOperation, OfferOperationType, TaskInfo,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let masters: Detection = arguments.next().unwrap_or_else(|| "127.0.0.1:5050".to_owned()).parse()?;
    let count: u32 = arguments.next().map_or(Ok(10), |count| count.parse())?;
    let command = arguments.next().unwrap_or_else(|| "true".to_owned());

    let framework = FrameworkInfo { user: "root".to_owned(), name: "example".to_owned(), ..FrameworkInfo::default() };
    let (calls, mut signals) = client::connect(Config::new(masters, framework));
    let (mut launched, mut finished) = (0, 0);
    while finished < count {
        let event = match signals.next().await {
            Some(Signal::Event(event)) => event,
            Some(Signal::Refused { text }) => return Err(text.into()),
            Some(Signal::Subscribed { .. } | Signal::Disconnected(_)) => continue,
            None => return Err("the master refuses this framework".into()),
        };
        match event.r#type {
            Some(EventType::Offers) => {
                for offer in event.offers.unwrap_or_default().offers {
                    let tasks = fill(&offer, &command, launched..count)?;
                    launched += u32::try_from(tasks.len())?;
                    let launch = OfferOperation {
                        r#type: Some(OfferOperationType::Launch),
                        launch: Some(LaunchOperation { task_infos: tasks }),
                        ..OfferOperation::default()
                    };
                    calls.accept(vec![offer.id], vec![launch], None).await?;
                }
            }
            Some(EventType::Update) => {
                let status = event.update.unwrap_or_default().status;
                calls.acknowledge(&status).await?;
                finished += u32::from(status.state.is_terminal());
            }
            _ => {}
        }
    }
    Ok(calls.teardown().await?)
}

/// As many of the wanted tasks as the offer has room for.
fn fill(offer: &Offer, command: &str, wanted: std::ops::Range<u32>) -> Result<Vec<TaskInfo>, Box<dyn Error>> {
    let needed = parse("cpus:0.1;mem:32", &Role::any())?;
    let (mut free, part) = (from_wire(&offer.resources)?, from_wire(&needed)?);
    let mut tasks = Vec::new();
    for number in wanted {
        let Some(rest) = free.checked_minus(&part) else { break };
        free = rest;
        tasks.push(TaskInfo {
            name: format!("example {number}"),
            task_id: format!("example-{number}").into(),
            agent_id: offer.agent_id.clone(),
            resources: needed.clone(),
            command: Some(CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }),
            ..TaskInfo::default()
        });
    }
    Ok(tasks)
}
