//! The encrypted form of a guard agent's batch.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_dialects::guard::{EncryptionKey, Envelope};

fuzz_target!(|input: (&[u8], [u8; 12], bool)| {
    let (body, nonce, sealed) = input;
    let key = EncryptionKey::from_bytes([7; 32]);
    if sealed {
        let envelope = Envelope {
            encrypted_payload: key.seal(nonce, body).unwrap().into(),
            ..Envelope::default()
        };
        assert_eq!(key.open(&envelope.encrypted_payload).unwrap(), body);
        let _ = Envelope::read(&envelope.write()).unwrap().open(&key);
    } else if let Ok(envelope) = Envelope::read(body) {
        let _ = envelope.open(&key);
        assert_eq!(Envelope::read(&envelope.write()).unwrap(), envelope);
    }
});
