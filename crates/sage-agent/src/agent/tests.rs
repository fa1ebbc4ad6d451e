use sage_tool::Grant;

use super::*;
use crate::WorkEnd;
use crate::testing::{Bench, ListedModel, calls, conversation, says};

/// What the system prompt gains and the tools weigh; the role's own instructions come on top.
const MAX_OVERHEAD_TOKENS: u64 = 1_000;

#[tokio::test]
async fn a_question_is_asked_as_it_is_and_streams() {
    let bench = Bench::new(&[]);
    let model = ListedModel::new(ToolCalling::Native, vec![says("<think>hm</think>\nForty-two.")]);
    let mut conversation = conversation();
    let reply = bench.agent(&model).ask(&mut conversation).await.unwrap();
    assert_eq!(reply.text(), "Forty-two.");
    assert_eq!(
        (reply.call.to_string().as_str(), conversation.last_answer()),
        ("n#1.1", "Forty-two.")
    );
    assert_eq!(bench.progress.text(), "<think>hm</think>\nForty-two.");
    let request = &model.seen()[0];
    assert_eq!(request.messages[0].text, "role: coder");
    assert!(request.tools.is_empty() && request.response_schema.is_none());
    assert_eq!(request.max_output_tokens, None);
    assert!(request.features.prompt_tokens > 0);
}

#[tokio::test]
async fn what_is_added_to_a_prompt_is_small() {
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let bench = Bench::new(&[]);
        let model = ListedModel::new(calling, vec![says("ok")]);
        bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap();
        let request = &model.seen()[0];
        let n_tokens = estimate_prompt_tokens(request);
        assert!(n_tokens < MAX_OVERHEAD_TOKENS, "{calling:?}: {n_tokens}");
    }
}

#[tokio::test]
async fn a_long_conversation_is_cut_to_the_window_of_the_model_that_answers() {
    let text = "some words in a line\n".repeat(500);
    let names: Vec<String> = (0..16).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), text.as_str())).collect();
    let mut bench = Bench::new(&files);
    bench.limits.max_turns = 30;
    let read = |path: &String| calls(&[("read", serde_json::json!({"path": path}))]);
    let replies = names.iter().map(read).chain([says("read all")]).collect();
    let model = ListedModel::new(ToolCalling::Native, replies);
    model.facts.lock().unwrap().context_tokens = 12_000;
    let mut conversation = conversation();
    let end = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
    assert_eq!(end, WorkEnd::Answer("read all".to_owned()));
    for request in model.seen() {
        let n_tokens = estimate_prompt_tokens(&request);
        let answer = request.max_output_tokens.unwrap_or(4_000);
        assert!(n_tokens + u64::from(answer) <= 12_000, "{n_tokens} + {answer}");
        assert!(answer >= 3_000);
        assert_eq!(request.messages[1], Message::user("the task"));
    }
    let note = &conversation.messages()[2].text;
    assert!(note.contains("files changed so far: none\nopen failures: none"), "{note}");
}

#[tokio::test]
async fn a_task_that_does_not_fit_is_an_error_before_anything_is_sent() {
    let bench = Bench::new(&[]);
    let model = ListedModel::new(ToolCalling::Text, Vec::new());
    let mut conversation = Conversation::new("role: coder", "word ".repeat(40_000));
    let error = bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert!(bench.recorder.type_names().is_empty());
}

#[tokio::test]
async fn under_a_grant_that_reads_no_writing_tool_is_offered() {
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let bench = Bench { grant: Grant::read_only(), ..Bench::new(&[]) };
        let model = ListedModel::new(calling, vec![says("fine")]);
        bench.agent(&model).work(&mut conversation(), &|_| false).await.unwrap();
        let request = &model.seen()[0];
        let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert!(!names.iter().any(|name| ["edit", "write", "delete", "run"].contains(name)));
        assert_eq!(request.messages[0].text, "role: coder");
    }
}

/// Counts more than we do and refuses what does not fit its window, as a provider would.
struct Strict {
    inner: Arc<ListedModel>,
    chars_per_token: usize,
}

impl Strict {
    fn count(&self, request: &ChatRequest) -> u64 {
        let bytes = serde_json::to_vec(&(&request.messages, &request.tools)).unwrap().len();
        bytes.div_ceil(self.chars_per_token) as u64
    }
}

#[async_trait::async_trait]
impl ChatModel for Strict {
    async fn chat(
        &self,
        request: &ChatRequest,
        deltas: &dyn sage_model::DeltaSink,
    ) -> sage_model::Result<ChatResponse> {
        let (used, facts) = (self.count(request), self.facts(request)?);
        let answer = request.max_output_tokens.unwrap_or(facts.max_output_tokens);
        if used + u64::from(answer) > facts.context_tokens {
            let kind = sage_core::ErrorKind::ModelAnswer;
            let message = "maximum context length is exceeded".to_owned();
            return Err(sage_model::Error::Replayed { kind, message });
        }
        let mut response = self.inner.chat(request, deltas).await?;
        response.usage = sage_core::Usage { input: used, output: 10, ..Default::default() };
        Ok(response)
    }

    fn facts(&self, request: &ChatRequest) -> sage_model::Result<ModelFacts> {
        self.inner.facts(request)
    }
}

fn strict(bench: &Bench, chars_per_token: usize, n_reads: usize) -> (Agent, Arc<ListedModel>) {
    let read = |n: usize| {
        calls(&[(
            "read",
            serde_json::json!({"path": "a", "start_line": n * 50 + 1, "end_line": n * 50 + 50}),
        )])
    };
    let replies = (0..n_reads).map(read).chain([says("done")]).collect();
    let inner = ListedModel::new(ToolCalling::Native, replies);
    inner.facts.lock().unwrap().context_tokens = 12_000;
    let model = Strict { inner: inner.clone(), chars_per_token };
    let recorder = Arc::new(bench.recorder.clone());
    let mut agent = bench.agent(&inner);
    agent.model = Arc::new(sage_model::Recorded::new(model, recorder));
    agent.limits.max_turns = 100;
    (agent, inner)
}

fn n_failed(bench: &Bench) -> usize {
    bench.recorder.type_names().iter().filter(|name| *name == "model.failed").count()
}

#[tokio::test]
async fn what_a_provider_counts_is_learned_before_its_window_is_exceeded() {
    let text: String = (0..5000).map(|n| format!("{n}: some words in a line\n")).collect();
    let bench = Bench::new(&[("a", &text)]);
    let (agent, _) = strict(&bench, 2, 60);
    let end = agent.work(&mut conversation(), &|_| false).await.unwrap();
    assert_eq!(end, WorkEnd::Answer("done".to_owned()));
    assert_eq!(n_failed(&bench), 0);
}

#[tokio::test]
async fn a_request_that_the_provider_finds_too_long_is_cut_and_sent_again_once() {
    let text: String = (0..5000).map(|n| format!("{n}: some words in a line\n")).collect();
    let bench = Bench::new(&[("a", &text)]);
    // A conversation of several steps goes on with a model that says nothing of what it counted.
    let mut conversation = conversation();
    let (agent, _) = strict(&bench, 10, 16);
    agent.work(&mut conversation, &|_| false).await.unwrap();
    let mut later = Bench { recorder: sage_testkit::MemoryRecorder::new(), ..bench };
    conversation.say("Go on.");
    let mut again = conversation.clone();
    let (agent, inner) = strict(&later, 2, 0);
    let end = agent.work(&mut conversation, &|_| false).await.unwrap();
    assert_eq!((end, n_failed(&later)), (WorkEnd::Answer("done".to_owned()), 1));
    assert_eq!(inner.seen().len(), 1);

    // The same from the record, without asking anybody.
    later.recorder = later.recorder.continued();
    let n_events = later.recorder.events().len();
    let (agent, inner) = strict(&later, 2, 0);
    agent.work(&mut again, &|_| false).await.unwrap();
    assert_eq!((again, inner.seen().len()), (conversation, 0));
    assert_eq!(later.recorder.events().len(), n_events);
}

#[tokio::test]
async fn a_window_that_is_not_what_was_said_is_told() {
    let bench = Bench::new(&[]);
    let (agent, _) = strict(&bench, 1, 0);
    let mut conversation = Conversation::new("role: coder", "word ".repeat(1000));
    conversation.messages.push(Message::assistant("x ".repeat(4000)));
    conversation.say("y ".repeat(4000));
    let error = agent.work(&mut conversation, &|_| false).await.unwrap_err();
    assert!(error.to_string().contains("context_tokens"), "{error}");
    assert_eq!((n_failed(&bench), error.kind()), (2, sage_core::ErrorKind::Config));
}

#[tokio::test]
async fn what_was_cut_from_an_output_can_be_read() {
    let bench = Bench::new(&[]);
    let lines = calls(&[("run", serde_json::json!({"command": "seq 1 9000"}))]);
    let model = ListedModel::new(ToolCalling::Native, vec![lines, says("so")]);
    model.facts.lock().unwrap().context_tokens = 16_000;
    let agent = bench.agent(&model);
    let mut conversation = conversation();
    agent.work(&mut conversation, &|_| false).await.unwrap();
    let cut = conversation.messages()[3].text.clone();
    assert!(cut.starts_with("1\n2\n") && cut.contains("9000\n[exit code 0]"), "{cut}");
    let name = cut.split_once("read ").unwrap().1.split(' ').next().unwrap().to_owned();
    let read = serde_json::json!({"path": name, "start_line": 4000, "end_line": 4002});
    let wanted = calls(&[("read", read)]).0.tool_calls[0].clone();
    let read = agent.tools.call(&agent.cx, agent.calls.next(), &wanted).await.unwrap();
    assert!(read.text.starts_with("4000\t4000\n4001\t4001\n4002\t4002\n"), "{}", read.text);
    let missing = calls(&[("read", serde_json::json!({"path": "output:123456"}))]);
    let wanted = missing.0.tool_calls[0].clone();
    let read = agent.tools.call(&agent.cx, agent.calls.next(), &wanted).await.unwrap();
    assert!(!read.ok && read.text.contains("no output 123456"), "{}", read.text);
}

#[tokio::test]
async fn the_account_of_a_request_adds_up() {
    let bench = Bench::new(&[("a", "text\n")]);
    for calling in [ToolCalling::Native, ToolCalling::Text] {
        let model = ListedModel::new(calling, vec![says("ok")]);
        let system = "role: coder\n\n# Rules\n- No tabs.\n";
        let task = "Do it.\nIt was said before.\n<file path=\"a\">\ntext\n</file>\n";
        let parts =
            crate::Parts::of("- No tabs.", "It was said before.", "<file path=\"a\">text</file>");
        let mut conversation = Conversation::new(system, task).made_of(parts);
        bench.agent(&model).work(&mut conversation, &|_| false).await.unwrap();
        let request = &model.seen()[0];
        let context = request.context.unwrap();
        let counted = estimate_prompt_tokens(request);
        // Parts are rounded up one by one.
        assert!(context.prompt().abs_diff(counted) <= 3, "{context:?} is not {counted}");
        assert!(context.rules > 0 && context.memory > 0 && context.files > 0 && context.task > 0);
        assert_eq!((context.tools > 0, context.history), (calling == ToolCalling::Native, 0));
        assert!(request.turn);
    }
}
