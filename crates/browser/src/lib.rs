//! A headless Chromium that tests drive, by Debian's `chromium` and `chromium-driver`.

use std::error::Error;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What a test of a page gives.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What keeps the browser from the network, and from what it has seen before.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,800",
];

/// A browser with one page. It ends with its value.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    driver: Child,
    folder: PathBuf,
}

/// The messages of the console.
#[derive(Debug)]
struct Console;

impl WebDriverCompatibleCommand for Console {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> std::result::Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

impl Browser {
    /// Starts a browser that keeps its pages and pictures in a folder.
    ///
    /// # Errors
    /// No `chromedriver`, or no browser that it could start.
    pub fn start(folder: &Path) -> Result<Browser> {
        fs::create_dir_all(folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver cannot be started: {error}"))?;
        let profile = folder.join("profile");
        let _ = fs::remove_dir_all(&profile);
        let mut flags: Vec<String> = FLAGS.map(String::from).to_vec();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(connect(port, &capabilities))?;
        Ok(Browser { runtime, client, driver, folder: folder.to_owned() })
    }

    /// Opens a page from a file.
    ///
    /// # Errors
    /// What the browser says.
    pub fn open(&self, html: &str) -> Result<()> {
        let file = self.folder.join("page.html");
        fs::write(&file, html)?;
        Ok(self.runtime.block_on(self.client.goto(&format!("file://{}", file.display())))?)
    }

    /// What a function with this body gives.
    ///
    /// # Errors
    /// What the browser says, and what the function throws.
    pub fn run(&self, script: &str) -> Result<Value> {
        Ok(self.runtime.block_on(self.client.execute(script, Vec::new()))?)
    }

    /// What a function with this body gives as soon as that is not null; it waits for ten seconds.
    ///
    /// # Errors
    /// What [`run`](Browser::run) gives, and that nothing came.
    pub fn wait(&self, script: &str) -> Result<Value> {
        for _ in 0..200 {
            match self.run(script)? {
                Value::Null | Value::Bool(false) => std::thread::sleep(Duration::from_millis(50)),
                found => return Ok(found),
            }
        }
        Err(format!("nothing came of {script}").into())
    }

    /// Makes the window as large as a screen.
    ///
    /// # Errors
    /// What the browser says.
    pub fn resize(&self, width: u32, height: u32) -> Result<()> {
        Ok(self.runtime.block_on(self.client.set_window_size(width, height))?)
    }

    /// Opens the page again with another part behind `#`.
    ///
    /// # Errors
    /// What the browser says.
    pub fn visit(&self, state: &str) -> Result<()> {
        let file = self.folder.join("page.html");
        self.runtime.block_on(async {
            self.client.goto("about:blank").await?;
            Ok(self.client.goto(&format!("file://{}#{state}", file.display())).await?)
        })
    }

    /// Clicks the first element that a selector finds.
    ///
    /// # Errors
    /// There is none, or it cannot be clicked.
    pub fn click(&self, selector: &str) -> Result<()> {
        self.runtime.block_on(async {
            let element = self.client.find(Locator::Css(selector)).await?;
            Ok(element.click().await?)
        })
    }

    /// Presses keys.
    ///
    /// # Errors
    /// What the browser says.
    pub fn press(&self, keys: &str) -> Result<()> {
        self.runtime.block_on(async {
            let element = self.client.active_element().await?;
            Ok(element.send_keys(keys).await?)
        })
    }

    /// The texts of all elements that a selector finds.
    ///
    /// # Errors
    /// What the browser says.
    pub fn texts(&self, selector: &str) -> Result<Vec<String>> {
        let script = format!(
            "return [...document.querySelectorAll({})].map((element) => element.textContent)",
            json!(selector)
        );
        Ok(serde_json::from_value(self.run(&script)?)?)
    }

    /// The messages of the console since the last call.
    ///
    /// # Errors
    /// What the browser says.
    pub fn console(&self) -> Result<Vec<Value>> {
        let said = self.runtime.block_on(self.client.issue_cmd(Console))?;
        Ok(serde_json::from_value(said)?)
    }

    /// Keeps a picture of what is seen.
    ///
    /// # Errors
    /// What the browser or the file system says.
    pub fn picture(&self, name: &str) -> Result<()> {
        let picture = self.runtime.block_on(self.client.screenshot())?;
        Ok(fs::write(self.folder.join(format!("{name}.png")), picture)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Nothing is left to do if the browser or its driver are gone already.
        let _ = self.runtime.block_on(self.client.clone().close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Waits until the driver listens, and starts a browser.
async fn connect(port: u16, capabilities: &Value) -> Result<Client> {
    let address = format!("http://127.0.0.1:{port}");
    let mut tries = 0;
    loop {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(serde_json::from_value(capabilities.clone())?);
        match builder.connect(&address).await {
            Ok(client) => return Ok(client),
            Err(error) if tries == 100 => return Err(error.into()),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
