//! Networks of containers: bridges, addresses, published ports, names.
