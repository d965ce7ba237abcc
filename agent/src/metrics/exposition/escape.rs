//! What may not stand as it is in a label value, a help text or a label name.

/// Appends `name="value"`, after a comma unless it is the first.
pub(crate) fn push_label(out: &mut Vec<u8>, first: bool, name: &str, value: &str) {
    if !first {
        out.push(b',');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"=\"");
    escape(out, value, true);
    out.push(b'"');
}

/// Appends `text` with `\` and newline escaped, and `"` too where `quotes` says so (label values
/// always; help texts in OpenMetrics only).
pub(super) fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest
        .iter()
        .position(|&byte| matches!(byte, b'\\' | b'\n') || (quotes && byte == b'"'))
    {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        out.push(b'\\');
        match special.first() {
            Some(b'\n') => out.push(b'n'),
            Some(&byte) => out.push(byte),
            None => {}
        }
        rest = special.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Appends `name` with every character outside `[a-zA-Z0-9_]` replaced by `_`, as cAdvisor does.
pub(crate) fn sanitise_label_name(out: &mut String, name: &str) {
    out.extend(name.chars().map(|character| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => character,
        _ => '_',
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, quotes: bool) -> String {
        let mut out = Vec::new();
        escape(&mut out, text, quotes);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn backslash_newline_and_quote_are_escaped() {
        assert_eq!(escaped("a\\b\nc\"d", true), "a\\\\b\\nc\\\"d");
        assert_eq!(escaped("a\\b\nc\"d", false), "a\\\\b\\nc\"d");
        assert_eq!(escaped("\n\n", true), "\\n\\n");
        assert_eq!(escaped("Zürich ✓", true), "Zürich ✓");
        assert_eq!(escaped("", true), "");
    }

    #[test]
    fn labels_are_joined_by_commas() {
        let mut out = Vec::new();
        push_label(&mut out, true, "id", "/a");
        push_label(&mut out, false, "name", "x\"y");
        assert_eq!(out, b"id=\"/a\",name=\"x\\\"y\"");
    }

    #[test]
    fn label_names_are_sanitised() {
        let mut out = String::new();
        sanitise_label_name(&mut out, "com.docker/compose-é_9");
        assert_eq!(out, "com_docker_compose___9");
    }
}
