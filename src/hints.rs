//! The next step for an error: errors say what happened, hints say what to do. All advice that the
//! program gives about errors of its libraries is in this file.

use sage_core::ErrorKind;

/// A rule: the error's kind, words of its text (all must occur, lower case), and the hint.
type Rule = (ErrorKind, &'static [&'static str], &'static str);

/// The first rule that fits wins; a rule without words is the kind's own.
const RULES: &[Rule] = &[
    (
        ErrorKind::ModelUnavailable,
        &["401"],
        "check the provider's API key; `sage config env setup` says which variable holds it",
    ),
    (
        ErrorKind::ModelUnavailable,
        &["api key"],
        "set the provider's API key; `sage config env setup` says which variable holds it",
    ),
    (
        ErrorKind::ModelUnavailable,
        &["is not present"],
        "get it with `ollama pull MODEL`, or choose another with `sage config set --role`",
    ),
    (
        ErrorKind::ModelUnavailable,
        &["11434"],
        "start it with `ollama serve`, or choose other models with `sage config set --role`; `sage demo` needs none",
    ),
    (
        ErrorKind::ModelUnavailable,
        &["ollama"],
        "start it with `ollama serve`, or choose other models with `sage config set --role`; `sage demo` needs none",
    ),
    (
        ErrorKind::ModelUnavailable,
        &[],
        "`sage doctor --deep` tests every model; `sage demo` needs none",
    ),
    (ErrorKind::Config, &["models.yaml"], "correct the file, then `sage config validate`"),
    (
        ErrorKind::Config,
        &[],
        "`sage config validate` checks every file; `sage config paths` says where they are",
    ),
    (ErrorKind::Budget, &["usd"], "`sage resume --max-cost USD` goes on with a larger budget"),
    (ErrorKind::Budget, &["tokens"], "`sage resume --max-tokens N` goes on with a larger budget"),
    (ErrorKind::Budget, &["calls"], "`sage resume --max-calls N` goes on with a larger budget"),
    (ErrorKind::Budget, &["time"], "`sage resume --max-time DURATION` goes on with more time"),
    (ErrorKind::Budget, &[], "`sage resume` goes on with a larger budget"),
    (ErrorKind::Interrupted, &[], "`sage resume` goes on where this stopped"),
    (ErrorKind::ModelAnswer, &[], "`sage log last --type model` shows what was asked and answered"),
    (
        ErrorKind::Environment,
        &["no space left"],
        "free some disk space; `sage runs prune --keep 20` removes old runs",
    ),
    (
        ErrorKind::Environment,
        &["permission denied"],
        "check who owns the folder; `sage doctor` tests what is writable",
    ),
    (ErrorKind::Environment, &["locked"], "another sage works here; wait for it or stop it"),
    (ErrorKind::Usage, &["unknown run"], "`sage runs` lists the runs of this project"),
    (
        ErrorKind::Usage,
        &["no run"],
        "`sage runs` lists the runs of this project; `sage run \"GOAL\"` starts one",
    ),
    (ErrorKind::Internal, &[], "this is a fault of sage; please report it with the log of the run"),
];

/// The hint for an error of this kind with this text.
pub fn for_error(kind: ErrorKind, text: &str) -> Option<String> {
    let text = text.to_lowercase();
    RULES
        .iter()
        .find(|(of, words, _)| *of == kind && words.iter().all(|word| text.contains(word)))
        .map(|(_, _, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_hint_is_given() {
        let hint = |kind, text| for_error(kind, text).unwrap_or_default();
        assert!(hint(ErrorKind::ModelUnavailable, "HTTP 401 Unauthorized").contains("API key"));
        assert!(
            hint(ErrorKind::ModelUnavailable, "connection refused: 127.0.0.1:11434")
                .contains("ollama serve")
        );
        assert!(hint(ErrorKind::ModelUnavailable, "x").contains("doctor"));
        assert!(hint(ErrorKind::Budget, "the budget of 3 calls").contains("--max-calls"));
        assert_eq!(for_error(ErrorKind::Rejected, "no"), None);
    }

    #[test]
    fn hints_name_only_commands_that_exist() {
        let definition = crate::cli::Cli::definition();
        for (_, _, hint) in RULES {
            for command in
                hint.split('`').skip(1).step_by(2).filter_map(|text| text.strip_prefix("sage "))
            {
                let name = command.split(' ').next().unwrap();
                assert!(definition.find_subcommand(name).is_some(), "{hint}");
            }
        }
    }
}
