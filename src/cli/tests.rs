use super::*;

fn read(line: &str) -> Result<Cli, UsageError> {
    Cli::read(std::iter::once("sage").chain(line.split_whitespace()).map(OsString::from))
}

fn wrong(line: &str) -> (String, String) {
    match read(line) {
        Err(UsageError::Wrong { message, hint }) => (message, hint),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::definition().debug_assert();
}

#[test]
fn flags_that_contradict_each_other_are_named_both() {
    for (line, a, b) in [
        ("run x --research --auto", "--research", "--auto"),
        ("run x --research --silent", "--research", "--silent"),
        ("run x --plan-only --dry-run", "--plan-only", "--dry-run"),
        ("run --resume --fresh", "--resume", "--fresh"),
        ("run --resume --plan-only", "--resume", "--plan-only"),
        ("run --resume last --dry-run", "--resume", "--dry-run"),
        ("run --resume --plan p.json", "--resume", "--plan"),
        ("run x --plan-only --full", "--full", "--plan-only"),
        ("run x --repo a --project b", "--repo", "--project"),
        ("-q -v status", "--quiet", "--verbose"),
        ("status -q -v", "--quiet", "--verbose"),
        ("-q status -v", "--quiet", "--verbose"),
    ] {
        let (message, hint) = wrong(line);
        assert!(message.contains(a) && message.contains(b), "{line}: {message}");
        assert!(hint.contains(a) && hint.contains(b), "{line}: {hint}");
    }
}

/// `--silent` is `--auto` and more, not its opposite: both together are `--silent`.
#[test]
fn silent_and_auto_go_together() {
    assert!(read("run x --auto --silent").is_ok());
}

#[test]
fn misspelt_commands_and_flags_are_answered_with_the_nearest() {
    assert_eq!(wrong("rnu x"), ("unknown command `rnu`".into(), "did you mean `run`?".into()));
    let (message, hint) = wrong("run x --dryrun");
    assert_eq!(
        (message.as_str(), hint.as_str()),
        ("unknown flag `--dryrun`", "did you mean `--dry-run`?")
    );
    let (_, hint) = wrong("config shwo");
    assert!(hint.contains("show"), "{hint}");
    let (_, hint) = wrong("config set --role codre --primary x");
    assert!(hint.contains("sage help config set"), "{hint}");
}

#[test]
fn a_goal_is_required_unless_a_plan_or_a_run_is_given() {
    assert!(wrong("run").0.contains("GOAL"));
    assert!(read("run --plan p.json").is_ok());
    assert!(read("run --resume").is_ok());
    assert_eq!(wrong("run fix the tests").1, "put the whole goal in quotes");
}

#[test]
fn global_flags_stand_before_or_after_the_command() {
    for line in ["--project d status", "status --project d"] {
        assert_eq!(read(line).unwrap().global.project, Some("d".into()), "{line}");
    }
}

#[test]
fn bad_values_name_the_flag_and_what_was_expected() {
    for (line, flag, expected) in [
        ("run x --max-time soon", "--max-time", "duration"),
        ("run x --max-cost much", "--max-cost", "US dollars"),
        ("run x --max-tokens -1", "--max-tokens", ""),
        ("run x --max-parallel 0", "--max-parallel", "1..=64"),
        ("run x --model codre=y", "--model", "coder"),
        ("runs prune --older-than 0", "--older-than", "duration"),
        ("--color sometimes status", "--color", ""),
    ] {
        let (message, _) = wrong(line);
        assert!(message.contains(flag) && message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn every_visible_command_has_a_summary_and_no_period_ends_it() {
    fn check(command: &clap::Command) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.ends_with('.'), "{}: {about:?}", sub.get_name());
            check(sub);
        }
    }
    check(&Cli::definition());
}

#[test]
fn global_flags_stand_anywhere_and_others_with_their_command() {
    for line in ["config -q paths", "-q config paths", "config paths -q"] {
        assert!(read(line).unwrap().global.quiet, "{line}");
    }
    assert_eq!(
        wrong("config --json paths"),
        (
            "`--json` stands before `paths`, but belongs to it".into(),
            "put `--json` after `paths`".into()
        )
    );
    let (message, _) = wrong("rules --layers add x");
    assert_eq!(message, "`--layers` cannot be used with `add`");
    assert_eq!(wrong("runs prune").0, "missing `--keep <N>` or `--older-than <DURATION>`");
}
