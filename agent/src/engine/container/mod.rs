//! A container's record, and its life from create to remove.
