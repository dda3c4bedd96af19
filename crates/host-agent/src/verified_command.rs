//! Commands of a Ringwall server: believed only when signed, bound to this host, and not expired.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ringwall_event::{CommandId, Order, Timestamp};
use ringwall_server_api::{CommandPayload, RefusedBecause, SignedCommand};
use ringwall_signing::{CommandSignatureError, PublicKey, verify_command};

/// A command that the server signed for this host. Only [`Verifier::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VerifiedCommand {
    id: String,
    order: Order,
    reason: String,
    issued: Timestamp,
    expires: Timestamp,
}

/// Why a command is not believed. Its sender is not answered: it may not be the server at all; the server
/// is told by a report of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VerifyError {
    /// Longer than any command is.
    #[error("longer than {PAYLOAD_BYTES_MAX} bytes")]
    TooLong,
    /// The payload is not base64.
    #[error("payload is not base64")]
    Encoding,
    /// The server did not sign this.
    #[error("signature: {0}")]
    Signature(#[from] CommandSignatureError),
    /// Signed, but of a form that this version does not know.
    #[error("payload cannot be read: {0}")]
    Unreadable(String),
    /// Signed for another host.
    #[error("it is for host `{0}`")]
    OtherHost(String),
}

/// Why a believed command is not carried out; the server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedCommand {
    /// Too late.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// No honest command is good for so long.
    #[error("it is valid for more than {} s", VALID_SECONDS_MAX)]
    ValidTooLong,
    /// It does not pin the process.
    #[error("it does not say when the process started")]
    StartTimeMissing,
}

/// No command has a longer payload.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;

/// No command is valid for longer, in seconds: by then its reason is history.
const VALID_SECONDS_MAX: i64 = 86_400;

/// Checks commands for one agent of one server.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    host: String,
    server: PublicKey,
}

impl Verifier {
    /// Believes what `server` signs for `host`.
    pub(crate) fn new(host: &str, server: PublicKey) -> Self {
        Self { host: host.to_owned(), server }
    }

    /// Checks the signature over the bytes as they came, before anything of them is read.
    pub(crate) fn verify(&self, command: &SignedCommand) -> Result<VerifiedCommand, VerifyError> {
        if command.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(VerifyError::TooLong);
        }
        let payload = STANDARD.decode(&command.payload).map_err(|_| VerifyError::Encoding)?;
        verify_command(&self.server, &payload, &command.signature)?;
        let payload: CommandPayload = serde_json::from_slice(&payload)
            .map_err(|error| VerifyError::Unreadable(error.to_string()))?;
        if payload.host != self.host {
            return Err(VerifyError::OtherHost(payload.host));
        }
        Ok(VerifiedCommand {
            id: payload.id,
            order: payload.order,
            reason: payload.reason,
            issued: payload.issued,
            expires: payload.expires,
        })
    }
}

impl VerifyError {
    /// What the server is told.
    pub(crate) const fn because(&self) -> RefusedBecause {
        match self {
            Self::TooLong | Self::Encoding | Self::Signature(_) => RefusedBecause::Altered,
            Self::Unreadable(_) => RefusedBecause::Unreadable,
            Self::OtherHost(_) => RefusedBecause::OtherHost,
        }
    }
}

impl RefusedCommand {
    /// What the server is told.
    pub(crate) const fn because(self) -> RefusedBecause {
        match self {
            Self::Expired(_) => RefusedBecause::Expired,
            Self::ValidTooLong | Self::StartTimeMissing => RefusedBecause::Unbound,
        }
    }
}

/// The id that a command bears which is not believed, where it has the form of one.
pub(crate) fn claimed_id(command: &SignedCommand) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Claim {
        id: CommandId,
    }
    let short = command.payload.get(..command.payload.len().min(PAYLOAD_BYTES_MAX))?;
    let payload = STANDARD.decode(short).ok()?;
    let claim: Claim = serde_json::from_slice(&payload).ok()?;
    Some(claim.id.to_string())
}

impl VerifiedCommand {
    /// What names it in the result.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// After this moment it must not be carried out.
    pub(crate) const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Why it was ordered.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do, where it may be done now.
    pub(crate) fn order(&self, now: Timestamp) -> Result<&Order, RefusedCommand> {
        if now > self.expires {
            return Err(RefusedCommand::Expired(self.expires));
        }
        if self.expires > self.issued.plus_seconds(VALID_SECONDS_MAX) {
            return Err(RefusedCommand::ValidTooLong);
        }
        // Without it a reused pid of the same name could be hit.
        if self.order.process().is_some_and(|process| process.start_time.is_none()) {
            return Err(RefusedCommand::StartTimeMissing);
        }
        Ok(&self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ringwall_event::ProcessTarget;
    use ringwall_signing::{SigningKey, canonical_json};

    fn server() -> SigningKey {
        SigningKey::from_seed(&[3; 32])
    }

    fn payload() -> CommandPayload {
        CommandPayload {
            id: "cmd_1".to_owned(),
            host: "web-1".to_owned(),
            order: Order::KillProcess(ProcessTarget {
                pid: 42,
                start_time: Some(Timestamp::from_micros(7_000_000)),
                name: "evil.sh".into(),
            }),
            reason: "indicator `evil.sh`".to_owned(),
            issued: Timestamp::from_micros(8_000_000),
            expires: Timestamp::from_micros(9_000_000),
        }
    }

    fn signed(payload: &CommandPayload, key: &SigningKey) -> SignedCommand {
        let text = canonical_json(&serde_json::to_value(payload).unwrap());
        let signature = key.sign_command(text.as_bytes());
        SignedCommand { payload: STANDARD.encode(text), signature }
    }

    fn verify(command: &SignedCommand) -> Result<VerifiedCommand, VerifyError> {
        Verifier::new("web-1", server().public_key()).verify(command)
    }

    #[test]
    fn a_signed_command_for_this_host_is_believed() {
        let command = verify(&signed(&payload(), &server())).unwrap();
        assert_eq!(command.id(), "cmd_1");
        let order = command.order(Timestamp::from_micros(9_000_000)).unwrap();
        assert_eq!(*order, payload().order);
        let late = Timestamp::from_micros(9_000_001);
        let expires = Timestamp::from_micros(9_000_000);
        assert_eq!(command.order(late), Err(RefusedCommand::Expired(expires)));
    }

    #[test]
    fn everything_else_is_not() {
        let other = CommandPayload { host: "web-2".to_owned(), ..payload() };
        let refused = verify(&signed(&other, &server()));
        assert_eq!(refused, Err(VerifyError::OtherHost("web-2".to_owned())));

        let stranger = SigningKey::from_seed(&[4; 32]);
        let mismatch = Err(VerifyError::Signature(CommandSignatureError::Mismatch));
        assert_eq!(verify(&signed(&payload(), &stranger)), mismatch);

        let mut command = signed(&payload(), &server());
        let text = String::from_utf8(STANDARD.decode(&command.payload).unwrap()).unwrap();
        command.payload = STANDARD.encode(text.replace("42", "43"));
        assert_eq!(verify(&command), mismatch);

        command.payload = "%".to_owned();
        assert_eq!(verify(&command), Err(VerifyError::Encoding));
        command.payload = "A".repeat(PAYLOAD_BYTES_MAX + 4);
        assert_eq!(verify(&command), Err(VerifyError::TooLong));

        let signature = server().sign_command(b"[]");
        let command = SignedCommand { payload: STANDARD.encode("[]"), signature };
        assert!(matches!(verify(&command), Err(VerifyError::Unreadable(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_none_are_believed(payload: String, signature: String, bytes: Vec<u8>) {
            for payload in [payload, STANDARD.encode(&bytes)] {
                let command = SignedCommand { payload, signature: signature.clone() };
                prop_assert!(verify(&command).is_err());
                drop(claimed_id(&command));
            }
        }

        /// What the server signed is read to its end without a panic, whatever it is.
        #[test]
        fn no_signed_bytes_panic(bytes: Vec<u8>) {
            let signature = server().sign_command(&bytes);
            let command = SignedCommand { payload: STANDARD.encode(&bytes), signature };
            prop_assert!(matches!(verify(&command), Err(VerifyError::Unreadable(_))));
        }

        #[test]
        fn every_change_of_a_byte_is_seen(place: prop::sample::Index, change in 1u8..) {
            let mut command = signed(&payload(), &server());
            let mut bytes = STANDARD.decode(&command.payload).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= change;
            command.payload = STANDARD.encode(&bytes);
            let refused = verify(&command).unwrap_err();
            prop_assert_eq!(refused.because(), RefusedBecause::Altered);
        }
    }

    #[test]
    fn a_command_is_valid_for_a_day_at_most() {
        let day = VALID_SECONDS_MAX * 1_000_000;
        check_validity(0, Ok(()));
        check_validity(day, Ok(()));
        check_validity(day + 1, Err(RefusedCommand::ValidTooLong));
        check_validity(i64::MAX - 8_000_000, Err(RefusedCommand::ValidTooLong));
    }

    #[track_caller]
    fn check_validity(micros: i64, expected: Result<(), RefusedCommand>) {
        let issued = payload().issued;
        let lasting = CommandPayload { expires: issued.plus_micros(micros), ..payload() };
        let command = verify(&signed(&lasting, &server())).unwrap();
        assert_eq!(command.order(issued).map(drop), expected, "{micros} µs");
    }

    #[test]
    fn a_command_that_does_not_pin_the_process_is_refused() {
        let mut loose = payload();
        loose.order =
            Order::KillProcess(ProcessTarget { pid: 42, start_time: None, name: "evil.sh".into() });
        let command = verify(&signed(&loose, &server())).unwrap();
        let now = Timestamp::from_micros(8_000_000);
        assert_eq!(command.order(now), Err(RefusedCommand::StartTimeMissing));
    }
}
