use attica_core_api::v1::{TaskId, TaskState};
use expect_test::expect;

use super::super::*;
use super::world::{World, id, update};

#[test]
fn the_life_of_an_app_as_subscribers_see_it() {
    let mut world = World::new(1);
    let task = |world: &World| TaskId::from(world.task_ids("/shop/web")[0].as_str());
    world.put("/shop/web", update(1));
    let first = task(&world);
    world.report(&first, TaskState::Killing, |status| status.message = Some("stopping".into()));
    world.run();
    world.end(&first, TaskState::Failed);
    world.run();
    world.deployed(Write::Delete { id: id("/shop/web"), force: true });
    world.disconnect();
    world.connect();
    let lines: Vec<String> =
        world.frames.iter().map(|frame| format!("{}\n{}\n", frame.event_type, frame.data)).collect();
    expect![[r#"
        scheduler_registered_event
        {"frameworkId":"f","master":"","eventType":"scheduler_registered_event","timestamp":"2023-11-14T22:13:20.000Z"}
        api_post_event
        {"clientIp":"127.0.0.1","uri":"/v2/apps","appDefinition":{"id":"/shop/web"},"eventType":"api_post_event","timestamp":"2023-11-14T22:13:20.000Z"}
        group_change_success
        {"groupId":"/shop","version":"2023-11-14T22:13:20.000Z","eventType":"group_change_success","timestamp":"2023-11-14T22:13:20.000Z"}
        deployment_info
        {"plan":{"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","steps":[{"actions":[{"action":"StartApplication","app":"/shop/web"}]},{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:20.000Z"},"currentStep":{"actions":[{"action":"StartApplication","app":"/shop/web"}]},"eventType":"deployment_info","timestamp":"2023-11-14T22:13:20.000Z"}
        deployment_step_success
        {"plan":{"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","steps":[{"actions":[{"action":"StartApplication","app":"/shop/web"}]},{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:20.000Z"},"currentStep":{"actions":[{"action":"StartApplication","app":"/shop/web"}]},"eventType":"deployment_step_success","timestamp":"2023-11-14T22:13:20.000Z"}
        deployment_info
        {"plan":{"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","steps":[{"actions":[{"action":"StartApplication","app":"/shop/web"}]},{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:20.000Z"},"currentStep":{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]},"eventType":"deployment_info","timestamp":"2023-11-14T22:13:20.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Scheduled","runSpecId":"/shop/web","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:20.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Provisioned","runSpecId":"/shop/web","agentId":"agent-h1","host":"h1","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:20.000Z"}
        status_update_event
        {"slaveId":"agent-h1","taskId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4._app.1","taskStatus":"TASK_STAGING","message":"","appId":"/shop/web","host":"h1","ipAddresses":[],"ports":[31617],"version":"2023-11-14T22:13:20.000Z","eventType":"status_update_event","timestamp":"2023-11-14T22:13:20.000Z"}
        status_update_event
        {"slaveId":"agent-h1","taskId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4._app.1","taskStatus":"TASK_STARTING","message":"","appId":"/shop/web","host":"h1","ipAddresses":[],"ports":[31617],"version":"2023-11-14T22:13:20.000Z","eventType":"status_update_event","timestamp":"2023-11-14T22:13:20.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Starting","runSpecId":"/shop/web","agentId":"agent-h1","host":"h1","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:20.000Z"}
        status_update_event
        {"slaveId":"agent-h1","taskId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4._app.1","taskStatus":"TASK_RUNNING","message":"","appId":"/shop/web","host":"h1","ipAddresses":[],"ports":[31617],"version":"2023-11-14T22:13:20.000Z","eventType":"status_update_event","timestamp":"2023-11-14T22:13:20.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Running","runSpecId":"/shop/web","agentId":"agent-h1","host":"h1","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:20.000Z"}
        deployment_step_success
        {"plan":{"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","steps":[{"actions":[{"action":"StartApplication","app":"/shop/web"}]},{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:20.000Z"},"currentStep":{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]},"eventType":"deployment_step_success","timestamp":"2023-11-14T22:13:20.000Z"}
        deployment_success
        {"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","plan":{"id":"8ecbd5ff-0401-5677-a2e7-be3a9256db25","steps":[{"actions":[{"action":"StartApplication","app":"/shop/web"}]},{"actions":[{"action":"ScaleApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:20.000Z"},"eventType":"deployment_success","timestamp":"2023-11-14T22:13:20.000Z"}
        status_update_event
        {"slaveId":"agent-h1","taskId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4._app.1","taskStatus":"TASK_KILLING","message":"stopping","appId":"/shop/web","host":"h1","ipAddresses":[],"ports":[31617],"version":"2023-11-14T22:13:20.000Z","eventType":"status_update_event","timestamp":"2023-11-14T22:13:21.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Killing","runSpecId":"/shop/web","agentId":"agent-h1","host":"h1","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:21.000Z"}
        status_update_event
        {"slaveId":"agent-h1","taskId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4._app.1","taskStatus":"TASK_FAILED","message":"","appId":"/shop/web","host":"h1","ipAddresses":[],"ports":[31617],"version":"2023-11-14T22:13:20.000Z","eventType":"status_update_event","timestamp":"2023-11-14T22:13:21.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Failed","runSpecId":"/shop/web","agentId":"agent-h1","host":"h1","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:21.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Scheduled","runSpecId":"/shop/web","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:21.000Z"}
        group_change_success
        {"groupId":"/shop","version":"2023-11-14T22:13:21.000Z","eventType":"group_change_success","timestamp":"2023-11-14T22:13:21.000Z"}
        deployment_info
        {"plan":{"id":"9a0e71bd-00f0-554c-be45-d5771e7eaf08","steps":[{"actions":[{"action":"StopApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:21.000Z"},"currentStep":{"actions":[{"action":"StopApplication","app":"/shop/web"}]},"eventType":"deployment_info","timestamp":"2023-11-14T22:13:21.000Z"}
        instance_changed_event
        {"instanceId":"shop_web.instance-b3b03b0c-dcd2-5abe-abb0-94a063265ba4","condition":"Killed","runSpecId":"/shop/web","runSpecVersion":"2023-11-14T22:13:20.000Z","eventType":"instance_changed_event","timestamp":"2023-11-14T22:13:21.000Z"}
        app_terminated_event
        {"appId":"/shop/web","eventType":"app_terminated_event","timestamp":"2023-11-14T22:13:21.000Z"}
        deployment_step_success
        {"plan":{"id":"9a0e71bd-00f0-554c-be45-d5771e7eaf08","steps":[{"actions":[{"action":"StopApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:21.000Z"},"currentStep":{"actions":[{"action":"StopApplication","app":"/shop/web"}]},"eventType":"deployment_step_success","timestamp":"2023-11-14T22:13:21.000Z"}
        deployment_success
        {"id":"9a0e71bd-00f0-554c-be45-d5771e7eaf08","plan":{"id":"9a0e71bd-00f0-554c-be45-d5771e7eaf08","steps":[{"actions":[{"action":"StopApplication","app":"/shop/web"}]}],"version":"2023-11-14T22:13:21.000Z"},"eventType":"deployment_success","timestamp":"2023-11-14T22:13:21.000Z"}
        scheduler_disconnected_event
        {"eventType":"scheduler_disconnected_event","timestamp":"2023-11-14T22:13:22.000Z"}
        scheduler_reregistered_event
        {"master":"","eventType":"scheduler_reregistered_event","timestamp":"2023-11-14T22:13:22.000Z"}
    "#]].assert_eq(&lines.concat());
}
