//! The list of all keys, read from the schema: what is known, what it means, what it is by default.

use schemars::Schema;
use serde_json::Value;
use toml::Table;

use super::schema::Config;

/// One section (`[agent]`) with its keys.
pub(super) struct Section {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) keys: Vec<Key>,
}

/// One key.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) description: String,
    /// Allowed words, when it is one of a few.
    pub(super) choices: Vec<String>,
    pub(super) default: toml::Value,
}

/// Every section, in alphabetical order, as are its keys.
pub(super) fn sections() -> Vec<Section> {
    let schema = schemars::schema_for!(Config);
    let defaults = defaults();
    let section = |(name, property): (&String, &Value)| {
        let target = follow(&schema, property);
        let keys = object(target, "properties");
        let keys = keys.map(|(key, property)| Key {
            name: key.clone(),
            description: text(property),
            choices: choices(follow(&schema, property)),
            default: default_of(&defaults, name, key),
        });
        Section {
            name: name.clone(),
            description: text(target),
            keys: keys.collect(),
        }
    };
    object(schema.as_value(), "properties")
        .map(section)
        .collect()
}

/// The default configuration as a TOML table.
pub(super) fn defaults() -> Table {
    // Every value of `Config` has a TOML form; the tests of this room would not pass otherwise.
    Table::try_from(Config::default()).unwrap_or_default()
}

fn default_of(defaults: &Table, section: &str, key: &str) -> toml::Value {
    let value = defaults.get(section).and_then(|section| section.get(key));
    value.cloned().unwrap_or_else(|| String::new().into())
}

/// A property's own schema, behind its `$ref` if it has one.
fn follow<'a>(schema: &'a Schema, property: &'a Value) -> &'a Value {
    let reference = property.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|path| schema.as_value().pointer(path.trim_start_matches('#')));
    target.unwrap_or(property)
}

fn object<'a>(schema: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema
        .get(field)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn text(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str);
    text.unwrap_or_default().replace('\n', " ")
}

fn choices(schema: &Value) -> Vec<String> {
    let words = schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let words = words.filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_and_key_is_described() {
        for section in sections() {
            assert!(!section.description.is_empty(), "[{}]", section.name);
            assert!(!section.keys.is_empty(), "[{}]", section.name);
            for key in section.keys {
                let name = format!("{}.{}", section.name, key.name);
                assert!(!key.description.is_empty(), "{name} has no doc comment");
            }
        }
    }

    #[test]
    fn schema_and_defaults_have_the_same_keys() {
        let of_schema: Vec<String> = sections()
            .into_iter()
            .flat_map(|s| {
                s.keys
                    .into_iter()
                    .map(move |k| format!("{}.{}", s.name, k.name))
            })
            .collect();
        let mut of_defaults: Vec<String> = Vec::new();
        for (section, keys) in defaults() {
            let keys = keys.as_table().cloned().unwrap_or_default();
            of_defaults.extend(keys.keys().map(|key| format!("{section}.{key}")));
        }
        of_defaults.sort();
        let mut sorted = of_schema.clone();
        sorted.sort();
        assert_eq!(sorted, of_defaults);
        assert!(of_schema.len() > 20, "{of_schema:?}");
    }

    #[test]
    fn words_are_listed() {
        let log = sections().into_iter().find(|s| s.name == "log");
        let keys = log.map(|s| s.keys).unwrap_or_default();
        let format = keys.iter().find(|k| k.name == "format");
        assert_eq!(
            format.map(|k| k.choices.clone()),
            Some(vec!["text".into(), "json".into()])
        );
    }
}
