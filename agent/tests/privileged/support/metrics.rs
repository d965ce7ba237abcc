//! Prometheus's text format, read as far as tests need it.

use std::collections::BTreeMap;

/// The samples of one scrape.
pub(crate) struct Metrics {
    samples: Vec<Sample>,
}

/// One line.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Metrics {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            samples: lines.map(|line| sample(line).expect(line)).collect(),
        }
    }

    /// All of one name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.name == name)
    }

    /// The one sample of that name with these labels among its own.
    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.all(name).filter(|sample| {
            let has =
                |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|v| v == value);
            labels.iter().all(has)
        });
        let value = found.next()?.value;
        assert!(found.next().is_none(), "{name} {labels:?} is there twice");
        Some(value)
    }

    /// As [`find`](Self::find), of one workload.
    pub(crate) fn of(&self, id: &str, name: &str) -> Option<f64> {
        self.find(name, &[("id", id)])
    }

    /// As [`find`](Self::find); it must be there.
    #[track_caller]
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels)
            .unwrap_or_else(|| panic!("no {name} {labels:?}"))
    }

    /// Is there anything of this workload?
    pub(crate) fn has(&self, id: &str) -> bool {
        self.samples
            .iter()
            .any(|sample| sample.labels.get("id").is_some_and(|v| v == id))
    }

    /// Fails if a record was lost.
    #[track_caller]
    pub(crate) fn assert_nothing_lost(&self) {
        for loss in self.all("plimsoll_losses_total") {
            assert!(loss.value == 0.0, "{:?}: {}", loss.labels, loss.value);
        }
    }
}

/// `name{label="value",…} number`. Paths of cgroups have no escapes.
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let pairs = labels
        .trim_end_matches('}')
        .split("\",")
        .filter(|pair| !pair.is_empty());
    let labels = pairs.map(|pair| {
        let (key, value) = pair.split_once("=\"")?;
        Some((key.to_owned(), value.trim_end_matches('"').to_owned()))
    });
    Some(Sample {
        name: name.to_owned(),
        labels: labels.collect::<Option<_>>()?,
        value: value.parse().ok()?,
    })
}
