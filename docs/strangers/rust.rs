// An echo server in Rust: a thread for each client, and io::copy.
use std::{env, io, net::TcpListener, thread};

fn main() -> io::Result<()> {
    let port = env::args().nth(1).unwrap();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || io::copy(&mut &stream, &mut &stream));
    }
    Ok(())
}
