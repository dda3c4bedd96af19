//! The client against real sockets: what a server may answer, well or badly.

mod answers;
mod server;
