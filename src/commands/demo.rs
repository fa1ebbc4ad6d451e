//! `sage demo`: the whole pipeline on a sample project. The model's answers are scripted; the
//! repository, the edits, the tests and their failure are real.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sage_coder::Mode;
use sage_core::Decider;
use sage_model::{BuiltIn, ModelsConfig};
use sage_tool::process;

use super::run::{Show, finish, form};
use crate::app::{
    Interrupts, Models, ModelsSource, Pipeline, Who, block_on, child_environment, new_run_id,
    temp_folder,
};
use crate::cli::DemoArgs;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::settings::Flags;
use crate::ui::Ui;
use crate::ui::live::Live;

/// What the sample is asked to become.
const GOAL: &str = "Add a percentage discount to the cart, rounded half up, with tests";

/// The sample project, as it is in the repository.
const FILES: &[(&str, &str)] = &[
    ("README.md", include_str!("../../examples/sample-shop/README.md")),
    ("shop/__init__.py", include_str!("../../examples/sample-shop/shop/__init__.py")),
    ("shop/cart.py", include_str!("../../examples/sample-shop/shop/cart.py")),
    ("shop/catalogue.py", include_str!("../../examples/sample-shop/shop/catalogue.py")),
    ("shop/money.py", include_str!("../../examples/sample-shop/shop/money.py")),
    ("tests/__init__.py", include_str!("../../examples/sample-shop/tests/__init__.py")),
    ("tests/test_cart.py", include_str!("../../examples/sample-shop/tests/test_cart.py")),
    ("tests/test_money.py", include_str!("../../examples/sample-shop/tests/test_money.py")),
];

/// How long one git command may take.
const GIT_TIMEOUT: Duration = Duration::from_secs(20);

const ANSWERS: &str = include_str!("demo/answers.yaml");

/// Every role is played by the script.
const MODELS: &str = "\
providers:
  demo: {kind: scripted, script: answers.yaml}
models:
  scripted-demo: {provider: demo, tool_calling: native}
routing:
  default: {primary: scripted-demo, fallback: scripted-demo}
";

/// Runs the command.
pub fn run(args: &DemoArgs, cx: &Context, ui: &Arc<Ui>) -> Outcome {
    let id = new_run_id()?;
    let folder = temp_folder(cx).join(format!("sage-demo-{id}"));
    let project = folder.join("sample-shop");
    let demo_cx = Context { root: project.clone(), cwd: project.clone(), ..cx.clone() };
    let ended = lay_out(&folder, &project).and_then(|()| play(args, &demo_cx, &folder, ui));
    if args.keep {
        ui.note(format!("the sample project is in {}", project.display()));
    } else {
        // A temporary folder that cannot be removed is litter, not a failure of the demo.
        let _ = fs::remove_dir_all(&folder);
        ui.note("the sample project is removed again; `sage demo --keep` leaves it for a look");
    }
    ended
}

fn lay_out(folder: &Path, project: &Path) -> Result<(), Failure> {
    let write = |path: &Path, text: &str| {
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(|error| {
            Failure::environment(format!("writing {}", path.display())).because(error)
        })
    };
    for (name, text) in FILES {
        write(&project.join(name), text)?;
    }
    write(&folder.join("answers.yaml"), ANSWERS)?;
    write(&folder.join("models.yaml"), MODELS)
}

fn play(args: &DemoArgs, cx: &Context, folder: &Path, ui: &Arc<Ui>) -> Outcome {
    ui.note(format!("The sample: a small shop in Python. The goal: {GOAL}."));
    ui.note(
        "The model's answers are scripted: no key, no network, no daemon. Everything else is real.",
    );
    let settings = crate::app::settings(cx, &Flags::default())?;
    let interrupts = Interrupts::listen(Arc::clone(ui))?;
    let live = Live::start(Arc::clone(ui), form(args.output.json, false));
    let pipeline = Pipeline { cx, settings: &settings, ui, live: &live, interrupts: &interrupts };
    let config = ModelsConfig::load_over(BuiltIn::Ollama, MODELS, &folder.join("models.yaml"))
        .map_err(|error| Failure::new(error.kind(), error))?;
    let source =
        ModelsSource::Named { path: folder.join("models.yaml"), by: "the demo".to_owned() };
    let models = Models { config, source };
    let wiring = pipeline.wiring(Who::Nobody(Decider::Mode), Some(&models))?;
    let options = pipeline.options(GOAL.to_owned(), Mode::Auto);
    let id = new_run_id()?;
    let ended = block_on(async {
        make_repository(cx).await?;
        sage_coder::start(&wiring, id, options)
            .await
            .map_err(|error| Failure::new(error.kind(), error))
    })?;
    live.finish();
    let end = ended?;
    let show = Show {
        json: args.output.json,
        explain_routing: false,
        last_message: None,
        next_steps: args.keep,
    };
    finish(&end, &settings, &show, ui)
}

/// A real git repository with one commit, so that the change can be looked at like any other.
async fn make_repository(cx: &Context) -> Result<(), Failure> {
    let (env, _) = child_environment(&cx.env, &[]);
    let identity = ["-c", "user.name=sage demo", "-c", "user.email=demo@localhost"];
    let commit: Vec<&str> =
        identity.into_iter().chain(["commit", "-q", "-m", "A small shop"]).collect();
    for args in [vec!["init", "-q"], vec!["add", "-A"], commit] {
        let argv: Vec<&str> = std::iter::once("git").chain(args).collect();
        let output = process::output(&argv, &cx.root, &env, GIT_TIMEOUT)
            .await
            .map_err(|error| Failure::environment("starting git").because(error))?;
        if output.exit_code != Some(0) {
            let what = format!("`{}` failed", argv.join(" "));
            return Err(Failure::environment(what).because(output.text.trim()));
        }
    }
    Ok(())
}
