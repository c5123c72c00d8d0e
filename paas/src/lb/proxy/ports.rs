//! Service ports: which are listened on.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Entrance;
use super::listen::{Doors, bind};
use crate::lb::table::{Mode, Names};

/// Service ports that are listened on; each costs an open file.
const PORTS_MAX: usize = 4_096;

/// The listeners of service ports.
pub(crate) struct Ports {
    doors: Doors,
    address: IpAddr,
    /// Ports of our own.
    reserved: Vec<u16>,
    names: Option<Arc<Names>>,
    open: BTreeMap<u16, Open>,
    /// Ports that could not be had, with the reason.
    refused: BTreeMap<u16, String>,
    stop: CancellationToken,
}

/// A port that is listened on, until it is dropped.
struct Open {
    mode: Mode,
    stop: CancellationToken,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Ports {
    pub(crate) fn new(doors: Doors, address: IpAddr, reserved: Vec<u16>, stop: CancellationToken) -> Self {
        Self { doors, address, reserved, names: None, open: BTreeMap::new(), refused: BTreeMap::new(), stop }
    }

    /// Opens and closes ports as `names` say.
    pub(crate) async fn follow(&mut self, names: &Arc<Names>) {
        if self.names.as_ref().is_some_and(|known| Arc::ptr_eq(known, names)) {
            return;
        }
        self.names = Some(Arc::clone(names));
        self.open.retain(|port, open| names.ports.get(port).is_some_and(|route| route.mode == open.mode));
        self.refused.retain(|port, _| names.ports.contains_key(port));
        self.open_missing().await;
    }

    /// Tries again what could not be had: another program may have left the port.
    pub(crate) async fn open_missing(&mut self) {
        let Some(names) = self.names.clone() else { return };
        let missing = names.ports.iter().filter(|(port, _)| !self.open.contains_key(port));
        let missing: Vec<(u16, Mode)> = missing.map(|(port, route)| (*port, route.mode)).collect();
        for (port, mode) in missing {
            match self.open(port, mode).await {
                Ok(open) => {
                    self.refused.remove(&port);
                    self.open.insert(port, open);
                }
                Err(why) => {
                    if self.refused.get(&port) != Some(&why) {
                        tracing::warn!(port, why, "a service port is not served");
                        self.refused.insert(port, why);
                    }
                }
            }
        }
    }

    async fn open(&self, port: u16, mode: Mode) -> Result<Open, String> {
        if self.reserved.contains(&port) {
            return Err("this load balancer uses it itself".to_owned());
        }
        if self.open.len() >= PORTS_MAX {
            return Err(format!("{PORTS_MAX} service ports are open already"));
        }
        let listener = bind(SocketAddr::new(self.address, port)).await.map_err(|error| error.to_string())?;
        let stop = self.stop.child_token();
        tokio::spawn(self.doors.clone().serve(listener, Entrance::Port(port), mode, stop.clone()));
        Ok(Open { mode, stop })
    }
}
