//! What is known of a key: one table for the reader and for the reference.

/// One key of a table of the file.
pub(in crate::policy) struct Key {
    pub(in crate::policy) name: &'static str,
    /// What is written: an example, or the words to choose from.
    pub(in crate::policy) form: &'static str,
    /// What it is when it is left out; empty: it has to be given, or means nothing when absent.
    pub(in crate::policy) default: &'static str,
    pub(in crate::policy) meaning: &'static str,
}

pub(super) const fn key(
    name: &'static str,
    form: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        name,
        form,
        default,
        meaning,
    }
}
