//! JSON texts as they are, with other spaces: the order of what is in them is the engine's.

/// Without any.
pub(super) fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    each(text, |token| compact.push_str(token));
    compact
}

/// Over lines, with four spaces a level, as Docker prints.
pub(super) fn indented(text: &str) -> String {
    let mut indented = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut empty = false;
    each(text, |token| match token {
        "{" | "[" => {
            line(&mut indented, depth, empty);
            indented.push_str(token);
            depth += 1;
            empty = true;
        }
        "}" | "]" => {
            depth = depth.saturating_sub(1);
            if !empty {
                indented.push('\n');
                indented.push_str(&"    ".repeat(depth));
            }
            indented.push_str(token);
            empty = false;
        }
        "," => {
            indented.push_str(",\n");
            indented.push_str(&"    ".repeat(depth));
        }
        ":" => indented.push_str(": "),
        value => {
            line(&mut indented, depth, empty);
            indented.push_str(value);
            empty = false;
        }
    });
    indented
}

/// The first value after an opening bracket begins a line.
fn line(text: &mut String, depth: usize, first: bool) {
    if first {
        text.push('\n');
        text.push_str(&"    ".repeat(depth));
    }
}

/// Tokens: brackets, colons, commas, strings with their quotes, other values.
fn each<'a>(text: &'a str, mut token: impl FnMut(&'a str)) {
    let mut rest = text.trim_start();
    while let Some(first) = rest.bytes().next() {
        let length = match first {
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1,
            b'"' => string(rest),
            _ => rest
                .find([',', ']', '}', ' ', '\n', '\r', '\t'])
                .unwrap_or(rest.len()),
        };
        let (this, after) = rest.split_at(length);
        token(this);
        rest = after.trim_start();
    }
}

/// Length of the string at the beginning, with its quotes.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().enumerate().skip(1).find(|(_, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |(end, _)| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spaces_change() {
        let text = r#" [{"b": 1, "a": [], "c": {"d\"}": "x, y"}, "e": {}} , null]"#;
        assert_eq!(
            compact(text),
            r#"[{"b":1,"a":[],"c":{"d\"}":"x, y"},"e":{}},null]"#
        );
        let expected = r#"[
    {
        "b": 1,
        "a": [],
        "c": {
            "d\"}": "x, y"
        },
        "e": {}
    },
    null
]"#;
        assert_eq!(indented(text), expected);
    }
}
