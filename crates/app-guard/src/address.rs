//! Addresses and networks: how they are written, whether a list holds one, and whose request it is.

mod client;
mod cloud;
mod network;
mod network_map;

pub use client::{ClientAddress, TrustedProxies};
pub use cloud::{BlockedClouds, CloudError, CloudProvider, CloudRange, CloudRanges};
pub use network::{Network, NetworkError};
pub use network_map::{NetworkMap, NetworkSet};
