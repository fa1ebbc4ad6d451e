use expect_test::{Expect, expect};
use proptest::prelude::*;
use sage_core::{Event, EventKind, HumanEvent, NodeId, RunEvent, RunId, Seq};
use serde_json::json;

use super::*;

fn check(text: &str, expected: Expect) {
    let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    let redacted = redactor.redact(text);
    expected.assert_eq(&redacted);
    assert_eq!(redactor.redact(&redacted), redacted, "redacting twice changed something");
    assert_eq!(redactor.redact_bytes(text.as_bytes()), redacted.as_bytes());
}

fn check_kept(text: &str) {
    let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    let redacted = redactor.redact(text);
    assert!(redacted == text, "{text:.200} became {redacted:.200}");
}

#[test]
fn credentials_are_recognised_by_their_look() {
    check("use sk-abcdEFGH1234567890abcd now", expect!["use [redacted:api_key] now"]);
    check("sk-proj-Ab1_Cd2-Ef3Gh4Ij5Kl6Mn7", expect!["[redacted:api_key]"]);
    check(
        "ANTHROPIC sk-ant-api03-Ab1_Cd2-Ef3Gh4Ij5Kl6Mn7",
        expect!["ANTHROPIC [redacted:api_key]"],
    );
    check(
        "git clone with ghp_0123456789abcdefABCDEF0123456789abcd!",
        expect!["git clone with [redacted:token]!"],
    );
    check("gho_0123456789abcdefABCDEF0123456789abcd", expect!["[redacted:token]"]);
    check("github_pat_11ABCDEFG0123456789_abcdefghijklmnop", expect!["[redacted:token]"]);
    check(
        "AKIAIOSFODNN7EXAMPLE,ASIAIOSFODNN7EXAMPLE",
        expect!["[redacted:api_key],[redacted:api_key]"],
    );
    check("key=AIzaSyA-0123456789abcdefghijklmnopqrstu", expect!["key=[redacted:api_key]"]);
    check("xoxb-1234567890-abcdefghij", expect!["[redacted:token]"]);
    check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4", expect!["[redacted:jwt]"]);
    check("stripe sk_live_0123456789abcdefghij", expect!["stripe [redacted:api_key]"]);
    for start in ["rk_live_", "sk_test_", "rk_test_", "hf_", "npm_"] {
        let key = format!("{start}0123456789abcdefghij0123456789");
        check(&key, expect!["[redacted:api_key]"]);
    }
    for start in ["ghu_", "ghs_", "ghr_", "glpat-", "xoxp-", "xoxa-"] {
        check(&format!("{start}0123456789abcdefghij"), expect!["[redacted:token]"]);
    }
}

#[test]
fn headers_and_urls_lose_their_credentials_only() {
    check(
        "Authorization: Bearer abcdefghijkl",
        expect!["Authorization: Bearer [redacted:credentials]"],
    );
    check(
        "curl -H 'authorization: Basic dXNlcjpwYXNz' x",
        expect!["curl -H 'authorization: Basic [redacted:credentials]' x"],
    );
    check(
        r#"{"Authorization": "Bearer abc.def-ghi_jkl"}"#,
        expect![[r#"{"Authorization": "[redacted:credentials]"}"#]],
    );
    check("send bearer 0123456789abcdefgh", expect!["send bearer [redacted:token]"]);
    check(
        "postgres://sage:s3cr3t@localhost:5432/db",
        expect!["postgres://sage:[redacted:url_password]@localhost:5432/db"],
    );
    check(
        "https://user:p@ss:word@example.com/x https://example.com:80/@me",
        expect!["https://user:[redacted:url_password]@example.com/x https://example.com:80/@me"],
    );
    check(
        "https://:only-a-password@example.com",
        expect!["https://:[redacted:url_password]@example.com"],
    );
}

#[test]
fn private_keys_go_as_a_whole() {
    check(
        "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n+/=\n-----END RSA PRIVATE KEY-----\nb",
        expect![[r#"
            a
            [redacted:private_key]
            b"#]],
    );
    check(
        "  1 -----BEGIN OPENSSH PRIVATE KEY-----\n  2 b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n  3 AAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACD\nand so on",
        expect![[r#"
              1 [redacted:private_key]
            and so on"#]],
    );
    check(
        r"key = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY\n-----END EC PRIVATE KEY-----'",
        expect!["key = '[redacted:private_key]'"],
    );
    check_kept(
        "-----BEGIN CERTIFICATE-----\nMIIEabcdefghijklmnopqrstuvwxyz0123456789\n-----END CERTIFICATE-----",
    );
}

#[test]
fn values_are_secret_by_the_name_they_are_given_to() {
    check("password=correcthorse", expect!["password=[redacted:password]"]);
    check(
        "DB_PASSWORD=correct-horse-1\nOTHER=value",
        expect![[r#"
        DB_PASSWORD=[redacted:password]
        OTHER=value"#]],
    );
    check("password: hunter2hunter2", expect!["password: [redacted:password]"]);
    check(
        r#"password = "correct-horse", user = "me""#,
        expect![[r#"password = "[redacted:password]", user = "me""#]],
    );
    check("client_secret='a1b2c3d4e5f6'", expect!["client_secret='[redacted:secret]'"]);
    check("api_key: 0123456789abcdef", expect!["api_key: [redacted:api_key]"]);
    check("apikey=0123456789abcdef&x=1", expect!["apikey=[redacted:api_key]&x=1"]);
    check(
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        expect!["aws_secret_access_key = [redacted:secret]"],
    );
    check(
        r#"const API_KEY: &str = "abcdefgh123";"#,
        expect![[r#"const API_KEY: &str = "[redacted:api_key]";"#]],
    );
    check("let token: string = 'abcdefgh123';", expect!["let token: string = '[redacted:token]';"]);
    check(
        r#"print("{\"password\": \"abc\\\"def123\"}")"#,
        expect![[r#"print("{\"password\": \"[redacted:password]\"}")"#]],
    );
    check(
        r#"{"password": "it has \"quotes\"\u0041nd8", "user": "me"}"#,
        expect![[r#"{"password": "it has \"quotes\"\u0041nd8", "user": "me"}"#]],
    );
    check(
        r#"password = "ends in a slash\\", user = "x y""#,
        expect![[r#"password = "ends in a slash\\", user = "x y""#]],
    );
    check(
        r#"password = "endsin\\", user = "x y""#,
        expect![[r#"password = "[redacted:password]", user = "x y""#]],
    );
    check("password = \"cut-off-here", expect![[r#"password = "[redacted:password]"#]]);
    check(
        "password = 'cut-off-here\nnext line",
        expect![[r#"
        password = '[redacted:password]
        next line"#]],
    );
    check("token: password=\"abcdefgh1\"", expect![[r#"token: password="[redacted:password]""#]]);
    check("password: 12345678", expect!["password: [redacted:password]"]);
    check("token=passwörter8", expect!["token=[redacted:token]"]);
}

#[test]
fn what_only_talks_about_secrets_is_kept() {
    for text in [
        "token_count: 12345678",
        "max_tokens: 12345678",
        "token: 12345678",
        "password: String",
        "password: Option<String>,",
        "password: std::string::String",
        "let password = read_password(prompt);",
        "password = request.form.password",
        "api_key = os.environ['OPENAI_API_KEY']",
        "api_key=${OPENAI_API_KEY}",
        "password: {{ vault_password }}",
        "login(username=username, password=password)",
        "password: required|string",
        "the secret: something that everybody knows",
        "token = next_token",
        r#"api_key: "your-api-key-here""#,
        r#"password = "********""#,
        "if password == other_password {",
        "secretary: 12345678abc",
        "short password: abc12",
        "https://example.com/a:b@c",
        "the sk-learn-something-or-other package and sk-",
        "bearer of bad news and bearerofverylongwords",
        "css: sk-fading-circle-container-element",
        "git@github.com:me/project.git",
        "https://user@example.com/",
    ] {
        check_kept(text);
    }
}

#[test]
fn known_values_are_found_however_they_are_spelled() {
    let secret = "pa\"ss\\wörd\n/x y";
    let redactor = Redactor::new([secret.to_owned()]);
    let in_json = json!({ "a": [secret, {"b": format!("<{secret}>")}] }).to_string();
    let arguments = json!({ "arguments": in_json }).to_string();
    let in_ascii = r#"pa\"ss\\w\u00f6rd\n/x y"#;
    let texts = [
        format!("plain {secret}."),
        in_json.clone(),
        arguments,
        format!("not json: {in_json}"),
        format!("log: {in_ascii}"),
        format!("[\"{}\"]", in_ascii.replace('/', "\\/")),
        "https://x/?q=pa%22ss%5Cw%C3%B6rd%0A%2Fx%20y&z".to_owned(),
    ];
    for text in texts {
        let redacted = redactor.redact(&text);
        assert!(redacted.contains("[redacted:secret]"), "{text} became {redacted}");
        assert!(!redacted.contains("pa"), "{text} became {redacted}");
    }
    assert_eq!(
        redactor.redact(&in_json),
        r#"{"a":["[redacted:secret]",{"b":"<[redacted:secret]>"}]}"#
    );
}

#[test]
fn json_keeps_its_layout_and_its_numbers() {
    check(
        "{\n  \"n\": 1.50e3, \"big\": 123456789012345678901234567890,\n  \"k\": \"hunter2-hunter2\",\n  \"k\": null\n}\n",
        expect![[r#"
            {
              "n": 1.50e3, "big": 123456789012345678901234567890,
              "k": "[redacted:secret]",
              "k": null
            }
        "#]],
    );
    check(
        r#"["hunter2-hunter2","\ud800 hunter2-hunter2"]"#,
        expect![[r#"["[redacted:secret]","\\ud800 [redacted:secret]"]"#]],
    );
    // Deeper than anything follows strings inside strings, still no secret in clear.
    let mut nested = "hunter2-hunter2".to_owned();
    for _ in 0..8 {
        nested = json!([nested]).to_string();
    }
    check_has_no("hunter2", &nested);
}

fn check_has_no(secret: &str, text: &str) {
    let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    let redacted = redactor.redact(text);
    assert!(!redacted.contains(secret), "{redacted:.200}");
}

#[test]
fn keys_of_json_that_name_secrets_hide_their_values() {
    check(
        r#"{"api_key":"abcdefgh","token":"identifier","token_count":"12345678","secret":{"a":"abcdefgh"},"db_password":"x y z 1 2 3"}"#,
        expect![[
            r#"{"api_key":"[redacted:api_key]","token":"[redacted:token]","token_count":"12345678","secret":{"a":"abcdefgh"},"db_password":"x y z 1 2 3"}"#
        ]],
    );
}

#[test]
fn of_known_values_the_short_ones_and_words_of_the_format_are_ignored() {
    let redactor = Redactor::new(["abc12", "assistant", "redacted", "      "].map(str::to_owned));
    let text = r#"abc12 {"speaker":"assistant"} [redacted:secret]      "#;
    assert_eq!(redactor.redact(text), text);
    assert_eq!(Redactor::none().redact("sk-abcdEFGH1234567890abcd"), "sk-abcdEFGH1234567890abcd");
}

#[test]
fn a_key_file_in_the_environment_is_recognised_line_by_line() {
    let key =
        "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    let redactor = Redactor::new([key.to_owned()]);
    assert_eq!(
        redactor.redact("  2 | BKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"),
        "  2 | [redacted:secret]"
    );
}

#[test]
fn bytes_that_are_no_text_are_searched_between() {
    let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
    let bytes = b"\xff\xfehunter2-hunter2\x80 password=correcthorse \xc3".as_slice();
    let expected = b"\xff\xfe[redacted:secret]\x80 password=[redacted:password] \xc3".as_slice();
    assert_eq!(redactor.redact_bytes(bytes), expected);
    let binary: Vec<u8> = (0..=255).collect();
    assert!(matches!(redactor.redact_bytes(&binary), Cow::Borrowed(_)));
}

#[test]
fn many_beginnings_without_an_end_take_no_time() {
    let text = "-----BEGIN RSA PRIVATE KEY-----\nx".repeat(50_000);
    check_has_no("BEGIN", &text);
    check_kept(&"password=".repeat(100_000));
    let text = "{\"password\":".repeat(20_000);
    check_kept(&text);
    let text = "\\".repeat(200_000) + "\"";
    check_has_no("\\", &format!("password=\"{text}"));
    check_kept(&"a://b:".repeat(100_000));
}

#[test]
fn ids_hashes_and_paths_of_events_stay() {
    let redactor =
        Redactor::new(["task_secret_1".to_owned(), "0123456789abcdef0123456789abcdef".to_owned()]);
    let node = NodeId::new("task_secret_1").unwrap();
    let hash: sage_core::BlobRef = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let call = sage_core::CallId { node, attempt: 1, index: 1 };
    let before = EventKind::from(sage_core::WorkspaceEvent::Changed {
        call,
        path: "src/task_secret_1/token=abcdefgh12".into(),
        before: None,
        after: Some(sage_core::FileState { hash, mode: 0o644 }),
        lines_added: 1,
        lines_removed: 0,
    });
    let mut after = before.clone();
    redactor.redact_event(&mut after);
    assert_eq!(after, before);
}

/// Secrets with everything that JSON has to escape, and everything that it need not.
fn any_secret() -> impl Strategy<Value = String> {
    r#"[a-zA-Z0-9"\\/\n\t{}:,é漢🔑 ]{6,40}"#.prop_filter(
        "too plain to be taken for a secret",
        |text| {
            // Spellings that a neighbour completes by chance are no leak, and blanks are no secret.
            text.trim().len() >= 6 && text.chars().filter(|c| c.is_alphanumeric()).count() >= 5
        },
    )
}

fn any_text() -> impl Strategy<Value = String> {
    r#"[a-z"\\{}:,=\n é]{0,30}"#
}

fn event(kind: impl Into<EventKind>) -> Event {
    Event { seq: Seq(1), at_ms: 1, run: RunId::new("r1").unwrap(), kind: kind.into() }
}

proptest! {
    #[test]
    fn no_line_of_the_log_holds_a_secret_in_clear(
        secret in any_secret(), before in any_text(), after in any_text(),
    ) {
        let redactor = Redactor::new([secret.clone()]);
        let text = format!("{before}{secret}{after}");
        let kinds: [EventKind; 3] = [
            RunEvent::Started {
                format_version: 1,
                sage_version: "0.1.0".into(),
                goal: text.clone(),
                mode: "auto".into(),
                options: json!({ "note": text, "nested": [{ "again": text }], text.as_str(): 1 }),
            }
            .into(),
            HumanEvent::Asked { question: text.clone() }.into(),
            sage_core::ModelEvent::Failed {
                call: "a#1.1".parse().unwrap(),
                error: sage_core::ErrorKind::ModelUnavailable,
                message: json!({ "arguments": json!({ "x": text }).to_string() }).to_string(),
            }
            .into(),
        ];
        for mut kind in kinds {
            redactor.redact_event(&mut kind);
            let line = serde_json::to_string(&event(kind.clone())).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Event>(&line).unwrap().kind, &kind);
            let escaped = serde_json::to_string(&secret).unwrap();
            let escaped = &escaped[1..escaped.len() - 1];
            prop_assert!(!line.contains(secret.as_str()), "{} holds {}", line, secret);
            prop_assert!(!line.contains(escaped), "{} holds {}", line, escaped);
        }
    }

    #[test]
    fn json_stays_json_and_the_second_time_changes_nothing(
        secret in any_secret(), before in any_text(), after in any_text(),
    ) {
        let redactor = Redactor::new([secret.clone()]);
        let inner = json!({ "password": format!("{before}{secret}{after}"), "k": before }).to_string();
        let outer = json!({ "a": inner, "token": after, "b": [secret] }).to_string();
        let redacted = redactor.redact(&outer);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
        prop_assert_eq!(redactor.redact(&redacted), &redacted[..]);
        let redacted = redactor.redact(&inner);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
        let _ = redactor.redact_bytes(&bytes);
    }

    #[test]
    fn no_text_near_a_trigger_makes_it_panic_or_change_twice(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("password".to_owned()), Just("token: ".to_owned()), Just("=\"".to_owned()),
                Just("\\\"".to_owned()), Just("://u:".to_owned()), Just("@".to_owned()),
                Just("-----BEGIN PRIVATE KEY-----".to_owned()), Just("{\"secret\":".to_owned()),
                Just("-----END PRIVATE KEY-----".to_owned()), Just("Bearer ".to_owned()),
                Just("sk-".to_owned()), r#"[a-z0-9"'\\ é:=}\n]{0,20}"#,
            ],
            0..12,
        ),
    ) {
        let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
        let text = parts.concat();
        let once = redactor.redact(&text).into_owned();
        prop_assert_eq!(redactor.redact(&once), &once[..]);
    }
}
