//! Whether commands are confined, decided once per process: what the machine offers against what the
//! person wants.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sage_tool::{Layers, Sandbox, SandboxSettings};

use crate::context::Context;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::ui::Ui;

/// This program, also after its file was replaced.
const LAUNCHER: &str = "/proc/self/exe";

/// What becomes of commands where there is no sandbox (`sandbox.missing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// Nothing is run.
    Refuse,
    /// The person decides; without one, nothing is run.
    Ask,
    /// They run.
    Run,
}

impl Without {
    /// The setting.
    pub fn of(settings: &Settings) -> Self {
        match settings.sandbox_missing() {
            "run" => Self::Run,
            "refuse" => Self::Refuse,
            _ => Self::Ask,
        }
    }
}

/// Which layers work here: tried once per process.
pub fn offered() -> Layers {
    static OFFERED: OnceLock<Layers> = OnceLock::new();
    *OFFERED.get_or_init(|| sage_tool::probe(Path::new(LAUNCHER)))
}

/// What commands may see and use besides the work tree.
pub fn sandbox_settings(cx: &Context, settings: &Settings) -> SandboxSettings {
    let paths = |key: &str| -> Vec<PathBuf> {
        let texts = settings.sandbox_paths(key).iter();
        texts.filter_map(|text| absolute(text, cx.home.as_deref())).collect()
    };
    let mut hidden = paths("sandbox.hide");
    hidden.extend(cx.user_config());
    SandboxSettings {
        launcher: PathBuf::from(LAUNCHER),
        home: cx.home.clone(),
        read: paths("sandbox.read"),
        write: paths("sandbox.write"),
        hidden,
        cache: Some(cx.sage("cache")),
        temp: super::temp_folder(cx),
        limits: settings.sandbox_limits(),
    }
}

fn absolute(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let path = match text.strip_prefix("~/") {
        Some(below) => home?.join(below),
        None => PathBuf::from(text),
    };
    path.is_absolute().then_some(path)
}

/// Decides what confines the commands of this process, and warns where nothing does.
pub fn confine(cx: &Context, settings: &Settings, ui: &Ui) -> Result<Sandbox, Failure> {
    for key in ["sandbox.read", "sandbox.write", "sandbox.hide"] {
        let texts = settings.sandbox_paths(key);
        if let Some(text) = texts.iter().find(|text| absolute(text, cx.home.as_deref()).is_none()) {
            return Err(Failure::config(format!("{key}: {text:?} is not an absolute path")));
        }
    }
    let mode = settings.sandbox_mode();
    if mode == "off" {
        let source = settings.get("sandbox.mode").map(|it| it.source.to_string());
        let why = format!("switched off by {}", source.unwrap_or_default());
        ui.warn(format!("commands run without a sandbox: {why}"));
        return Ok(Sandbox::off(why));
    }
    let mut layers = offered();
    layers.namespaces &= mode != "landlock";
    if layers.can_confine() {
        return Sandbox::on(layers, sandbox_settings(cx, settings))
            .map_err(|error| Failure::new(error.kind(), error));
    }
    let found = format!("this machine offers no sandbox (it has {})", layers.in_words());
    let allowed = match Without::of(settings) {
        Without::Run => Some("`sandbox.missing` says so"),
        Without::Ask if cx.is_interactive() => agreed(&found, ui).then_some("you said so"),
        Without::Ask | Without::Refuse => None,
    };
    match allowed {
        Some(by) => {
            ui.warn(format!("commands run without a sandbox: {found}, and {by}"));
            Ok(Sandbox::off(format!("{found}, and {by}")))
        }
        None => Err(Failure::environment(found).hint(
            "`sage doctor` says what is missing; `sage config set --global sandbox.missing run`, or \
             `SAGE_SANDBOX_MISSING=run`, lets commands run without",
        )),
    }
}

/// Asks the person at the terminal.
fn agreed(found: &str, ui: &Ui) -> bool {
    ui.prompt(format!("{found}. Run commands without one, as you? [y/N] "));
    let mut line = String::new();
    let is_read = std::io::stdin().read_line(&mut line).is_ok();
    is_read && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}
