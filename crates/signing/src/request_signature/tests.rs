use super::*;
use proptest::prelude::*;

/// The bytes 0 to 31 as a seed.
fn key() -> SigningKey {
    let mut seed = [0; 32];
    for (byte, number) in seed.iter_mut().zip(0..) {
        *byte = number;
    }
    SigningKey::from_seed(&seed)
}

struct Vector {
    method: &'static str,
    target: &'static str,
    agent: &'static str,
    created: i64,
    nonce: &'static str,
    body: Vec<u8>,
    content: Content,
    digest: &'static str,
    signature: &'static str,
}

/// `Content-Type` and `Content-Encoding`.
type Content = (Option<&'static str>, Option<&'static str>);

/// Made with the Python package `http-message-signatures` 3.0.0 (`HTTPMessageSigner` with
/// `algorithms.ED25519`, components as below in the order of the profile, label `ringwall`) over `requests.Request(...).prepare()` to
/// `https://ringwall.example`, with the private key of `key()`: not one line of it is ours.
fn vectors() -> Vec<Vector> {
    vec![
        Vector {
            method: "POST",
            target: "/api/v1/agent/reports",
            agent: "web-1",
            created: 1_763_740_800,
            nonce: "0123456789abcdef",
            body: br#"{"boot_id":"b"}"#.to_vec(),
            content: (None, None),
            digest: "sha-256=:lZalSflpbMoj8BG0Cutd64WP5vh5GZx/i26cNF6JznU=:",
            signature: "ringwall=:J5Jwl4i15F/HUjFQ6WNYvVrjJYlckm2B/1BNUchp80lpa4uhTGS0vijWnkFod/\
                        jEcfSzBxWcggEw2YtXi/IKDQ==:",
        },
        Vector {
            method: "POST",
            target: "/api/v1/agent/reports",
            agent: "web-1",
            created: 1_763_740_800,
            nonce: "0123456789abcdef",
            body: br#"{"boot_id":"b"}"#.to_vec(),
            content: (Some("application/json"), None),
            digest: "sha-256=:lZalSflpbMoj8BG0Cutd64WP5vh5GZx/i26cNF6JznU=:",
            signature: "ringwall=://KjCGc11p0PMv+JtJdDL0IRaTJr72s+I8pKOWbXgM1Z5JZTfjsw+Dp8mSzkP4o\
                        IuLoyXZ4mXt6h1LyVVOXdAg==:",
        },
        Vector {
            method: "POST",
            target: "/api/v1/agent/reports",
            agent: "web-1",
            created: 1_763_740_800,
            nonce: "0123456789abcdef",
            body: br#"{"boot_id":"b"}"#.to_vec(),
            content: (Some("application/json"), Some("zstd")),
            digest: "sha-256=:lZalSflpbMoj8BG0Cutd64WP5vh5GZx/i26cNF6JznU=:",
            signature: "ringwall=:KDfiHkpmuuERmXae5IqkotZta+3/CVGmOJijPrdB4R6h5WV+qMNPGNGHBmIRWobV\
                        G5HLgUp0QgE70tQL+Ep3CA==:",
        },
        Vector {
            method: "POST",
            target: "/api/v1/agent/commands/cmd%3A1/result",
            agent: UNNAMED,
            created: 253_402_300_799,
            nonce: "AAAAAAAAAAAAAAAAAAAAAAAA",
            body: (0..=255).collect(),
            content: (None, Some("gzip")),
            digest: "sha-256=:QK/y6dLYki5Hr9RkjmlnSXFYeF+9Hahw5xECZr+USIA=:",
            signature: "ringwall=:kQfjQfVShr3vpVgg9AYfFaWDUfB+teJpLKMGcvQ3Y4uAXXu9tD9gRmp/sY1htZsJ\
                        DWgKQuOHMXp22N1iFUgsDw==:",
        },
        Vector {
            method: "GET",
            target: "/api/v1/agent/commands?wait=25&run=abc",
            agent: "db_2.example",
            created: 0,
            nonce: "Nonce-with_64-chars-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            body: Vec::new(),
            content: (None, None),
            digest: "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            signature: "ringwall=:d/M1h3U8FkIf6kxmSmJGzIFyoINoCg9OGXmTc8+ME62zpIVPK8BoQ0PA0yFHRtsdIM6\
                        vPBPs0DyBLWKuu3H4Bw==:",
        },
        Vector {
            method: "POST",
            target: "/api/v1/agent/commands/cmd%3A1/result",
            agent: UNNAMED,
            created: 253_402_300_799,
            nonce: "AAAAAAAAAAAAAAAAAAAAAAAA",
            body: (0..=255).collect(),
            content: (None, None),
            digest: "sha-256=:QK/y6dLYki5Hr9RkjmlnSXFYeF+9Hahw5xECZr+USIA=:",
            signature: "ringwall=:q5ZtZGSyZ5w305ooZxSqkP0Yg324jCL7/sJ2NFUgOheQHX+HfCkvXuLvDESocD2Yfy7sToasTEP1lSQq7PsVDg==:",
        },
    ]
}

#[test]
fn another_implementation_signs_the_same() {
    assert_eq!(key().public_key().id(), "56475aa75463474c");
    for vector in vectors() {
        let Vector { method, target, agent, created, nonce, body, content, digest, signature } =
            vector;
        let key = key();
        let message = Message::new(method, target, &body).with_content(content.0, content.1);
        let covered = match content {
            (None, None) => "",
            (Some(_), None) => " \"content-type\"",
            (None, Some(_)) => " \"content-encoding\"",
            (Some(_), Some(_)) => " \"content-type\" \"content-encoding\"",
        };
        let headers = Signer { key: &key, agent }.sign(&message, created, nonce).unwrap();
        assert_eq!(headers.content_digest, digest, "{target}");
        assert_eq!(
            headers.input,
            format!(
                "ringwall=(\"@method\" \"@path\" \"@query\" \"content-digest\"{covered});\
                 created={created};keyid=\"{agent}/56475aa75463474c\";alg=\"ed25519\";nonce=\"{nonce}\";\
                 tag=\"ringwall-agent\""
            )
        );
        // Ed25519 is deterministic (RFC 8032 §5.1.6): the same bytes, not only one that verifies.
        assert_eq!(headers.signature, signature, "{target}");
        let claim = Claim::read(&headers.input, &headers.signature).unwrap();
        let genuine = claim.verify(&key.public_key(), &message, digest).unwrap();
        assert_eq!((genuine.agent(), genuine.key_id()), (agent, "56475aa75463474c"));
        assert_eq!((genuine.created(), genuine.nonce()), (created, nonce));
    }
}

const NONCE: &str = "0123456789abcdef";

fn signed(message: &Message<'_>) -> SignatureHeaders {
    Signer { key: &key(), agent: "web-1" }.sign(message, 1_763_740_800, NONCE).unwrap()
}

fn accepted(headers: &SignatureHeaders, message: &Message<'_>) -> bool {
    let claim = Claim::read(&headers.input, &headers.signature);
    claim.is_ok_and(|claim| {
        claim.verify(&key().public_key(), message, &headers.content_digest).is_ok()
    })
}

/// Every text that differs from this one in a single bit of a single byte, or lacks a byte, or has one
/// twice, as far as it is text.
fn neighbours(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut other = bytes.to_vec();
            other[position] ^= 1 << bit;
            all.push(other);
        }
        let mut shorter = bytes.to_vec();
        shorter.remove(position);
        all.push(shorter);
        let mut longer = bytes.to_vec();
        longer.insert(position, bytes[position]);
        all.push(longer);
    }
    all.into_iter()
        .filter_map(|bytes| String::from_utf8(bytes).ok())
        // A byte that stands twice can be left out or doubled at either place.
        .filter(|other| other != text)
        .collect()
}

#[test]
fn every_byte_is_covered() {
    let (method, target, body) = ("POST", "/api/v1/agent/commands?wait=25", "{\"a\":1}");
    let message = Message::new(method, target, body.as_bytes());
    let good = signed(&message);
    assert!(accepted(&good, &message));
    for other in neighbours(method) {
        assert!(!accepted(&good, &Message::new(&other, target, body.as_bytes())), "{other:?}");
    }
    for other in neighbours(target) {
        assert!(!accepted(&good, &Message::new(method, &other, body.as_bytes())), "{other:?}");
    }
    for other in neighbours(body) {
        assert!(!accepted(&good, &Message::new(method, target, other.as_bytes())), "{other:?}");
    }
    for other in neighbours(&good.content_digest) {
        assert!(!accepted(&SignatureHeaders { content_digest: other, ..good.clone() }, &message));
    }
    for other in neighbours(&good.input) {
        assert!(!accepted(&SignatureHeaders { input: other, ..good.clone() }, &message));
    }
    for other in neighbours(&good.signature) {
        assert!(!accepted(&SignatureHeaders { signature: other, ..good.clone() }, &message));
    }
}

/// What the body is said to be: altering, adding and taking away either is refused, and so is a signature
/// over fewer headers than there are.
#[test]
fn what_says_what_the_body_means_is_covered() {
    fn message<'a>(content_type: Option<&'a str>, encoding: Option<&'a str>) -> Message<'a> {
        Message::new("POST", "/api/v1/agent/reports", b"{\"a\":1}")
            .with_content(content_type, encoding)
    }
    let types = [None, Some("application/json"), Some("application/octet-stream"), Some("")];
    let encodings = [None, Some("zstd"), Some("gzip"), Some("")];
    let all = || types.into_iter().flat_map(|one| encodings.map(|other| (one, other)));
    for signed_as in all() {
        let good = signed(&message(signed_as.0, signed_as.1));
        for sent_as in all() {
            let is_same = sent_as == signed_as;
            assert_eq!(
                accepted(&good, &message(sent_as.0, sent_as.1)),
                is_same,
                "{signed_as:?} {sent_as:?}"
            );
        }
    }
    let good = signed(&message(Some("application/json"), Some("zstd")));
    for other in neighbours("application/json") {
        // Blanks around a value are none of it.
        let is_same = other.trim_matches([' ', '\t']) == "application/json";
        assert_eq!(accepted(&good, &message(Some(&other), Some("zstd"))), is_same, "{other:?}");
    }
    for other in neighbours("zstd") {
        assert!(!accepted(&good, &message(Some("application/json"), Some(&other))), "{other:?}");
    }
    // The list says what is covered: with one less it is not the signature of this message.
    let input = good.input.replace(" \"content-encoding\"", "");
    let claim = Claim::read(&input, &good.signature).unwrap();
    let refused = claim.verify(
        &key().public_key(),
        &message(Some("application/json"), Some("zstd")),
        &good.content_digest,
    );
    assert_eq!(refused, Err(RequestSignatureError::Covered));
    let line_break = message(Some("a\n\"content-encoding\": b"), None);
    let refused = Signer { key: &key(), agent: "web-1" }.sign(&line_break, 0, NONCE);
    assert_eq!(refused, Err(RequestSignatureError::Target));
}

/// What RFC 9421 allows and this profile does not: all that a sender could choose to cover less.
#[test]
fn only_the_profile_is_read() {
    let good = signed(&Message::new("GET", "/", b""));
    let read = |input: String| Claim::read(&input, &good.signature).map(|_| ());
    assert_eq!(read(good.input.clone()), Ok(()));
    let with = |from: &str, to: &str| {
        assert!(good.input.contains(from), "{from}");
        good.input.replace(from, to)
    };
    use RequestSignatureError as Error;
    for (input, expected) in [
        (with("\"@method\" ", ""), Error::Profile),
        (with("(\"@method\" \"@path\"", "(\"@path\" \"@method\""), Error::Profile),
        (with(" \"content-digest\"", ""), Error::Profile),
        (with("\"content-digest\")", "\"content-digest\" \"date\")"), Error::Profile),
        (
            with(
                "\"content-digest\")",
                "\"content-digest\" \"content-encoding\" \"content-type\")",
            ),
            Error::Profile,
        ),
        (with("\"@path\"", "\"@path\";req"), Error::Profile),
        (with("(\"@method\" \"@path\" \"@query\" \"content-digest\")", "()"), Error::Profile),
        (with("ringwall=", "sig1="), Error::Profile),
        (with("ed25519", "hmac-sha256"), Error::Profile),
        (with(";alg=\"ed25519\"", ""), Error::Profile),
        (with("ringwall-agent", "other"), Error::Profile),
        (format!("{};expires=1763740900", good.input), Error::Profile),
        (format!("{}, {}", good.input, good.input), Error::Profile),
        (format!("sig1=(), {}", good.input), Error::Profile),
        (format!(" {}", good.input), Error::Profile),
        (with(";created=1763740800", ""), Error::Profile),
        (with("1763740800", "-1"), Error::Created),
        (with("1763740800", "+1763740800"), Error::Created),
        (with("1763740800", "01763740800"), Error::Created),
        (with("1763740800", "1763740800.0"), Error::Created),
        (with("1763740800", ""), Error::Created),
        (with("1763740800", "1000000000000"), Error::Created),
        (with(NONCE, "0123456789abcde"), Error::Nonce),
        (with(NONCE, &"a".repeat(65)), Error::Nonce),
        (with(NONCE, "0123456789abcde\\\""), Error::Nonce),
        (with("web-1/", ""), Error::KeyId),
        (with("web-1/", "/"), Error::KeyId),
        (with("web-1/", "web 1/"), Error::KeyId),
        (with("web-1/", ".web/"), Error::KeyId),
        (with("web-1/", "web-1//"), Error::KeyId),
        (with("web-1/5", "web-1/G"), Error::KeyId),
    ] {
        assert_eq!(read(input.clone()), Err(expected), "{input}");
    }
    for signature in ["", "ringwall=::", "ringwall=:AAAA:", "sig1=:AAAA:"] {
        assert_eq!(
            Claim::read(&good.input, signature).map(|_| ()),
            Err(Error::Signature),
            "{signature}"
        );
    }
}

#[test]
fn what_the_profile_does_not_allow_is_not_signed() {
    let sign = |agent, created, nonce, target| {
        Signer { key: &key(), agent }.sign(&Message::new("GET", target, b""), created, nonce)
    };
    use RequestSignatureError as Error;
    assert_eq!(sign("a b", 0, NONCE, "/"), Err(Error::KeyId));
    assert_eq!(sign("web-1", -1, NONCE, "/"), Err(Error::Created));
    assert_eq!(sign("web-1", 1_000_000_000_000, NONCE, "/"), Err(Error::Created));
    assert_eq!(sign("web-1", 0, "short", "/"), Err(Error::Nonce));
    assert_eq!(sign("web-1", 0, NONCE, "/\n\"@query\": ?"), Err(Error::Target));
    assert!(sign(UNNAMED, 0, NONCE, "/").is_ok());
}

#[test]
fn a_target_is_split_as_the_rfc_has_it() {
    let base = |target| Message::new("GET", target, b"").signature_base("d", "p");
    let lines = |path: &str, query: &str| {
        format!(
            "\"@method\": GET\n\"@path\": {path}\n\"@query\": {query}\n\"content-digest\": d\n\
             \"@signature-params\": p"
        )
    };
    assert_eq!(base("/a"), lines("/a", "?"));
    assert_eq!(base("/a?"), lines("/a", "?"));
    assert_eq!(base("/a?b?c"), lines("/a", "?b?c"));
    assert_eq!(base(""), lines("/", "?"));
}

#[test]
fn names_of_agents() {
    for (name, expected) in [
        ("web-1", true),
        ("1.example_x", true),
        ("", false),
        ("-", false),
        ("-web", false),
        ("web/1", false),
        ("wéb", false),
        ("web 1", false),
    ] {
        assert_eq!(is_agent_name(name), expected, "{name:?}");
    }
    assert!(is_agent_name(&"a".repeat(128)) && !is_agent_name(&"a".repeat(129)));
}

proptest! {
    #[test]
    fn what_is_signed_is_read_back(
        seed: [u8; 32],
        agent in "[A-Za-z0-9][A-Za-z0-9._-]{0,30}",
        created in 0i64..1_000_000_000_000,
        nonce in "[A-Za-z0-9_-]{16,64}",
        target in "/[!-~]{0,40}",
        body: Vec<u8>,
    ) {
        let key = SigningKey::from_seed(&seed);
        let message = Message::new("POST", &target, &body);
        let headers = Signer { key: &key, agent: &agent }.sign(&message, created, &nonce).unwrap();
        let claim = Claim::read(&headers.input, &headers.signature).unwrap();
        prop_assert_eq!((claim.agent(), claim.created()), (agent.as_str(), created));
        let genuine = claim.verify(&key.public_key(), &message, &headers.content_digest).unwrap();
        prop_assert_eq!(genuine.nonce(), nonce);
        prop_assert_eq!(genuine.key_id(), key.public_key().id());
    }

    /// Neither a panic nor two texts for one claim.
    #[test]
    fn whatever_is_read_is_written_in_one_way(input in "(ringwall=)?[ -~]{0,80}", signature in "[ -~]{0,100}") {
        if let Ok(claim) = Claim::read(&input, &signature) {
            prop_assert_eq!(format!("ringwall={}", claim.parameters), input);
        }
    }
}
