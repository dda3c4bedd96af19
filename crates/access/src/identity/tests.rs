use super::*;
use crate::EnrolmentTerms;
use ringwall_signing::SigningKey;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed(&[seed; 32]).public_key()
}

fn enrolment(name: Option<&str>, replaces: Option<&str>) -> EnrolmentRecord {
    let terms = EnrolmentTerms {
        name: name.map(str::to_owned),
        replaces: replaces.map(str::to_owned),
        uses: 1,
        expires: NOW.plus_seconds(60),
        created_by: "user:admin".into(),
    };
    EnrolmentRecord::create(terms, &[9; 40], NOW).record
}

fn claim(name: Option<&str>, machine: Option<&str>, hostname: &str) -> EnrolmentClaim {
    EnrolmentClaim {
        key: key(1),
        name: name.map(str::to_owned),
        machine: machine.map(str::to_owned),
        hostname: hostname.to_owned(),
        version: "0.1.0".to_owned(),
    }
}

fn identity(machine: Option<&str>, state: IdentityState) -> IdentityRecord {
    IdentityRecord {
        machine: machine.map(str::to_owned),
        hostname: "web-1".into(),
        version: "0.1.0".into(),
        state,
        key: key(2),
        next_key: None,
        retired_key: None,
        enrolled: NOW,
        enrolled_by: "0000000000000000".into(),
        rotated: None,
        warning: None,
    }
}

#[test]
fn names_come_from_the_enrolment_then_the_host() {
    let name = |given, replaces, asked, known_as, hostname: &str| {
        enrolment_name(&enrolment(given, replaces), &claim(asked, None, hostname), known_as)
    };
    let ok = |name: &str| Ok(name.to_owned());
    assert_eq!(name(Some("a"), None, None, Some("k"), "h"), ok("a"));
    assert_eq!(name(None, Some("r"), None, Some("k"), "h"), ok("r"));
    assert_eq!(name(None, None, Some("b"), Some("k"), "h"), ok("b"));
    assert_eq!(name(None, None, None, Some("k"), "h"), ok("k"));
    assert_eq!(name(None, None, None, None, "h"), ok("h"));
    assert_eq!(name(None, None, None, None, "Adas Läptop"), ok("Adas-L-ptop"));
    assert_eq!(name(None, None, None, None, "-é-"), ok("host"));
    assert_eq!(name(None, None, None, None, &"x".repeat(500)), ok(&"x".repeat(128)));
    assert_eq!(name(Some("a"), None, Some("a"), None, "h"), ok("a"));
    let refused = EnrolmentRefusal::OtherName("a".into());
    assert_eq!(name(Some("a"), None, Some("b"), None, "h"), Err(refused));
    let refused = EnrolmentRefusal::BadName("../x".into());
    assert_eq!(name(None, None, Some("../x"), None, "h"), Err(refused));
}

#[test]
fn a_name_belongs_to_its_machine() {
    use IdentityState::{Active, Revoked, Suspended};
    let (open, replacing) = (enrolment(None, None), enrolment(None, Some("web-1")));
    let check = |enrolment, machine, holder: Option<IdentityRecord>| {
        admit(enrolment, &claim(None, machine, "web-1"), "web-1", holder.as_ref())
    };
    let taken = Err(EnrolmentRefusal::NameTaken("web-1".into()));
    assert_eq!(check(&open, Some("m"), None), Ok(Admission::New));
    let same = || Some(identity(Some("m"), Active));
    assert_eq!(check(&open, Some("m"), same()), Ok(Admission::SameMachine));
    assert_eq!(check(&open, Some("n"), same()), taken);
    assert_eq!(check(&replacing, Some("n"), same()), Ok(Admission::Replaced));
    // Two machines without an id are not the same machine.
    assert_eq!(check(&open, None, Some(identity(None, Active))), taken);
    assert_eq!(check(&open, None, same()), taken);
    for state in [Revoked, Suspended] {
        let out = || Some(identity(Some("m"), state));
        let refused = Err(EnrolmentRefusal::NotActive("web-1".into(), state));
        assert_eq!(check(&open, Some("m"), out()), refused);
        assert_eq!(check(&replacing, Some("m"), out()), Ok(Admission::Replaced));
    }
}

#[test]
fn an_answer_that_was_lost_is_given_again() {
    let enrolment = enrolment(None, None);
    let mut holder = identity(Some("m"), IdentityState::Active);
    holder.key = key(1);
    holder.enrolled_by.clone_from(&enrolment.id);
    let again = claim(None, Some("m"), "web-1");
    assert_eq!(admit(&enrolment, &again, "web-1", Some(&holder)), Ok(Admission::Repeated));
    let other_key = EnrolmentClaim { key: key(3), ..again };
    assert_eq!(admit(&enrolment, &other_key, "web-1", Some(&holder)), Ok(Admission::SameMachine));
}

/// Whatever step a rotation is broken off at, one of the keys that the agent may hold is accepted.
#[test]
fn a_rotation_never_locks_out() {
    let mut record = identity(None, IdentityState::Active);
    let (old, new, other) = (key(2), key(3), key(4));
    let standing = |record: &IdentityRecord, key: PublicKey| {
        record.find_key(&key.id()).map(|(_, standing)| standing)
    };
    assert_eq!(standing(&record, new), None);
    record.prepare_rotation(new);
    record.prepare_rotation(new);
    assert_eq!(standing(&record, old), Some(KeyStanding::Current));
    assert_eq!(standing(&record, new), Some(KeyStanding::Next));
    // The agent lost the new key before it was on its disk, and made another.
    record.prepare_rotation(other);
    assert_eq!((standing(&record, new), standing(&record, other)), (None, Some(KeyStanding::Next)));
    assert!(!record.finish_rotation(&old.id(), NOW), "the old key is still in use");
    assert!(record.finish_rotation(&other.id(), NOW));
    assert!(!record.finish_rotation(&other.id(), NOW), "once");
    assert_eq!(standing(&record, other), Some(KeyStanding::Current));
    assert_eq!(standing(&record, old), Some(KeyStanding::Retired));
    assert_eq!(record.rotated, Some(NOW));
    // To rotate to the key in use is to stay.
    record.prepare_rotation(other);
    assert_eq!(record.next_key, None);
}

#[test]
fn it_is_stored_and_read_back() {
    let mut record = identity(Some("m"), IdentityState::Suspended);
    record.next_key = Some(key(5));
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<IdentityRecord>(&text).unwrap(), record);
    assert!(
        serde_json::from_str::<IdentityRecord>(&text.replace(&key(5).to_base64(), "AAAA")).is_err()
    );
}
