//! The line writer. One buffer, reused; nothing is allocated for a sample.

use std::time::SystemTime;

use bytes::Bytes;

use super::escape::{escape, push_label};
use super::number::{Value, decimal, epoch_ms, float};
use crate::metrics::family::Kind;

/// Size at which a chunk is handed on.
const CHUNK_BYTES: usize = 64 << 10;
/// Room for what one workload may add to a chunk that was just short of full.
const SLACK_BYTES: usize = 8 << 10;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Value of the `Content-Type` header.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What the `#` lines of a family say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) unit: &'a str,
    pub(crate) help: &'a str,
}

/// A text under construction.
pub(crate) struct Exposition {
    format: Format,
    out: Vec<u8>,
}

impl Exposition {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: Vec::with_capacity(CHUNK_BYTES + SLACK_BYTES),
        }
    }

    /// Writes the `#` lines. Once per family, before its first sample.
    pub(crate) fn head(&mut self, head: &Head<'_>) {
        let (name, word) = match self.format {
            Format::Text => (head.name, head.kind.word()),
            Format::OpenMetrics => open_metrics_name(head),
        };
        if self.format == Format::OpenMetrics && is_unit_of(head.unit, name) {
            self.words(&[
                b"# UNIT ",
                name.as_bytes(),
                b" ",
                head.unit.as_bytes(),
                b"\n",
            ]);
        }
        self.words(&[b"# HELP ", name.as_bytes(), b" "]);
        escape(&mut self.out, head.help, self.format == Format::OpenMetrics);
        self.words(&[b"\n# TYPE ", name.as_bytes(), b" ", word.as_bytes(), b"\n"]);
    }

    /// Writes one sample. `fixed` is a list of labels already escaped and joined, may be empty;
    /// `labels` come after it.
    pub(crate) fn sample(
        &mut self,
        name: [&str; 2],
        fixed: &[u8],
        labels: &[(&str, &str)],
        value: Value,
        stamp: Option<SystemTime>,
    ) {
        self.name_and_labels(name, fixed, labels);
        if !(fixed.is_empty() && labels.is_empty()) {
            self.out.push(b'}');
        }
        self.value(value, stamp);
    }

    /// Writes one bucket of a histogram: `upper` is its `le`, the same text in both formats.
    pub(crate) fn bucket(
        &mut self,
        name: &str,
        fixed: &[u8],
        labels: &[(&str, &str)],
        upper: f64,
        cumulative: u64,
    ) {
        self.name_and_labels([name, "_bucket"], fixed, labels);
        let bare = fixed.is_empty() && labels.is_empty();
        self.words(&[if bare { b"{" } else { b"," }, b"le=\""]);
        float(&mut self.out, upper);
        self.out.extend_from_slice(b"\"}");
        self.value(Value::Integer(cumulative), None);
    }

    /// Whether [`Self::take`] is due.
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() >= CHUNK_BYTES
    }

    /// Takes out what was written so far.
    pub(crate) fn take(&mut self) -> Bytes {
        let room = CHUNK_BYTES + SLACK_BYTES;
        Bytes::from(std::mem::replace(&mut self.out, Vec::with_capacity(room)))
    }

    /// Writes the last line, and takes out what is left.
    pub(crate) fn finish(mut self) -> Bytes {
        match self.format {
            Format::Text => {}
            Format::OpenMetrics => self.out.extend_from_slice(b"# EOF\n"),
        }
        Bytes::from(self.out)
    }

    /// Leaves the brace open, if there are labels.
    fn name_and_labels(&mut self, name: [&str; 2], fixed: &[u8], labels: &[(&str, &str)]) {
        self.words(&[name[0].as_bytes(), name[1].as_bytes()]);
        let mut first = fixed.is_empty();
        if !(first && labels.is_empty()) {
            self.words(&[b"{", fixed]);
        }
        for (label, value) in labels {
            push_label(&mut self.out, first, label, value);
            first = false;
        }
    }

    fn value(&mut self, value: Value, stamp: Option<SystemTime>) {
        self.out.push(b' ');
        value.write(&mut self.out);
        if let Some(stamp) = stamp {
            self.out.push(b' ');
            // Text 0.0.4 counts milliseconds, OpenMetrics seconds.
            let scale = match self.format {
                Format::Text => 1,
                Format::OpenMetrics => 1_000,
            };
            decimal(&mut self.out, epoch_ms(stamp), scale);
        }
        self.out.push(b'\n');
    }

    fn words(&mut self, words: &[&[u8]]) {
        for word in words {
            self.out.extend_from_slice(word);
        }
    }
}

/// OpenMetrics names a counter's family without `_total` and an info's without `_info`. A counter
/// that does not end so (cAdvisor has one) would have to be renamed; as the Go client does, it
/// keeps its name and loses its type instead.
fn open_metrics_name<'a>(head: &Head<'a>) -> (&'a str, &'static str) {
    match head.kind {
        Kind::Counter => match head.name.strip_suffix("_total") {
            Some(name) => (name, "counter"),
            None => (head.name, "unknown"),
        },
        Kind::Info => match head.name.strip_suffix("_info") {
            Some(name) => (name, "info"),
            None => (head.name, "gauge"),
        },
        Kind::Gauge => (head.name, "gauge"),
        Kind::Histogram => (head.name, "histogram"),
    }
}

/// OpenMetrics allows a unit only where the family's name ends in it.
fn is_unit_of(unit: &str, name: &str) -> bool {
    !unit.is_empty()
        && name
            .strip_suffix(unit)
            .is_some_and(|rest| rest.ends_with('_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn head(name: &'static str, kind: Kind, unit: &'static str) -> Head<'static> {
        Head {
            name,
            kind,
            unit,
            help: "A \"quoted\" \\ word.",
        }
    }

    fn written(format: Format, write: impl FnOnce(&mut Exposition)) -> String {
        let mut text = Exposition::new(format);
        write(&mut text);
        String::from_utf8_lossy(&text.finish()).into_owned()
    }

    #[test]
    fn counter_in_text() {
        let text = written(Format::Text, |text| {
            text.head(&head("a_seconds_total", Kind::Counter, "seconds"));
            text.sample(["a_seconds_total", ""], b"", &[], Value::Integer(3), None);
        });
        assert_eq!(
            text,
            "# HELP a_seconds_total A \"quoted\" \\\\ word.\n# TYPE a_seconds_total counter\na_seconds_total 3\n"
        );
    }

    #[test]
    fn counter_in_open_metrics_loses_total_in_its_head_only() {
        let text = written(Format::OpenMetrics, |text| {
            text.head(&head("a_seconds_total", Kind::Counter, "seconds"));
            text.sample(
                ["a_seconds_total", ""],
                b"x=\"1\"",
                &[("y", "2")],
                Value::Integer(3),
                None,
            );
        });
        assert_eq!(
            text,
            "# UNIT a_seconds seconds\n# HELP a_seconds A \\\"quoted\\\" \\\\ word.\n# TYPE a_seconds counter\na_seconds_total{x=\"1\",y=\"2\"} 3\n# EOF\n"
        );
    }

    #[test]
    fn open_metrics_types() {
        let of = |name, kind| open_metrics_name(&head(name, kind, ""));
        assert_eq!(of("b_failcnt", Kind::Counter), ("b_failcnt", "unknown"));
        assert_eq!(of("b_info", Kind::Info), ("b", "info"));
        assert_eq!(of("b_bytes", Kind::Gauge), ("b_bytes", "gauge"));
        assert_eq!(of("b_seconds", Kind::Histogram), ("b_seconds", "histogram"));
        assert_eq!(Kind::Info.word(), "gauge");
    }

    #[test]
    fn a_unit_must_end_the_name() {
        assert!(is_unit_of("bytes", "memory_bytes"));
        assert!(!is_unit_of("bytes", "memory_rss"));
        assert!(!is_unit_of("bytes", "bytes"));
        assert!(!is_unit_of("", "memory_bytes"));
    }

    #[test]
    fn timestamps_have_the_format_s_unit() {
        let stamp = Some(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250));
        let write = |text: &mut Exposition| {
            text.sample(["a", ""], b"", &[("l", "v")], Value::Float(0.5), stamp);
        };
        assert_eq!(
            written(Format::Text, write),
            "a{l=\"v\"} 0.5 1700000000250\n"
        );
        assert_eq!(
            written(Format::OpenMetrics, write),
            "a{l=\"v\"} 0.5 1700000000.25\n# EOF\n"
        );
    }

    #[test]
    fn buckets_end_in_infinity() {
        let text = written(Format::Text, |text| {
            text.bucket("h", b"", &[], 1.0, 2);
            text.bucket("h", b"", &[("l", "v")], f64::INFINITY, 3);
        });
        assert_eq!(
            text,
            "h_bucket{le=\"1.0\"} 2\nh_bucket{l=\"v\",le=\"+Inf\"} 3\n"
        );
    }

    #[test]
    fn chunks_are_taken_when_full() {
        let mut text = Exposition::new(Format::Text);
        let mut chunks = Vec::new();
        for _ in 0..10_000 {
            text.sample(
                ["some_name", ""],
                b"id=\"/x\"",
                &[],
                Value::Integer(1),
                None,
            );
            if text.is_full() {
                chunks.push(text.take());
            }
        }
        let rest = text.finish();
        let line = "some_name{id=\"/x\"} 1\n".len();
        let total: usize = chunks.iter().map(Bytes::len).sum();
        assert_eq!(total + rest.len(), 10_000 * line);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk.len() < CHUNK_BYTES + SLACK_BYTES)
        );
    }
}
