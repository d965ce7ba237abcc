//! Which format the client asked for.

use crate::metrics::exposition::Format;

/// Picks the format that the values of the `Accept` headers prefer. Text wins a tie, and is also
/// the answer to a client that accepts neither: a wrong type is more use to it than none.
pub(crate) fn negotiate<'a>(accept: impl Iterator<Item = &'a str>) -> Format {
    let mut text = Preference::default();
    let mut open_metrics = Preference::default();
    for range in accept.flat_map(|value| value.split(',')) {
        let range = Range::parse(range);
        text.consider(&range, "text", "plain", "0.0.4");
        open_metrics.consider(&range, "application", "openmetrics-text", "1.0.0");
    }
    if open_metrics.quality > text.quality {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// One media range with its parameters that matter here.
struct Range<'a> {
    family: &'a str,
    subtype: &'a str,
    version: Option<&'a str>,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(range: &'a str) -> Self {
        let mut parts = range.split(';').map(str::trim);
        let (family, subtype) = parts
            .next()
            .and_then(|media| media.split_once('/'))
            .unwrap_or_default();
        let mut parsed = Self {
            family,
            subtype,
            version: None,
            quality: 1_000,
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim() {
                name if name.eq_ignore_ascii_case("q") => parsed.quality = quality(value),
                name if name.eq_ignore_ascii_case("version") => parsed.version = Some(value),
                _ => {}
            }
        }
        parsed
    }

    /// How closely the range names the type; `None`: it does not.
    fn specificity(&self, family: &str, subtype: &str, version: &str) -> Option<u8> {
        if self.version.is_some_and(|wanted| wanted != version) {
            return None;
        }
        let same_family = self.family.eq_ignore_ascii_case(family);
        if same_family && self.subtype.eq_ignore_ascii_case(subtype) {
            return Some(if self.version.is_some() { 4 } else { 3 });
        }
        match (self.family, self.subtype) {
            ("*", "*") => Some(1),
            (_, "*") if same_family => Some(2),
            _ => None,
        }
    }
}

/// The quality that the most specific range gives to one of our formats.
#[derive(Default)]
struct Preference {
    specificity: u8,
    quality: u16,
}

impl Preference {
    fn consider(&mut self, range: &Range<'_>, family: &str, subtype: &str, version: &str) {
        if let Some(specificity) = range.specificity(family, subtype, version)
            && (specificity, range.quality) > (self.specificity, self.quality)
        {
            // A closer range overrules, also with a lower quality.
            self.quality = range.quality;
            self.specificity = specificity;
        }
    }
}

/// `q` in thousandths; what cannot be read counts as 0, what exceeds 1 as 1.
fn quality(text: &str) -> u16 {
    let q: f64 = text.parse().unwrap_or(0.0);
    // In range after the clamp; NaN becomes 0.
    (q.clamp(0.0, 1.0) * 1_000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Format {
        negotiate(std::iter::once(accept))
    }

    #[test]
    fn prometheus_gets_open_metrics() {
        assert_eq!(
            of(
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            Format::OpenMetrics
        );
        assert_eq!(
            of(
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            Format::OpenMetrics
        );
    }

    #[test]
    fn text_is_the_default() {
        assert_eq!(negotiate(std::iter::empty()), Format::Text);
        for accept in [
            "",
            "*/*",
            "garbage",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/json",
            "text/*",
            "text/plain,application/openmetrics-text",
        ] {
            assert_eq!(of(accept), Format::Text, "{accept}");
        }
    }

    #[test]
    fn quality_decides() {
        assert_eq!(
            of("text/plain;q=0.4, application/openmetrics-text;q=0.5"),
            Format::OpenMetrics
        );
        assert_eq!(
            of("text/plain;q=0.5, application/openmetrics-text;q=0.4"),
            Format::Text
        );
        assert_eq!(of("application/openmetrics-text;q=0"), Format::Text);
        assert_eq!(of("application/openmetrics-text;q=nan"), Format::Text);
    }

    #[test]
    fn the_closest_range_decides() {
        assert_eq!(
            of("*/*;q=1, text/plain;q=0.1, application/*;q=0.2"),
            Format::OpenMetrics
        );
        assert_eq!(
            of(
                "text/plain;version=0.0.4;q=0.1, text/plain;q=0.9, application/openmetrics-text;q=0.5"
            ),
            Format::OpenMetrics
        );
    }

    #[test]
    fn a_version_we_do_not_speak_is_not_accepted() {
        assert_eq!(
            of("application/openmetrics-text;version=2.0.0"),
            Format::Text
        );
        assert_eq!(
            of("Application/OpenMetrics-Text; VERSION=\"1.0.0\""),
            Format::OpenMetrics
        );
    }

    #[test]
    fn several_headers_are_one_list() {
        let headers = ["text/plain;q=0.1", "application/openmetrics-text;q=0.2"];
        assert_eq!(negotiate(headers.into_iter()), Format::OpenMetrics);
    }
}
