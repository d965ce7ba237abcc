//! `plimsoll inspect`

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, refused, segment};
use super::template::{compile, render};
use super::{foreign, json};
use crate::api::{ClientError, fill_unset};

const NOT_FOUND: u16 = 404;

/// Show everything about containers, images, networks or volumes, as JSON
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// json, or a Go template such as {{.State.Status}}
    #[arg(short, long, value_name = "FORM")]
    format: Option<String>,
    /// What the names are of [default: the first there is]
    #[arg(long, value_enum, value_name = "TYPE")]
    r#type: Option<Kind>,
    /// With the sizes of containers
    #[arg(short, long)]
    size: bool,
    /// Names or ids
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// The same of one type: `image inspect`, `network inspect`, …
#[derive(Debug, Args)]
pub(crate) struct InspectOneKindArgs {
    /// json, or a Go template such as {{.Id}}
    #[arg(short, long, value_name = "FORM")]
    format: Option<String>,
    /// Names or ids
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

// Without comments of their own, or `--help` gives each word a paragraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

impl InspectOneKindArgs {
    pub(super) fn of(self, kind: Kind) -> InspectArgs {
        InspectArgs {
            format: self.format,
            r#type: Some(kind),
            size: false,
            names: self.names,
        }
    }
}

pub(super) async fn run(
    args: InspectArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let template = args.format.as_deref().filter(|format| *format != "json");
    let template = template.map(compile).transpose();
    let template = template.map_err(|error| Failure::new(Exit::Failed, error))?;
    let kinds = [Kind::Container, Kind::Image, Kind::Network, Kind::Volume];
    let kinds = args.r#type.map_or(kinds.to_vec(), |kind| vec![kind]);
    let mut found = Vec::new();
    let mut failed = false;
    for name in &args.names {
        match one(engine, name, &kinds, args.size).await {
            Ok(text) => found.push(text),
            Err(failure) => {
                failed = true;
                failure.lines().iter().for_each(|line| note(line));
            }
        }
    }
    match template {
        Some(template) => {
            // As Docker has it, for scripts that read a line.
            if found.is_empty() {
                out.text("\n")?;
            }
            for text in &found {
                let mut value: Value =
                    serde_json::from_str(text).map_err(ClientError::NotUnderstood)?;
                let left_out = left_out(&value);
                fill_unset(&mut value, left_out);
                let line = render(&template, &value);
                let line = line.map_err(|error| Failure::new(Exit::Failed, error))?;
                out.text(&format!("{line}\n"))?;
            }
        }
        None => {
            let all = format!("[{}]", found.join(","));
            // For programs: on one line.
            let all = if args.format.is_some() {
                json::compact(&all)
            } else {
                json::indented(&all)
            };
            out.text(&format!("{all}\n"))?;
        }
    }
    out.flush()?;
    if failed { Err(Failure::told()) } else { Ok(()) }
}

/// What Docker leaves out of its answers where nobody set it, and templates have all the same.
fn left_out(value: &Value) -> Value {
    let parts = [
        ("State", json!({"Health": null})),
        (
            "Config",
            json!({
                "ExposedPorts": null,
                "Healthcheck": null,
                "Shell": null,
                "StopSignal": "",
                "StopTimeout": null,
            }),
        ),
    ];
    let of_this = parts
        .into_iter()
        .filter(|(part, _)| value.get(part).is_some());
    of_this
        .map(|(part, left_out)| (part.to_owned(), left_out))
        .collect()
}

/// What the engine says of the first of `kinds` that has the name.
async fn one(engine: &Engine, name: &str, kinds: &[Kind], size: bool) -> Result<String, Failure> {
    let mut missing = None;
    for kind in kinds {
        let name = segment(name);
        let path = match kind {
            Kind::Container => format!("/containers/{name}/json"),
            Kind::Image => format!("/images/{name}/json"),
            Kind::Network => format!("/networks/{name}"),
            Kind::Volume => format!("/volumes/{name}"),
        };
        let query = [("size", "1")];
        let query = if size && *kind == Kind::Container {
            &query[..]
        } else {
            &[]
        };
        match engine.get_bytes(&path, query).await {
            Ok(bytes) => return Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Err(error) if refused(&error) == Some(NOT_FOUND) => missing = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    if let ([_], Some(error)) = (kinds, missing) {
        return Err(foreign::explain(error, name, "inspect", engine).await);
    }
    let none = ClientError::Refused {
        status: NOT_FOUND,
        message: format!("no such object: {name}"),
    };
    Err(foreign::explain(none, name, "inspect", engine).await)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn templates_have_what_nobody_set() {
        let mut container = json!({"State": {"Status": "running"}, "Config": {}});
        let left_out = left_out(&container);
        fill_unset(&mut container, left_out);
        let template =
            compile("{{if .State.Health}}checked{{else}}<{{.Config.StopSignal}}>{{end}}");
        assert_eq!(render(&template.unwrap(), &container).unwrap(), "<>");
    }
}
