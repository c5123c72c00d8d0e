//! Tasks and executors whose root is made from an image: `container.mesos.image`, and `container.docker`, which needs no Docker daemon here.
//!
//! As whom a task runs: the user that it, or a parameter of its, names; else the image's; else the framework's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attica_core_api::v1::{
    CommandInfo, ContainerInfo, ContainerType, DockerInfo, Image, ImageType, Parameter, RLimit, RLimitType,
};

use super::Config;
use super::accept::{Refusal, asked_environment, refuse};
use super::secret::{self, Holder};
use crate::image::runtime::{Command, Manner};
use crate::image::{Provisioned, Wish};
use crate::launcher::protocol::{LaunchSpec, Root, SANDBOX};

/// What a task says about its root.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rooted {
    pub(super) wish: Wish,
    manner: Manner,
    options: Options,
}

/// What `container.docker.parameters` may say.
#[derive(Clone, Debug, Default, PartialEq)]
struct Options {
    environment: Vec<(String, String)>,
    hostname: Option<String>,
    user: Option<String>,
    working_directory: Option<String>,
    entrypoint: Option<String>,
    rlimits: Vec<RLimit>,
}

/// What a container's description says about its root; `None` when that is the machine's. Its credentials are sealed for `holder`.
pub(super) fn of(
    config: &Config,
    holder: Holder<'_>,
    container: Option<&ContainerInfo>,
) -> Result<Option<Rooted>, Refusal> {
    let Some(container) = container else { return Ok(None) };
    let ContainerInfo { r#type, docker, mesos, .. } = container;
    match r#type {
        ContainerType::Mesos => {
            refuse(&[(docker.is_some(), "container.docker with container.type MESOS")])?;
            let image = mesos.as_ref().and_then(|mesos| mesos.image.as_ref());
            image.map(|image| of_mesos(config, holder, image)).transpose()
        }
        ContainerType::Docker => {
            refuse(&[(mesos.is_some(), "container.mesos with container.type DOCKER")])?;
            docker.as_ref().ok_or(Refusal::NoImage).and_then(of_docker).map(Some)
        }
    }
}

/// Whether the root of a container is made of an image, whoever makes it.
pub(super) fn is_root(container: Option<&ContainerInfo>) -> bool {
    container.is_some_and(|container| match container.r#type {
        ContainerType::Mesos => container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some()),
        ContainerType::Docker => true,
    })
}

fn of_mesos(config: &Config, holder: Holder<'_>, image: &Image) -> Result<Rooted, Refusal> {
    let Image { r#type, appc, docker, cached } = image;
    refuse(&[(*r#type == ImageType::Appc || appc.is_some(), "container.mesos.image.type APPC")])?;
    let docker = docker.as_ref().ok_or(Refusal::NoImage)?;
    refuse(&[(docker.credential.is_some(), "container.mesos.image.docker.credential")])?;
    let hidden = |secret| secret::hidden(config, holder, secret);
    let credentials = docker.config.as_ref().map(hidden).transpose()?;
    let wish = Wish { name: docker.name.clone(), fresh: !cached, credentials };
    Ok(Rooted { wish, manner: Manner::Mesos, options: Options::default() })
}

fn of_docker(docker: &DockerInfo) -> Result<Rooted, Refusal> {
    let DockerInfo { image, network: _, port_mappings: _, privileged, parameters, force_pull_image, volume_driver } =
        docker;
    refuse(&[
        (*privileged, "container.docker.privileged"),
        (volume_driver.is_some(), "container.docker.volume_driver"),
    ])?;
    let mut options = Options::default();
    parameters.iter().try_for_each(|parameter| options.read(parameter))?;
    let wish = Wish { name: image.clone(), fresh: force_pull_image.unwrap_or(false), credentials: None };
    Ok(Rooted { wish, manner: Manner::Docker, options })
}

impl Options {
    /// Those that mean something without a daemon.
    fn read(&mut self, parameter: &Parameter) -> Result<(), Refusal> {
        let Parameter { key, value } = parameter;
        let invalid = || Refusal::Parameter(key.clone(), value.clone());
        let name = value.clone();
        match key.trim_start_matches('-') {
            "env" | "e" => {
                let (name, value) = value.split_once('=').ok_or_else(invalid)?;
                self.environment.push((name.to_owned(), value.to_owned()));
            }
            "hostname" | "h" => self.hostname = Some(name),
            "user" | "u" => self.user = Some(name),
            "workdir" | "w" if value.starts_with('/') => self.working_directory = Some(name),
            "entrypoint" => self.entrypoint = Some(name),
            "ulimit" => self.rlimits.push(rlimit(value).ok_or_else(invalid)?),
            "workdir" | "w" => return Err(invalid()),
            _ => return Err(Refusal::UnknownParameter(key.clone())),
        }
        let legal = !value.is_empty() && !value.contains('\0') && !value.starts_with('=');
        legal.then_some(()).ok_or_else(invalid)
    }
}

/// `nofile=1024:2048`, or one number for both.
pub(super) fn rlimit(text: &str) -> Option<RLimit> {
    let (name, numbers) = text.split_once('=')?;
    let r#type = RLimitType::from_name(&format!("RLMT_{}", name.to_ascii_uppercase()))?;
    let (soft, hard) = numbers.split_once(':').unwrap_or((numbers, numbers));
    let (soft, hard) = (soft.parse().ok()?, hard.parse().ok()?);
    (soft <= hard).then_some(RLimit { r#type: Some(r#type), soft: Some(soft), hard: Some(hard) })
}

impl Rooted {
    /// What to run on `image`.
    pub(super) fn argv(&self, image: &Provisioned, command: &CommandInfo) -> Result<(String, Vec<String>), Refusal> {
        let mut runtime = image.runtime.clone();
        if let Some(entrypoint) = &self.options.entrypoint {
            // As Docker does: the image's arguments belong to its own entry point.
            runtime.entrypoint = vec![entrypoint.clone()];
            runtime.command.clear();
        }
        let CommandInfo { shell, value, arguments, .. } = command;
        Ok(runtime.argv(self.manner, Command { shell: *shell, value: value.as_deref(), arguments })?)
    }

    /// Gives `spec` the image as its root. What is written there goes to `directory`, and with it.
    pub(super) fn surround(&self, spec: &mut LaunchSpec, image: &Provisioned, command: &CommandInfo, directory: &Path) {
        let Options { environment, hostname, rlimits, .. } = &self.options;
        spec.environment = merged(image, environment, std::mem::take(&mut spec.environment), command);
        spec.rlimits.extend(rlimits.iter().cloned());
        let surroundings = spec.surroundings.get_or_insert_default();
        let layers = image.layers.clone();
        surroundings.root = Some(Root { layers, upper: directory.join("upper"), work: directory.join("work") });
        if let Some(hostname) = hostname {
            surroundings.namespaces.hostname = Some(hostname.clone());
        }
        self.begin(spec, image, command);
    }

    /// Lets `spec`, a part of the task's container, begin as the task does.
    pub(super) fn join(&self, spec: &mut LaunchSpec, image: &Provisioned, command: &CommandInfo) {
        let given = std::mem::take(&mut spec.environment);
        spec.environment = merged(image, &self.options.environment, given, command);
        spec.shortcut = None;
        self.begin(spec, image, command);
    }

    /// Where, and as whom.
    fn begin(&self, spec: &mut LaunchSpec, image: &Provisioned, command: &CommandInfo) {
        let surroundings = spec.surroundings.get_or_insert_default();
        let begins = self.options.working_directory.as_ref().or(image.runtime.working_directory.as_ref());
        surroundings.working_directory = begins.map(PathBuf::from);
        surroundings.user = self.user(image, command);
        if surroundings.user.is_some() {
            spec.user = None;
        }
    }

    /// Of those that the image's root knows, whom the task becomes.
    pub(super) fn user(&self, image: &Provisioned, command: &CommandInfo) -> Option<String> {
        let of_image = || image.runtime.user.clone().filter(|_| command.user.is_none());
        self.options.user.clone().or_else(of_image)
    }
}

/// The image's variables, over them the parameters', the agent's, and those that the task asks for.
fn merged(
    image: &Provisioned,
    parameters: &[(String, String)],
    given: Vec<(String, String)>,
    command: &CommandInfo,
) -> Vec<(String, String)> {
    let asked = asked_environment(Some(command));
    let mut merged: BTreeMap<String, String> = image.runtime.environment.iter().cloned().collect();
    merged.extend(parameters.iter().cloned());
    for (name, value) in given {
        let of_agent = !asked.contains_key(&name);
        match name.as_str() {
            // Programs are where the image has them.
            "PATH" if of_agent && merged.contains_key("PATH") => {}
            "MESOS_SANDBOX" if of_agent => drop(merged.insert(name, SANDBOX.to_owned())),
            _ => drop(merged.insert(name, value)),
        }
    }
    merged.into_iter().collect()
}
