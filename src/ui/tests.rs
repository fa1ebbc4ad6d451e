use std::sync::Arc;

use expect_test::expect;
use sage_core::ErrorKind;

use super::*;

#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_error_shows_its_causes_and_the_next_step() {
    let (out, err) = (Captured::default(), Captured::default());
    let ui = Ui::to(out.clone(), err.clone(), Level::Quiet);
    let cause =
        anyhow::anyhow!("line 3: \u{1b}[31mbad\nline 4: worse").context("reading models.yaml");
    ui.failure(&Failure::new(ErrorKind::Config, cause));
    expect![[r"
        error: reading models.yaml
          line 3: �[31mbad
          line 4: worse

        hint: correct the file, then `sage config validate`
    "]]
    .assert_eq(&err.text());
    assert_eq!(out.text(), "");
}

#[test]
fn quiet_keeps_answers_and_warnings_only() {
    let (out, err) = (Captured::default(), Captured::default());
    let ui = Ui::to(out.clone(), err.clone(), Level::Quiet);
    ui.line(style::good("answer"));
    ui.note("talk");
    ui.detail("more talk");
    ui.warn("careful");
    assert_eq!(out.text(), "answer\n");
    assert_eq!(err.text(), "warning: careful\n");
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let ui = Ui::to(Gone, Gone, Level::Normal);
    ui.line("a");
    assert!(ui.answer_is_unread());
    ui.line("b");
}

#[test]
fn colour_follows_the_flag_then_the_environment() {
    let plain = EnvVars::default();
    let no_color = EnvVars::of(&[("NO_COLOR", "1")]);
    let dumb = EnvVars::of(&[("TERM", "dumb")]);
    assert!(uses_color(ColorWhen::Auto, true, &plain));
    assert!(!uses_color(ColorWhen::Auto, false, &plain));
    assert!(!uses_color(ColorWhen::Auto, true, &no_color));
    assert!(!uses_color(ColorWhen::Auto, true, &dumb));
    assert!(uses_color(ColorWhen::Always, false, &no_color));
    assert!(!uses_color(ColorWhen::Never, true, &plain));
}
