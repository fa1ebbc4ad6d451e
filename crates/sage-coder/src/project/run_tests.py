"""Runs Python tests where pytest is not installed.

Understands unittest cases, plain test functions and Test classes without fixtures, and the part of
pytest's command line that selects tests: files, folders, file::name and -k. The last line counts.
Exit codes are pytest's: 0 passed, 1 failed, 4 wrong arguments, 5 no test ran.
"""
import os
import sys

HERE = os.getcwd()
# The library comes first: no file of the project may stand in for a module that this runner needs.
sys.path[:] = [entry for entry in sys.path if os.path.isabs(entry) and entry != HERE]
import importlib.util, inspect, time, traceback, unittest

SKIPPED_FOLDERS = {"node_modules", "venv", "__pycache__", "site-packages", "build", "dist"}
VALUED = {"-k", "-p", "-W", "-c", "-o", "-m", "--rootdir", "--maxfail", "--tb", "--durations"}
BEGAN = time.monotonic()
passed, failed, skipped = [], [], []


def report(name, text):
    failed.append(name)
    print(f"FAILED {name}\n{text.rstrip()}\n", flush=True)


def failure():
    kind, error, trace = sys.exc_info()
    if isinstance(error, ModuleNotFoundError) and error.name == "pytest":
        return "needs pytest, which is not installed: use unittest or plain functions with assert"
    while trace and trace.tb_frame.f_code.co_filename == "<string>":  # frames of this runner
        trace = trace.tb_next
    return "".join(traceback.format_exception(kind, error, trace))


class Result(unittest.TestResult):
    def addSuccess(self, test):
        passed.append(test.id())

    def addSkip(self, test, reason):
        skipped.append(test.id())

    def addExpectedFailure(self, test, error):
        passed.append(test.id())

    def addUnexpectedSuccess(self, test):
        report(test.id(), "passed, but was expected to fail")

    def addFailure(self, test, error):
        report(test.id(), self._exc_info_to_string(error, test))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error:
            report(subtest.id(), self._exc_info_to_string(error, test))


def load(path):
    """Import a file the way pytest does: as part of its package, else from its own folder."""
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    parts = [name[:-3]]
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    for entry in (os.path.join(HERE, "src"), HERE, folder):
        if entry in sys.path:
            sys.path.remove(entry)
        sys.path.insert(0, entry)
    if len(parts) > 1:
        return importlib.import_module(".".join(parts))
    spec = importlib.util.spec_from_file_location(parts[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[parts[0]] = module
    spec.loader.exec_module(module)
    return module


def required(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
             inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind in kinds]


def call(name, function, owner=None):
    if required(function):
        return report(name, f"needs pytest: fixtures ({', '.join(required(function))})")
    if inspect.iscoroutinefunction(function):
        return report(name, "needs a pytest plugin: the test is a coroutine")

    def hook(title):
        found = getattr(owner, title, None)
        if found:
            found(function) if required(found) else found()

    try:
        hook("setup_method")
        try:
            function()
        finally:
            hook("teardown_method")
        passed.append(name)
    except unittest.SkipTest:
        skipped.append(name)
    except KeyboardInterrupt:
        raise
    except BaseException:
        report(name, failure())


def run(path, nodes, wanted):
    try:
        module = load(path)
    except unittest.SkipTest:
        return skipped.append(path)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return report(path, "cannot be imported\n" + failure())

    def chosen(*names):
        return list(names[:len(nodes)]) == nodes and wanted("::".join((path,) + names))

    for name, item in list(vars(module).items()):
        if inspect.isclass(item) and issubclass(item, unittest.TestCase):
            methods = unittest.defaultTestLoader.getTestCaseNames(item)
            unittest.TestSuite(item(m) for m in methods if chosen(name, m)).run(Result())
        elif inspect.isclass(item) and name.startswith("Test") and item.__module__ == module.__name__:
            for method in [m for m in dir(item) if m.startswith("test") and chosen(name, m)]:
                try:
                    owner = item()
                except Exception:
                    report(f"{path}::{name}::{method}", failure())
                else:
                    call(f"{path}::{name}::{method}", getattr(owner, method), owner)
        elif inspect.isfunction(item) and name.startswith("test") and chosen(name):
            call(f"{path}::{name}", item)


def files_of(target):
    if os.path.isfile(target):
        return [target]
    found = []
    for folder, folders, names in os.walk(target):
        folders[:] = sorted(f for f in folders if f not in SKIPPED_FOLDERS and f[0] != ".")
        found += [os.path.normpath(os.path.join(folder, name)) for name in sorted(names)
                  if name.endswith("_test.py") or name.startswith("test_") and name.endswith(".py")]
    return found


def main(arguments):
    if importlib.util.find_spec("pytest"):
        sys.path.insert(0, HERE)
        import pytest
        return pytest.main(["-p", "no:cacheprovider", *arguments])
    targets, keyword, words = [], "", iter(arguments)
    for word in words:
        if word in VALUED:
            value = next(words, "")
            keyword = value if word == "-k" else keyword
        elif not word.startswith("-"):
            targets.append(word)
    terms = [term.strip().lower() for term in keyword.split(" or ") if term.strip()]
    for target in targets or ["."]:
        path, *nodes = target.split("::")
        if not os.path.exists(path):
            print(f"ERROR not found: {path}")
            return 4
        for file in files_of(path):
            run(file, [node.split("[")[0] for node in nodes],
                lambda name: not terms or any(term in name.lower() for term in terms))
    skips = f", {len(skipped)} skipped" if skipped else ""
    counts = f"{len(passed)} passed, {len(failed)} failed" if passed or failed else "no tests ran"
    print(f"{counts}{skips} in {time.monotonic() - BEGAN:.2f}s")
    if not passed and not failed:
        return 5
    return 1 if failed else 0


sys.exit(main(sys.argv[1:]))
