//! The container engines that the agent asks for names.

use crate::metrics::catalogue::Group;
use crate::metrics::family::{Emit, Family, Source};

pub(super) const GROUP: Group = Group {
    title: "Engines",
    about: "",
    families: &[Family {
        name: "plimsoll_engine_up",
        help: "1 if the engine answered when it was last asked, else 0; its workloads then lack only their names.",
        labels: &["engine"],
        source: Source::new("the engine's socket"),
        absent: "the engine is not on this host, or switched off in the configuration",
        emit: Emit::Once(|scrape, out| {
            for engine in &scrape.snapshot.agent.engines {
                out.push_with(&[("engine", &engine.engine)], engine.up);
            }
        }),
        ..Family::SINGLE
    }],
};
