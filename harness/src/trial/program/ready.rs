//! When a service can be driven.

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use regex::Regex;

use super::{Broken, Playing};
use crate::knowledge::nearest::quote;
use crate::plan::program::{Places, Ready};

/// Time for one attempt to connect.
const CONNECT: Duration = Duration::from_millis(500);
/// Time for one run of a ready command.
const ATTEMPT: Duration = Duration::from_secs(10);
/// Time between runs of a ready command.
const PAUSE: Duration = Duration::from_millis(50);

/// Refuses a place that shows readiness before the program was started: something else would be measured.
pub fn refuse_occupied(ready: &Ready, places: &Places) -> Result<(), Broken> {
    let occupied = match ready {
        Ready::Tcp(address) if accepts(&places.fill(address)) => {
            format!("something already listens on {}", places.fill(address))
        }
        Ready::Unix(path) if UnixStream::connect(places.fill(path)).is_ok() => {
            format!("something already listens on {}", places.fill(path))
        }
        Ready::File(path) if Path::new(&places.fill(path)).exists() => {
            format!("{} was already there", places.fill(path))
        }
        _ => return Ok(()),
    };
    Err(Broken::Failed(format!(
        "{occupied} before the program was started; end it, or let the program use {{port}} or {{dir}}"
    )))
}

/// Whether a service can be driven.
pub(super) fn is_ready(ready: &Ready, trial: &Playing) -> Result<bool, Broken> {
    let places = &trial.place.places;
    Ok(match ready {
        Ready::Tcp(address) => accepts(&places.fill(address)),
        Ready::Unix(path) => UnixStream::connect(places.fill(path)).is_ok(),
        Ready::File(path) => Path::new(&places.fill(path)).exists(),
        Ready::Log(pattern) => {
            let printed =
                trial.story.output.iter().rev().find(|path| path.to_string_lossy().ends_with(".program.log"));
            let text = printed.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
            Regex::new(pattern).is_ok_and(|regex| regex.is_match(&String::from_utf8_lossy(&text)))
        }
        Ready::Command(words) => {
            let limit = trial.program.ready_timeout.min(ATTEMPT);
            let ready = trial.try_help(words, limit, None, &mut || trial.go_on())?.code == Some(0);
            if !ready {
                std::thread::sleep(PAUSE);
            }
            ready
        }
    })
}

fn accepts(address: &str) -> bool {
    let addresses = address.to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, CONNECT).is_ok())
}

/// What is waited for, for a reason.
pub fn words(ready: &Ready, places: &Places) -> String {
    match ready {
        Ready::Tcp(address) => format!("nothing accepts connections on {}", places.fill(address)),
        Ready::Unix(path) => format!("nothing accepts connections on {}", places.fill(path)),
        Ready::Log(pattern) => format!("nothing that it printed matches {}", quote(pattern)),
        Ready::File(path) => format!("{} is not there", places.fill(path)),
        Ready::Command(words) => format!("{} does not exit with 0", quote(&places.fill_all(words).join(" "))),
    }
}
