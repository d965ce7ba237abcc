//! A container's root filesystem: the image's layers and one of its own on top.
