//! The headers that a host agent's signature stands in, and the token of an enrolment.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_access::PresentedEnrolment;
use ringwall_signing::SigningKey;
use ringwall_signing::request_signature::{Claim, Message, content_digest};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (input, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (signature, target) = rest.split_once('\n').unwrap_or((rest, "/"));
    if let Ok(claim) = Claim::read(input, signature) {
        // What is read is written in one way only, and nobody's signature holds for it by chance.
        let covered = "ringwall=(\"@method\" \"@path\" \"@query\" \"content-digest\"";
        assert!(input.starts_with(covered), "{input}");
        let written = format!(
            ");created={};keyid=\"{}/{}\";alg=\"ed25519\";nonce=\"",
            claim.created(),
            claim.agent(),
            claim.key_id()
        );
        assert!(input.contains(&written), "{input}");
        let key = SigningKey::from_seed(&[7; 32]).public_key();
        let digest = content_digest(bytes);
        for content_type in [None, Some("application/json")] {
            for encoding in [None, Some("zstd")] {
                let message =
                    Message::new("POST", target, bytes).with_content(content_type, encoding);
                assert!(claim.verify(&key, &message, &digest).is_err());
            }
        }
    }
    if let Some(token) = PresentedEnrolment::parse(text) {
        assert!(text.starts_with(&format!("rwe_{}_", token.id())));
    }
});
