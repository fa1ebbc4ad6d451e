use std::fs;

use super::*;

struct Files {
    folder: tempfile::TempDir,
    env: EnvVars,
    flags: Flags,
}

impl Files {
    fn new(user: &str, project: &str, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("user.yaml"), user).unwrap();
        fs::write(folder.path().join("project.yaml"), project).unwrap();
        Self { folder, env: EnvVars::of(env), flags: Flags::default() }
    }

    fn resolve(&self) -> Result<Settings, Vec<Problem>> {
        let user = self.folder.path().join("user.yaml");
        let project = self.folder.path().join("project.yaml");
        let sources = Sources {
            user: Some(&user),
            project: &project,
            project_root: self.folder.path(),
            env: &self.env,
        };
        Settings::resolve(sources, &self.flags)
    }
}

#[test]
fn later_sources_win_and_each_value_remembers_its_source() {
    let mut files = Files::new(
        "run:\n  max_parallel: 5\n  verify_timeout_s: 10\nbudget:\n  calls: 9\n",
        "run:\n  verify_timeout_s: 20\n  max_repairs: 1\n",
        &[("SAGE_VERIFY_TIMEOUT_S", "30"), ("SAGE_RUN_OUTPUT", "full")],
    );
    files.flags.set("run.max_parallel", Some(7), "--max-parallel");
    let settings = files.resolve().unwrap();
    assert_eq!(settings.max_parallel(), 7);
    assert_eq!(settings.verify_timeout(), Duration::from_secs(30));
    assert_eq!(settings.max_repairs(), 1);
    assert_eq!(settings.run_output(), "full");
    assert_eq!(settings.limits(), Limits { calls: Some(9), ..Limits::NONE });
    let source = |key| settings.get(key).unwrap().source.clone();
    assert_eq!(source("run.max_parallel"), Source::Flag("--max-parallel"));
    assert_eq!(source("run.verify_timeout_s"), Source::Env("SAGE_VERIFY_TIMEOUT_S"));
    assert!(matches!(source("run.max_repairs"), Source::Project { line: 3, .. }));
    assert!(matches!(source("budget.calls"), Source::User { line: 5, .. }));
    assert_eq!(source("run.mode"), Source::Default);
}

#[test]
fn every_problem_names_its_place_and_the_nearest_name() {
    let files = Files::new(
        "rnu:\n  full: true\n",
        "run:\n  max_paralel: 3\n  mode: autto\n  full: [1]\nbudget: 5\n",
        &[("SAGE_VERIFY_TIMEOUT_S", "soon")],
    );
    let problems = files.resolve().unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text = text.join("\n").replace(&*files.folder.path().to_string_lossy(), "");
    expect_test::expect![[r#"
        /user.yaml:1: rnu: unknown section; did you mean "run"?
        /project.yaml:2: run.max_paralel: unknown setting; did you mean "run.max_parallel"?
        /project.yaml:3: run.mode: "autto" is not one of `research`, `auto`, `silent`; did you mean "auto"?
        /project.yaml:4: run.full: is a list, expected `true` or `false`
        /project.yaml:5: budget: expected settings below it, such as `max_parallel: 3`
        $SAGE_VERIFY_TIMEOUT_S: "soon" is not a whole number from 1 to 86400"#]]
    .assert_eq(&text);
}

#[test]
fn the_defaults_are_valid_and_every_accessor_finds_its_setting() {
    let settings = Settings::defaults();
    assert_eq!(settings.mode(), "research");
    assert_eq!(settings.max_parallel(), 3);
    assert_eq!(settings.max_repairs(), 3);
    assert_eq!(settings.verify_timeout(), Duration::from_secs(300));
    assert_eq!(settings.connect_timeout(), Duration::from_secs(10));
    assert_eq!(settings.first_token_timeout(), Duration::from_secs(120));
    assert_eq!(settings.silence_timeout(), Duration::from_secs(60));
    assert_eq!(settings.call_timeout(), Duration::from_secs(600));
    assert_eq!(settings.command_timeout(), Duration::from_secs(120));
    assert_eq!(settings.max_output_bytes(), 48 * 1024);
    assert_eq!(settings.max_command_timeout(), Duration::from_secs(600));
    assert_eq!(settings.rules_max_bytes(), sage_agent::rules::DEFAULT_RULES_BYTES);
    assert!(settings.limits().is_none());
    assert!(!settings.full() && !settings.keep_failed() && !settings.no_clarify());
    assert!(settings.verify_commands().is_empty() && settings.tool_environment().is_empty());
    assert!(settings.models_file().is_none() && settings.profile().is_none());
    assert_eq!(settings.run_output(), "summary");
}

#[test]
fn lists_and_project_paths_are_read() {
    let files = Files::new(
        "",
        "run:\n  verify:\n    - make check\n    - make lint\nmodels:\n  file: m.yaml\n",
        &[],
    );
    let settings = files.resolve().unwrap();
    assert_eq!(settings.verify_commands(), ["make check", "make lint"]);
    assert_eq!(settings.models_file(), Some(files.folder.path().join("m.yaml")));
}

#[test]
fn keys_are_two_words_and_unique() {
    let mut keys: Vec<&str> = TABLE.iter().map(|setting| setting.key).collect();
    assert!(keys.iter().all(|key| key.split('.').count() == 2));
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), TABLE.len());
}
