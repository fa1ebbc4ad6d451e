//! Sockets of the machine, and one's own.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use sage_testkit::PlannedTask;

use super::{Jailed, check, check_modes, says_so};
use crate::support::{World, plan_file, planned};

#[test]
fn no_tcp_port_of_the_machine_is_reached() {
    let jailed = Jailed::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('ESCAPED')"
    );
    check(&jailed, |mode| jailed.python(mode, &script), says_so);
    // And with the network granted it is.
    let args = ["sandbox", "--network", "all", "--", "python3", "-c", &script];
    jailed.sandbox.run(&args).expect_text("ESCAPED");
}

#[test]
fn no_datagram_leaves() {
    let jailed = Jailed::new();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let script = format!(
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))"
    );
    check(&jailed, |mode| jailed.python(mode, &script), |_| socket.recv(&mut [0; 8]).is_ok());
}

/// Sockets of daemons and agents: docker, ssh, the desktop.
#[test]
fn no_local_socket_of_the_machine_is_reached() {
    let jailed = Jailed::new();
    let path = jailed.sandbox.path("docker.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let script = format!(
        "import socket; socket.socket(socket.AF_UNIX).connect({:?}); print('ESCAPED')",
        path.to_str().unwrap()
    );
    check(&jailed, |mode| jailed.python(mode, &script), says_so);
    let args = ["sandbox", "--network", "all", "--", "python3", "-c", &script];
    assert!(!says_so(&jailed.sandbox.run(&args)));
}

#[test]
#[cfg(target_os = "linux")]
fn no_abstract_socket_of_the_machine_is_reached() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let jailed = Jailed::new();
    let name = format!("sage-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let script = format!(
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}'); print('ESCAPED')"
    );
    check(&jailed, |mode| jailed.python(mode, &script), says_so);
    let args = ["sandbox", "--network", "all", "--", "python3", "-c", &script];
    assert!(!says_so(&jailed.sandbox.run(&args)));
}

/// A grant of some hosts: these are reached through the proxy, no other is, and there is no way past it.
#[test]
fn a_grant_of_hosts_opens_these_and_no_others() {
    let jailed = Jailed::new();
    let serve = |answer: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            use std::io::{Read, Write};
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
                let _ = stream.write_all(format!("{head}{answer}").as_bytes());
            }
        });
        port
    };
    let (granted, other) = (serve("GRANTED"), serve("ESCAPED"));
    let script = format!(
        "import os, socket, urllib.request
del os.environ['no_proxy'], os.environ['NO_PROXY']
def get(port):
    try: print(urllib.request.urlopen(f'http://127.0.0.1:{{port}}/', timeout=10).read().decode())
    except Exception as error: print(error)
get({granted}); get({other})
try: socket.create_connection(('127.0.0.1', {other}), 5); print('ESCAPED')
except OSError as error: print(error)"
    );
    let grant = format!("127.0.0.1:{granted},example.invalid");
    let args = ["sandbox", "--network", &grant, "--", "python3", "-c", &script];
    let output = jailed.sandbox.run(&args);
    output.expect_code(0).expect_text("GRANTED").expect_text("403");
    output.expect_text("network: 127.0.0.1 was refused");
    assert!(!says_so(&output), "{output}");
    // Without namespaces there is nothing to hold it to them: nothing is opened, and that is said.
    let args = [&["sandbox", "--sandbox", "landlock"], &args[1..]].concat();
    let output = jailed.sandbox.run(&args);
    output.expect_text("single hosts cannot be enforced");
    assert!(!says_so(&output) && !output.stdout.contains("GRANTED"), "{output}");
}

/// A plan alone opens nothing: who wrote it may be a model.
#[test]
fn a_plans_hosts_need_the_persons_word() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
    });
    let get = format!(
        "NO_PROXY= no_proxy= python3 -c \"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}/', timeout=10)\""
    );
    let task = PlannedTask::file("task_001", "a.txt", "a\n").verified_by(&get);
    let world = World::new(planned(vec![task.clone()]));
    let mut plan: serde_json::Value = serde_json::from_str(&plan_file(&[task])).unwrap();
    plan["nodes"][0]["network"] = serde_json::json!([format!("127.0.0.1:{port}")]);
    let file = world.sandbox.path("plan.json");
    std::fs::write(&file, plan.to_string()).unwrap();
    let args = ["run", "--auto", "--plan", file.to_str().unwrap()];
    world.sandbox.run(&args).expect_code(1);
    let flag = format!("host:127.0.0.1:{port}");
    let allowed = [&args[..], &["--fresh", "--allow", &flag]].concat();
    world.sandbox.run(&allowed).expect_code(0);
}

#[test]
fn packet_and_administration_sockets_are_closed() {
    let jailed = Jailed::new();
    for (family, protocol) in [("AF_PACKET", 0), ("AF_NETLINK", 9), ("AF_VSOCK", 0), ("AF_ALG", 0)]
    {
        // Refused by us, or by the kernel to those who may not: never given.
        let script = format!(
            "import socket\nsocket.socket(getattr(socket, '{family}'), socket.SOCK_RAW if '{family}' == 'AF_NETLINK' else socket.SOCK_DGRAM, {protocol})\nprint('ESCAPED')"
        );
        for mode in ["on", "landlock"] {
            let output = jailed.python(mode, &script);
            assert!(!says_so(&output), "{family}: {output}");
        }
    }
    let script =
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)\nprint('ESCAPED')";
    assert!(says_so(&jailed.python("off", script)), "without a sandbox it must succeed");
}

/// Tests that start a server of their own work.
#[test]
fn the_commands_own_loopback_works() {
    let jailed = Jailed::new();
    let script = "import socket
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname(), 5)
print('connected', socket.gethostbyname('localhost'))";
    jailed.python("on", script).expect_code(0).expect_text("connected 127.0.0.1");
    check_modes(&jailed, &[], |mode| jailed.python(mode, "print('ESCAPED')"), says_so);
}
