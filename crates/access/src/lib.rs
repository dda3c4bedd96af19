//! Who may do what: tokens, roles, sessions, and the one function that permits an action.
//!
//! Pure decisions: the moment and the randomness are arguments, nothing here reads a clock, draws
//! a number or touches a disk. What is kept is kept by the caller.
//!
//! ```
//! use ringwall_access::{Decision, OrderCommand, Role, Rules, Subject, authorise};
//! use ringwall_event::{Order, ProcessTarget, Source, Timestamp};
//!
//! let kill = |pid, name: &str| OrderCommand {
//!     source: Source::new("host-agent", "web-1"),
//!     hostname: "web-1".into(),
//!     order: Order::KillProcess(ProcessTarget {
//!         pid,
//!         start_time: Some(Timestamp::from_micros(1)),
//!         name: name.into(),
//!     }),
//!     observed: None,
//! };
//! let rules = Rules::default();
//! let person = Subject::User { name: "admin".into(), role: Role::Admin };
//! let now = Timestamp::from_micros(2);
//!
//! let decision = authorise(&rules, &kill(4321, "evil.sh"), &person, "known bad", now);
//! assert!(matches!(decision, Decision::Permit(_)));
//! let decision = authorise(&rules, &kill(4322, "sshd"), &person, "known bad", now);
//! assert!(matches!(decision, Decision::Refuse(_)));
//! assert_eq!(decision.audit_entry().actor, "user:admin");
//! ```
#![forbid(unsafe_code)]

mod action;
mod audit_entry;
mod authorise;
mod ban_address;
mod cursor;
mod enrolment;
mod enrolment_failures;
mod failed_sign_ins;
mod identity;
mod order_command;
mod password;
mod permission;
mod protected_names;
mod protected_networks;
mod protected_paths;
mod replay_window;
mod role;
mod rules;
mod run_watch;
mod session;
mod sign_in_limit;
mod subject;
mod token;

pub use action::{Action, Change};
pub use audit_entry::{AuditEntry, Outcome};
pub use authorise::{Decision, Permit, Refusal, RefusalReason, authorise};
pub use ban_address::BanAddress;
pub use cursor::{CURSOR_BYTES_MAX, CursorError, open_cursor, seal_cursor};
pub use enrolment::{EnrolmentRecord, EnrolmentTerms, NewEnrolment, PresentedEnrolment};
pub use enrolment_failures::EnrolmentFailures;
pub use failed_sign_ins::{FailedSignIns, FoldedFailures};
pub use identity::{
    Admission, EnrolmentClaim, EnrolmentRefusal, IdentityRecord, IdentityState, KeyStanding, admit,
    enrolment_name,
};
pub use order_command::{ObservedProcess, OrderCommand};
pub use password::{
    PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, PasswordError, check_new_password, hash_password,
    needs_rehash, verify_password,
};
pub use permission::{Permission, PermissionSet};
pub use replay_window::{Freshness, ReplayError, ReplayWindow, SKEW_MAX_SECONDS};
pub use role::Role;
pub use rules::Rules;
pub use run_watch::RunWatch;
pub use session::{
    NewSession, Session, SessionError, SessionTimes, Sessions, csrf_value, verify_csrf,
};
pub use sign_in_limit::{SignInLimit, TooManyFailures};
pub use subject::Subject;
pub use token::{NewToken, PresentedToken, TokenError, TokenRecord};
