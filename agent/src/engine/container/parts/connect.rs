//! One network more, or less, for a container that may be running.

use std::path::PathBuf;

use bollard::models::EndpointSettings;

use super::Parts;
use super::names::mode;
use super::network::{asked, publish, wish};
use crate::engine::container::cell::Cell;
use crate::engine::container::model::{Record, Settings};
use crate::engine::container::{EngineError, ErrorKind};
use crate::engine::network::{NetworkError, NetworkMode};
use crate::launch::Process;

impl Parts {
    /// Networks that a container is in when it runs.
    pub(in crate::engine::container) fn wishes(&self, settings: &Settings) -> Vec<String> {
        let NetworkMode::Named(first) = mode(settings) else {
            return Vec::new();
        };
        let mut names: Vec<String> = asked(settings).into_keys().collect();
        names.push(first);
        names
    }

    /// Puts a container into one more network, at once if it runs and whenever it starts again.
    pub(in crate::engine::container) fn connect_one(
        &self,
        cell: &Cell,
        network: &str,
        endpoint: EndpointSettings,
    ) -> Result<(), EngineError> {
        let record = cell.require()?;
        let name = self.name_of(network)?;
        let mode = mode(&record.settings);
        if let NetworkMode::Host | NetworkMode::Container(_) = mode {
            return Err(conflict(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ));
        }
        if self.wishes(&record.settings).contains(&name) {
            return Err(conflict(&format!(
                "endpoint with name {} already exists in network {name}",
                record.settings.name
            )));
        }
        let before = record.settings.body.clone();
        cell.set(|settings| {
            let config = settings.body.networking_config.get_or_insert_default();
            let endpoints = config.endpoints_config.get_or_insert_default();
            endpoints.insert(name.clone(), endpoint);
            // It was taken out of its last one, or had none from the start.
            if mode == NetworkMode::None {
                let host = settings.body.host_config.get_or_insert_default();
                host.network_mode = Some(name.clone());
            }
        })?;
        let attached = self.attach_now(cell, &cell.record(), &name);
        if attached.is_err() {
            cell.set(|settings| settings.body = before)?;
            self.lead_back(cell);
        }
        attached
    }

    /// Its way out and its ports may have gone to a network that it did not get into.
    fn lead_back(&self, cell: &Cell) {
        let record = cell.record();
        let Some(process) = record.life.process.filter(|_| record.life.runs()) else {
            return;
        };
        let id = record.settings.id.as_str();
        let led = self.networks.lead_out(id, &netns_of(&process));
        let led = led.map_err(EngineError::from).and_then(|()| {
            let ports = publish(&record.settings)?;
            Ok(self.networks.publish(id, &ports)?)
        });
        if let Err(error) = led {
            let error = error.with_causes();
            tracing::warn!(container = id, error, "not led out as before");
        }
    }

    fn attach_now(&self, cell: &Cell, record: &Record, name: &str) -> Result<(), EngineError> {
        let Some(process) = record.life.process.filter(|_| record.life.runs()) else {
            return Ok(());
        };
        let settings = &record.settings;
        let wish = wish(settings, name, asked(settings).get(name))?;
        let id = settings.id.as_str();
        let endpoint = self.networks.attach(name, id, &netns_of(&process), &wish)?;
        if let Err(error) = self.networks.publish(id, &publish(settings)?) {
            if let Err(left) = self.networks.detach(&endpoint) {
                tracing::warn!(container = id, error = %left, "a half-made attachment is left over");
            }
            return Err(error.into());
        }
        self.tell("connect", settings, &endpoint);
        self.write_names(settings, cell.dir.path(), &self.networks.endpoints(id))
    }

    /// Takes a container out of a network, now and for its next starts.
    pub(in crate::engine::container) fn disconnect_one(
        &self,
        cell: &Cell,
        network: &str,
    ) -> Result<(), EngineError> {
        let record = cell.require()?;
        let settings = &record.settings;
        let wishes = self.wishes(settings);
        let name = match self.networks.inspect(network) {
            // Of a network that was removed the name is left, which keeps the container from starting.
            Err(NetworkError::NotFound(_)) if wishes.iter().any(|wish| wish == network) => {
                network.to_owned()
            }
            found => found?.name.unwrap_or_default(),
        };
        // Docker wants one that is in no network to leave that before it joins one; there is nothing to leave.
        if mode(settings) == NetworkMode::None && name == NetworkMode::None.to_string() {
            return Ok(());
        }
        if !wishes.contains(&name) {
            return Err(conflict(&format!(
                "container {} is not connected to the network {name}",
                settings.id
            )));
        }
        let id = settings.id.as_str();
        for endpoint in self.networks.endpoints(id) {
            if self.name_of(&endpoint.network)? == name {
                self.networks.detach(&endpoint)?;
                self.tell("disconnect", settings, &endpoint);
            }
        }
        let process = record.life.process.filter(|_| record.life.runs());
        if let Some(process) = process {
            self.networks.lead_out(id, &netns_of(&process))?;
        }
        let is_first = matches!(mode(settings), NetworkMode::Named(first) if first == name);
        cell.set(|settings| {
            if let Some(config) = &mut settings.body.networking_config
                && let Some(endpoints) = &mut config.endpoints_config
            {
                endpoints.remove(&name);
            }
            if is_first {
                let left = asked(settings).into_keys().min();
                let host = settings.body.host_config.get_or_insert_default();
                host.network_mode = Some(left.unwrap_or_else(|| "none".to_owned()));
            }
        })?;
        if process.is_none() {
            return Ok(());
        }
        let settings = cell.settings();
        let endpoints = self.networks.endpoints(id);
        self.write_names(&settings, cell.dir.path(), &endpoints)?;
        Ok(self.networks.publish(id, &publish(&settings)?)?)
    }

    fn name_of(&self, network: &str) -> Result<String, EngineError> {
        Ok(self.networks.inspect(network)?.name.unwrap_or_default())
    }
}

fn netns_of(process: &Process) -> PathBuf {
    format!("/proc/{}/ns/net", process.pid).into()
}

fn conflict(text: &str) -> EngineError {
    EngineError::Part {
        kind: ErrorKind::Conflict,
        text: text.to_owned(),
    }
}
