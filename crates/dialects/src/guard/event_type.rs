use ringwall_event::Severity;

/// What kind of thing an event tells. The set of types is open: what is unknown is [`Other`].
///
/// [`Other`]: EventClass::Other
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventClass {
    /// A request was refused, or would have been, because of who or how it asked.
    Block,
    /// An address was banned, or a ban ended or failed.
    Ban,
    /// An attack, or what looks like one, was found in a request.
    Detection,
    /// A client behaves unlike a client should.
    Behaviour,
    /// A check was skipped on purpose.
    Bypass,
    /// Rules or settings of the guard changed.
    Rules,
    /// The guard cannot do all it should.
    Fault,
    /// The guard at its ordinary work.
    Housekeeping,
    /// A type that this table does not know.
    Other,
}

/// Every type that the original clients are known to send, with its class and its severity.
pub const KNOWN_EVENT_TYPES: [(&str, EventClass, Severity); 42] = {
    use EventClass::{Ban, Behaviour, Block, Bypass, Detection, Fault, Housekeeping, Rules};
    use Severity::{High, Informational, Low, Medium};
    [
        ("access_denied", Block, Low),
        ("authentication_failed", Block, Medium),
        ("behavioral_violation", Behaviour, Medium),
        ("cloud_blocked", Block, Low),
        ("config_violation", Fault, Low),
        ("content_filtered", Block, Low),
        ("country_blocked", Block, Low),
        ("csp_violation", Detection, Low),
        ("custom_request_check", Block, Low),
        ("custom_rule_triggered", Detection, Medium),
        ("decoding_error", Fault, Low),
        ("decorator_violation", Block, Low),
        ("detection_engine_callback_error", Fault, Low),
        ("dynamic_rule_applied", Rules, Informational),
        ("dynamic_rule_updated", Rules, Informational),
        ("dynamic_rule_violation", Block, Low),
        ("emergency_mode_activated", Rules, High),
        ("emergency_mode_block", Block, Low),
        ("geo_lookup_failed", Fault, Low),
        ("https_enforced", Housekeeping, Informational),
        ("ip_ban_failed", Ban, Medium),
        ("ip_banned", Ban, Medium),
        ("ip_blocked", Block, Low),
        ("ip_unbanned", Ban, Informational),
        ("path_excluded", Bypass, Informational),
        ("pattern_added", Rules, Informational),
        ("pattern_anomaly_slow_execution", Housekeeping, Informational),
        ("pattern_anomaly_statistical_anomaly", Housekeeping, Informational),
        ("pattern_anomaly_timeout", Housekeeping, Informational),
        ("pattern_detected", Detection, Medium),
        ("pattern_removed", Rules, Informational),
        ("penetration_attempt", Detection, High),
        ("protocol_violation", Detection, Medium),
        ("rate_limit_script_reloaded", Housekeeping, Informational),
        ("rate_limited", Block, Low),
        ("redis_connection", Housekeeping, Informational),
        ("redis_error", Fault, Low),
        ("route_unresolved", Housekeeping, Informational),
        ("security_bypass", Bypass, Low),
        ("security_headers_applied", Housekeeping, Informational),
        ("suspicious_request", Detection, Low),
        ("user_agent_blocked", Block, Low),
    ]
};

/// The class of a type.
pub fn class_of(event_type: &str) -> EventClass {
    known(event_type).map_or(EventClass::Other, |(class, _)| class)
}

/// How grave an event of this type is. That a connection to Redis failed is told by the action alone.
pub fn severity_of(event_type: &str, action_taken: &str) -> Severity {
    match (event_type, action_taken) {
        ("redis_connection", "connection_failed") => Severity::Low,
        _ => known(event_type).map_or(Severity::Informational, |(_, severity)| severity),
    }
}

fn known(event_type: &str) -> Option<(EventClass, Severity)> {
    let found = KNOWN_EVENT_TYPES.binary_search_by(|(name, ..)| (*name).cmp(event_type)).ok()?;
    KNOWN_EVENT_TYPES.get(found).map(|(_, class, severity)| (*class, *severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_it_can_be_searched() {
        assert!(KNOWN_EVENT_TYPES.is_sorted_by(|(one, ..), (other, ..)| one < other));
    }

    #[test]
    fn types_have_a_class_and_unknown_ones_are_fine() {
        check("penetration_attempt", EventClass::Detection, Severity::High);
        check("ip_banned", EventClass::Ban, Severity::Medium);
        check("pattern_anomaly_timeout", EventClass::Housekeeping, Severity::Informational);
        check("user_agent_blocked", EventClass::Block, Severity::Low);
        check("a_type_of_tomorrow", EventClass::Other, Severity::Informational);
        assert_eq!(severity_of("redis_connection", "connection_failed"), Severity::Low);
    }

    #[track_caller]
    fn check(event_type: &str, class: EventClass, severity: Severity) {
        assert_eq!((class_of(event_type), severity_of(event_type, "")), (class, severity));
    }

    /// The contract's list of what 3.2.4 knows, and of what older ones send.
    #[test]
    fn every_type_of_the_contract_is_known() {
        let contract = "ip_banned ip_unbanned ip_blocked ip_ban_failed rate_limited \
            rate_limit_script_reloaded suspicious_request cloud_blocked country_blocked \
            penetration_attempt behavioral_violation user_agent_blocked custom_request_check \
            decorator_violation decoding_error detection_engine_callback_error geo_lookup_failed \
            https_enforced pattern_anomaly_slow_execution pattern_anomaly_timeout \
            pattern_anomaly_statistical_anomaly redis_connection redis_error dynamic_rule_applied \
            dynamic_rule_updated path_excluded route_unresolved pattern_detected pattern_added \
            pattern_removed access_denied authentication_failed content_filtered \
            emergency_mode_activated emergency_mode_block dynamic_rule_violation security_bypass \
            security_headers_applied csp_violation custom_rule_triggered config_violation \
            protocol_violation";
        for name in contract.split_whitespace() {
            assert_ne!(class_of(name), EventClass::Other, "{name}");
        }
        assert_eq!(contract.split_whitespace().count(), KNOWN_EVENT_TYPES.len());
    }
}
