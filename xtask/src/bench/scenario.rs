//! What is measured: starts without a run, and whole runs in fresh repositories against a provider on
//! loopback that answers at once.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sage_core::{AgentRole, Speaker};
use sage_testkit::{
    Brain, CliSandbox, FakeOpenAi, Fixture, ModelCall, ModelsYaml, PlannedBrain, PlannedTask,
    Reply, SeenRequest,
};
use serde_json::json;

use super::measure::Took;
use super::prompt::Overhead;
use super::summary::{Summary, ms};
use super::{BenchOptions, disk};

/// The goal of the runs whose model knows what to do without reading it.
const GOAL: &str = "Create docs/usage.md with a short guide";
/// Turns of the long task: it reads and edits in turns, then says that it is done.
const LONG_TURNS: usize = 10;
/// Files of the large project.
const N_LARGE: usize = 50_000;
/// Edits of one answer, each of its own file.
pub const N_EDITS: usize = 150;
/// Lines of each of these files.
const EDITED_LINES: usize = 1_000;
/// The row about these edits.
pub const CHECKED_EDITS: &str = "`sage apply --check`, 150 edits of 1,000-line files";
/// The variable that makes the process kill itself right after appending the event of that number.
const KILL_AFTER: &str = "SAGE_FAULT_KILL_AFTER_SEQ";

/// A binary, and how often to measure.
pub struct Bench {
    /// The program.
    pub binary: PathBuf,
    /// How often, after one warm-up.
    pub n_runs: usize,
    /// Part of the names of what is measured.
    pub only: String,
    /// Used folders, removed together at the end: file systems are slow to create files soon after
    /// many were removed, and a person does not remove a project after each command.
    used: RefCell<Vec<CliSandbox>>,
    /// The large project, made when it is first needed: making it takes longer than measuring in it.
    large: RefCell<Option<World>>,
}

/// All that was measured.
pub struct Figures {
    /// How often each thing was measured.
    pub n_runs: usize,
    /// The binary's size.
    pub binary_bytes: u64,
    /// Milliseconds to make one small write durable.
    pub sync_ms: Summary,
    /// In the order of the page.
    pub rows: Vec<Row>,
    /// The first request of the planner and of the coder.
    pub prompts: Vec<(&'static str, Overhead)>,
}

/// One thing that was measured several times.
pub struct Row {
    /// What was done.
    pub name: &'static str,
    /// Milliseconds without those of the provider.
    pub own_ms: Summary,
    /// Milliseconds of processors, children included.
    pub cpu_ms: Summary,
    /// Peak memory in MiB, of the largest process.
    pub peak_mib: Summary,
    /// Model calls of one time.
    pub n_calls: usize,
    /// Bytes of these calls' requests.
    pub sent_bytes: usize,
}

/// One measurement.
struct Sample {
    took: Took,
    calls: Vec<ModelCall>,
}

impl Bench {
    /// Measures this program.
    pub fn of(binary: PathBuf, options: &BenchOptions) -> Self {
        let BenchOptions { n_runs, only, .. } = options;
        Self {
            binary,
            n_runs: *n_runs,
            only: only.clone(),
            used: RefCell::default(),
            large: RefCell::default(),
        }
    }

    /// Measures everything.
    pub fn figures(&self, out: &mut impl Write) -> anyhow::Result<Figures> {
        let mut prompts = Vec::new();
        let mut rows = Vec::new();
        let mut row = |name: &'static str, once: &dyn Fn() -> anyhow::Result<Sample>| {
            if !name.contains(&self.only) {
                return Ok(());
            }
            write!(out, "{name} ")?;
            let mut samples = Vec::new();
            for _ in 0..=self.n_runs {
                samples.push(once().with_context(|| format!("measuring {name}"))?);
                write!(out, ".")?;
                out.flush()?;
            }
            writeln!(out)?;
            // The first one warms the caches of the system.
            samples.remove(0);
            if prompts.is_empty() {
                prompts = first_requests(&samples[0].calls);
            }
            rows.push(sum_up(name, &samples)?);
            anyhow::Ok(())
        };
        row("`sage --version`", &|| self.without_run(&["--version"]))?;
        row("`sage --help`", &|| self.without_run(&["--help"]))?;
        row("a command, not sandboxed", &|| {
            self.without_run(&["sandbox", "--sandbox", "off", "--", "true"])
        })?;
        row("a command, sandboxed", &|| self.without_run(&["sandbox", "--", "true"]))?;
        row("run, one task", &|| self.one_task())?;
        row("run, one task of 10 turns", &|| self.long_task())?;
        row("run, code and its test", &|| self.with_test())?;
        row("`sage status` of a run", &|| self.after_run(&["status"]))?;
        row("`sage log last` of a run", &|| self.after_run(&["log", "last"]))?;
        row("`sage resume` at a run's end", &|| self.resume())?;
        row("`sage undo` of a run", &|| self.after_run(&["undo"]))?;
        row(CHECKED_EDITS, &|| self.edits(&["--check"]))?;
        row("`sage apply`, the same edits, written", &|| self.edits(&[]))?;
        row("`sage demo`", &|| self.without_run(&["demo"]))?;
        row("run, one task, 50,000 files", &|| self.in_large_project(true))?;
        row("`sage undo --dry-run`, 50,000 files", &|| self.in_large_project(false))?;
        Ok(Figures {
            n_runs: self.n_runs,
            binary_bytes: fs::metadata(&self.binary).context("looking at the binary")?.len(),
            sync_ms: disk::sync_ms(&self.sandbox()?.path("tmp"), self.n_runs)?,
            rows,
            prompts,
        })
    }

    fn without_run(&self, args: &[&str]) -> anyhow::Result<Sample> {
        let sandbox = self.sandbox()?;
        let took = self.measured(&sandbox, args)?;
        Ok(self.sample(sandbox, took, Vec::new()))
    }

    /// An answer with one edit for each of many files.
    fn edits(&self, flags: &[&str]) -> anyhow::Result<Sample> {
        let sandbox = self.sandbox()?;
        let line =
            |n: usize| format!("    value_{n} = compute(value_{n}, {n})  # a line of code\n");
        let file: String = (0..EDITED_LINES).map(line).collect();
        let mut answer = String::new();
        for n in 0..N_EDITS {
            let (path, at) = (format!("src/file_{n}.py"), (n * 6) % EDITED_LINES);
            sandbox.write(&path, &file);
            answer.push_str(&format!(
                "{path}\n```python\n<<<<<<< SEARCH\n{}{}=======\n{}    added()\n>>>>>>> REPLACE\n```\n\n",
                line(at), line(at + 1), line(at)
            ));
        }
        let input = sandbox.path("answer.md").to_string_lossy().into_owned();
        std::fs::write(&input, answer).context("writing the answer")?;
        let took = self.measured(&sandbox, &[&["apply", "--input", &input], flags].concat())?;
        Ok(self.sample(sandbox, took, Vec::new()))
    }

    fn one_task(&self) -> anyhow::Result<Sample> {
        self.run(World::start(self, &small_project(), one_task_brain())?)
    }

    fn long_task(&self) -> anyhow::Result<Sample> {
        self.run(World::start(self, &small_project(), LongTask::new())?)
    }

    fn with_test(&self) -> anyhow::Result<Sample> {
        let project = Fixture::default().file("README.md", "# Greetings\n");
        self.run(World::start(self, &project, PlannedBrain::hello())?)
    }

    fn run(&self, world: World) -> anyhow::Result<Sample> {
        let took = self.measured(&world.sandbox, &["run", GOAL, "--auto"])?;
        Ok(self.sample(world.sandbox, took, world.server.calls()))
    }

    /// A command about a run that has just ended.
    fn after_run(&self, args: &[&str]) -> anyhow::Result<Sample> {
        let world = World::start(self, &small_project(), one_task_brain())?;
        self.measured(&world.sandbox, &["run", GOAL, "--auto"])?;
        let took = self.measured(&world.sandbox, args)?;
        Ok(self.sample(world.sandbox, took, Vec::new()))
    }

    /// Resumes a run that was killed when all but its last event was written.
    fn resume(&self) -> anyhow::Result<Sample> {
        let world = World::start(self, &small_project(), one_task_brain())?;
        self.measured(&world.sandbox, &["run", GOAL, "--auto"])?;
        let last = world.sandbox.last_run().last_seq();
        self.used.borrow_mut().push(world.sandbox);
        let mut world = World::start(self, &small_project(), one_task_brain())?;
        world.sandbox.env(KILL_AFTER, (last - 1).to_string());
        let killed = self.measured(&world.sandbox, &["run", GOAL, "--auto"]);
        ensure!(killed.is_err(), "the run to resume was not killed");
        world.sandbox.env(KILL_AFTER, "0");
        let n_before = world.server.calls().len();
        let took = self.measured(&world.sandbox, &["resume"])?;
        let calls = world.server.calls().split_off(n_before);
        Ok(self.sample(world.sandbox, took, calls))
    }

    /// A run in a project with many files that was looked at before, or a look at what an undo of it
    /// would do: one snapshot of all files, compared with those of the run.
    fn in_large_project(&self, is_run: bool) -> anyhow::Result<Sample> {
        let mut large = self.large.borrow_mut();
        let is_new = large.is_none();
        let world = match &mut *large {
            Some(world) => world,
            none => none.insert(World::start(self, &large_project(), one_task_brain())?),
        };
        let run = |world: &World| self.measured(&world.sandbox, &["run", GOAL, "--auto"]);
        if is_new {
            // Saves everything for the first time.
            run(world)?;
        }
        if !is_run {
            let took = self.measured(&world.sandbox, &["undo", "--dry-run"])?;
            return Ok(Sample { took, calls: Vec::new() });
        }
        self.measured(&world.sandbox, &["undo"])?;
        let n_before = world.server.calls().len();
        let took = run(world)?;
        Ok(Sample { took, calls: world.server.calls().split_off(n_before) })
    }

    fn sample(&self, sandbox: CliSandbox, took: Took, calls: Vec<ModelCall>) -> Sample {
        self.used.borrow_mut().push(sandbox);
        Sample { took, calls }
    }

    fn sandbox(&self) -> anyhow::Result<CliSandbox> {
        let me = std::env::current_exe().context("finding the program that measures")?;
        Ok(CliSandbox::new(me))
    }

    fn measured(&self, sandbox: &CliSandbox, args: &[&str]) -> anyhow::Result<Took> {
        let file = sandbox.path("took.json");
        let (name, binary) = (file.to_string_lossy(), self.binary.to_string_lossy());
        let all = [&["measure", &name, &binary], args].concat();
        let output = sandbox.run(&all);
        ensure!(output.code == Some(0), "sage {args:?}: {output}");
        Took::read(&file)
    }
}

/// A fresh repository and a provider.
struct World {
    sandbox: CliSandbox,
    server: FakeOpenAi,
}

impl World {
    fn start(
        bench: &Bench,
        project: &Fixture,
        brain: impl Brain + 'static,
    ) -> anyhow::Result<Self> {
        let server = FakeOpenAi::start(brain);
        let mut sandbox = bench.sandbox()?;
        project.lay_into(&sandbox);
        sandbox.git_init();
        sandbox.models(&ModelsYaml::openai(&server.url()));
        Ok(Self { sandbox, server })
    }
}

/// A repository with a couple of files.
fn small_project() -> Fixture {
    Fixture::default()
        .file("README.md", "# Notes\n\nA place for notes.\n")
        .file("docs/index.md", "# Index\n\nNothing yet.\n")
        .file("notes.txt", "note 0\n\nMore will follow.\n")
}

/// A repository with very many files.
fn large_project() -> Fixture {
    let lines = "a line of text\n".repeat(40);
    (0..N_LARGE).fold(small_project(), |project, n| {
        let folder = n / 20;
        let path = format!("src/a{}/b{folder}/file_{n}.txt", folder % 50);
        project.file(&path, &format!("file {n}\n{lines}"))
    })
}

/// Plans one task that writes one new file.
fn one_task_brain() -> PlannedBrain {
    let guide = "# Usage\n\nWrite one note per line.\n";
    PlannedBrain::new(GOAL, vec![PlannedTask::file("task_001", "docs/usage.md", guide)])
}

/// Changes an existing file in ten turns: edits and reads before it says that it is done.
struct LongTask {
    planner: PlannedBrain,
}

impl LongTask {
    fn new() -> Self {
        let task = PlannedTask::new("task_001", "Number the notes").targets(&["notes.txt"]);
        Self { planner: PlannedBrain::new(GOAL, vec![task]) }
    }
}

impl Brain for LongTask {
    fn answer(&self, request: &SeenRequest) -> Reply {
        if request.role() != Some(AgentRole::Coder) {
            return self.planner.answer(request);
        }
        let n_turns = request.messages.iter().filter(|it| it.speaker == Speaker::Assistant).count();
        let line = |n: usize| format!("note {n}\n");
        match n_turns {
            n if n + 1 == LONG_TURNS => Reply::tool("finish", json!({"summary": "numbered"})),
            n if n % 2 == 0 => Reply::tool("read", json!({"path": "notes.txt"})),
            n => Reply::tool(
                "edit",
                json!({"path": "notes.txt", "search": line(n / 2), "replace": line(n / 2 + 1)}),
            ),
        }
    }
}

/// The first requests of the planner and the coder.
fn first_requests(calls: &[ModelCall]) -> Vec<(&'static str, Overhead)> {
    let first = |role| calls.iter().map(|call| &call.request).find(|it| it.role() == Some(role));
    let roles = [("planner", AgentRole::Planner), ("coder", AgentRole::Coder)];
    let weigh = |(name, role)| Some((name, Overhead::of(first(role)?)));
    roles.into_iter().filter_map(weigh).collect()
}

fn sum_up(name: &'static str, samples: &[Sample]) -> anyhow::Result<Row> {
    let of = |value: &dyn Fn(&Sample) -> f64| {
        Summary::of(samples.iter().map(value).collect()).context("nothing was measured")
    };
    let calls = &samples.last().context("nothing was measured")?.calls;
    Ok(Row {
        name,
        own_ms: of(&|it| ms(it.took.wall.saturating_sub(provider_time(&it.calls))))?,
        cpu_ms: of(&|it| ms(it.took.cpu))?,
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        peak_mib: of(&|it| it.took.peak_bytes as f64 / (1024.0 * 1024.0))?,
        n_calls: calls.len(),
        sent_bytes: calls.iter().map(|call| call.request.n_bytes).sum(),
    })
}

/// How long the provider was busy; calls at the same time count once.
fn provider_time(calls: &[ModelCall]) -> Duration {
    let mut busy = Duration::ZERO;
    let mut until = Duration::ZERO;
    for call in calls {
        let from = call.request.at.max(until);
        let to = call.request.at + call.took();
        busy += to.saturating_sub(from);
        until = until.max(to);
    }
    busy
}
