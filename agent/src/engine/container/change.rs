//! Changing a container: its name, its limits, its restart policy.

use bollard::models::ContainerUpdateBody;

use super::EngineError;
use super::handle::Engine;
use super::name;
use crate::launch::Container;

impl Engine {
    /// Gives it another name.
    ///
    /// # Errors
    /// The name is none, or another's.
    pub async fn rename(&self, wanted: &str, new: &str) -> Result<(), EngineError> {
        let cell = self.cell(wanted)?;
        let new = name::parse(new)?;
        let _verb = cell.verb.lock().await;
        let old = cell.require()?.settings.name.clone();
        if old == new {
            let text = "Renaming a container with the same name as its current name".to_owned();
            return Err(EngineError::Invalid(text));
        }
        self.shared.registry.reserve(Some(&new), &cell.id)?;
        if let Err(error) = cell.set(|settings| settings.name.clone_from(&new)) {
            self.shared.registry.release(&new);
            return Err(error);
        }
        self.shared.registry.release(&old);
        let (own, name) = (cell.id.clone(), new.clone());
        self.blocking(move |shared| Ok(shared.parts.networks.rename(own.as_str(), &name)?))
            .await?;
        let attribute = [("oldName", format!("/{old}"))];
        self.shared.events.container(&cell, "rename", &attribute);
        Ok(())
    }

    /// Sets limits and the restart policy; what is not given stays. Returns warnings.
    ///
    /// # Errors
    /// This host cannot enforce one of them, or the kernel refuses its value.
    pub async fn update(
        &self,
        wanted: &str,
        body: ContainerUpdateBody,
    ) -> Result<Vec<String>, EngineError> {
        let cell = self.cell(wanted)?;
        let _verb = cell.verb.lock().await;
        let life = cell.require()?.life;
        let own = std::sync::Arc::clone(&cell);
        let warnings = self
            .blocking(move |shared| {
                let (changed, resources) = shared.parts.update(&own.settings(), &body)?;
                let mut warnings = Vec::new();
                if life.runs() {
                    let container = Container::open(&shared.workloads(), &own.id)?;
                    let told = container.update(resources)?;
                    warnings.extend(told.iter().map(ToString::to_string));
                }
                own.set(|settings| settings.body = changed)?;
                Ok(warnings)
            })
            .await?;
        self.shared.events.container(&cell, "update", &[]);
        Ok(warnings)
    }
}
