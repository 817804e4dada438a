//! How recording is switched on for a service that something else starts.

use std::fmt::Write;
use std::path::Path;

use crate::trial::recording::Asked;

/// The lines to paste, with what they need and how to take them back.
pub fn text(asked: &Asked, library: &Path) -> String {
    let variables: Vec<(String, String)> = asked
        .variables(library, None)
        .into_iter()
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect();
    let dir = asked.directory.display();
    let library = library.display();
    let mut text = String::new();
    let lines = |line: &dyn Fn(&str, &str) -> String| {
        variables.iter().map(|(name, value)| line(name, value)).collect::<Vec<_>>().join("\n")
    };
    let quoted = |name: &str, value: &str| format!("{name}={}", shlex::try_quote(value).unwrap_or_default());
    let shell = lines(&|name, value| format!("export {}", quoted(name, value)));
    let unit = lines(&|name, value| format!("Environment=\"{name}={}\"", value.replace('%', "%%")));
    let docker = lines(&|name, value| format!("  -e {} \\", quoted(name, value)));
    let yaml =
        lines(&|name, value| format!("  - {{name: {name}, value: {}}}", serde_json::Value::from(value)));
    let _ = write!(
        text,
        "# The directory must exist, and the service's user must be able to write in it:\n\
         mkdir -p {dir} && chown SERVICE-USER {dir}\n\n\
         # Shell, before the service is started (LD_PRELOAD: put what you have there already after it, with a colon)\n\
         {shell}\n\n\
         # systemd: systemctl edit SERVICE, then restart it\n\
         [Service]\n{unit}\nReadWritePaths={dir}\n\n\
         # Docker: the library and the directory must be in the container, at these paths\n\
         docker run \\\n  -v {library}:{library}:ro -v {dir}:{dir} \\\n{docker}\n  IMAGE\n\n\
         # Kubernetes, in the container's specification; mount the library and the directory with volumes\n\
         env:\n{yaml}\n\n\
         # Limits: glibc 2.17 or later, Linux 4.14 or later, x86_64 or aarch64. Not recorded: programs linked statically or with a malloc\n\
         # of their own, programs on musl, and setuid programs. In a container the image's own C library must be glibc.\n\
         # To switch it off: take the lines out again and restart the service. To end recording in what runs now:\n\
         printf '\\001' | dd of={dir}/control bs=1 seek=12 conv=notrunc status=none\n\
         # Then: arenalab trace info {dir}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arenalab_trace::layout::Control;

    #[test]
    fn the_lines_have_every_variable_and_the_place_of_the_stop_is_the_format_s() {
        let asked = Asked {
            directory: "/var/tmp/rec".into(),
            time: Some(std::time::Duration::from_secs(600)),
            max_size: Some(1 << 30),
            sample: 64,
        };
        let text = text(&asked, Path::new("/opt/libarenalab_record.so"));
        for line in [
            "export LD_PRELOAD=/opt/libarenalab_record.so",
            "Environment=\"ARENALAB_RECORD=/var/tmp/rec\"",
            "-e ARENALAB_RECORD_FOR_MS=600000 \\",
            "- {name: ARENALAB_RECORD_SAMPLE, value: \"64\"}",
            "Environment=\"ARENALAB_RECORD_MAX_SIZE=1073741824\"",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains(&format!("seek={} ", std::mem::offset_of!(Control, stop))));
    }
}
