# An echo server in Ruby: a thread for each client, and IO.copy_stream.
require "socket"

Socket.tcp_server_loop("127.0.0.1", ARGV[0].to_i) do |sock, _|
  Thread.new do
    IO.copy_stream(sock, sock)
  ensure
    sock.close
  end
end
