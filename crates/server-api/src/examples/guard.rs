//! Guarded applications.

use super::{id, seconds_ago};
use crate::*;
use ringwall_event::Network;
use serde_json::json;

pub(crate) fn guard_project() -> GuardProjectRow {
    GuardProjectRow {
        name: "shop".into(),
        created: seconds_ago(86_400),
        created_by: "user:admin".into(),
        encrypted: true,
        signed: true,
        require_signature: false,
        previous_until: None,
        agents: 2,
        last_seen: Some(seconds_ago(12)),
        events_24h: 417,
        blocked_24h: 96,
        rules_version: 3,
        warning: None,
    }
}

pub(crate) fn guard_agent() -> GuardAgentRow {
    GuardAgentRow {
        install_id: Some("1c7b4d52-3f0e-4b8a-9d51-0a6f0f6d2b11".into()),
        address: "192.0.2.20".into(),
        agent_version: Some("3.2.4".into()),
        guard_version: Some("8.1.2".into()),
        guard_core_version: Some("4.4.0".into()),
        status: Some("healthy".into()),
        uptime_seconds: Some(86_400.5),
        events_sent: Some(417),
        events_failed: Some(0),
        buffer_size: Some(3),
        dropped: None,
        errors: Vec::new(),
        first_seen: seconds_ago(86_400),
        last_seen: seconds_ago(12),
        warning: None,
    }
}

pub(crate) fn guard_event() -> GuardEventRow {
    GuardEventRow {
        id: id(7),
        time: seconds_ago(12),
        project: "shop".into(),
        install_id: Some("1c7b4d52-3f0e-4b8a-9d51-0a6f0f6d2b11".into()),
        event_type: "penetration_attempt".into(),
        action: Some("request_blocked".into()),
        reason: Some("Suspicious activity detected".into()),
        address: Some("203.0.113.9".into()),
        country: Some("NZ".into()),
        user_agent: Some("curl/8.5.0".into()),
        method: Some("GET".into()),
        endpoint: Some("/item".into()),
        status_code: Some(400),
        response_time_ms: Some(3.5),
        category: Some("sqli".into()),
        pattern: None,
        metadata: json!({ "request_count": 1 }),
    }
}

pub(crate) fn guard_metrics() -> GuardMetrics {
    GuardMetrics {
        project: "shop".into(),
        metric: "response_time".into(),
        step_seconds: 60,
        points: vec![GuardMetricPoint {
            time: seconds_ago(60),
            count: 120,
            sum: 1.5,
            min: 0.004,
            max: 0.25,
        }],
        endpoints: vec![GuardMetricEndpoint { endpoint: "/item".into(), count: 120, sum: 1.5 }],
    }
}

pub(crate) fn guard_project_keys() -> GuardProjectKeys {
    GuardProjectKeys {
        project: "shop".into(),
        key: "rwg_q7Zc…".into(),
        signing_secret: Some("v1w2Xy…".into()),
        encryption_key: Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()),
    }
}

pub(crate) fn guard_rules() -> GuardRules {
    GuardRules {
        project: "shop".into(),
        version: 86_401,
        rules: json!({ "blocked_user_agents": ["sqlmap"], "ttl": 15 }),
        expired: false,
        updated: Some(seconds_ago(60)),
        updated_by: Some("user:admin".into()),
        note: Some("scanners".into()),
        etag: "\"86401\"".into(),
        published: GuardPublished {
            version: 86_420,
            since: Some(seconds_ago(41)),
            bans: 1,
            bans_left_out: 0,
        },
    }
}

pub(crate) fn guard_rules_edit() -> GuardRulesEditRow {
    GuardRulesEditRow {
        version: 86_401,
        updated: seconds_ago(60),
        updated_by: "user:admin".into(),
        note: Some("scanners".into()),
        summary: "blocked_user_agents: 1 added".into(),
    }
}

pub(crate) fn guard_preview() -> GuardPreview {
    GuardPreview {
        hours: 24,
        requests_seen: 417,
        would_block: 12,
        partial: false,
        by_rule: vec![GuardPreviewRule {
            field: "blocked_user_agents".into(),
            entry: "sqlmap".into(),
            count: 12,
            addresses: 2,
            samples: vec![GuardPreviewSample {
                time: seconds_ago(300),
                address: "203.0.113.7".into(),
                method: Some("GET".into()),
                endpoint: Some("/login".into()),
                user_agent: Some("sqlmap/1.7".into()),
            }],
        }],
        not_tried: vec![],
    }
}

pub(crate) fn guard_ban() -> GuardBanRow {
    GuardBanRow {
        id: "ban_0192f3b4c5d67e8f8a1b2c3d4e".into(),
        address: Network::single(std::net::Ipv4Addr::new(203, 0, 113, 7).into()),
        project: None,
        reason: "probes".into(),
        origin: GuardBanOrigin::Person,
        hosts: false,
        created: seconds_ago(120),
        created_by: "user:admin".into(),
        expires: seconds_ago(-3480),
        ended: None,
        ended_by: None,
        alert: None,
        country: Some("NL".into()),
    }
}

pub(crate) fn guard_automatic() -> GuardAutomatic {
    GuardAutomatic {
        rules: vec![GuardAutomaticRule {
            name: "probes".into(),
            enabled: true,
            when: GuardAutomaticWhen {
                findings: vec![],
                event_types: vec!["penetration_attempt".into()],
                min_severity: None,
                threshold: 5,
                window_seconds: 300,
            },
            ban_seconds: 3600,
            projects: None,
            hosts: false,
        }],
        share_app_bans: true,
        never_ban: vec![Network::single(std::net::Ipv4Addr::new(198, 51, 100, 4).into())],
    }
}
