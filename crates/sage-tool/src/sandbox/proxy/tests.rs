use super::*;

async fn ask(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn granted_hosts_are_reached_and_others_are_refused_and_named() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = server.local_addr().unwrap().port();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let proxy = Proxy::new(&[format!("127.0.0.1:{at}"), format!("localhost.test:{at}")]);
    let serve_one = async {
        let (mut stream, _) = server.accept().await.unwrap();
        let head = read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await.unwrap();
        stream.write_all(&head).await.unwrap();
    };
    let work = async {
        let request = format!("GET http://127.0.0.1:{at}/x HTTP/1.1\r\n\r\n");
        let (answer, ()) = tokio::join!(ask(port, &request), serve_one);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("GET /x"), "{answer}");
        for host in ["example.invalid:443", "127.0.0.1:1"] {
            let answer = ask(port, &format!("CONNECT {host} HTTP/1.1\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        }
        assert!(ask(port, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    };
    tokio::select! {
        () = work => {}
        () = proxy.serve(listener) => {}
    }
    let remarks = proxy.remarks();
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    assert!(remarks[1].starts_with("network: example.invalid was refused; granted: 127.0.0.1"));
}
