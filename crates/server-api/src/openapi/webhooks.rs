//! The operations on webhooks and their deliveries.

use super::operation::{Described, delete, get, patch, post};
use super::operations::page;
use crate::{
    DeliveryDetail, DeliveryQuery, DeliveryRow, Page, ProblemKind, ReplayAnswer, WebhookChange,
    WebhookCreated, WebhookRequest, WebhookRow, WebhookSecret, examples, paths,
};
use serde_json::json;

pub(super) fn all() -> Vec<Described> {
    let mut all = webhooks();
    all.extend(deliveries());
    all
}

fn webhooks() -> Vec<Described> {
    vec![
        get(paths::WEBHOOKS, "list_webhooks", "Where alerts are told")
            .tag("webhooks")
            .answers::<Page<WebhookRow>>(200, "By name", Page::whole(vec![examples::webhook()]))
            .done(),
        post(paths::WEBHOOKS, "create_webhook", "Have alerts told somewhere")
            .tag("webhooks")
            .about(
                "What it posts is signed: Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, \
                 `webhook-signature`), or the form of the SysScore platform. Addresses that are not of \
                 the public internet are refused unless `webhooks.allow_networks` lists them.",
            )
            .takes::<WebhookRequest>(
                true,
                json!({
                    "name": "on call", "url": "https://example.com/ringwall",
                    "min_severity": "high",
                }),
            )
            .answers::<WebhookCreated>(
                201,
                "Made; its secret is told this once",
                json!({
                    "id": "whk_5f2c9d1e0b7a4c36", "secret": "whsec_MfKQ9r8GKYqr…",
                    "webhook": examples::webhook(),
                }),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        get(paths::WEBHOOK, "show_webhook", "One webhook")
            .tag("webhooks")
            .answers::<WebhookRow>(200, "The webhook", examples::webhook())
            .done(),
        patch(paths::WEBHOOK, "change_webhook", "Change, pause or resume a webhook")
            .tag("webhooks")
            .takes::<WebhookChange>(true, json!({ "enabled": false }))
            .answers::<WebhookRow>(200, "As it is now", examples::webhook())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::WEBHOOK, "delete_webhook", "Remove a webhook")
            .tag("webhooks")
            .about("What waits for its receiver becomes dead letters.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        post(paths::WEBHOOK_TEST, "test_webhook", "Try a webhook")
            .tag("webhooks")
            .about("Sends a message of the type `test`; look at the delivery for what came of it.")
            .answers::<DeliveryRow>(202, "It waits to be sent", examples::delivery())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        post(paths::WEBHOOK_REPLAY, "replay_webhook", "Send a webhook's dead letters again")
            .tag("webhooks")
            .about("Oldest first, under their ids, as many as may wait at once.")
            .answers::<ReplayAnswer>(
                202,
                "They wait to be sent",
                ReplayAnswer { replayed: 3, left: 0 },
            )
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        post(paths::WEBHOOK_ROTATE_SECRET, "rotate_webhook_secret", "Give a webhook a new secret")
            .tag("webhooks")
            .about(
                "In the standard form both secrets sign for a time, so that the receiver can change over; \
                 in the SysScore form the new one signs at once, in place of `HMAC_SECRET_KEY`, too.",
            )
            .answers::<WebhookSecret>(
                200,
                "The new secret, told this once",
                json!({
                    "id": "whk_5f2c9d1e0b7a4c36", "secret": "whsec_MfKQ9r8GKYqr…",
                    "previous_until": "2026-01-02T00:00:00Z",
                }),
            )
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}

fn deliveries() -> Vec<Described> {
    vec![
        get(paths::DELIVERIES, "list_deliveries", "What was told to webhooks, or is to be")
            .tag("webhooks")
            .query::<DeliveryQuery>()
            .answers::<Page<DeliveryRow>>(200, "Newest first", page(examples::delivery()))
            .done(),
        get(paths::DELIVERY, "show_delivery", "One delivery, with its attempts and its body")
            .tag("webhooks")
            .answers::<DeliveryDetail>(200, "The delivery", examples::delivery_detail())
            .done(),
        post(paths::DELIVERY_REPLAY, "replay_delivery", "Send a delivery again")
            .tag("webhooks")
            .about("Under its id: a receiver that had it knows it. One that waits anyway is a conflict.")
            .answers::<DeliveryRow>(202, "It waits to be sent", examples::delivery())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
    ]
}
