//! A kernel without support: what is said, and that nothing runs unconfined without somebody's word.

use sage_testkit::{Output, PlannedTask};

use crate::support::{GOAL, World, planned};

/// Installs a filter under which the named system calls do not exist, and goes on as the program.
const WITHOUT: &str = "import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
unshare = 97 if platform.machine() == 'aarch64' else 272
calls = {'unshare': unshare, 'landlock': 444}
refused = [calls[name] for name in sys.argv[1].split(',')]
ops = [struct.pack('HBBI', 0x20, 0, 0, 0)]
for n, call in enumerate(refused):
    ops.append(struct.pack('HBBI', 0x15, len(refused) - n, 0, call))
ops.append(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))
ops.append(struct.pack('HBBI', 6, 0, 0, 0x00050000 | 38))
code = ctypes.create_string_buffer(b''.join(ops))
class Program(ctypes.Structure):
    _fields_ = [('len', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
program = Program(len(ops), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
";

/// The program on a kernel that lacks these.
fn without(world: &World, calls: &str, args: &[&str], env: &[(&str, &str)]) -> Output {
    let sage = env!("CARGO_BIN_EXE_sage");
    let mut argv = vec!["python3", "-c", WITHOUT, calls, sage];
    argv.extend_from_slice(args);
    world.sandbox.program(&argv, env)
}

fn world() -> World {
    let task =
        PlannedTask::file("task_001", "a.txt", "a\n").verified_by("touch ran; test -f a.txt");
    World::new(planned(vec![task]))
}

#[test]
fn doctor_says_what_is_missing_and_what_happens_then() {
    let world = world();
    let output = without(&world, "unshare,landlock", &["doctor"], &[]);
    output.expect_text("no sandbox (without user namespaces, Landlock)");
    output.expect_text("you are asked before anything is run; without a terminal nothing is");
    let output =
        without(&world, "unshare,landlock", &["doctor"], &[("SAGE_SANDBOX_MISSING", "run")]);
    output.expect_text("commands run without one, because `sandbox.missing` is `run`");
    let output = without(&world, "unshare", &["doctor"], &[]);
    output.expect_text("without user namespaces").expect_text("put back");
    world.sandbox.run(&["doctor"]).expect_text("namespaces, Landlock");
}

#[test]
fn without_a_sandbox_nothing_runs_unless_somebody_says_so() {
    for missing in ["ask", "refuse"] {
        let world = world();
        let env = [("SAGE_SANDBOX_MISSING", missing)];
        let output = without(&world, "unshare,landlock", &["run", GOAL, "--auto"], &env);
        output.expect_code(4).expect_text("offers no sandbox").expect_text("sage doctor");
        assert!(world.sandbox.runs().is_empty() && world.calls().is_empty(), "{output}");
    }
    let world = world();
    let env = [("SAGE_SANDBOX_MISSING", "run"), ("SAGE_RUN_OUTPUT", "full")];
    let output = without(&world, "unshare,landlock", &["run", GOAL, "--auto"], &env);
    output.expect_code(0).expect_text("commands run without a sandbox");
    output.expect_text("sandbox  none: this machine offers no sandbox");
    let run = world.sandbox.last_run();
    let events = run.of_type("run.sandboxed");
    assert_eq!(events[0]["on"], false);
}

#[test]
fn the_layers_of_a_run_are_on_record() {
    let world = world();
    let output = world.sandbox.sage(&["run", GOAL, "--auto"]).env("SAGE_RUN_OUTPUT", "full").run();
    output.expect_code(0).expect_text("sandbox  namespaces, Landlock");
    assert_eq!(world.sandbox.last_run().of_type("run.sandboxed")[0]["on"], true);
    // The second layer alone is enough to run.
    let world = self::world();
    let output =
        without(&world, "unshare", &["run", GOAL, "--auto"], &[("SAGE_RUN_OUTPUT", "full")]);
    output.expect_code(0).expect_text("sandbox  Landlock");
}
