//! Answers about pods.

use super::answer::{Answer, Missing, Reader, with_version};
use crate::model::{RunSpecId, Shape, Version};
use crate::normalise;

impl Reader<'_> {
    /// `[…]`: the definitions of all pods.
    #[must_use]
    pub fn pods(&self) -> Answer {
        self.collect(|views, out| {
            out.text("[");
            let pods = views.apps().map(|(_, pod)| pod).filter(|pod| pod.of_shape(Shape::Pod).is_some());
            out.separated(pods, |pod, out| pod.render_definition(out));
            out.text("]");
        })
    }

    /// `[…]`: all pods with their instances.
    #[must_use]
    pub fn pod_statuses(&self) -> Answer {
        self.collect(|views, out| {
            out.text("[");
            let pods = views.apps().map(|(_, pod)| pod).filter(|pod| pod.of_shape(Shape::Pod).is_some());
            out.separated(pods, |pod, out| pod.render_pod(out));
            out.text("]");
        })
    }

    /// The definition of a pod, whose version is that of the answer's tag.
    #[must_use]
    pub fn pod(&self, id: &RunSpecId) -> Answer {
        let mut version = None;
        let answer = self.find(|views, out| {
            let pod = views.pod(id)?;
            version = pod.definition.as_ref().map(|definition| definition.spec.version.to_string());
            pod.render_definition(out);
            Ok(())
        });
        with_version(answer, version)
    }

    /// A pod with its instances.
    #[must_use]
    pub fn pod_status(&self, id: &RunSpecId) -> Answer {
        self.find(|views, out| {
            views.pod(id)?.render_pod(out);
            Ok(())
        })
    }

    /// `[…]`: the versions of a pod, newest first.
    #[must_use]
    pub fn pod_versions(&self, id: &RunSpecId) -> Answer {
        self.find(|views, out| {
            let versions: Vec<String> = views.pod(id)?.versions.keys().rev().map(ToString::to_string).collect();
            out.made(normalise::json(&versions));
            Ok(())
        })
    }

    /// One version of a pod; `written` is how the client names it.
    #[must_use]
    pub fn pod_version(&self, id: &RunSpecId, version: Option<Version>, written: &str) -> Answer {
        self.find(|views, out| {
            let pod = views.pod(id)?;
            let spec = version.and_then(|version| pod.versions.get(&version));
            let missing = || Missing::PodVersion { pod: id.to_string(), version: written.to_owned() };
            out.made(normalise::definition(spec.ok_or_else(missing)?));
            Ok(())
        })
    }
}
