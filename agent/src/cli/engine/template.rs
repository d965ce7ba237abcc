//! `--format`: Go's templates over what the engine said, `json`, and `table`.

use std::str::FromStr;

use gotmpl::{MissingKey, Template, TemplateError, Value};
use serde_json::{Map, Number, Value as Json};

/// The form asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Columns: the usual ones, or those of a template.
    Table(Option<String>),
    /// A line of JSON each.
    Json,
    /// A line by a template each.
    Template(String),
}

impl Default for Form {
    fn default() -> Self {
        Self::Table(None)
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What shells leave as it is.
        let spelled = text.replace("\\t", "\t").replace("\\n", "\n");
        let form = match spelled.strip_prefix("table") {
            Some("") => Self::Table(None),
            Some(columns) if columns.starts_with([' ', '{']) => {
                Self::Table(Some(columns.trim().to_owned()))
            }
            _ if spelled == "json" => Self::Json,
            _ => Self::Template(spelled),
        };
        if let Self::Table(Some(template)) | Self::Template(template) = &form {
            compile(template)?;
        }
        Ok(form)
    }
}

/// A template that is understood.
///
/// # Errors
/// What is wrong with it.
pub(super) fn compile(text: &str) -> Result<Template, String> {
    Template::new("format")
        .missing_key(MissingKey::Error)
        .func("json", |arguments| to_json(one(arguments)?))
        .func("join", join)
        .func("split", split)
        .func("lower", |arguments| {
            Ok(text_of(one(arguments)?).to_lowercase().as_str().into())
        })
        .func("upper", |arguments| {
            Ok(text_of(one(arguments)?).to_uppercase().as_str().into())
        })
        .func("title", |arguments| {
            Ok(title(&text_of(one(arguments)?)).as_str().into())
        })
        .func("truncate", truncate)
        .func("pad", pad)
        .parse(text)
        .map_err(|error| format!("template: {error}"))
}

/// The template filled in with `data`.
///
/// # Errors
/// What `data` does not have.
pub(super) fn render(template: &Template, data: &Json) -> Result<String, String> {
    let data = gotmpl::to_value(data).map_err(|error| error.to_string())?;
    let text = template.execute_to_string(&data);
    text.map_err(|error| format!("template: {error}"))
}

fn wrong(message: &str) -> TemplateError {
    TemplateError::Exec(message.to_owned())
}

fn one(arguments: &[Value]) -> Result<&Value, TemplateError> {
    match arguments {
        [argument] => Ok(argument),
        _ => Err(wrong("expected one argument")),
    }
}

fn text_of(value: &Value) -> String {
    value.to_string()
}

fn title(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).collect()
}

fn to_json(value: &Value) -> Result<Value, TemplateError> {
    let text = serde_json::to_string(&plain(value));
    text.map(|text| text.as_str().into())
        .map_err(|error| wrong(&error.to_string()))
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        Value::Uint(value) => Json::from(*value),
        Value::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::String(value) => Json::String(value.to_string()),
        Value::List(values) => values.iter().map(plain).collect(),
        Value::Map(values) => {
            let pairs = values
                .iter()
                .map(|(name, value)| (name.to_string(), plain(value)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
        _ => Json::Null,
    }
}

fn join(arguments: &[Value]) -> Result<Value, TemplateError> {
    match arguments {
        [Value::List(values), separator] => {
            let texts: Vec<_> = values.iter().map(text_of).collect();
            Ok(texts.join(&text_of(separator)).as_str().into())
        }
        [Value::Nil, _] => Ok("".into()),
        _ => Err(wrong("join: expected a list and a separator")),
    }
}

fn split(arguments: &[Value]) -> Result<Value, TemplateError> {
    let [text, separator] = arguments else {
        return Err(wrong("split: expected a text and a separator"));
    };
    let (text, separator) = (text_of(text), text_of(separator));
    let parts: Vec<Value> = text.split(&separator).map(Value::from).collect();
    Ok(Value::List(parts.into()))
}

fn truncate(arguments: &[Value]) -> Result<Value, TemplateError> {
    match arguments {
        [text, Value::Int(width)] => {
            let width = usize::try_from(*width).unwrap_or(0);
            let text: String = text_of(text).chars().take(width).collect();
            Ok(text.as_str().into())
        }
        _ => Err(wrong("truncate: expected a text and a width")),
    }
}

/// So many spaces before and after a text, but for one that is empty.
fn pad(arguments: &[Value]) -> Result<Value, TemplateError> {
    match arguments {
        [text, Value::Int(before), Value::Int(after)] => {
            let text = text_of(text);
            if text.is_empty() {
                return Ok("".into());
            }
            let spaces = |count: i64| " ".repeat(usize::try_from(count).unwrap_or(0));
            let padded = format!("{}{text}{}", spaces(*before), spaces(*after));
            Ok(padded.as_str().into())
        }
        _ => Err(wrong("pad: expected a text and two widths")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> Result<String, String> {
        let data = json!({
            "Name": "/web",
            "State": {"Status": "running", "ExitCode": 0, "OOMKilled": false},
            "Ports": ["80/tcp", "443/tcp"],
            "Mounts": null,
            "Labels": {"tier": "web"},
        });
        render(&compile(template)?, &data)
    }

    #[test]
    fn the_usual_templates() {
        for (template, text) in [
            ("{{.State.Status}} {{.State.ExitCode}}", "running 0"),
            ("{{json .Ports}}", r#"["80/tcp","443/tcp"]"#),
            ("{{json .State.OOMKilled}}{{json .Mounts}}", "falsenull"),
            ("{{range .Ports}}<{{.}}>{{end}}", "<80/tcp><443/tcp>"),
            (
                "{{range $name, $value := .Labels}}{{$name}}={{$value}}{{end}}",
                "tier=web",
            ),
            ("{{if .State.OOMKilled}}oom{{else}}fine{{end}}", "fine"),
            (
                "{{index .Ports 1}} {{index .Labels \"tier\"}}",
                "443/tcp web",
            ),
            ("{{join .Ports \", \"}} {{len .Ports}}", "80/tcp, 443/tcp 2"),
            (
                "{{.Name | upper}} {{slice .Name 1}} {{title \"up\"}}",
                "/WEB web Up",
            ),
            ("{{printf \"%-9s|\" .State.Status}}", "running  |"),
            (
                "<{{pad .State.Status 1 2}}|{{pad \"\" 1 2}}>",
                "< running  |>",
            ),
        ] {
            assert_eq!(rendered(template).as_deref(), Ok(text), "{template}");
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        assert!(rendered("{{.Stat").unwrap_err().contains("template"));
        let error = rendered("{{.State.Stats}}").unwrap_err();
        assert!(error.contains("Stats"), "{error}");
    }

    #[test]
    fn forms() {
        assert_eq!("table".parse(), Ok(Form::Table(None)));
        assert_eq!("json".parse(), Ok(Form::Json));
        let columns = "{{.ID}}\t{{.Names}}".to_owned();
        assert_eq!(
            "table {{.ID}}\\t{{.Names}}".parse(),
            Ok(Form::Table(Some(columns)))
        );
        assert_eq!("{{.ID}}".parse(), Ok(Form::Template("{{.ID}}".into())));
        assert!("{{.ID".parse::<Form>().is_err());
    }
}
