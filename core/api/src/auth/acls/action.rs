//! What can be allowed and refused, with the names of Mesos.

/// What the objects of an action's rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// Roles; `a/%` means those beneath `a`.
    Roles,
    /// Accounts of the operating system.
    Users,
    /// Principals.
    Principals,
    /// Paths of [`Action::GetEndpoint`].
    Paths,
    /// There is only one; the rule says ANY or NONE.
    Implicit,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident $list:literal $member:literal $objects:ident,)*) => {
        /// What somebody may do, or may not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Action] = &[$(Action::$name),*];

            /// Mesos's name of it: `RegisterFramework` is `REGISTER_FRAMEWORK`.
            pub fn name(self) -> String {
                let written = match self { $(Action::$name => stringify!($name),)* };
                let mut name = String::new();
                for letter in written.chars() {
                    if letter.is_ascii_uppercase() && !name.is_empty() {
                        name.push('_');
                    }
                    name.push(letter.to_ascii_uppercase());
                }
                name
            }

            /// The key of its list of rules.
            pub fn list(self) -> &'static str {
                match self { $(Action::$name => $list,)* }
            }

            /// The key of a rule's objects.
            pub(super) fn member(self) -> &'static str {
                match self { $(Action::$name => $member,)* }
            }

            pub(super) fn objects(self) -> Objects {
                match self { $(Action::$name => Objects::$objects,)* }
            }
        }
    };
}

actions! {
    /// Register a framework with a role.
    RegisterFramework "register_frameworks" "roles" Roles,
    /// Run a task or an executor as a user.
    RunTask "run_tasks" "users" Users,
    /// End a framework of a principal.
    TeardownFramework "teardown_frameworks" "framework_principals" Principals,
    /// Reserve resources for a role.
    ReserveResources "reserve_resources" "roles" Roles,
    /// Give up what a principal has reserved.
    UnreserveResources "unreserve_resources" "reserver_principals" Principals,
    /// Create a volume from what is reserved for a role.
    CreateVolume "create_volumes" "roles" Roles,
    /// Destroy what a principal has created.
    DestroyVolume "destroy_volumes" "creator_principals" Principals,
    /// Grow or shrink a volume of a role.
    ResizeVolume "resize_volumes" "roles" Roles,
    /// Make a block device of a role's disk.
    CreateBlockDisk "create_block_disks" "roles" Roles,
    /// Undo that.
    DestroyBlockDisk "destroy_block_disks" "roles" Roles,
    /// Make a mounted file system of a role's disk.
    CreateMountDisk "create_mount_disks" "roles" Roles,
    /// Undo that.
    DestroyMountDisk "destroy_mount_disks" "roles" Roles,
    /// Give a raw disk of a role back.
    DestroyRawDisk "destroy_raw_disks" "roles" Roles,
    /// See the quota of a role.
    GetQuota "get_quotas" "roles" Roles,
    /// Change the quota of a role.
    UpdateQuota "update_quotas" "roles" Roles,
    /// Change the weight of a role.
    UpdateWeight "update_weights" "roles" Roles,
    /// See a role.
    ViewRole "view_roles" "roles" Roles,
    /// See frameworks of a user.
    ViewFramework "view_frameworks" "users" Users,
    /// See tasks of a user.
    ViewTask "view_tasks" "users" Users,
    /// See executors of a user.
    ViewExecutor "view_executors" "users" Users,
    /// See what containers of a user are.
    ViewContainer "view_containers" "users" Users,
    /// See with which flags a process was started.
    ViewFlags "view_flags" "flags" Implicit,
    /// GET one of the few paths that have rules of their own.
    GetEndpoint "get_endpoints" "paths" Paths,
    /// Read the files of a user's tasks.
    AccessSandbox "access_sandboxes" "users" Users,
    /// Read the log of a master or agent.
    AccessMesosLog "access_mesos_logs" "logs" Implicit,
    /// Change how much is logged.
    SetLogLevel "set_log_level" "level" Implicit,
    /// Register as an agent.
    RegisterAgent "register_agents" "agents" Implicit,
    /// Plan maintenance.
    UpdateMaintenanceSchedule "update_maintenance_schedules" "machines" Implicit,
    /// See what maintenance is planned.
    GetMaintenanceSchedule "get_maintenance_schedules" "machines" Implicit,
    /// Take machines down.
    StartMaintenance "start_maintenances" "machines" Implicit,
    /// Bring machines up.
    StopMaintenance "stop_maintenances" "machines" Implicit,
    /// See which machines are in maintenance.
    GetMaintenanceStatus "get_maintenance_statuses" "machines" Implicit,
    /// Drain an agent.
    DrainAgent "drain_agents" "agents" Implicit,
    /// Offer nothing of an agent.
    DeactivateAgent "deactivate_agents" "agents" Implicit,
    /// Offer an agent's resources again.
    ReactivateAgent "reactivate_agents" "agents" Implicit,
    /// Declare an agent gone for good.
    MarkAgentGone "mark_agents_gone" "agents" Implicit,
    /// Run a nested container as a user.
    LaunchNestedContainerAsUser "launch_nested_containers_as_user" "users" Users,
    /// Run a nested container beneath one of a user.
    LaunchNestedContainerUnderParentWithUser "launch_nested_containers_under_parent_with_user" "users" Users,
    /// Run a session as a user.
    LaunchNestedContainerSessionAsUser "launch_nested_container_sessions_as_user" "users" Users,
    /// Run a session beneath a container of a user.
    LaunchNestedContainerSessionUnderParentWithUser "launch_nested_container_sessions_under_parent_with_user" "users" Users,
    /// Write to the standard input of a user's container.
    AttachContainerInput "attach_containers_input" "users" Users,
    /// Read the output of a user's container.
    AttachContainerOutput "attach_containers_output" "users" Users,
    /// Kill a nested container of a user.
    KillNestedContainer "kill_nested_containers" "users" Users,
    /// Wait for a nested container of a user.
    WaitNestedContainer "wait_nested_containers" "users" Users,
    /// Remove a nested container of a user.
    RemoveNestedContainer "remove_nested_containers" "users" Users,
    /// Run a container without a framework.
    LaunchStandaloneContainer "launch_standalone_containers" "users" Implicit,
    /// Kill one.
    KillStandaloneContainer "kill_standalone_containers" "users" Implicit,
    /// Wait for one.
    WaitStandaloneContainer "wait_standalone_containers" "users" Implicit,
    /// Remove one.
    RemoveStandaloneContainer "remove_standalone_containers" "users" Implicit,
    /// See one.
    ViewStandaloneContainer "view_standalone_containers" "users" Implicit,
    /// Configure a resource provider.
    ModifyResourceProviderConfig "modify_resource_provider_configs" "resource_providers" Implicit,
    /// Declare a resource provider gone.
    MarkResourceProviderGone "mark_resource_providers_gone" "resource_providers" Implicit,
    /// See resource providers.
    ViewResourceProvider "view_resource_providers" "resource_providers" Implicit,
    /// Remove images that nobody uses.
    PruneImages "prune_images" "images" Implicit,
}
