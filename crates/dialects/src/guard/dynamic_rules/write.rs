use super::DynamicRules;
use crate::guard::TimeForm;
use crate::guard::ascii_json::{ObjectWriter, push_display, push_list, push_members, push_text};
use ringwall_event::Timestamp;

impl DynamicRules {
    /// The flat object, every field there.
    pub fn write(&self) -> String {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("rule_id", &self.rule_id);
        push_display(object.field("version"), &self.version);
        moment(&mut object, "timestamp", self.timestamp);
        self.write_editable_fields(&mut object);
        object.end();
        into_text(out)
    }

    /// The fields that people edit: all but `rule_id`, `version` and `timestamp`.
    pub fn write_editable(&self) -> String {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        self.write_editable_fields(&mut object);
        object.end();
        into_text(out)
    }

    fn write_editable_fields(&self, object: &mut ObjectWriter<'_>) {
        moment(object, "expires_at", self.expires_at);
        object.display_or_null("ttl", Some(self.ttl));
        texts(object, "ip_blacklist", &self.ip_blacklist);
        texts(object, "ip_whitelist", &self.ip_whitelist);
        object.display_or_null("ip_ban_duration", Some(self.ip_ban_duration));
        texts(object, "blocked_countries", &self.blocked_countries);
        texts(object, "whitelist_countries", &self.whitelist_countries);
        object.display_or_null("global_rate_limit", self.global_rate_limit);
        object.display_or_null("global_rate_window", self.global_rate_window);
        let rates = object.field("endpoint_rate_limits");
        push_members(rates, self.endpoint_rate_limits.iter(), |out, (path, rate)| {
            push_text(out, path);
            push_display(out, &format_args!(":[{},{}]", rate.requests, rate.window_seconds));
        });
        texts(object, "blocked_cloud_providers", &self.blocked_cloud_providers);
        texts(object, "blocked_user_agents", &self.blocked_user_agents);
        texts(object, "suspicious_patterns", &self.suspicious_patterns);
        object.display_or_null("enable_penetration_detection", self.enable_penetration_detection);
        object.display_or_null("enable_ip_banning", self.enable_ip_banning);
        object.display_or_null("enable_rate_limiting", self.enable_rate_limiting);
        object.display_or_null("enable_rate_limit_auto_ban", self.enable_rate_limit_auto_ban);
        object.display_or_null("auto_ban_threshold", self.auto_ban_threshold);
        object.display_or_null("auto_ban_duration", self.auto_ban_duration);
        object.display_or_null("emergency_mode", Some(self.emergency_mode));
        texts(object, "emergency_whitelist", &self.emergency_whitelist);
        object.display_or_null("emergency_whitelist_only", Some(self.emergency_whitelist_only));
        object.text_or_null("message", self.message.as_deref());
    }
}

fn texts<'a>(
    object: &mut ObjectWriter<'_>,
    name: &str,
    texts: impl IntoIterator<Item = &'a Box<str>>,
) {
    push_list(object.field(name), texts, |out, text| push_text(out, text));
}

fn moment(object: &mut ObjectWriter<'_>, name: &str, moment: Option<Timestamp>) {
    match moment {
        Some(moment) => TimeForm::Iso.push_json(object.field(name), moment),
        None => object.null(name),
    }
}

fn into_text(out: Vec<u8>) -> String {
    // The writer makes ASCII only, so nothing is lost.
    String::from_utf8_lossy(&out).into_owned()
}
