//! What a host shows: processes, connections, system; and the hands that act on it.
