//! Images on this host, by content.
