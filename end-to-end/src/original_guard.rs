//! The original guard programs: agents of several versions, driven by `python/guard/agent.py`, and an
//! application behind the original middleware, `python/guard/application.py`.

use crate::environment;
use crate::http_client::Http;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The newest agent, which lies in the environment itself; older ones lie beside it.
pub const NEWEST_AGENT: &str = "guard-agent==3.2.4";

/// One attempt after another with backoff takes this long at most in a test.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// The older agents that are installed, as pip names them: one for each way of speaking.
///
/// # Errors
///
/// When the list cannot be read.
pub fn older_agents() -> Result<Vec<String>> {
    let list = environment::python_program("guard/older_agents.txt");
    let text = std::fs::read_to_string(&list).with_context(|| list.display().to_string())?;
    let lines = text.lines().map(str::trim);
    Ok(lines.filter(|it| !it.is_empty() && !it.starts_with('#')).map(str::to_owned).collect())
}

/// A running agent. It ends with this value.
#[derive(Debug)]
pub struct OriginalAgent {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl OriginalAgent {
    /// Starts an agent of this version; its home is `home`, where it keeps its install id.
    ///
    /// # Errors
    ///
    /// When Python or the agent is not there, or it refuses its configuration.
    pub async fn start(version: &str, home: &Path, config: Value) -> Result<Self> {
        let program = environment::python_program("guard/agent.py");
        let mut command = Command::new(environment::guard_python());
        command.arg(program).env("HOME", home).env_remove("PYTHONPATH");
        if version != NEWEST_AGENT {
            command.env("PYTHONPATH", older_agent(version)?);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("cannot start Python for the guard agent")?;
        let orders = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        let answers = BufReader::new(output).lines();
        let mut agent = Self { child, orders, answers };
        agent.order(json!({"do": "start", "config": config})).await?;
        Ok(agent)
    }

    /// The only event types that it sends; none where it sends any.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub async fn event_types(&mut self) -> Result<Option<Vec<String>>> {
        Ok(serde_json::from_value(self.order(json!({"do": "types"})).await?)?)
    }

    /// Puts events into its buffer.
    ///
    /// # Errors
    ///
    /// When the agent does not take them.
    pub async fn events(&mut self, events: &[Value]) -> Result<()> {
        self.order(json!({"do": "events", "events": events})).await.map(drop)
    }

    /// Puts metrics into its buffer.
    ///
    /// # Errors
    ///
    /// When the agent does not take them.
    pub async fn metrics(&mut self, metrics: &[Value]) -> Result<()> {
        self.order(json!({"do": "metrics", "metrics": metrics})).await.map(drop)
    }

    /// Has it send what it holds; its statistics afterwards.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub async fn flush(&mut self) -> Result<Value> {
        self.order(json!({"do": "flush"})).await
    }

    /// Has it send its status; whether it takes the answer for a success.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub async fn status(&mut self) -> Result<bool> {
        let sent = self.order(json!({"do": "status"})).await?;
        sent.as_bool().context("not a yes or no")
    }

    /// The rules as it reads them from the server now; null where it got none.
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    pub async fn rules(&mut self) -> Result<Value> {
        self.order(json!({"do": "rules"})).await
    }

    /// Stops it, after its last flush.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        self.order(json!({"do": "stop"})).await?;
        drop(self.orders);
        let status = timeout(ANSWER_TIMEOUT, self.child.wait()).await??;
        ensure!(status.success(), "the guard agent ended with {status}");
        Ok(())
    }

    async fn order(&mut self, order: Value) -> Result<Value> {
        let line = format!("{order}\n");
        self.orders.write_all(line.as_bytes()).await.context("the guard agent is gone")?;
        let answer = timeout(ANSWER_TIMEOUT, self.answers.next_line()).await??;
        let answer = answer.context("the guard agent ended without an answer")?;
        let mut answer: Value = serde_json::from_str(&answer)?;
        match answer.get("error") {
            Some(error) => bail!("guard agent: {error}"),
            None => Ok(answer.get_mut("ok").map(Value::take).unwrap_or_default()),
        }
    }
}

fn older_agent(version: &str) -> Result<PathBuf> {
    let python = environment::guard_python();
    let environment =
        python.ancestors().nth(2).context("the interpreter lies in no environment")?;
    let folder = environment.join("agents").join(version);
    ensure!(folder.is_dir(), "{} is not there: ./x test sets it up", folder.display());
    Ok(folder)
}

/// A FastAPI application behind the original middleware. It ends with this value.
#[derive(Debug)]
pub struct OriginalApplication {
    child: Child,
    http: Http,
}

impl OriginalApplication {
    /// Starts it: `middleware` and `agent` as `application.py` takes them.
    ///
    /// # Errors
    ///
    /// When it does not come to listen.
    pub async fn start(home: &Path, middleware: Value, agent: Option<Value>) -> Result<Self> {
        let told = json!({"middleware": middleware, "agent": agent}).to_string();
        let mut command = Command::new(environment::guard_python());
        command.arg(environment::python_program("guard/application.py")).arg(told);
        command.env("HOME", home).env_remove("PYTHONPATH").kill_on_drop(true);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().context("no standard output")?;
        let first = timeout(ANSWER_TIMEOUT, BufReader::new(output).lines().next_line()).await??;
        let port: u16 = first.context("the application ended without a port")?.parse()?;
        let http = Http::new(&format!("http://127.0.0.1:{port}"));
        let application = Self { child, http };
        // It listens already; the first answer comes when it has started.
        application.http.get("/docs").await?;
        Ok(application)
    }

    /// Requests to it.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Stops it and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("it ended already")?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("no pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        timeout(ANSWER_TIMEOUT, self.child.wait()).await??;
        Ok(())
    }
}
