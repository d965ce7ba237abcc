//! Paths of one file that leave its room.

use std::collections::BTreeSet;
use std::str::FromStr;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The crate of the kernel ABI, a room as far as arrows go.
const ABI_CRATE: &str = "plimsoll_abi";
const ABI_ROOM: &str = "abi";

/// A path into a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// From 1.
    pub(super) line: usize,
    /// First name below the crate's root; `*` or `self` for the root as a whole.
    pub(super) room: String,
}

/// All imports of a file whose module lies `depth` below the crate's root.
pub(super) fn of(text: &str, depth: usize) -> Result<BTreeSet<Import>> {
    let tokens = TokenStream::from_str(text).map_err(|error| anyhow!("not Rust: {error}"))?;
    let mut reader = Reader::default();
    reader.walk(tokens, depth);
    Ok(reader.imports)
}

#[derive(Default)]
struct Reader {
    imports: BTreeSet<Import>,
}

impl Reader {
    /// Looks for paths that begin with `crate`, `super`, `self` or the ABI crate, in a module
    /// that lies `depth` below the root.
    fn walk(&mut self, tokens: TokenStream, depth: usize) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut inline_module = false;
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => {
                    let deeper = inline_module && group.delimiter() == Delimiter::Brace;
                    self.walk(group.stream(), depth + usize::from(deeper));
                    inline_module = false;
                }
                TokenTree::Ident(name) => {
                    if name == "mod" {
                        inline_module = true;
                    } else if name == ABI_CRATE {
                        self.found(token, ABI_ROOM);
                    } else if name == "crate" && is_renamed(&tokens, at) {
                        self.found(token, "self");
                    } else if let Some(rest) = after_colons(&tokens, at) {
                        self.path_from(&name.to_string(), rest, depth);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => inline_module = false,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn path_from(&mut self, start: &str, rest: &[TokenTree], depth: usize) {
        match start {
            "crate" => self.follow(rest, 0),
            "super" => self.follow(rest, depth.saturating_sub(1)),
            "self" => self.follow(rest, depth),
            _ => {}
        }
    }

    /// Reads on in a path that has come to a module `level` below the root; at the root, the
    /// next name is a room.
    fn follow(&mut self, path: &[TokenTree], level: usize) {
        match path.first() {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(is_comma) {
                    self.follow(branch, level);
                }
            }
            Some(TokenTree::Ident(name)) if name == "super" => {
                if let Some(rest) = after_colons(path, 0) {
                    self.follow(rest, level.saturating_sub(1));
                }
            }
            Some(token @ TokenTree::Ident(name)) if level == 0 => {
                self.found(token, &name.to_string());
            }
            Some(token @ TokenTree::Punct(punct)) if level == 0 && punct.as_char() == '*' => {
                self.found(token, "*");
            }
            Some(TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_)) | None => {}
        }
    }

    fn found(&mut self, token: &TokenTree, room: &str) {
        self.imports.insert(Import {
            line: token.span().start().line,
            room: room.to_owned(),
        });
    }
}

/// What follows the `::` behind the token at `at`, if there is one.
fn after_colons(tokens: &[TokenTree], at: usize) -> Option<&[TokenTree]> {
    let colons = tokens.get(at + 1..at + 3)?;
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ':');
    if !colons.iter().all(is_colon) {
        return None;
    }
    tokens.get(at + 3..)
}

/// `use crate as name`, `extern crate self as name`: the root under a name we do not follow.
fn is_renamed(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at + 1), Some(TokenTree::Ident(next)) if next == "as" || next == "self")
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rooms(text: &str, depth: usize) -> Vec<String> {
        of(text, depth)
            .unwrap()
            .into_iter()
            .map(|import| import.room)
            .collect()
    }

    #[test]
    fn plain_and_grouped_uses() {
        assert_eq!(
            rooms("use crate::ledger::{Snapshot, event};", 2),
            ["ledger"]
        );
        assert_eq!(
            rooms("use crate::{cgroup::{self, Layout}, identity as who};", 2),
            ["cgroup", "identity"]
        );
    }

    #[test]
    fn paths_in_code_types_and_macros() {
        let text = "fn f(s: &crate::ledger::Snapshot) -> u64 {\n\
                    info!(tick = crate::config::TICK, \"x\");\n\
                    crate::metrics::render(s)\n}";
        let found: Vec<_> = of(text, 2).unwrap().into_iter().collect();
        let expected = [(1, "ledger"), (2, "config"), (3, "metrics")];
        let expected = expected.map(|(line, room)| Import {
            line,
            room: room.to_owned(),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn comments_strings_and_visibilities_are_not_imports() {
        let text = "//! See crate::ledger::Snapshot.\n\
                    /// [`crate::metrics::render`]\n\
                    pub(crate) fn f() -> &'static str { \"crate::api::x\" }";
        assert_eq!(rooms(text, 2), Vec::<String>::new());
    }

    #[test]
    fn super_leaves_the_room_only_at_its_top() {
        assert_eq!(rooms("use super::ledger::X;", 1), ["ledger"]);
        assert_eq!(rooms("use super::ledger::X;", 2), Vec::<String>::new());
        assert_eq!(rooms("use super::super::ledger::X;", 2), ["ledger"]);
        assert_eq!(
            rooms("use self::super::super::{ledger, api};", 2),
            ["api", "ledger"]
        );
    }

    #[test]
    fn inline_modules_are_one_deeper() {
        let text = "mod tests { use super::*; use super::super::ledger::X; }";
        assert_eq!(rooms(text, 1), ["ledger"]);
        assert_eq!(
            rooms("mod other; fn f() { super::ledger::x() }", 1),
            ["ledger"]
        );
    }

    #[test]
    fn the_root_as_a_whole_is_found() {
        assert_eq!(rooms("use crate::*;", 2), ["*"]);
        assert_eq!(rooms("use super::*;", 1), ["*"]);
        assert_eq!(rooms("use crate as root;", 2), ["self"]);
        assert_eq!(rooms("use crate::{self as root};", 2), ["self"]);
    }

    #[test]
    fn the_abi_crate_is_a_room() {
        assert_eq!(rooms("use plimsoll_abi::map::loss;", 2), ["abi"]);
    }
}
