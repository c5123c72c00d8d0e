//! What operators ask an agent for.

use super::ProcessIo;
use crate::message::{enumeration, message};
use crate::operator::{GetMetricsCall, ListFilesCall, ReadFileCall, SetLoggingLevel};
use crate::v1::{CommandInfo, ContainerId, ContainerInfo, Image, Resource, Scalar};

enumeration! {
    /// What is asked for.
    pub enum CallType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Whether the agent is well.
        GetHealth "GET_HEALTH" = 1,
        /// What the agent was started with.
        GetFlags "GET_FLAGS" = 2,
        /// What the agent was built from.
        GetVersion "GET_VERSION" = 3,
        /// All that is measured.
        GetMetrics "GET_METRICS" = 4,
        /// How much is logged.
        GetLoggingLevel "GET_LOGGING_LEVEL" = 5,
        /// Log more for a while.
        SetLoggingLevel "SET_LOGGING_LEVEL" = 6,
        /// A directory of a sandbox.
        ListFiles "LIST_FILES" = 7,
        /// A part of a file of a sandbox.
        ReadFile "READ_FILE" = 8,
        /// Frameworks, executors and tasks.
        GetState "GET_STATE" = 9,
        /// What runs, and what it uses.
        GetContainers "GET_CONTAINERS" = 10,
        /// All frameworks.
        GetFrameworks "GET_FRAMEWORKS" = 11,
        /// All executors.
        GetExecutors "GET_EXECUTORS" = 12,
        /// Operations under way.
        GetOperations "GET_OPERATIONS" = 31,
        /// All tasks.
        GetTasks "GET_TASKS" = 13,
        /// The agent itself.
        GetAgent "GET_AGENT" = 20,
        /// All resource providers.
        GetResourceProviders "GET_RESOURCE_PROVIDERS" = 26,
        /// The old form of LAUNCH_CONTAINER.
        LaunchNestedContainer "LAUNCH_NESTED_CONTAINER" = 14,
        /// The old form of WAIT_CONTAINER.
        WaitNestedContainer "WAIT_NESTED_CONTAINER" = 15,
        /// The old form of KILL_CONTAINER.
        KillNestedContainer "KILL_NESTED_CONTAINER" = 16,
        /// The old form of REMOVE_CONTAINER.
        RemoveNestedContainer "REMOVE_NESTED_CONTAINER" = 21,
        /// Run a program within a container for as long as this connection lasts.
        LaunchNestedContainerSession "LAUNCH_NESTED_CONTAINER_SESSION" = 17,
        /// Write to the input of a program.
        AttachContainerInput "ATTACH_CONTAINER_INPUT" = 18,
        /// Read the output of a program.
        AttachContainerOutput "ATTACH_CONTAINER_OUTPUT" = 19,
        /// Run a program: within a container, or in one of its own.
        LaunchContainer "LAUNCH_CONTAINER" = 22,
        /// Wait until a container has ended.
        WaitContainer "WAIT_CONTAINER" = 23,
        /// Send a signal to a container.
        KillContainer "KILL_CONTAINER" = 24,
        /// Remove what is left of an ended container.
        RemoveContainer "REMOVE_CONTAINER" = 25,
        /// Add a resource provider.
        AddResourceProviderConfig "ADD_RESOURCE_PROVIDER_CONFIG" = 27,
        /// Change a resource provider.
        UpdateResourceProviderConfig "UPDATE_RESOURCE_PROVIDER_CONFIG" = 28,
        /// Remove a resource provider.
        RemoveResourceProviderConfig "REMOVE_RESOURCE_PROVIDER_CONFIG" = 29,
        /// A resource provider will never be back.
        MarkResourceProviderGone "MARK_RESOURCE_PROVIDER_GONE" = 32,
        /// Remove images that nobody uses.
        PruneImages "PRUNE_IMAGES" = 30,
    }
    /// What a record of input is.
    pub enum AttachContainerInputType {
        /// Not said.
        Unknown "UNKNOWN" = 0,
        /// Whom it is for: the first one.
        ContainerId "CONTAINER_ID" = 1,
        /// The input: all others.
        ProcessIo "PROCESS_IO" = 2,
    }
}

message! {
    /// What runs, and what it uses.
    pub struct GetContainersCall {
        /// Whether containers within containers are wanted as well.
        show_nested: optional bool = 1,
        /// Whether those that belong to no framework are.
        show_standalone: optional bool = 2,
    }
    /// Run a program within a container.
    pub struct LaunchNestedContainer {
        container_id: required ContainerId = 1,
        command: optional CommandInfo = 2,
        container: optional Box<ContainerInfo> = 3,
    }
    /// Wait until a container has ended.
    pub struct WaitNestedContainerCall {
        container_id: required ContainerId = 1,
    }
    /// Send a signal to a container.
    pub struct KillNestedContainer {
        container_id: required ContainerId = 1,
        /// Absent: SIGKILL.
        signal: optional i32 = 2,
    }
    /// Remove what is left of an ended container.
    pub struct RemoveNestedContainer {
        container_id: required ContainerId = 1,
    }
    /// Run a program within a container for as long as this connection lasts.
    pub struct LaunchNestedContainerSession {
        container_id: required ContainerId = 1,
        command: optional CommandInfo = 2,
        container: optional Box<ContainerInfo> = 3,
    }
    /// A record of input.
    pub struct AttachContainerInput {
        r#type: optional AttachContainerInputType = 1,
        container_id: optional ContainerId = 2,
        process_io: optional ProcessIo = 3,
    }
    /// Read the output of a program.
    pub struct AttachContainerOutput {
        container_id: required ContainerId = 1,
    }
    /// Run a program: within the container that is the parent, or in a container of its own.
    pub struct LaunchContainer {
        container_id: required ContainerId = 1,
        command: optional CommandInfo = 2,
        /// Of a container of its own.
        resources: repeated Resource = 3,
        container: optional Box<ContainerInfo> = 4,
        /// Upper bounds by name of resource, above what is in `resources`.
        limits: map Scalar = 5,
    }
    /// Wait until a container has ended.
    pub struct WaitContainerCall {
        container_id: required ContainerId = 1,
    }
    /// Send a signal to a container.
    pub struct KillContainer {
        container_id: required ContainerId = 1,
        /// Absent: SIGKILL.
        signal: optional i32 = 2,
    }
    /// Remove what is left of an ended container.
    pub struct RemoveContainer {
        container_id: required ContainerId = 1,
    }
    /// Remove images that nobody uses.
    pub struct PruneImages {
        excluded_images: repeated Image = 1,
    }
    /// What an operator sends: a type, and the member of that type.
    pub struct Call {
        r#type: optional CallType = 1,
        get_metrics: optional GetMetricsCall = 2,
        set_logging_level: optional SetLoggingLevel = 3,
        list_files: optional ListFilesCall = 4,
        read_file: optional ReadFileCall = 5,
        get_containers: optional GetContainersCall = 20,
        launch_nested_container: optional LaunchNestedContainer = 6,
        wait_nested_container: optional WaitNestedContainerCall = 7,
        kill_nested_container: optional KillNestedContainer = 8,
        remove_nested_container: optional RemoveNestedContainer = 12,
        launch_nested_container_session: optional LaunchNestedContainerSession = 9,
        attach_container_input: optional AttachContainerInput = 10,
        attach_container_output: optional AttachContainerOutput = 11,
        launch_container: optional LaunchContainer = 13,
        wait_container: optional WaitContainerCall = 14,
        kill_container: optional KillContainer = 15,
        remove_container: optional RemoveContainer = 16,
        prune_images: optional PruneImages = 21,
    }
}
