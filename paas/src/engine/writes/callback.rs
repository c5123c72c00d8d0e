//! Who has events posted to it.

use attica_core_api::Now;

use super::super::{Effects, Engine, Fact, Origin, Refusal, Reply, Terms};
use crate::model::{CallbackSecret, CallbackUrl};
use crate::validate::limits::CALLBACKS_MAX;

impl Engine {
    /// Has events posted to a URL, from the one after `position` on. One that is there already goes on where it is, with the new secret
    /// if there is one.
    pub(super) fn add_callback(
        &mut self,
        now: Now,
        url: CallbackUrl,
        secret: Option<CallbackSecret>,
        position: i64,
        (origin, terms): (&Origin, &Terms),
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        let present = self.state.callbacks.get(&url);
        if present.is_none() && self.state.callbacks.len() >= CALLBACKS_MAX {
            return Err(Refusal::TooManyCallbacks { limit: CALLBACKS_MAX });
        }
        let position = present.map_or(position, |present| present.position);
        let secret = secret.or_else(|| present.and_then(|present| present.secret.clone()));
        if !terms.dry_run {
            let client_ip = origin.client_ip.clone();
            self.record(now, Fact::CallbackAdded { client_ip, url, secret, position }, out);
        }
        Ok(Reply::Done)
    }

    /// Has nothing posted to a URL any more.
    pub(super) fn remove_callback(
        &mut self,
        now: Now,
        url: CallbackUrl,
        (origin, terms): (&Origin, &Terms),
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if self.state.callbacks.contains_key(&url) && !terms.dry_run {
            self.record(now, Fact::CallbackRemoved { client_ip: origin.client_ip.clone(), url }, out);
        }
        Ok(Reply::Done)
    }

    /// Notes how far the posts to a URL have come.
    pub(super) fn callback_reached(
        &mut self,
        now: Now,
        url: CallbackUrl,
        position: i64,
        out: &mut Effects,
    ) -> Result<Reply, Refusal> {
        if self.state.callbacks.get(&url).is_some_and(|callback| callback.position < position) {
            self.record(now, Fact::CallbackReached { url, position }, out);
        }
        Ok(Reply::Done)
    }
}
