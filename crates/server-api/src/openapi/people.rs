//! The operations of people: who may sign in, and who is signed in.

use super::operation::{Described, delete, get, patch, post};
use crate::{
    OwnPasswordRequest, Page, PasswordAnswer, PasswordRequest, ProblemKind, SessionQuery,
    SessionRow, UserChange, UserRequest, UserRow, examples, paths,
};
use serde_json::json;

pub(super) fn all() -> Vec<Described> {
    users().into_iter().chain(sessions()).collect()
}

fn users() -> Vec<Described> {
    let made = json!({ "name": "ada", "password": "q3v7k-…" });
    vec![
        get(paths::USERS, "list_users", "The people who may sign in")
            .tag("access")
            .answers::<Page<UserRow>>(200, "By name", Page::whole(vec![examples::user()]))
            .done(),
        post(paths::USERS, "create_user", "Let somebody sign in")
            .tag("access")
            .takes::<UserRequest>(true, json!({ "name": "ada", "role": "responder" }))
            .answers::<PasswordAnswer>(
                201,
                "Added; a password that was made is told this once",
                made.clone(),
            )
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        patch(paths::USER, "change_user", "Change what somebody may do")
            .tag("access")
            .about(
                "Their sessions and open streams end at once. The last administrator who may sign \
                 in keeps the role.",
            )
            .takes::<UserChange>(true, json!({ "disabled": true }))
            .answers::<UserRow>(200, "As they are now", examples::user())
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        delete(paths::USER, "delete_user", "Let somebody sign in no more")
            .tag("access")
            .about("Their sessions and open streams end at once. The last administrator stays.")
            .answers_text(204, "Gone", "")
            .refuses(&[ProblemKind::CsrfMissing, ProblemKind::Conflict])
            .done(),
        post(paths::USER_PASSWORD, "set_password", "Give somebody another password")
            .tag("access")
            .about("Their sessions and open streams end at once.")
            .takes::<PasswordRequest>(false, json!({}))
            .answers::<PasswordAnswer>(200, "A password that was made is told this once", made)
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}

fn sessions() -> Vec<Described> {
    vec![
        post(paths::SESSION_PASSWORD, "change_own_password", "Change one's own password")
            .tag("access")
            .about("One's other sessions end at once; this one goes on.")
            .takes::<OwnPasswordRequest>(true, json!({ "current": "…", "new": "…" }))
            .answers_text(204, "Changed", "")
            .refuses(&[
                ProblemKind::CsrfMissing,
                ProblemKind::Conflict,
                ProblemKind::TooManyRequests,
            ])
            .done(),
        get(paths::SESSIONS, "list_sessions", "Where one is signed in")
            .tag("access")
            .query::<SessionQuery>()
            .answers::<Page<SessionRow>>(
                200,
                "The one used last first",
                Page::whole(vec![examples::open_session()]),
            )
            .done(),
        delete(paths::SESSIONS, "end_sessions", "Sign out everywhere else")
            .tag("access")
            .about("All of one's sessions but the one that asks; with `user`, all of theirs.")
            .query::<SessionQuery>()
            .answers_text(204, "They have ended", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
        delete(paths::SESSION_OPEN, "end_session", "End one session")
            .tag("access")
            .about("One's own, or with `change_users` anybody's.")
            .answers_text(204, "It has ended", "")
            .refuses(&[ProblemKind::CsrfMissing])
            .done(),
    ]
}
