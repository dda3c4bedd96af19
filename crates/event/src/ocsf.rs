//! The JSON face: OCSF 1.x class, activity and field names.

use crate::{
    Activity, AgentHealth, AppGuardEvent, Connection, Container, Event, EventsLost, HttpRequest,
    Inventory, Process, ProcessRef, SignIn,
};
use serde_json::{Map, Value, json};

pub(crate) fn event(event: &Event) -> Value {
    let (class_uid, class_name, category_uid, activity_id, activity_name) = class(&event.activity);
    let mut out = json!({
        "metadata": {
            "uid": event.id.to_string(),
            "logged_time": event.received.as_millis(),
            "log_provider": event.source.dialect,
            "log_name": event.source.name,
        },
        "time": event.time.as_millis(),
        "time_dt": event.time.to_string(),
        "class_uid": class_uid,
        "class_name": class_name,
        "category_uid": category_uid,
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": event.severity.id(),
        "severity": event.severity.name(),
        "device": { "hostname": event.host, "uid": event.source.to_string() },
    });
    if let Value::Object(fields) = &mut out {
        add_activity(fields, &event.activity);
        if let Some(original) = &event.original {
            fields.insert("raw_data".into(), json!(original));
        }
    }
    out
}

impl Activity {
    /// The OCSF class and the activity within it.
    pub fn ocsf_class(&self) -> (u32, u32) {
        let (class_uid, _, _, activity_id, _) = class(self);
        (class_uid, activity_id)
    }
}

fn class(activity: &Activity) -> (u32, &'static str, u32, u32, &'static str) {
    match activity {
        Activity::ProcessStarted(_) => (1007, "Process Activity", 1, 1, "Launch"),
        Activity::ProcessEnded { .. } => (1007, "Process Activity", 1, 2, "Terminate"),
        Activity::ConnectionOpened(_) => (4001, "Network Activity", 4, 1, "Open"),
        Activity::ConnectionClosed(_) => (4001, "Network Activity", 4, 2, "Close"),
        Activity::SystemCall { .. } => (1003, "Kernel Activity", 1, 4, "Invoke"),
        Activity::Inventory(_) => (5001, "Device Inventory Info", 5, 2, "Collect"),
        Activity::HttpRequest(request) => {
            let (activity_id, activity_name) = http_activity(&request.method);
            (4002, "HTTP Activity", 4, activity_id, activity_name)
        }
        Activity::SignIn(_) => (3002, "Authentication", 3, 1, "Logon"),
        // OCSF has no class for a program that tells how it is doing: an activity of our own (99).
        Activity::AgentHealth(_) => (6002, "Application Lifecycle", 6, 99, "Health"),
        Activity::EventsLost(_) => (6002, "Application Lifecycle", 6, 99, "Events Lost"),
        Activity::AppGuard(seen) if seen.is_finding => (2004, "Detection Finding", 2, 1, "Create"),
        Activity::AppGuard(seen) if seen.has_request() => {
            let method = seen.method.as_deref().unwrap_or_default();
            let (activity_id, activity_name) = http_activity(method);
            (4002, "HTTP Activity", 4, activity_id, activity_name)
        }
        Activity::AppGuard(_) => (6002, "Application Lifecycle", 6, 99, "Guard"),
    }
}

fn add_activity(fields: &mut Map<String, Value>, activity: &Activity) {
    match activity {
        Activity::ProcessStarted(process) => {
            fields.insert("process".into(), full_process(process));
        }
        Activity::ProcessEnded { process, exit_code } => {
            fields.insert("process".into(), process_ref(process));
            if let Some(code) = exit_code {
                fields.insert("exit_code".into(), json!(code));
            }
        }
        Activity::ConnectionOpened(connection) | Activity::ConnectionClosed(connection) => {
            add_connection(fields, connection);
        }
        Activity::SystemCall { process, name, risk_score, anomaly_score } => {
            fields.insert("process".into(), process_ref(process));
            fields.insert(
                "kernel".into(),
                json!({ "name": name, "type": "System Call", "type_id": 2 }),
            );
            if let Some(score) = risk_score {
                fields.insert("risk_score".into(), json!(score));
            }
            if let Some(score) = anomaly_score {
                fields.insert("anomaly_score".into(), json!(score));
            }
        }
        Activity::Inventory(inventory) => add_inventory(fields, inventory),
        Activity::HttpRequest(request) => add_http_request(fields, request),
        Activity::SignIn(sign_in) => add_sign_in(fields, sign_in),
        Activity::AgentHealth(health) => add_agent_health(fields, health),
        Activity::EventsLost(lost) => add_events_lost(fields, lost),
        Activity::AppGuard(seen) => add_app_guard(fields, seen),
    }
}

/// OCSF HTTP activity, `activity_id`.
fn http_activity(method: &str) -> (u32, &'static str) {
    match method {
        "CONNECT" => (1, "Connect"),
        "DELETE" => (2, "Delete"),
        "GET" => (3, "Get"),
        "HEAD" => (4, "Head"),
        "OPTIONS" => (5, "Options"),
        "POST" => (6, "Post"),
        "PUT" => (7, "Put"),
        "TRACE" => (8, "Trace"),
        "PATCH" => (9, "Patch"),
        "" => (0, "Unknown"),
        _ => (99, "Other"),
    }
}

fn full_process(process: &Process) -> Value {
    let mut out = Map::new();
    out.insert("pid".into(), json!(process.pid));
    out.insert("name".into(), json!(process.name));
    if let Some(start) = process.start_time {
        out.insert("created_time".into(), json!(start.as_millis()));
        out.insert("created_time_dt".into(), json!(start.to_string()));
    }
    if let Some(parent) = process.parent_pid {
        out.insert("parent_process".into(), json!({ "pid": parent }));
    }
    if let Some(user) = &process.user {
        out.insert("user".into(), json!({ "name": user }));
    }
    if let Some(line) = &process.command_line {
        out.insert("cmd_line".into(), json!(line));
    }
    if let Some(path) = &process.executable {
        let mut file = json!({ "path": path });
        if let (Value::Object(file), Some(digest)) = (&mut file, &process.executable_sha256) {
            file.insert(
                "hashes".into(),
                json!([{ "algorithm": "SHA-256", "algorithm_id": 3, "value": digest }]),
            );
        }
        out.insert("file".into(), file);
    }
    if let Some(it) = &process.container {
        out.insert("container".into(), container(it));
    }
    Value::Object(out)
}

fn container(container: &Container) -> Value {
    let mut out = json!({ "uid": container.uid, "runtime": container.runtime });
    if let Value::Object(fields) = &mut out {
        if let Some(name) = &container.name {
            fields.insert("name".into(), json!(name));
        }
        if let Some(pod) = &container.pod_uid {
            fields.insert("pod_uuid".into(), json!(pod));
        }
    }
    out
}

fn process_ref(process: &ProcessRef) -> Value {
    let mut out = json!({ "pid": process.pid });
    if let Value::Object(fields) = &mut out {
        if !process.name.is_empty() {
            fields.insert("name".into(), json!(process.name));
        }
        if let Some(start) = process.start_time {
            fields.insert("created_time".into(), json!(start.as_millis()));
            fields.insert("created_time_dt".into(), json!(start.to_string()));
        }
    }
    out
}

fn add_connection(fields: &mut Map<String, Value>, connection: &Connection) {
    fields.insert(
        "src_endpoint".into(),
        json!({ "ip": connection.local_address, "port": connection.local_port }),
    );
    if let Some(address) = &connection.remote_address {
        fields.insert(
            "dst_endpoint".into(),
            json!({ "ip": address, "port": connection.remote_port }),
        );
    }
    fields.insert("connection_info".into(), json!({ "protocol_name": connection.protocol }));
    fields.insert("status_detail".into(), json!(connection.status));
    if let Some(pid) = connection.pid {
        let mut process = json!({ "pid": pid });
        if let (Value::Object(process), Some(name)) = (&mut process, &connection.process_name) {
            process.insert("name".into(), json!(name));
        }
        fields.insert("actor".into(), json!({ "process": process }));
    }
}

fn add_http_request(fields: &mut Map<String, Value>, request: &HttpRequest) {
    let mut url = json!({ "path": request.path });
    if let (Value::Object(url), Some(hostname)) = (&mut url, &request.hostname) {
        url.insert("hostname".into(), json!(hostname));
    }
    let mut asked = json!({ "http_method": request.method, "url": url });
    if let Value::Object(asked) = &mut asked {
        if let Some(agent) = &request.user_agent {
            asked.insert("user_agent".into(), json!(agent));
        }
        if let Some(referrer) = &request.referrer {
            asked.insert("referrer".into(), json!(referrer));
        }
    }
    fields.insert("http_request".into(), asked);
    if let Some(status) = request.status {
        let mut answer = json!({ "code": status });
        if let (Value::Object(answer), Some(bytes)) = (&mut answer, request.response_bytes) {
            answer.insert("length".into(), json!(bytes));
        }
        fields.insert("http_response".into(), answer);
    }
    add_client(fields, request.client_address.as_deref(), request.client_port);
    if let Some(user) = &request.user {
        fields.insert("actor".into(), json!({ "user": { "name": user } }));
    }
    if let Some(duration) = request.duration_ms {
        fields.insert("duration".into(), json!(duration));
    }
}

fn add_sign_in(fields: &mut Map<String, Value>, sign_in: &SignIn) {
    fields.insert("user".into(), json!({ "name": sign_in.user }));
    let (status_id, status) = if sign_in.success { (1, "Success") } else { (2, "Failure") };
    fields.insert("status_id".into(), json!(status_id));
    fields.insert("status".into(), json!(status));
    if let Some(service) = &sign_in.service {
        fields.insert("service".into(), json!({ "name": service }));
    }
    if let Some(protocol) = &sign_in.protocol {
        fields.insert("auth_protocol".into(), json!(protocol));
    }
    if let Some(detail) = &sign_in.detail {
        fields.insert("status_detail".into(), json!(detail));
    }
    if let Some(pid) = sign_in.pid {
        fields.insert("actor".into(), json!({ "process": { "pid": pid } }));
    }
    add_client(fields, sign_in.client_address.as_deref(), sign_in.client_port);
}

fn add_client(fields: &mut Map<String, Value>, address: Option<&str>, port: Option<u16>) {
    if let Some(address) = address {
        let mut endpoint = json!({ "ip": address });
        if let (Value::Object(endpoint), Some(port)) = (&mut endpoint, port) {
            endpoint.insert("port".into(), json!(port));
        }
        fields.insert("src_endpoint".into(), endpoint);
    }
}

fn add_agent_health(fields: &mut Map<String, Value>, health: &AgentHealth) {
    fields
        .insert("app".into(), json!({ "name": "ringwall-host-agent", "version": health.version }));
    // What OCSF has no names for stands under the name it keeps free for that.
    fields.insert("unmapped".into(), json!({ "agent_health": health }));
}

fn add_events_lost(fields: &mut Map<String, Value>, lost: &EventsLost) {
    fields.insert("app".into(), json!({ "name": "ringwall-host-agent" }));
    fields.insert("count".into(), json!(lost.count));
    fields.insert("unmapped".into(), json!({ "events_lost": lost }));
}

fn add_app_guard(fields: &mut Map<String, Value>, seen: &AppGuardEvent) {
    let mut finding = json!({ "types": [seen.event_type] });
    if let Value::Object(finding) = &mut finding {
        if let Some(category) = &seen.category {
            finding.insert("title".into(), json!(category));
        }
        if let Some(pattern) = &seen.pattern {
            finding.insert("analytic".into(), json!({ "name": pattern, "type_id": 1 }));
        }
    }
    fields.insert("finding_info".into(), finding);
    for (name, text) in [("action", &seen.action), ("status_detail", &seen.reason)] {
        if !text.is_empty() {
            fields.insert(name.into(), json!(text));
        }
    }
    if seen.has_request() {
        let mut request = Map::new();
        for (name, text) in [("http_method", &seen.method), ("user_agent", &seen.user_agent)] {
            if let Some(text) = text {
                request.insert(name.into(), json!(text));
            }
        }
        if let Some(path) = &seen.path {
            request.insert("url".into(), json!({ "path": path }));
        }
        fields.insert("http_request".into(), Value::Object(request));
    } else if let Some(agent) = &seen.user_agent {
        fields.insert("http_request".into(), json!({ "user_agent": agent }));
    }
    if let Some(status) = seen.status {
        fields.insert("http_response".into(), json!({ "code": status }));
    }
    if let Some(duration) = seen.duration_ms {
        fields.insert("duration".into(), json!(duration));
    }
    add_client(fields, seen.client_address.as_deref(), None);
    if let Some(country) = &seen.country {
        let endpoint = fields.entry("src_endpoint").or_insert_with(|| json!({}));
        if let Value::Object(endpoint) = endpoint {
            endpoint.insert("location".into(), json!({ "country": country }));
        }
    }
    let own = json!({
        "decorator": seen.decorator,
        "rule": seen.rule,
        "handler": seen.handler,
        "install_id": seen.install_id,
    });
    // What OCSF has no names for stands under the name it keeps free for that.
    fields.insert("unmapped".into(), json!({ "app_guard": own }));
}

fn add_inventory(fields: &mut Map<String, Value>, inventory: &Inventory) {
    fields.insert(
        "observables_count".into(),
        json!({
            "processes": inventory.processes.len(),
            "connections": inventory.connections.len(),
        }),
    );
    if let Some(Value::Object(device)) = fields.get_mut("device") {
        let system = &inventory.system;
        if let Some(os) = system.os.as_ref().or(system.platform.as_ref()) {
            device.insert("os".into(), json!({ "name": os }));
        }
        if let Some(boot) = system.boot_time {
            device.insert("boot_time".into(), json!(boot.as_millis()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Severity, Source, Timestamp};

    #[test]
    fn an_http_request_has_the_names_of_class_4002() {
        let request = HttpRequest {
            method: "POST".into(),
            path: "/login?next=%2F".into(),
            hostname: Some("shop.example".into()),
            client_address: Some("203.0.113.9".into()),
            client_port: Some(51_000),
            user_agent: Some("curl/8.5.0".into()),
            referrer: Some("https://shop.example/".into()),
            user: Some("ada".into()),
            status: Some(302),
            response_bytes: Some(154),
            duration_ms: Some(12),
        };
        check(
            Activity::HttpRequest(Box::new(request)),
            &json!({
                "class_uid": 4002,
                "class_name": "HTTP Activity",
                "category_uid": 4,
                "activity_id": 6,
                "activity_name": "Post",
                "type_uid": 400_206,
                "http_request": {
                    "http_method": "POST",
                    "url": { "path": "/login?next=%2F", "hostname": "shop.example" },
                    "user_agent": "curl/8.5.0",
                    "referrer": "https://shop.example/",
                },
                "http_response": { "code": 302, "length": 154 },
                "src_endpoint": { "ip": "203.0.113.9", "port": 51_000 },
                "actor": { "user": { "name": "ada" } },
                "duration": 12,
            }),
        );
    }

    #[test]
    fn what_is_not_known_of_a_request_is_left_out() {
        let request = HttpRequest { path: "/".into(), ..HttpRequest::default() };
        check(
            Activity::HttpRequest(Box::new(request)),
            &json!({
                "class_uid": 4002,
                "class_name": "HTTP Activity",
                "category_uid": 4,
                "activity_id": 0,
                "activity_name": "Unknown",
                "type_uid": 400_200,
                "http_request": { "http_method": "", "url": { "path": "/" } },
            }),
        );
    }

    #[test]
    fn a_container_has_the_names_of_ocsf() {
        let container = Container {
            uid: "4bc1".into(),
            name: Some("shop".into()),
            runtime: "docker".into(),
            pod_uid: None,
        };
        let process = Process {
            pid: 7,
            name: "nginx".into(),
            container: Some(Box::new(container)),
            ..Process::default()
        };
        check(
            Activity::ProcessStarted(process),
            &json!({
                "class_uid": 1007,
                "class_name": "Process Activity",
                "category_uid": 1,
                "activity_id": 1,
                "activity_name": "Launch",
                "type_uid": 100_701,
                "process": {
                    "pid": 7,
                    "name": "nginx",
                    "container": { "uid": "4bc1", "name": "shop", "runtime": "docker" },
                },
            }),
        );
    }

    #[test]
    fn the_health_of_an_agent_is_of_class_6002() {
        let health = AgentHealth { version: "0.1.0".into(), dropped: 3, ..AgentHealth::default() };
        let face = json!({
            "class_uid": 6002,
            "class_name": "Application Lifecycle",
            "category_uid": 6,
            "activity_id": 99,
            "activity_name": "Health",
            "type_uid": 600_299,
            "app": { "name": "ringwall-host-agent", "version": "0.1.0" },
            "unmapped": { "agent_health": health },
        });
        check(Activity::AgentHealth(Box::new(health)), &face);
    }

    #[test]
    fn lost_events_are_of_class_6002() {
        let lost = EventsLost { spool_id: "5f".into(), count: 3, total: 10 };
        let face = json!({
            "class_uid": 6002,
            "class_name": "Application Lifecycle",
            "category_uid": 6,
            "activity_id": 99,
            "activity_name": "Events Lost",
            "type_uid": 600_299,
            "app": { "name": "ringwall-host-agent" },
            "count": 3,
            "unmapped": { "events_lost": { "spool_id": "5f", "count": 3, "total": 10 } },
        });
        check(Activity::EventsLost(Box::new(lost)), &face);
    }

    #[test]
    fn what_a_guard_found_is_of_class_2004() {
        let seen = AppGuardEvent {
            event_type: "pattern_detected".into(),
            is_finding: true,
            action: "threat_detected".into(),
            reason: "SQL injection".into(),
            client_address: Some("203.0.113.9".into()),
            country: Some("NZ".into()),
            method: Some("GET".into()),
            path: Some("/item".into()),
            category: Some("sqli".into()),
            pattern: Some("union select".into()),
            ..AppGuardEvent::default()
        };
        let face = json!({
            "class_uid": 2004,
            "class_name": "Detection Finding",
            "category_uid": 2,
            "activity_id": 1,
            "activity_name": "Create",
            "type_uid": 200_401,
            "finding_info": {
                "types": ["pattern_detected"],
                "title": "sqli",
                "analytic": { "name": "union select", "type_id": 1 },
            },
            "action": "threat_detected",
            "status_detail": "SQL injection",
            "http_request": { "http_method": "GET", "url": { "path": "/item" } },
            "src_endpoint": { "ip": "203.0.113.9", "location": { "country": "NZ" } },
            "unmapped": { "app_guard": {
                "decorator": null, "rule": null, "handler": null, "install_id": null,
            } },
        });
        check(Activity::AppGuard(Box::new(seen.clone())), &face);
        for (is_finding, method, expected) in
            [(false, Some("GET"), (4002, 3)), (false, None, (6002, 99)), (true, None, (2004, 1))]
        {
            let seen = AppGuardEvent {
                is_finding,
                method: method.map(Into::into),
                path: None,
                ..seen.clone()
            };
            assert_eq!(Activity::AppGuard(Box::new(seen)).ocsf_class(), expected);
        }
    }

    #[test]
    fn methods_are_the_activities_of_class_4002() {
        for (method, expected) in [
            ("CONNECT", 1),
            ("DELETE", 2),
            ("GET", 3),
            ("HEAD", 4),
            ("OPTIONS", 5),
            ("POST", 6),
            ("PUT", 7),
            ("TRACE", 8),
            ("PATCH", 9),
            ("PROPFIND", 99),
            ("get", 99),
            ("", 0),
        ] {
            let request = HttpRequest { method: method.into(), ..HttpRequest::default() };
            let activity = Activity::HttpRequest(Box::new(request));
            assert_eq!(activity.ocsf_class(), (4002, expected), "method {method:?}");
        }
    }

    #[test]
    fn a_sign_in_has_the_names_of_class_3002() {
        let sign_in = SignIn {
            user: "root".into(),
            success: false,
            service: Some("sshd".into()),
            protocol: Some("password".into()),
            client_address: Some("203.0.113.9".into()),
            client_port: Some(40_022),
            pid: Some(812),
            detail: Some("invalid password".into()),
        };
        let mut expected = json!({
            "class_uid": 3002,
            "class_name": "Authentication",
            "category_uid": 3,
            "activity_id": 1,
            "activity_name": "Logon",
            "type_uid": 300_201,
            "user": { "name": "root" },
            "status_id": 2,
            "status": "Failure",
            "status_detail": "invalid password",
            "service": { "name": "sshd" },
            "auth_protocol": "password",
            "src_endpoint": { "ip": "203.0.113.9", "port": 40_022 },
            "actor": { "process": { "pid": 812 } },
        });
        check(Activity::SignIn(Box::new(sign_in.clone())), &expected);

        let local = SignIn { user: "ada".into(), success: true, ..SignIn::default() };
        for gone in ["status_detail", "service", "auth_protocol", "src_endpoint", "actor"] {
            expected.as_object_mut().unwrap().remove(gone);
        }
        expected["user"] = json!({ "name": "ada" });
        expected["status_id"] = json!(1);
        expected["status"] = json!("Success");
        check(Activity::SignIn(Box::new(local)), &expected);
    }

    /// The fields that an activity adds to those that all events have.
    #[track_caller]
    fn check(activity: Activity, expected: &Value) {
        const OF_ALL: [&str; 6] =
            ["metadata", "time", "time_dt", "severity_id", "severity", "device"];
        let event = Event {
            id: EventId::from_parts(1_700_000_000_000, 0, 0),
            time: Timestamp::from_millis(1_700_000_000_000),
            received: Timestamp::from_millis(1_700_000_000_100),
            source: Source::new(Source::HOST_AGENT, "web-1"),
            host: "web-1".into(),
            severity: Severity::Informational,
            activity,
            original: None,
        };
        let mut face = event.to_ocsf();
        let fields = face.as_object_mut().unwrap();
        for name in OF_ALL {
            assert!(fields.remove(name).is_some(), "{name} is missing");
        }
        assert_eq!(&face, expected);
    }
}
