use argon2::password_hash::phc::{Ident, PasswordHash};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ringwall_signing::Secret;

/// Longer passwords are refused: hashing them would only cost time.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A new password has at least so many characters (NIST SP 800-63B asks for 8, or 15 without anything
/// else).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Of so many different ones: `aaaaaaaaaaaa` is long and guessed at once.
const DIFFERENT_CHARS_MIN: usize = 5;

/// What a missing hash is checked against, so that an unknown user costs as much as a wrong
/// password. Its password was 32 random bytes that nobody kept; a match would be refused anyway.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cmluZ3dhbGwgbm9ib2R5$bFRhueq2Q0LKfALriGIcr3HOj5++K1qbTIZKwX7RqoE";

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Empty, or longer than [`PASSWORD_BYTES_MAX`].
    #[error("a password has 1 to {PASSWORD_BYTES_MAX} bytes")]
    Length,
    /// Too short for a new password.
    #[error("a password has at least {PASSWORD_CHARS_MIN} characters")]
    TooShort,
    /// A few characters over and over, or not much more than the name of the user.
    #[error(
        "this password is among the first that are tried: it repeats itself, or the user's name"
    )]
    Guessable,
    /// The hash could not be computed.
    #[error("password cannot be hashed")]
    Hash,
}

/// Whether somebody called `user` may take this as their new password.
///
/// # Errors
/// Where it is too short, too long, or guessed at once.
pub fn check_new_password(password: &Secret, user: &str) -> Result<(), PasswordError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Length);
    }
    let text = String::from_utf8_lossy(password.expose());
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return Err(PasswordError::TooShort);
    }
    let lower = text.to_lowercase();
    let different: std::collections::BTreeSet<char> = lower.chars().collect();
    let user = user.to_lowercase();
    let beside_name = if user.is_empty() { lower.len() } else { lower.replace(&user, "").len() };
    if different.len() < DIFFERENT_CHARS_MIN || beside_name < PASSWORD_CHARS_MIN / 2 {
        return Err(PasswordError::Guessable);
    }
    Ok(())
}

/// Whether a PHC string was made with other parameters than [`hash_password`] uses now: to be made
/// anew when the password is at hand.
pub fn needs_rehash(hash: &str) -> bool {
    let made_as = |hash: &str| {
        let parsed = PasswordHash::new(hash).ok()?;
        Some((parsed.algorithm, parsed.version, parsed.params))
    };
    made_as(hash) != made_as(NOBODYS_HASH)
}

/// Hashes a password with argon2id (RFC 9106) into a PHC string, which carries its parameters.
///
/// 19 MiB of memory, two passes, one lane: the recommendation of the OWASP Password Storage Cheat
/// Sheet. Takes some ten milliseconds: keep it off the threads that serve requests.
///
/// # Errors
/// Where the password is empty or too long.
pub fn hash_password(password: &Secret, salt: &[u8; 16]) -> Result<String, PasswordError> {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Length);
    }
    let hash = argon2()?
        .hash_password_with_salt(password.expose(), salt)
        .map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// Whether this is the password that the PHC string was made from.
///
/// Pass none where there is no such user: it takes as long and is always false.
pub fn verify_password(password: &Secret, hash: Option<&str>) -> bool {
    if password.is_empty() || password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let (Ok(argon2), Ok(parsed)) = (argon2(), PasswordHash::new(hash.unwrap_or(NOBODYS_HASH)))
    else {
        return false;
    };
    let matches = parsed.algorithm == Ident::new_unwrap("argon2id")
        && argon2.verify_password(password.expose(), &parsed).is_ok();
    matches && hash.is_some()
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_verifies() {
        let hash = hash_password(&Secret::from("correct horse"), &[7; 16]).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check = |password: &str, hash: Option<&str>, expected| {
            assert_eq!(verify_password(&Secret::from(password), hash), expected, "{password:?}");
        };
        check("correct horse", Some(&hash), true);
        check("correct horse ", Some(&hash), false);
        check("", Some(&hash), false);
        check("correct horse", None, false);
        check("correct horse", Some("plain"), false);
        check("correct horse", Some(&hash.replace("argon2id", "argon2i")), false);
        check("correct horse", Some(&hash[..hash.len() - 1]), false);
    }

    #[test]
    fn salts_make_equal_passwords_differ() {
        let password = Secret::from("x");
        assert_ne!(hash_password(&password, &[1; 16]), hash_password(&password, &[2; 16]));
    }

    #[test]
    fn new_passwords_are_long_and_not_guessed_at_once() {
        let check = |password: &str, expected| {
            assert_eq!(
                check_new_password(&Secret::from(password), "admin"),
                expected,
                "{password:?}"
            );
        };
        check("correct horse", Ok(()));
        check("abcde-fghij", Err(PasswordError::TooShort));
        check("äöüß äöüß äö", Ok(()));
        check("äöüß äöüß ä", Err(PasswordError::TooShort));
        check("aaaaaaaaaaaaaaaa", Err(PasswordError::Guessable));
        check("121212121212", Err(PasswordError::Guessable));
        check("AdminAdmin1234", Err(PasswordError::Guessable));
        check("admin of the house", Ok(()));
        check(&"ab cd ef ".repeat(200), Err(PasswordError::Length));
    }

    #[test]
    fn hashes_of_other_parameters_are_made_anew() {
        let hash = hash_password(&Secret::from("x"), &[1; 16]).unwrap();
        assert!(!needs_rehash(&hash));
        assert!(needs_rehash(&hash.replace("t=2", "t=1")));
        assert!(needs_rehash(&hash.replace("m=19456", "m=4096")));
        assert!(needs_rehash(&hash.replace("argon2id", "argon2i")));
        assert!(needs_rehash("rubbish"));
    }

    #[test]
    fn length_is_bounded() {
        let long = Secret::from(vec![b'a'; PASSWORD_BYTES_MAX + 1]);
        assert_eq!(hash_password(&long, &[1; 16]), Err(PasswordError::Length));
        assert_eq!(hash_password(&Secret::from(""), &[1; 16]), Err(PasswordError::Length));
        assert!(!verify_password(&long, None));
    }

    /// An unreadable constant would make unknown users answer faster.
    #[test]
    fn nobodys_hash_has_our_parameters() {
        let parsed = PasswordHash::new(NOBODYS_HASH).unwrap();
        let ours =
            PasswordHash::new(&hash_password(&Secret::from("x"), &[1; 16]).unwrap()).unwrap();
        assert_eq!(parsed.algorithm, ours.algorithm);
        assert_eq!(parsed.version, ours.version);
        assert_eq!(parsed.params, ours.params);
    }
}
