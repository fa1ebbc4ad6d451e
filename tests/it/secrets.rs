//! Secrets in prompts, outputs and the environment reach neither the log nor its payloads in clear.

use sage_testkit::{FakeOpenAi, FileWrite, Fixture, ModelsYaml, PlannedTask, Tree};
use serde_json::json;

use crate::support::{planned, sandbox};

const API_KEY: &str = "zx81-very-private-provider-key";
const IN_ENV: &str = "pg-passw0rd-of-the-\"quoted\"-kind";
const IN_GOAL: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
const IN_FILE: &str = "AKIAIOSFODNN7EXAMPLE";
const IN_OUTPUT: &str = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD";
const IN_ANSWER: &str = "https://user:hunter2-hunter2@db.example.invalid/x";

#[test]
fn no_secret_reaches_the_log_or_its_payloads() {
    let secret_file = format!("aws_access_key_id = {IN_FILE}\nregion = eu\n");
    let task = PlannedTask::new("task_001", format!("Use {IN_GOAL} wisely"))
        .looking("read", &json!({"path": "settings.ini"}))
        .looking("run", &json!({"command": format!("echo token={IN_OUTPUT}; env")}))
        .version(vec![FileWrite::whole("out.txt", format!("url = {IN_ANSWER}\n"))])
        .targets(&["out.txt"])
        .verified_by(&format!("echo {IN_OUTPUT}; cat settings.ini out.txt"));
    let server = FakeOpenAi::with(planned(vec![task])).api_key(API_KEY).start();
    let mut sandbox = sandbox();
    Fixture::default().file("settings.ini", &secret_file).lay_into(&sandbox);
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()).provider("api_key_env: FAKE_PROVIDER_KEY"));
    sandbox.env("FAKE_PROVIDER_KEY", API_KEY).env("DB_PASSWORD", IN_ENV);

    let goal = format!("Do it with {IN_GOAL} and password {IN_ENV}");
    let output = sandbox.run(&["run", &goal, "--auto"]);

    output.expect_code(0);
    let run = sandbox.last_run();
    assert!(run.blobs().len() > 10, "the run left too few payloads to look at: {output}");
    for path in Tree::of(&run.path, &[]).files() {
        let text =
            String::from_utf8_lossy(&std::fs::read(run.path.join(path)).unwrap()).into_owned();
        let escaped = IN_ENV.replace('"', "\\\"");
        for secret in
            [API_KEY, IN_ENV, &escaped, IN_GOAL, IN_FILE, IN_OUTPUT, IN_ANSWER, "hunter2-hunter2"]
        {
            assert!(!text.contains(secret), "{secret} is in {path}:\n{text}");
        }
    }
    // Redaction is for the record: the work itself is done with the real text.
    assert_eq!(sandbox.read("out.txt"), format!("url = {IN_ANSWER}\n"));
    let said: Vec<String> = server.calls().iter().map(|c| c.request.transcript()).collect();
    assert!(said.iter().any(|text| text.contains(IN_FILE)), "the model was shown the file");
    assert!(said.iter().all(|text| !text.contains(API_KEY)), "keys are not for models");
    // Commands do not see variables that look secret.
    assert!(said.iter().all(|text| !text.contains("DB_PASSWORD")), "{said:?}");
    for secret in [API_KEY, IN_ENV] {
        assert!(!output.all().contains(secret), "{output}");
    }
}

#[test]
fn a_redacted_log_is_still_valid_and_can_be_shown_and_replayed() {
    let task = PlannedTask::file("task_001", "out.txt", "done\n")
        .verified_by(&format!("echo '{IN_OUTPUT}'; test -s out.txt"));
    let server = FakeOpenAi::start(planned(vec![task]));
    let mut sandbox = sandbox();
    sandbox.git_init();
    sandbox.models(&ModelsYaml::openai(&server.url()));
    sandbox.env("DB_PASSWORD", IN_ENV);
    let goal = format!("Mind {IN_ENV} and \\ and \u{1f511}");
    sandbox.run(&["run", &goal, "--auto"]).expect_code(0);
    let shown = sandbox.run(&["log", "last", "--json"]);
    shown.expect_code(0);
    assert!(!shown.json_lines().is_empty());
    assert!(!shown.all().contains(IN_OUTPUT) && !shown.all().contains("pg-passw0rd"), "{shown}");
    sandbox.run(&["replay", "last"]).expect_code(0);
}
