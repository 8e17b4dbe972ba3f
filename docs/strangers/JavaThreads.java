// An echo server in Java: a thread for each client, and transferTo().
import java.net.InetAddress;
import java.net.ServerSocket;

class JavaThreads {
    public static void main(String[] args) throws Exception {
        var address = InetAddress.getByName("127.0.0.1");
        try (var listener = new ServerSocket(Integer.parseInt(args[0]), 1024, address)) {
            while (true) {
                var socket = listener.accept();
                new Thread(() -> {
                    try (socket) {
                        socket.getInputStream().transferTo(socket.getOutputStream());
                    } catch (Exception gone) {
                        // the client has reset
                    }
                }).start();
            }
        }
    }
}
