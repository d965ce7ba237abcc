//! Images and root filesystems. The oracles are GNU tar, umoci, skopeo, and what the kernel shows where
//! the layers are mounted.

mod archive;
mod full;
mod interchange;
mod refused;
mod rootfs;
mod unpacked;
