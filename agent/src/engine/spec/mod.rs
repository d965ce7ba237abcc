//! From a container's configuration to the OCI runtime specification that `launch` carries out.
